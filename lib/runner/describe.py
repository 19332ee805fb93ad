"""A notebook's parameters for people: name, type and range, default, the plan's value, and what each means."""

from __future__ import annotations

import json
import shlex
from typing import Any

from lib.runner.errors import OK
from lib.runner.hints import is_sweepable
from lib.runner.notebook import read_notebook
from lib.runner.parameters import RESERVED, UNKNOWN, declared, resolve
from lib.runner.plan import Plan, Run

LONGEST_VALUE = 48
"""Characters of a value that the table shows."""
COLUMNS = ("name", "type", "default", "in the plan", "meaning")


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
    if value is UNKNOWN:
        return "computed"
    if value is None:
        return "none"  # as the command line takes it
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
