"""What the runner says without doing anything: the plan, and what would happen to each run."""

from __future__ import annotations

from pathlib import Path

from lib.runner.cache import KEEP, LEAVE, RESTORE, UNPACK, Cache, Decision
from lib.runner.errors import OK
from lib.runner.plan import PROFILES, Plan, Run
from lib.runner.progress import duration
from lib.runner.render import is_current, without_results
from lib.runner.schedule import forecast, of_another_profile


def list_runs(plan: Plan, cache: Cache) -> int:
    """Print the plan: name, title, notebook, what it needs, when it last ran."""
    width = max(map(len, plan.ids))
    for run in plan.runs:
        record = cache.store.record(run.id)
        took = "never run" if record is None else f"{record['profile']}, {duration(record['seconds'])}"
        if why := cache.store.left_out(run.id):
            took = f"left out, {why}"
        needs = f", needs {', '.join(run.needs)}" if run.needs else ""
        wants = f", wants {', '.join(run.wants)}" if run.wants else ""
        optional = ", optional" if run.optional else ""
        profiles = "" if set(run.profiles) == set(PROFILES) else f", profile {' or '.join(run.profiles)}"
        print(f"{run.id:{width}}  {run.title} ({run.notebook}{needs}{wants}{optional}{profiles}; {took})")
    return OK


def dry_run(plan: Plan, cache: Cache, selected: set[str], output_dir: Path | None, *, pdf: bool) -> int:
    """Print what would happen to each run, and why; without an `output_dir` nothing about the report."""
    decisions = forecast(plan, cache, selected)
    width = max(map(len, decisions))
    for name, decision in decisions.items():
        print(f"{name:{width}}  {_in_words(decision)}{_about_data(plan.run(name), cache, decision)}")
    if output_dir is None:
        return OK
    executed = any(decision.action != KEEP for decision in decisions.values())
    current = not executed and not without_results(plan, cache.store) and is_current(plan, cache.store, output_dir, pdf=pdf)  # fmt: skip
    print(f"{'report':{width}}  {'up to date' if current else 'would be built'}")
    return OK


def _in_words(decision: Decision) -> str:
    if decision.action == KEEP:
        return "up to date"
    if decision.action == LEAVE:
        return "; ".join(["would be left out", *decision.reasons])
    if decision.action == UNPACK:
        return "; ".join(["would be taken as the project keeps it", *decision.reasons])
    verb = "would take back earlier results" if decision.action == RESTORE else "would run"
    return f"{verb}: {'; '.join(decision.reasons)}"


def _about_data(run: Run, cache: Cache, decision: Decision) -> str:
    """Say, without asking any source, what a run's data have to do with what would happen to it."""
    if decision.action == LEAVE:
        return f": it {of_another_profile(cache.outside[run.id])}"
    if decision.action == KEEP:
        why = cache.store.left_out(run.id)
        if run.id in cache.outside and not why:
            return f", as --profile {cache.store.record(run.id)['profile']} made it"
        return f", left out: {why}" if why else ""
    if decision.action == UNPACK:
        return f": it {of_another_profile(cache.outside[run.id])}"
    absent = [name for name in sorted(cache.datasets(run)) if not cache.data.here([name])]
    if decision.action == RESTORE or not absent:
        return ""
    left = ", and be left out if no source serves it" if run.optional else ""
    return f"; it would first get {', '.join(absent)}, which is not here{left}"
