"""Kernels forked from one process that has done the imports of all pages: each starts two seconds of a core sooner."""

import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver, get_context
from typing import Any

from lib.experiment.alone import code, environment
from lib.runner import kernel

SHARED = ["ipykernel.kernelapp", "seaborn", "distributed", "lib.report.page", "lib.claims", "lib.studies.contenders"]
SHARED += ["lib.runner.command_line"]  # of the runner itself: Python gives a fork its parent's main module
"""Imported once. None may start a thread, which a fork would not have; only pyarrow's allocator does, and stands a fork."""

_known: list[str] = []


def prepare(variables: Mapping[str, str]) -> None:
    """Start that process, with variables that libraries read as they load; on Linux only, as macOS's do not stand a fork."""
    if sys.platform == "linux" and not _known:
        _known.append(code())
        forkserver.set_forkserver_preload(SHARED)
        with environment(variables):
            forkserver.ensure_running()


def fork(arguments: Sequence[str], variables: Mapping[str, str], folder: str) -> Any:
    """Fork a kernel, as jupyter_client knows a `subprocess.Popen`; None where nothing was prepared or lib was edited since."""
    if _known != [code()]:
        return None
    made: Any = get_context("forkserver").Process(target=_become, args=(arguments, dict(variables), folder))
    made.start()
    made.poll, made.wait, made.stdin, made.stdout, made.stderr = lambda: made.exitcode, made.join, None, None, None
    made.send_signal = lambda _: None  # asked where its group is gone
    return made


def _become(arguments: Sequence[str], variables: Mapping[str, str], folder: str) -> None:
    os.setsid()
    os.environ.clear()
    os.environ.update(variables, JPY_PARENT_PID=str(os.getppid()))
    os.chdir(folder)
    sys.argv[1:], sys.path[:1] = arguments, [folder, *variables["PYTHONPATH"].split(os.pathsep)]
    kernel.main()
