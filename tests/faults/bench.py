"""A small report to be damaged, calls of the runner in processes of their own, and what each fault came to."""

from __future__ import annotations

import datetime
import hashlib
import io
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from lib.data.errors import OneSentence
from lib.report.folder import BUILDING, MANIFEST, MOVING
from tests.toy_report import ToyReport

HANGS = "it did not end"
PATIENCE = 120
"""Seconds after which a call counts as one that hangs."""
MEMORY = 6 * 2**30
"""Bytes of address space that a call may have, so that a bomb ends in its own process."""

MINE = {"thesis.html": "mine", "figures/plot.svg": "<svg>mine</svg>", "notes.txt": "mine"}


@dataclass(frozen=True)
class Call:
    """What a call came to: its exit code (negative: the signal; HANGS), and all that it said."""

    code: int | str
    text: str


@dataclass
class Bench:
    """A copy of the small report, in which a fault is put; `mine` are files that nobody but their owner may change."""

    root: Path
    draw: random.Random
    mine: dict[Path, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reports, self.runs, self.notebooks = (self.root / p for p in ("reports", "reports/runs", "notebooks"))
        self.kept = self.root / "data" / "kept" / "pages"

    def keep(self, path: Path, text: str = "mine") -> Path:
        """Write a file of the user's, which must be as it is after whatever happens."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.mine[path] = text
        return path

    def lost(self) -> list[str]:
        """Name files of the user's that are not as they were, and pages of the last report that are not whole."""
        found = [str(path) for path, text in self.mine.items() if not path.is_file() or path.read_text() != text]
        manifest = self.reports / MANIFEST
        try:
            names = json.loads(manifest.read_text())
            pages = [self.reports / name for name in names if name.endswith(".html")] if isinstance(names, list) else []
            moving = {path.name for path in (self.reports / MOVING).glob("*.html")}
            found += [f"{p} is cut off" for p in pages if p.is_file() and "</html>" not in p.read_text()[-40:]]
            # Between the first and the last rename of a new report a page may still lie beside its place.
            found += [
                f"{p} is gone" for p in pages if not p.exists() and p.name not in moving and "damaged" not in p.name
            ]
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            pass  # the fault was to damage the list itself
        return found

    def litter(self) -> list[str]:
        """Name what a killed call has left and the next one should have cleared away."""
        patterns = (f"{BUILDING}*", MOVING, ".*.partial")
        found = [path for pattern in patterns for path in self.reports.glob(pattern)]
        found += [p for pattern in (".*.old", ".*.partial") for p in self.runs.glob(pattern)]
        left = [path for path in found if not any(mine.is_relative_to(path) for mine in self.mine)]
        left = [path for path in left if not (path / "notebook.ipynb").exists() or path.suffix == ".old"]  # it failed
        return [str(path.relative_to(self.root)) for path in left]

    def call(self, *arguments: str, before: Callable[[], object] = lambda: None, **variables: str | None) -> Call:
        """Call the command line in a process of its own."""
        from lib.runner.command_line import main

        plan = ("--plan", str(self.root / "report.toml"), "--no-pdf")

        def work() -> int:
            before()
            return main([*plan, *arguments])

        return self.apart(work, variables)

    def start(self, work: Callable[[], int], variables: Mapping[str, str | None] | None = None) -> tuple[int, Path]:
        """Start work in a forked process, and return its id and the file of what it says."""
        said = self.root / f"said-{time.monotonic_ns()}.txt"
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            return pid, said
        try:  # only the child comes here, and never out of it
            os.setsid()
            file = os.open(said, os.O_WRONLY | os.O_CREAT, 0o600)
            say_to(file)
            os.chdir(self.root)
            settings = {"REPORT_CLUSTER": "", "MOVIELENS_DIR": None, "REPORT_RUN_FOLDER": None, **(variables or {})}
            for name, value in settings.items():
                os.environ.pop(name, None)
                os.environ.update({name: value} if value is not None else {})
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            code = work()
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 70
        except BaseException as error:
            code = 3 if isinstance(error, OneSentence) else 70
            if code == 3:
                print(error)
            else:
                traceback.print_exc()
        finally:
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError):
                    stream.flush()
            os._exit(code & 0xFF)

    def apart(self, work: Callable[[], int], variables: Mapping[str, str | None] | None = None) -> Call:
        """Do work in a forked process, and return what it came to."""
        return self.end(*self.start(work, variables))

    def end(self, pid: int, said: Path, patience: float = PATIENCE) -> Call:
        """Wait for a process that was started, and return what it came to."""
        end = time.monotonic() + patience
        while True:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                code: int | str = os.waitstatus_to_exitcode(status)
                break
            if time.monotonic() > end:
                os.killpg(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                code = HANGS
                break
            time.sleep(0.01)
        return Call(code, said.read_text(errors="replace") if said.exists() else "")


@dataclass(frozen=True)
class Fault:
    """One fault: `act` puts it in and makes the call, which must end with one of `codes` and say what `says` matches.

    `after` tells what is wrong in the end, in words, or nothing. Quick ones are part of `make test`.
    """

    kind: str
    name: str
    act: Callable[[Bench], Call]
    codes: Collection[int]
    says: str = ""
    after: Callable[[Bench], str] = lambda bench: ""
    quick: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a fault came to: ``passed``, ``lost``, ``wrong`` or ``traceback``, and why."""

    fault: Fault
    verdict: str
    why: str
    seconds: float


def say_to(file: int, encoding: str = "utf-8") -> None:
    """Have this process say all it says to an open file."""
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(io.FileIO(fd, "w", closefd=False), encoding, write_through=True) for fd in (1, 2)
    )


def stand_in(request) -> None:
    """Leave what a notebook leaves, without a kernel: a value that follows its parameter, and an executed notebook."""
    n = request.parameters.get("n", 2)
    content = json.loads(request.notebook.read_text())
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": f"n is {n}"}]
            cell["execution_count"] = 1
    (request.folder / "notebook.ipynb").write_text(json.dumps(content))
    for name, value in {"metrics": [], "facts": {"n": n}, "provenance": {"run": request.run}}.items():
        (request.folder / f"{name}.json").write_text(json.dumps(value))
    (request.folder / "value.txt").write_text(str(n * 10))
    request.place.started = time.monotonic()


def make_template(root: Path) -> Path:
    """Make the small report once: two runs that are executed, one that is kept, and the report of all three."""
    import lib.report.build
    import lib.report.typst
    import lib.runner.schedule as schedule
    import lib.runner.session  # noqa: F401 - all that a call imports, so that a forked one need not
    from lib.experiment.definitions import Definitions
    from lib.runner.kept import FOLDER, pack

    Definitions()
    schedule.execute_run = stand_in  # in this process and all that it forks; real kernels are started apart
    toy = ToyReport(root)
    for name in ("first", "second", "third"):
        toy.notebook(name, "print(n)")
    runs = [{"id": "first", "part": "front"}, {"id": "second", "needs": ["first"], "part": "Models"}]
    toy.plan(*runs, {"id": "third", "profiles": ["large"], "part": "Models"})
    bench = Bench(root, random.Random(0))
    for arguments in (("--profile", "large"), ("--force",)):
        made = bench.call(*arguments)
        if made.code != 0:
            raise RuntimeError(made.text)
        if arguments[0] == "--profile":
            pack(toy.runs_dir / "third", root / FOLDER / "third.tar.xz")
            shutil.rmtree(toy.runs_dir)
    for said in root.glob("said-*"):
        said.unlink()
    return root


def try_fault(fault: Fault, template: Path, scratch: Path, seed: int) -> Outcome:
    """Put a fault into a fresh copy of the small report, and judge what it comes to."""
    started = time.monotonic()
    digest = hashlib.sha256(f"{fault.kind}: {fault.name}".encode()).hexdigest()[:12]
    root = scratch / digest
    shutil.copytree(template, root, symlinks=True)
    bench = Bench(root, random.Random(f"{seed} {fault.kind} {fault.name}"))
    try:
        verdict, why = _judge(fault, bench, fault.act(bench))
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return Outcome(fault, verdict, why, time.monotonic() - started)


def _judge(fault: Fault, bench: Bench, call: Call) -> tuple[str, str]:
    if lost := bench.lost():
        return "lost", "; ".join(lost)
    if "Traceback (most recent call last)" in call.text or call.code == 70:
        return "traceback", call.text[-800:]
    if call.code not in fault.codes:
        return "wrong", f"exit code {call.code}, not {sorted(fault.codes)}: {call.text[-400:]}"
    if "nobody has foreseen" in call.text:
        return "wrong", f"it was not foreseen: {call.text[-400:]}"
    if not re.search(fault.says, call.text):
        return "wrong", f"it does not say {fault.says!r}: {call.text[-400:]}"
    wrong = fault.after(bench)
    return ("lost", "; ".join(lost)) if (lost := bench.lost()) else ("wrong", wrong) if wrong else ("passed", "")


def heals(bench: Bench) -> str:
    """Call again, and say what is still wrong: the same command must bring everything into order."""
    again = bench.call()
    if again.code != 0:
        return f"the next call ended with {again.code}: {again.text[-400:]}"
    if litter := bench.litter():
        return f"the next call left {', '.join(litter)}"
    wrong = [n for n in ("first", "second") if (bench.runs / n / "value.txt").read_text() != "20"]
    if wrong or not (bench.reports / "index.html").exists():
        return f"after the next call {wrong or 'index.html'} is not as it should be"
    third = bench.call()
    return "" if "is up to date" in third.text else f"after the next call not all is up to date: {third.text[-300:]}"


def touch_up(path: Path, content: bytes | str | None) -> None:
    """Put other content in the place of a file; None takes it away, and an empty folder stands for "a folder"."""
    if path.is_file():
        path.unlink()
    if content == "a folder":
        path.mkdir(parents=True)
    elif content is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def today() -> str:
    """Return the day, as tables have it."""
    return datetime.date.today().isoformat()
