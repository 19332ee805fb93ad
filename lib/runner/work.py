"""Bring the runs of a call up to date: data first, then the notebooks, and a line about each."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from lib import ROOT
from lib.runner.cache import EXECUTE, SHOW, Cache
from lib.runner.cluster import LocalCluster
from lib.runner.data import fetch_all
from lib.runner.errors import DATA, NOTEBOOK_FAILED, OK
from lib.runner.execute import Failure, kernels_end
from lib.runner.failures import command_for, describe
from lib.runner.kernel import ADDRESS_FILE
from lib.runner.options import Options
from lib.runner.plan import Plan, Run
from lib.runner.progress import progress
from lib.runner.schedule import Schedule, forecast
from lib.runner.settings import Settings, Summary, available_cores, by_memory
from lib.runner.store import Store

SPARE = 2
"""Kernels that may be open beyond those that compute: while one waits for its fits another one may go on."""


def execute(
    plan: Plan, store: Store, cache: Cache, selected: set[str], required: Iterable[str], options: Options,
    arguments: list[str], anew: dict[str, float] | None = None,
) -> int:  # fmt: skip
    """Bring the selected runs up to date, say what became of them, and return the exit code.

    `anew` are the times since when fits, and searches, have to be made to count.
    """
    decisions = forecast(plan, cache, selected)
    todo = sum(decision.action in (EXECUTE, SHOW) for decision in decisions.values())
    jobs = options.jobs or by_memory(available_cores())
    slots, address = store.runs_dir / ".slots", store.runs_dir / ".cluster"
    slots.mkdir(parents=True, exist_ok=True)
    environment = {
        "REPORT_RECORDS": os.pathsep.join(map(str, _record_folders(store.runs_dir))),
        "REPORT_SLOTS": f"{slots}:{jobs}",
        **({"REPORT_CLUSTER": options.cluster} if options.cluster else {}),
        **({"REPORT_ANEW": json.dumps(anew)} if anew else {}),
    }
    settings = Settings(
        jobs=jobs,
        kernels=max(jobs, by_memory(jobs + SPARE)),
        timeout=options.timeout,
        keep_going=options.keep_going,
        profile=options.profile,
        runs_dir_parameter=_runs_dir_parameter(store.runs_dir),
        required=frozenset(required),
    )
    with ExitStack() as stack:
        report = stack.enter_context(progress())
        if todo:
            report.line(f"{len(selected)} runs, {todo} to do, {jobs} at a time")
        executed = [name for name, decision in decisions.items() if decision.action == EXECUTE]
        # Where the variable is set, kernels have it from there; an empty one asks for no cluster.
        if len(executed) > 1 and not options.cluster and "REPORT_CLUSTER" not in os.environ:
            stack.callback(LocalCluster(jobs, address, report.line).close)
            environment[ADDRESS_FILE] = str(address)
        settings.environment = environment
        names = {name for run in executed for name in cache.missing(plan.run(run))}
        settings.unavailable = fetch_all(sorted(names), report.line)

        def fail(run: Run, failure: Failure) -> None:
            report.line(describe(plan, store, run, failure, command_for(run, arguments)))

        executor = stack.enter_context(ThreadPoolExecutor(settings.kernels, thread_name_prefix="runner"))
        stack.enter_context(kernels_end())
        summary = Schedule(plan, store, cache, executor, settings, report, fail).work(selected)
    cache.save()
    _tell(summary, len(selected))
    if not summary.failed:
        return OK
    return DATA if all(failure.about_data for failure in summary.failed.values()) else NOTEBOOK_FAILED


def _record_folders(runs_dir: Path) -> list[Path]:
    """Return where records of fits are kept: here first, then what the project's own runs have left."""
    return list(dict.fromkeys([runs_dir / ".records", ROOT / "reports" / "runs" / ".records"]))


def _runs_dir_parameter(runs_dir: Path) -> str:
    """Return what to inject: nothing for the project's own folder, so that no path of this machine is shown."""
    return "" if runs_dir == ROOT / "reports" / "runs" else str(runs_dir)


def _tell(summary: Summary, runs: int) -> None:
    if len(summary.kept) == runs:
        print(f"All {runs} runs are up to date." if runs > 1 else f"{summary.kept[0]} is up to date.")
        return
    parts = [
        f"{len(names)} {what}"
        for names, what in (
            (summary.executed, "executed"),
            (summary.as_made, "as the project keeps them"),
            (summary.kept, "up to date"),
            (summary.absent, "not part of this report"),
            (summary.failed, "failed"),
            (summary.not_run, "not run"),
        )
        if names
    ]
    print(f"Runs: {', '.join(parts)}.")
    for name, reason in [*summary.absent.items(), *summary.not_run.items()]:
        print(f"  {name}: {reason}")
