"""One run, executed: papermill in this process, the notebook's kernel in another, results in a folder of their own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lib import ROOT
from lib.runner.store import NOTEBOOK, PROGRESS, write_whole

DATA_ERRORS = ("DatasetUnavailable", "CorruptDataset")
"""Errors of `lib.datasets` that are about the data, not about the notebook."""

TRACEBACK_LINES = 25
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_KERNELS: set[int] = set()


@dataclass(frozen=True)
class Request:
    """What a worker needs to execute a run; plain values, so that any executor can carry it.

    Attributes
    ----------
    run : str
        The run's name.
    notebook : str
        Path of the source notebook.
    folder : str
        Where its results go: the executed notebook, and what `lib.results` writes.
    working_folder : str
        Of the kernel.
    parameters : dict
        Values to inject.
    environment : dict of str to str
        Environment variables of the kernel, beside those of the worker.
    timeout : float or None
        Seconds that one cell may take.
    """

    run: str
    notebook: str
    folder: str
    working_folder: str
    parameters: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    timeout: float | None = None


@dataclass(frozen=True)
class Failure:
    """Why and where a notebook stopped.

    `cell` counts code cells from 1, of `cells`; both are 0 where it didn't come to a cell. `about_data` says that
    the data, not the notebook, is at fault.
    """

    error: str
    message: str
    cell: int = 0
    cells: int = 0
    source: str = ""
    traceback: tuple[str, ...] = ()
    about_data: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its failure or None, wall time in seconds, peak memory of the kernel in MiB, versions."""

    run: str
    failure: Failure | None
    seconds: float
    peak_memory: float | None = None
    cells: int = 0
    versions: dict[str, str] = field(default_factory=dict)


def execute_run(request: Request) -> Outcome:
    """Execute a run's notebook into its folder.

    The cells' progress goes to ``progress.json`` there, for whoever waits.

    Returns
    -------
    Outcome
        Also where the notebook failed: its failure is then set, and the notebook as far as it got is in the folder.
    """
    started = time.monotonic()
    os.environ.update(request.environment)
    scratch = tempfile.mkdtemp(prefix="kernel-")
    # No start-up files or history of the user's own, and none left behind.
    os.environ["IPYTHONDIR"] = str(Path(scratch) / "ipython")
    place = _Place(request)
    try:
        failure = _execute(request, scratch, place)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    seconds = time.monotonic() - started
    if failure is None:
        _tidy(Path(request.folder) / NOTEBOOK)
    from lib.provenance import collect_provenance

    versions = {"python": sys.version.split()[0], **collect_provenance()["versions"]}
    return Outcome(request.run, failure, seconds, _peak_memory(), place.cells, versions)


def stop_kernels() -> None:
    """End the kernels that this process started, and what they started, at once."""
    for pid in list(_KERNELS):
        try:
            if hasattr(os, "killpg"):
                os.killpg(pid, signal.SIGKILL)  # a kernel leads a session of its own
            else:
                os.kill(pid, signal.SIGTERM)
        except (ProcessLookupError, PermissionError):
            continue


class _Place:
    """Where in its notebook a run is; told to whoever waits through a file."""

    def __init__(self, request: Request):
        cells = json.loads(Path(request.notebook).read_text(encoding="utf-8"))["cells"]
        self._sources = {cell.get("id"): cell["source"] for cell in cells if cell["cell_type"] == "code"}
        self._order = {name: place for place, name in enumerate(self._sources, 1)}
        self._file = Path(request.folder) / PROGRESS
        self.cells, self.cell = len(self._order), 0

    def enter(self, cell: Any) -> None:
        if cell.get("id") in self._order:
            self.cell = self._order[cell["id"]]
            write_whole(self._file, json.dumps({"cell": self.cell, "cells": self.cells}))

    @property
    def source(self) -> str:
        return next(("".join(s) for name, s in self._sources.items() if self._order[name] == self.cell), "")


