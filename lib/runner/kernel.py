"""A notebook's kernel: waits for a core, then is ipykernel's, and ends with the runner that started it."""

import logging
import os
import runpy
import signal
import threading
import time
from multiprocessing import parent_process
from pathlib import Path

STARTED = ".started"
"""Appears in the run's folder when the kernel has its core."""


def end_with(parent: int) -> None:
    """End this process and what it started once the runner is gone, which a fork's parent outlives; ipykernel does so late."""
    while runner.is_alive() if (runner := parent_process()) else os.getppid() == parent:
        time.sleep(0.5)
    os.killpg(0, signal.SIGKILL)  # a kernel leads a session of its own


def main() -> None:
    """Take a core's slot, say so, and run the kernel on the command line's connection file."""
    if hasattr(os, "killpg"):
        threading.Thread(target=end_with, args=(int(os.environ["JPY_PARENT_PID"]),), daemon=True).start()
    if os.environ.get("REPORT_SLOTS"):
        from lib.experiment.slots import held

        held().take()  # before anything heavy is imported; it is given back while fits run elsewhere, and at the end
    Path(os.environ["REPORT_RUN_FOLDER"], STARTED).touch()
    # A kernel that is asked to end while it writes tells of its own closed sockets; what goes wrong in a cell is told.
    logging.getLogger("tornado.general").setLevel(logging.CRITICAL)
    runpy.run_module("ipykernel_launcher", run_name="__main__")


if __name__ == "__main__":
    main()
