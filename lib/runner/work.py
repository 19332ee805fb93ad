"""Bring the runs of a call up to date: data first, then the notebooks, and a line about each."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from lib import ROOT
from lib.runner.cache import EXECUTE, SHOW, Cache
from lib.runner.cluster import local_address
from lib.runner.data import fetch_all
from lib.runner.errors import DATA, NOTEBOOK_FAILED, OK
from lib.runner.execute import Failure, kernels_end
from lib.runner.failures import describe
from lib.runner.options import Options
from lib.runner.plan import Plan, Run
from lib.runner.progress import Bars, Lines
from lib.runner.schedule import Schedule, Settings, Summary, forecast
from lib.runner.store import Store

SPARE = 2
"""Kernels that may be open beyond those that compute: while one waits for its fits another one may go on."""


def execute(
    plan: Plan, store: Store, cache: Cache, selected: set[str], required: Iterable[str], options: Options,
    anew: dict[str, float] | None = None,
) -> int:  # fmt: skip
    """Bring the selected runs up to date, say what became of them, and return the exit code.

    `anew` are the times since when fits, and searches, have to be made to count.
    """
    decisions = forecast(plan, cache, selected)
    todo = sum(decision.action in (EXECUTE, SHOW) for decision in decisions.values())
    executed = [plan.run(name) for name, decision in decisions.items() if decision.action == EXECUTE]
    jobs = options.jobs or by_memory(available_cores())
    slots, project = store.runs_dir / ".slots", ROOT / "reports" / "runs"
    slots.mkdir(parents=True, exist_ok=True)
    # Records of fits: here first, then what the project's own runs have left.
    records = dict.fromkeys(str(folder / ".records") for folder in (store.runs_dir, project))
    environment = {"REPORT_RECORDS": os.pathsep.join(records), "REPORT_SLOTS": f"{slots}:{jobs}"}
    environment |= {"REPORT_ANEW": json.dumps(anew)} if anew else {}
    with ExitStack() as stack:
        report = stack.enter_context(Bars() if sys.stdout.isatty() else Lines())
        if todo:
            report.line(f"{len(selected)} runs, {todo} to do, {jobs} at a time")
        address = options.cluster
        # Where the variable is set, kernels have it from there; an empty one asks for no cluster.
        if len(executed) > 1 and not address and "REPORT_CLUSTER" not in os.environ:
            address = stack.enter_context(local_address(jobs, report.line))
        settings = Settings(
            jobs=jobs, kernels=max(jobs, by_memory(jobs + SPARE)), timeout=options.timeout,
            keep_going=options.keep_going, profile=options.profile, required=frozenset(required),
            # Nothing for the project's own folder, so that no path of this machine is shown.
            runs_dir_parameter="" if store.runs_dir == project else str(store.runs_dir),
            environment=environment | ({"REPORT_CLUSTER": address} if address else {}),
            unavailable=fetch_all(sorted({n for run in executed for n in cache.missing(run)}), report.line),
        )  # fmt: skip

        def fail(run: Run, failure: Failure) -> None:
            report.line(describe(plan, store, run, failure))

        executor = stack.enter_context(ThreadPoolExecutor(settings.kernels, thread_name_prefix="runner"))
        stack.enter_context(kernels_end())
        summary = Schedule(plan, store, cache, executor, settings, report, fail).work(selected)
    cache.save()
    _tell(summary, len(selected))
    if not summary.failed:
        return OK
    return DATA if all(failure.about_data for failure in summary.failed.values()) else NOTEBOOK_FAILED


def _tell(summary: Summary, runs: int) -> None:
    if len(summary.kept) == runs:
        print(f"All {runs} runs are up to date." if runs > 1 else f"{summary.kept[0]} is up to date.")
        return
    ended = {
        "executed": summary.executed, "as the project keeps them": summary.as_made, "up to date": summary.kept,
        "not part of this report": summary.absent, "failed": summary.failed, "not run": summary.not_run,
    }  # fmt: skip
    print(f"Runs: {', '.join(f'{len(names)} {what}' for what, names in ended.items() if names)}.")
    for name, reason in [*summary.absent.items(), *summary.not_run.items()]:
        print(f"  {name}: {reason}")


def available_cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def by_memory(most: int, gib_a_job: float = 3.0) -> int:
    """Return how many kernels may be open, at most as many as given: one at least, as many as memory is enough for."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError, OSError):
        memory = gib_a_job
    return max(1, min(most, int(memory / gib_a_job)))
