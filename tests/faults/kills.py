"""Processes that are killed or told to end at any moment, and two runners in one folder."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from tests.faults.bench import HANGS, PATIENCE, Bench, Call, Fault, heals
from tests.toy_report import ToyReport

KILLED, MOMENT, SIGNALS, TWO, KERNELS = (
    "kill -9 in a rename",
    "kill -9 at a moment",
    "signals",
    "two runners",
    "kill -9 of a child",
)
OPERATIONS = 48
"""Changes of a folder in a call, about; a call that is to be killed at a later one ends well."""


def killed_at(place: int, after: bool) -> Callable[[], None]:
    """Kill this process at its nth rename, before or after it is made; removals of files count too."""

    def before() -> None:
        left = [place]

        def counted(real):
            def operation(*arguments, **more):
                left[0] -= 1
                if left[0] == 0 and not after:
                    os.kill(os.getpid(), signal.SIGKILL)
                found = real(*arguments, **more)
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return found

            return operation

        os.replace, os.rename, os.unlink = counted(os.replace), counted(os.rename), counted(os.unlink)

    return before


def faults() -> Iterator[Fault]:
    draw = random.Random(23)
    for place in range(1, OPERATIONS + 1):
        after = draw.random() < 0.5
        arguments = draw.choice([("--force",), ("--render-only",), ("--force", "-p", "n", "2", "--into-report")])
        # What is rendered only must differ, or nothing moves.

        def killed(bench: Bench, place=place, after=after, arguments=arguments) -> Call:
            path = bench.notebooks / "second.ipynb"
            path.write_text(path.read_text().replace("Some prose.", "Other prose."))
            bench.keep(bench.reports / "notes.txt")
            return bench.call(*arguments, before=killed_at(place, after))

        name = f"{'after' if after else 'before'} change {place} of a folder, {' '.join(arguments)}"
        yield Fault(KILLED, name, killed, {0, -9}, "", heals, place in (12, 30))
    for number in range(24):
        yield Fault(MOMENT, f"moment {number} of the runner", at_a_moment(signal.SIGKILL), {0, -9}, "", heals)
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        codes = {0, 130} if name != "SIGHUP" else {0, -signal.SIGHUP}
        for number in range(4):
            act = at_a_moment(getattr(signal, name))
            yield Fault(SIGNALS, f"{name} at moment {number}", act, codes, "", heals, number == 0 and name == "SIGTERM")
    yield from two_runners()
    yield from children()


def at_a_moment(number: int):
    def act(bench: Bench) -> Call:
        from lib.runner.command_line import main

        bench.keep(bench.reports / "notes.txt")
        arguments = ["--plan", str(bench.root / "report.toml"), "--no-pdf", "--force"]
        started = bench.start(lambda: main(arguments))
        time.sleep(bench.draw.uniform(0.02, 0.9))
        with suppress(ProcessLookupError):  # it was quick
            os.kill(started[0], number)
        return bench.end(*started)

    return act


def two_runners() -> Iterator[Fault]:
    def held(bench: Bench, *arguments: str) -> Call:
        from lib.runner.store import Store

        with Store(bench.runs).hold():
            return bench.call(*arguments)

    for arguments in ((), ("--force",), ("--render-only",), ("--only", "first")):
        act = lambda bench, arguments=arguments: held(bench, *arguments)  # noqa: E731
        yield Fault(
            TWO, f"the folder is held, {' '.join(arguments)}", act, {2}, "at work", heals, arguments == ("--force",)
        )
    for told in ("--list", "--dry-run"):
        yield Fault(TWO, f"the folder is held, {told}", lambda bench, told=told: held(bench, told), {0}, "first")
    for number in range(4):

        def both(bench: Bench) -> Call:
            from lib.runner.command_line import main

            plan = ["--plan", str(bench.root / "report.toml"), "--no-pdf", "--force"]
            one = bench.start(lambda: main(plan))
            time.sleep(bench.draw.uniform(0, 0.4))
            other = bench.call("--force")
            first = bench.end(*one)
            if {first.code, other.code} - {0, 2}:
                return Call("two", first.text + other.text)
            return other

        yield Fault(TWO, f"started together, {number}", both, {0, 2}, "", heals)


# -- real kernels and Dask, each of which takes seconds ------------------------------------------------------------
WAIT = "import time\nPath('../pid').write_text(str(os.getpid()))\nfor _ in range(600):\n    time.sleep(0.1)"
FITS = """import time
from distributed import Client
with Client(os.environ["REPORT_CLUSTER"]) as client:
    pids = list(client.run(os.getpid).values())
    Path("../pid").write_text(str(pids[0]))
    found = client.submit(time.sleep, 3).result()
