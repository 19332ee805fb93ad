"""What the runner says without doing anything: the plan, a run's parameters, and what would happen to each run."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from lib.runner.cache import ABSENT, EXECUTE, KEEP, SHOW, Cache, Decision
from lib.runner.errors import OK
from lib.runner.hints import is_sweepable
from lib.runner.notebook import read_notebook
from lib.runner.parameters import RESERVED, declared, resolve
from lib.runner.plan import PROFILES, Plan, Run
from lib.runner.progress import duration
from lib.runner.render import is_current, part_of_report, without_results
from lib.runner.schedule import forecast

LONGEST_VALUE = 48
"""Characters of a value that the table shows."""
COLUMNS = ("name", "type", "default", "in the plan", "meaning")


def list_runs(plan: Plan, cache: Cache) -> int:
    """Print the plan: name, title, notebook, what it needs, when it last ran."""
    width = max(map(len, plan.ids))
    for run in plan.runs:
        record = cache.store.record(run.id)
        took = "never run" if record is None else f"{record['profile']}, {duration(record['seconds'])}"
        if cache.store.as_made(run.id):
            took = f"kept from {record['finished'][:10]}"
        needs = f", needs {', '.join(run.needs)}" if run.needs else ""
        wants = f", wants {', '.join(run.wants)}" if run.wants else ""
        profiles = "" if set(run.profiles) == set(PROFILES) else f", profile {' or '.join(run.profiles)}"
        print(f"{run.id:{width}}  {run.title} ({run.notebook}{needs}{wants}{profiles}; {took})")
    return OK


def dry_run(plan: Plan, cache: Cache, selected: set[str], output_dir: Path | None, *, pdf: bool) -> int:
    """Print what would happen to each run, and why; without an `output_dir` nothing about the report."""
    decisions = forecast(plan, cache, selected)
    width = max(map(len, decisions))
    for name, decision in decisions.items():
        print(f"{name:{width}}  {_in_words(decision)}{_about_data(plan.run(name), cache, decision)}")
    if cache.store.runs_dir.is_dir():
        cache.save()
    if output_dir is None:
        return OK
    part = part_of_report(plan, cache)
    changes = any(decision.action in (EXECUTE, SHOW) for decision in decisions.values())
    current = not changes and not without_results(part, cache.store) and is_current(part, cache.store, output_dir, pdf=pdf)  # fmt: skip
    print(f"{'report':{width}}  {'up to date' if current else 'would be built'}")
    return OK


def _in_words(decision: Decision) -> str:
    reasons = "; ".join(decision.reasons)
    if decision.mark is not None:
        by = ", made by earlier code" if decision.mark["earlier"] else ""
        verb = "is shown" if decision.action == KEEP else "would be shown"
        return f"{verb} as it is kept{by}: it {reasons}"
    if decision.action == KEEP:
        return f"shown as it was made: {reasons}" if reasons else "up to date"
    return f"would {'be left out: it' if decision.action == ABSENT else 'run:'} {reasons}"


def _about_data(run: Run, cache: Cache, decision: Decision) -> str:
    """Say, without asking any source, what a run's data have to do with what would happen to it."""
    if decision.action == KEEP and run.id in cache.outside and decision.mark is None:
        return f", as --profile {cache.store.record(run.id)['profile']} made it"
    missing = cache.missing(run) if decision.action == EXECUTE else []
    if not missing:
        return ""
    instead = ", or its kept page be shown" if run.id in cache.archives else ""
    return f"; it would first get {', '.join(missing)}, which is not here{instead}"


def print_description(plan: Plan, run: Run, profile: str, *, dataset: str = "") -> int:
    """Print a run's parameters and how to give them; `dataset` is a file that the commands must name."""
    values = resolve(plan, [run.id], profile=profile)[run.id].values
    known = {name: p for name, p in declared(read_notebook(plan.source(run))).items() if name not in RESERVED}
    print(f"{run.id}: {run.title}, notebooks/{run.notebook}, --profile {profile}")
    if not known:
        print("It has no parameters.")
        return OK
    rows = [[n, p.kind, _shown(p.default), _shown(values[n]), p.meaning] for n, p in known.items()]
    widths = [max(map(len, texts)) for texts in zip(COLUMNS, *rows, strict=True)]
    for row in [COLUMNS, *rows]:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    data = f"--dataset {shlex.quote(dataset)} " if dataset else ""
    example = next((name for name, p in known.items() if p.type in (int, float)), next(iter(known)))
    print(f"Another value: python run_notebooks.py {data}--only {run.id} -p {example} VALUE")
    if is_sweepable(known[example].type):
        print(f"Several values, one run each (a sweep): -p {example} VALUE,VALUE,...")
    lists = [name for name, parameter in known.items() if parameter.kind.startswith(("list", "tuple"))]
    if lists:
        print(f"Of {', '.join(lists)}: 2,5,10 is one value, a list.")
    return OK


def _shown(value: Any) -> str:
    if value is None:
        return "none"  # as the command line takes it
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
