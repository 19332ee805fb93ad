"""Bring the runs of a call up to date: data first, then the notebooks, and a line about each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from lib import ROOT
from lib.runner.cache import EXECUTE, KEEP, RESTORE, UNPACK, Cache, Decision
from lib.runner.errors import DATA, NOTEBOOK_FAILED, OK
from lib.runner.execute import Failure
from lib.runner.executor import ProcessPerCall
from lib.runner.failures import command_for, describe
from lib.runner.fetching import fetch_all
from lib.runner.options import Options
from lib.runner.plan import Plan, Run
from lib.runner.progress import progress
from lib.runner.schedule import Schedule, forecast
from lib.runner.settings import Settings, Summary, available_cores, default_jobs
from lib.runner.store import Store


def execute(
    plan: Plan, store: Store, cache: Cache, selected: set[str], required: Iterable[str], options: Options,
    arguments: list[str],
) -> int:  # fmt: skip
    """Bring the selected runs up to date, say what became of them, and return the exit code."""
    decisions = forecast(plan, cache, selected)
    todo = sum(decision.action in (EXECUTE, RESTORE, UNPACK) for decision in decisions.values())
    cores = available_cores()
    # By the whole plan, not by what is left to do: a run computes and is timed with the same threads every time.
    jobs = options.jobs or default_jobs(cores, len(plan.runs))
    settings = Settings(
        jobs=jobs,
        threads=max(1, cores // jobs),
        timeout=options.timeout,
        keep_going=options.keep_going,
        profile=options.profile,
        runs_dir_parameter=_runs_dir_parameter(store.runs_dir),
        required=frozenset(required),
    )
    executor = ProcessPerCall(jobs)
    try:
        with progress() as report:
            if todo:
                report.line(
                    f"{len(selected)} runs, {todo} to do, {jobs} at a time with {_threads(settings.threads)} each"
                )

            settings.unavailable = fetch_all(_to_fetch(plan, store, cache, decisions), executor, report.line)

            def fail(run: Run, failure: Failure) -> None:
                report.line(describe(plan, store, run, failure, command_for(run, arguments)))

            summary = Schedule(plan, store, cache, executor, settings, report, fail).work(selected)
    except BaseException:
        executor.stop()
        raise
    executor.shutdown()
    cache.data.save()
    _tell(summary, len(selected))
    if not summary.failed:
        return OK
    return DATA if all(failure.about_data for failure in summary.failed.values()) else NOTEBOOK_FAILED


def _to_fetch(plan: Plan, store: Store, cache: Cache, decisions: Mapping[str, Decision]) -> list[str]:
    """Return the data sets that are not here, of runs to execute and of those left out before for want of them."""
    names: set[str] = set()
    for name, decision in decisions.items():
        left_out = decision.action == KEEP and store.left_out(name) and not store.made_by(name)
        if decision.action == EXECUTE or left_out:
            names |= cache.datasets(plan.run(name))
    return [name for name in sorted(names) if not cache.data.here([name])]


def _runs_dir_parameter(runs_dir: Path) -> str:
    """Return what to inject: nothing for the project's own folder, so that no path of this machine is shown."""
    return "" if runs_dir == ROOT / "reports" / "runs" else str(runs_dir)


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def _tell(summary: Summary, runs: int) -> None:
    if len(summary.kept) == runs:
        print(f"All {runs} runs are up to date." if runs > 1 else f"{summary.kept[0]} is up to date.")
        return
    parts = [
        f"{len(names)} {what}"
        for names, what in (
            (summary.executed, "executed"),
            (summary.restored, "taken back from earlier"),
            (summary.as_made, "as the project keeps them"),
            (summary.kept, "up to date"),
            (summary.without_data, "without their data"),
            (summary.outside, "of another profile"),
            (summary.failed, "failed"),
            (summary.left_out, "not run"),
        )
        if names
    ]
    print(f"Runs: {', '.join(parts)}.")
    for name, reason in [*summary.without_data.items(), *summary.outside.items(), *summary.left_out.items()]:
        print(f"  {name}: {reason}")