"""


def children() -> Iterator[Fault]:
    for number in range(2):
        yield Fault(KERNELS, f"a kernel, {number}", with_kernels(WAIT, "kernel"), {1}, "process died", healed)
        yield Fault(KERNELS, f"the runner of a kernel, {number}", with_kernels(WAIT, "runner"), {-9}, "", healed)
    yield Fault(KERNELS, "the runner of a kernel, SIGTERM", with_kernels(WAIT, "told"), {130}, "Interrupted", healed)
    yield Fault(KERNELS, "a worker of Dask", with_kernels(FITS, "kernel", None), {0, 1}, "", healed)
    yield Fault(KERNELS, "a scheduler of Dask's commands", with_scheduler, {1}, "first failed", healed)


def with_kernels(code: str, victim: str, cluster: str | None = ""):
    def act(bench: Bench) -> Call:
        toy = ToyReport(bench.root / "toy")
        for name in ("first", "other"):
            toy.notebook(name, code if name == "first" else "1")
        toy.plan("first", "other")
        toy.process = toy.start("--jobs", "2", REPORT_CLUSTER=cluster)
        pid = int(wait_for(toy.root / "pid", toy.process))
        pid_of = toy.process.pid if victim in ("runner", "told") else pid
        os.kill(pid_of, signal.SIGTERM if victim == "told" else signal.SIGKILL)
        return ended(toy.process)

    return act


def with_scheduler(bench: Bench) -> Call:
    """Kill a scheduler that runs apart from the runner, as on several machines, while a fit is under way."""
    file = bench.root / "scheduler.json"
    dask = [
        sys.executable,
        "-m",
        "distributed.cli.dask_scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--no-dashboard",
    ]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--nthreads", "1", "--no-dashboard", "--no-nanny"]
    toy = ToyReport(bench.root / "toy")
    toy.notebook("first", FITS)
    toy.plan("first")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": bench.root, "env": toy.environment()}
    scheduler = subprocess.Popen([*dask, "--scheduler-file", str(file)], **quiet)
    others = [subprocess.Popen([*worker, "--scheduler-file", str(file)], **quiet)]
    try:
        wait_for(file, scheduler)
        process = toy.start("--cluster", json.loads(file.read_text())["address"], "--timeout", "60")
        wait_for(toy.root / "pid", process)
        scheduler.kill()
        return ended(process)
    finally:
        for one in (scheduler, *others):
            one.kill()
            one.wait()


def ended(process: subprocess.Popen) -> Call:
    """Wait for a runner with real kernels; a traceback that a notebook's own cell shows is the notebook's."""
    try:
        text, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return Call(HANGS, "")
    if "failed: notebooks/first.ipynb, cell" in text:
        text = text.replace("Traceback (most recent call last)", "(of the cell)")
    return Call(process.returncode, text)


def healed(bench: Bench) -> str:
    toy = bench.root / "toy"
    path = toy / "notebooks" / "first.ipynb"
    content = json.loads(path.read_text())
    content["cells"][-1]["source"] = "print(1)"
    path.write_text(json.dumps(content))
    again = ToyReport.__new__(ToyReport)
    again.root, again.reports, again.runs_dir = toy, toy / "reports", toy / "reports" / "runs"
    call = again.run()
    return "" if call.returncode == 0 else f"the next call ended with {call.returncode}: {call.stdout[-400:]}"


def wait_for(path: Path, process: subprocess.Popen) -> str:
    end = time.monotonic() + 90
    while not (path.exists() and path.read_text()):
        if time.monotonic() > end or process.poll() is not None:
            raise RuntimeError(f"{path.name} was not written: {process.communicate()[0]}")
        time.sleep(0.05)
    return path.read_text()
