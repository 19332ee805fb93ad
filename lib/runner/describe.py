"""A notebook's parameters for people: name, type and range, default, the plan's value, and what each means."""

from __future__ import annotations

import json
import shlex
from typing import Any

from lib.runner.errors import OK
from lib.runner.hints import is_sweepable
from lib.runner.notebook import read_notebook
from lib.runner.parameters import RESERVED, UNKNOWN, declared, resolve
from lib.runner.plain_table import print_table
from lib.runner.plan import Plan, Run

LONGEST_VALUE = 48
"""Characters of a value that the table shows."""


def description(plan: Plan, run: Run, profile: str) -> list[dict[str, str]]:
    """Return a run's parameters, a row each: name, type, default, value in the plan under a profile, meaning."""
    notebook = read_notebook(plan.source(run))
    values = resolve(plan, [run.id], profile=profile)[run.id].values
    return [
        {
            "name": name,
            "type": parameter.kind,
            "default": "computed" if parameter.default is UNKNOWN else _shown(parameter.default),
            "in the plan": _shown(values[name]),
            "swept by": "2,5,10" if is_sweepable(parameter.hint, parameter.default) else "",
            "meaning": parameter.meaning,
        }
        for name, parameter in declared(notebook).items()
        if name not in RESERVED
    ]


def print_description(plan: Plan, run: Run, profile: str, *, dataset: str = "") -> int:
    """Print a run's parameters and how to give them; `dataset` is a file that the commands must name."""
    rows = description(plan, run, profile)
    print(f"{run.id}: {run.title}, notebooks/{run.notebook}, --profile {profile}")
    if not rows:
        print("It has no parameters.")
        return OK
    columns = ["name", "type", "default", "in the plan", "meaning"]
    print_table(columns, [[row[column] for column in columns] for row in rows])
    data = f"--dataset {shlex.quote(dataset)} " if dataset else ""
    example = next((row for row in rows if row["type"].startswith(("int", "float"))), rows[0])
    print(f"Another value: python run_notebooks.py {data}--only {run.id} -p {example['name']} VALUE")
    swept = [row["name"] for row in rows if row["swept by"]]
    if swept:
        print(
            f"Several values, one run each (a sweep): -p {example['name'] if example['swept by'] else swept[0]} VALUE,VALUE,... "
            "A text that holds a comma of its own stands in quotes: '\"a,b\"'."
        )
    lists = [row["name"] for row in rows if row["type"].startswith(("list", "tuple"))]
    if lists:
        more = " and other lists" if len(lists) > 1 else ""
        print(f"{lists[0]}{more}: 2,5,10 is one value, a list.")
    return OK


def _shown(value: Any) -> str:
    if value is None:
        return "none"  # as the command line takes it
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