def _execute(request: Request, scratch: str, place: _Place) -> Failure | None:
    import papermill
    from papermill.engines import papermill_engines
    from papermill.exceptions import PapermillExecutionError

    papermill_engines.register("this_interpreter", _engine(scratch, place))
    output = str(Path(request.folder) / NOTEBOOK)
    try:
        papermill.execute_notebook(
            _unformatted(request.notebook),
            _unformatted(output),
            parameters=request.parameters,
            engine_name="this_interpreter",
            kernel_name="python3",
            language="python",
            progress_bar=False,
            cwd=request.working_folder,
            start_timeout=120,
            execution_timeout=request.timeout,
        )
    except PapermillExecutionError as error:
        lines = _plain("\n".join(error.traceback)).splitlines()
        name = error.ename.rpartition(".")[2]
        return _failure(place, name, _plain(error.evalue), lines, name in DATA_ERRORS)
    except Exception as error:
        name = type(error).__name__
        message = {
            "DeadKernelError": "the notebook's process died: killed, crashed, or out of memory",
            "CellTimeoutError": f"the cell took longer than the {request.timeout:g} s of --timeout"
            if request.timeout
            else "",
        }.get(name) or _plain(str(error))
        return _failure(place, name, message, [], about_data=False)
    return None


def _failure(place: _Place, name: str, message: str, lines: list[str], about_data: bool) -> Failure:
    tail = tuple(line.rstrip() for line in lines[-TRACEBACK_LINES:])
    return Failure(name, message.strip(), place.cell, place.cells, place.source, tail, about_data)


def _engine(scratch: str, place: _Place) -> type:
    """Make papermill's engine that runs the kernel on this very interpreter and tells where it is.

    A kernel found by name may be another interpreter's: a user's own kernel specs come before the environment's.
    """
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager
    from papermill.engines import NBClientEngine

    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = KernelSpec(
        argv=[*command, "--HistoryManager.enabled=False"], language="python", display_name="Python 3"
    )

    class Manager(AsyncKernelManager):
        kernel_spec = property(lambda self: spec)

        def __init__(self, **options: Any):
            if sys.platform != "win32":  # sockets as files: two kernels can't be given the same port
                options |= {"transport": "ipc", "ip": str(Path(scratch) / "kernel")}
            super().__init__(**options)

        async def _async_launch_kernel(self, kernel_cmd: list[str], **kw: Any) -> None:
            await super()._async_launch_kernel(kernel_cmd, **kw)
            _KERNELS.add(self.provisioner.pid)

    class Engine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
            entered = nb_man.cell_start

            def cell_start(cell: Any, cell_index: int | None = None, **kw: Any) -> None:
                place.enter(cell)
                entered(cell, cell_index, **kw)

            nb_man.cell_start = cell_start
            return super().execute_managed_notebook(
                nb_man, kernel_name, kernel_manager_class=Manager, **options
            )

    return Engine


def _tidy(path: Path) -> None:
    """Take this machine's paths out of an executed notebook: papermill's, and the results folder's."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in list(notebook["cells"]):
        if "injected-parameters" in cell["metadata"].get("tags", []):
            lines = [
                line for line in "".join(cell["source"]).splitlines() if not line.startswith("runs_dir =")
            ]
            cell["source"] = "\n".join(lines)
            if all(line.startswith("#") or not line.strip() for line in lines):
                notebook["cells"].remove(cell)
    kept = notebook["metadata"].get("papermill", {})
    notebook["metadata"]["papermill"] = {name: kept[name] for name in ("duration", "version") if name in kept}
    write_whole(path, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")


def _unformatted(path: str) -> str:
    """Shield braces in a path: papermill fills parameters in between them."""
    return path.replace("{", "{{").replace("}", "}}")


def _plain(text: str) -> str:
    return _ANSI.sub("", text)


def _peak_memory() -> float | None:
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def kernel_environment(threads: int, folder: Path) -> dict[str, str]:
    """Return the environment of a run's kernel: its share of the cores, its folder, and quiet libraries."""
    count = str(threads)
    paths = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {
        "OMP_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "VECLIB_MAXIMUM_THREADS": count,
        "NUMBA_NUM_THREADS": count,
        "TF_NUM_INTRAOP_THREADS": count,
        "TF_NUM_INTEROP_THREADS": count,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "REPORT_RUN_FOLDER": str(folder),
    }
