"""One run, executed: papermill in a thread of the runner, the notebook's kernel in a process beside it."""

import json
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lib import ROOT
from lib.experiment.alone import THREADS
from lib.experiment.stored_files import NOTEBOOK, read_cells
from lib.report import inline
from lib.runner.forked import fork
from lib.runner.kernel import STARTED
from lib.runner.store import write_whole

DATA_ERRORS = ("DatasetUnavailable", "CorruptDataset", "DamagedRecord", "DamagedFile")
"""Errors of the library that are about files of data, not about the notebook."""

TRACEBACK_LINES = 25
START_SECONDS = 120
"""Longest time from a kernel's core to its first answer."""
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_ENDING = threading.Event()
_KERNELS: set[int] = set()


@dataclass
class Place:
    """Where in its notebook a run is, for whoever looks from another thread; `started` is None while it waits for a core."""

    sources: dict[str, str] = field(default_factory=dict)
    cell: int = 0
    started: float | None = None
    pid: int = 0

    @property
    def cells(self) -> int:
        """How many code cells there are."""
        return len(self.sources)

    @property
    def elapsed(self) -> float:
        """Seconds since the kernel had a core."""
        return 0.0 if self.started is None else time.monotonic() - self.started


@dataclass(frozen=True)
class Request:
    """What it takes to execute a run; its results go into `folder`, the kernel works in `working_folder`.

    `environment` holds variables beside the runner's, `timeout` is the seconds of one cell, `place` is kept up to date.
    """

    run: str
    notebook: Path
    folder: Path
    working_folder: Path
    parameters: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None
    place: Place = field(default_factory=Place)


@dataclass(frozen=True)
class Failure:
    """Why and where a notebook stopped: in code cell `cell` of `cells`, from 1, 0 where it didn't come to one."""

    error: str
    message: str
    cell: int = 0
    cells: int = 0
    source: str = ""
    traceback: tuple[str, ...] = ()

    @property
    def about_data(self) -> bool:
        """Whether the data, not the notebook, is at fault."""
        return self.error in DATA_ERRORS


def execute_run(request: Request) -> Failure | None:
    """Execute a run's notebook into its folder; where it fails, the notebook as far as it got is there."""
    place = request.place
    cells = read_cells(request.notebook)["cells"]
    place.sources = {c["id"]: "".join(c["source"]) for c in cells if c["cell_type"] == "code"}
    failure = _execute(request)
    if failure is None:
        _tidy(request.folder / NOTEBOOK)
    return failure


@contextmanager
def kernels_end() -> Iterator[None]:
    """End the kernels that are left when the block is, and what they started, at once; none starts after that."""
    _ENDING.clear()
    try:
        yield
    finally:
        _ENDING.set()
        for pid in list(_KERNELS):
            _kill(pid)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(pid, signal.SIGKILL)  # a kernel leads a session of its own
        else:
            os.kill(pid, signal.SIGTERM)


def _execute(request: Request) -> Failure | None:
    import papermill
    from papermill.engines import papermill_engines
    from papermill.exceptions import PapermillExecutionError

    scratch = Path(tempfile.mkdtemp(prefix="kernel-"))
    papermill_engines.register(str(request.folder), _engine(request, scratch))
    try:
        papermill.execute_notebook(
            _unformatted(request.notebook),
            _unformatted(request.folder / NOTEBOOK),
            parameters=dict(request.parameters),
            engine_name=str(request.folder),
            kernel_name="python3",
            language="python",
            progress_bar=False,
            start_timeout=START_SECONDS,
            execution_timeout=request.timeout,
        )
    except PapermillExecutionError as error:
        lines = _ANSI.sub("", "\n".join(error.traceback)).splitlines()
        return _failure(request.place, error.ename.rpartition(".")[2], error.evalue, lines)
    except Exception as error:
        name = type(error).__name__
        message = {
            "DeadKernelError": "the notebook's process died: killed, crashed, or out of memory",
            "CellTimeoutError": f"the cell took longer than the {request.timeout or 0:g} s of --timeout",
        }.get(name, str(error))
        return _failure(request.place, name, message, [])
    finally:
        _KERNELS.discard(request.place.pid)
        shutil.rmtree(scratch, ignore_errors=True)
    return None


def _failure(place: Place, name: str, message: str, lines: list[str]) -> Failure:
    tail = tuple(line.rstrip() for line in lines[-TRACEBACK_LINES:])
    source = list(place.sources.values())[place.cell - 1] if place.cell else ""
    return Failure(name, _ANSI.sub("", message).strip(), place.cell, place.cells, source, tail)


