"""What the runner says without doing anything: the plan, a run's parameters, and what would happen to each run."""

import json
import shlex
from collections.abc import Collection
from typing import Any

from lib.runner.cache import EXECUTE, KEEP, SHOW, Cache, Decision
from lib.runner.errors import OK
from lib.runner.parameters import RESERVED, declared, resolve
from lib.runner.plan import PROFILES, Plan, Run
from lib.runner.progress import duration
from lib.runner.schedule import forecast
from lib.runner.store import Store

LONGEST_VALUE = 48  # characters of a value that the table shows


def list_runs(plan: Plan, store: Store) -> int:
    """Print the plan: name, title, notebook, what it needs, when it last ran."""
    width = max(map(len, plan.ids))
    for run in plan.runs:
        record = store.record(run.id)
        took = "never run" if record is None else f"{record['profile']}, {duration(record['seconds'])}"
        if record is not None and store.as_made(run.id):
            took = f"kept from {record['finished'][:10]}"
        more = {"needs": run.needs, "wants": run.wants}
        more["profile"] = () if {*run.profiles} == {*PROFILES} else run.profiles
        words = "".join(f", {what} {', '.join(names)}" for what, names in more.items() if names)
        print(f"{run.id:{width}}  {run.title} ({run.notebook}{words}; {took})")
    return OK


def dry_run(cache: Cache, selected: Collection[str]) -> bool:
    """Print what would happen to each run, and why; return whether anything would."""
    decisions = forecast(cache, selected)
    width = max(map(len, decisions), default=0)
    for name, decision in decisions.items():
        about = _about_data(cache.plan.run(name), cache, decision)
        print(f"{name:{width}}  {_in_words(decision)}{about}")
    return any(decision.action in (EXECUTE, SHOW) for decision in decisions.values())


def _in_words(decision: Decision) -> str:
    reasons = "; ".join(decision.reasons)
    if decision.mark is not None:
        by = ", made by earlier code" if decision.mark["earlier"] else ""
        verb = "is shown" if decision.action == KEEP else "would be shown"
        return f"{verb} as it is kept{by}: it {reasons}"
    if decision.action == KEEP:
        return f"shown as it was made: {reasons}" if reasons else "up to date"
    return f"would run: {reasons}"


def _about_data(run: Run, cache: Cache, decision: Decision) -> str:
    """Say, without asking any source, what a run's data have to do with what would happen to it."""
    missing = cache.missing(run) if decision.action == EXECUTE else []
    instead = ", or its kept page be shown" if run.id in cache.archives else ""
    return f"; it would first get {', '.join(missing)}, which is not here{instead}" if missing else ""


def print_description(plan: Plan, run: Run, profile: str, *, dataset: str = "") -> int:
    """Print a run's parameters and how to give them; `dataset` is a file that the commands must name."""
    values = resolve(plan, [run.id], profile=profile)[run.id]
    known = {name: p for name, p in declared(plan.notebook(run)).items() if name not in RESERVED}
    print(f"{run.id}: {run.title}, notebooks/{run.notebook}, --profile {profile}")
    if not known:
        print("It has no parameters.")
        return OK
    rows = [("name", "type", "default", "in the plan", "meaning")]
    rows += [(n, p.kind, _shown(p.default), _shown(values[n]), p.meaning) for n, p in known.items()]
    widths = [max(map(len, texts)) for texts in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    data = f"--dataset {shlex.quote(dataset) if dataset.isprintable() else 'FILE'} " if dataset else ""
    example = next((name for name, p in known.items() if p.type in (int, float)), next(iter(known)))
    print(f"Another value: python run_notebooks.py {data}--only {run.id} -p {example} VALUE")
    print("VALUE,VALUE,... is a sweep, one run each; of a parameter that is a list it is one value.")
    return OK


def _shown(value: Any) -> str:
    if value is None:
        return "none"  # as the command line takes it
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
