"""A `concurrent.futures` executor that gives each call a process of its own and can end them all at once.

A pool of processes won't do: one that dies takes its neighbours' work with it, memory that a run used stays, and
a pool can't stop what is running. Any other executor that carries plain values can stand in for this one.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lib import ROOT

GRACE = 2.0
"""Seconds that a process has to end when asked, before it is made to."""


class WorkerDied(RuntimeError):
    """A call failed in its process, or the process ended without an answer; the message holds what it last said."""


class ProcessPerCall(Executor):
    """Runs each call in a fresh process.

    Parameters
    ----------
    max_workers : int
        How many processes may live at the same time.
    """

    def __init__(self, max_workers: int):
        self._threads = ThreadPoolExecutor(max_workers, thread_name_prefix="runner")
        self._processes: set[subprocess.Popen] = set()
        self._guard = threading.Lock()
        self._stopped = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Have a module's function called in a process of its own."""
        return self._threads.submit(self._call, fn, args, kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; see `concurrent.futures.Executor.shutdown`."""
        self._threads.shutdown(wait, cancel_futures=cancel_futures)

    def stop(self) -> None:
        """End all processes at once, and what they started."""
        with self._guard:
            self._stopped = True
            processes = list(self._processes)
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
        self.shutdown(wait=True, cancel_futures=True)

    def _call(self, fn: Callable[..., Any], args: tuple, kwargs: dict) -> Any:
        with tempfile.TemporaryDirectory(prefix="runner-") as folder:
            question, answer, log = (Path(folder) / name for name in ("question", "answer", "log"))
            question.write_bytes(pickle.dumps((fn, args, kwargs)))
            paths = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
            with open(log, "wb") as output, self._guard:
                if self._stopped:
                    raise WorkerDied("stopped")
                process = subprocess.Popen(
                    [
                        sys.executable,
                        "-m",
                        "lib.runner.executor",
                        str(question),
                        str(answer),
                        str(os.getpid()),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                    start_new_session=True,  # the terminal's Ctrl-C reaches the runner only, which passes it on
                )
                self._processes.add(process)
            try:
                process.wait()
            finally:
                with self._guard:
                    self._processes.discard(process)
            if not answer.exists():
                said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
                raise WorkerDied("\n".join([f"its process ended with code {process.returncode}", *said]))
            ended_well, value = pickle.loads(answer.read_bytes())
        if not ended_well:
            raise WorkerDied(value)
        return value


def serve(question: Path, answer: Path, parent: int) -> None:
    """Answer one call, in the process made for it; end at once when told to, or when the parent has died."""
    from lib.runner.execute import stop_kernels

    def leave(*_: Any) -> None:
        stop_kernels()
        os._exit(1)

    def work() -> None:
        fn, args, kwargs = pickle.loads(question.read_bytes())
        try:
            content = (True, fn(*args, **kwargs))
        except Exception as error:
            content = (False, f"{type(error).__name__}: {error}")
        partial = answer.with_suffix(".partial")
        partial.write_bytes(pickle.dumps(content))
        os.replace(partial, answer)

    signal.signal(signal.SIGTERM, leave)
    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    while worker.is_alive():
        worker.join(0.2)
        if os.getppid() != parent:
            leave()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