def _engine(request: Request, scratch: Path) -> type:
    """Make papermill's engine that runs the kernel on this very interpreter and tells where it is.

    A kernel found by name may be another interpreter's: a user's own kernel specs come before the environment's.
    """
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine

    place = request.place
    command = [sys.executable, "-m", "lib.runner.kernel", "-f", "{connection_file}"]
    # What goes wrong in a cell is told by papermill; the rest of a kernel's log is about how it was ended.
    command += ["--HistoryManager.enabled=False", "--IPKernelApp.log_level=CRITICAL"]
    spec = KernelSpec(argv=command, language="python", display_name="Python 3")
    # No start-up files or history of the user's own, and none left behind.
    own = {**request.environment, "IPYTHONDIR": str(scratch / "ipython")}
    order = {name: number for number, name in enumerate(place.sources, 1)}

    class Manager(AsyncKernelManager):
        kernel_spec = property(lambda self: spec)
        provisioner: Any  # a local one, which has a pid

        def __init__(self, **options: Any):
            if sys.platform != "win32":  # sockets as files: two kernels can't be given the same port
                options |= {"transport": "ipc", "ip": str(scratch / "kernel")}
            super().__init__(**options)

        async def _async_launch_kernel(self, kernel_cmd: list[str], **kw: Any) -> None:
            import asyncio

            environment, folder = {**kw.get("env", os.environ), **own}, str(request.working_folder)
            if process := fork(kernel_cmd[3:], environment, folder):
                of = self.provisioner
                of.process, of.pid, of.pgid = process, process.pid, process.pid
                self._reconcile_connection_info(of.connection_info)
            else:
                await super()._async_launch_kernel(kernel_cmd, **kw | {"env": environment, "cwd": folder})
            place.pid = self.provisioner.pid
            _KERNELS.add(place.pid)
            if _ENDING.is_set():
                _kill(place.pid)
            # A kernel may wait long for a core; only then the time begins in which it has to answer.
            while not (request.folder / STARTED).exists() and await self._async_is_alive():
                await asyncio.sleep(0.05)
            place.started = time.monotonic()

    class Client(PapermillNotebookClient):
        def execute_cell(self, cell: Any, cell_index: int, **kw: Any) -> Any:
            done, words = super().execute_cell(cell, cell_index, **kw), inline.words_of(cell.cell_type, cell.source)
            if asked := inline.expressions(words):
                sent = self.kc.execute("", silent=True, user_expressions={one: one for one in asked})
                answers = self.wait_for_reply(sent)["content"]["user_expressions"]
                cell.metadata[inline.KEY] = inline.answered(words, answers)
                if error := inline.failed(cell.metadata[inline.KEY]):
                    raise inline.Unanswered(f"in the text of cell {cell_index + 1}, {error}")
            return done

    class Engine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
            entered = nb_man.cell_start

            def cell_start(cell: Any, cell_index: int | None = None, **kw: Any) -> None:
                place.cell = order.get(cell.get("id"), place.cell)
                entered(cell, cell_index, **kw)

            # Papermill writes the whole notebook at each cell's start and end; once is enough, at the end, whatever that is.
            nb_man.cell_start, write, nb_man.save = cell_start, nb_man.save, lambda **_: None
            client = Client(
                nb_man,
                kernel_name=kernel_name,
                kernel_manager_class=Manager,
                timeout=options.get("execution_timeout"),
                startup_timeout=options.get("start_timeout"),
            )
            try:
                return client.execute()
            finally:
                nb_man.save = write

    return Engine


def _tidy(path: Path) -> None:
    """Take this machine's paths out of an executed notebook: papermill's, and the results folder's."""
    notebook = read_cells(path)
    for cell in list(notebook["cells"]):
        if "injected-parameters" in cell["metadata"].get("tags", []):
            lines = "".join(cell["source"]).splitlines()
            lines = [line for line in lines if not line.startswith("runs_dir =")]
            cell["source"] = "\n".join(lines)
            if all(line.startswith("#") or not line.strip() for line in lines):
                notebook["cells"].remove(cell)
    kept = notebook["metadata"].get("papermill", {})
    notebook["metadata"]["papermill"] = {name: kept[name] for name in ("duration", "version") if name in kept}
    write_whole(path, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")


def _unformatted(path: Path) -> str:
    # Papermill fills parameters in between braces.
    return str(path).replace("{", "{{").replace("}", "}}")


def kernel_environment(folder: Path, further: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a run's kernel: one thread, its folder, quiet libraries, and what is given besides."""
    paths = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    own = {"PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), "REPORT_RUN_FOLDER": str(folder)}
    return {**THREADS, "NUMBA_NUM_THREADS": "1", "PYTHONHASHSEED": "0", **quiet, **own, **further}
