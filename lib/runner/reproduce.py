"""Which command makes each figure and table of the report, how long it took and what it reads: `notebooks/reproduce.ipynb`.

All of it comes from the plan, from the labels in the notebooks and from what the runner kept of each run,
so that the page can't fall out of step with them.
"""

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from lib.experiment.stored_runs import runs_folder
from lib.runner.plan import Plan, Run
from lib.runner.store import Store

_LABEL = re.compile(r"^#\|\s*label:\s*((?:fig|tbl)-\S+)", re.MULTILINE)


def labels_of(plan: Plan, run: Run) -> list[str]:
    """Return the labels of a run's notebook, in its order, whether or not the run has been made."""
    return [label for cell in plan.notebook(run).code for label in _LABEL.findall(cell.source)]


def stored_labels(plan: Plan, run: Run, *, runs_dir: str | Path = "") -> list[str]:
    """Return the labels of a run's figures and tables that are stored, as cross-references name them from any page.

    Where several runs execute one notebook, a reference ends in the run's name.
    """
    folder = runs_folder(runs_dir) / run.id
    shared = sum(other.notebook == run.notebook for other in plan.runs) > 1
    kept = {path.stem for pattern in ("figures/*.svg", "tables/*.csv") for path in folder.glob(pattern)}
    return [f"{label}-{run.id}" if shared else label for label in labels_of(plan, run) if label in kept]


def commands(plan: Plan, runs: Iterable[str] | None = None, *, runs_dir: str | Path = "") -> pd.DataFrame:
    """Return a row a run of `plan`: what to type for it and what that takes.

    A page tells of those `runs` that it reads and is thereby made again after: what it says of others would not follow them.
    The columns: run, page, part, command, data (data sets), needs (runs, made first where they are absent), took (seconds of
    the stored run, NaN where there is none), profile (under which it was made), expected (seconds that the plan gives for
    it, NaN where it doesn't) and references (the labels of its stored figures and tables, a list).
    """
    store, rows = Store(runs_folder(runs_dir)), []
    for run in map(plan.run, sorted(plan.ids if runs is None else runs, key=plan.ids.index)):
        record = store.record(run.id) or {}
        row: dict[str, Any] = {"run": run.id, "page": run.title, "part": run.part, "command": run.command()}
        row |= {"data": ", ".join(run.datasets), "needs": ", ".join(run.needs)}
        row |= {"took": record.get("seconds", math.nan), "profile": record.get("profile", "")}
        row["expected"] = math.nan if run.seconds is None else run.seconds
        row["references"] = stored_labels(plan, run, runs_dir=runs_dir) if record else []
        rows.append(row)
    return pd.DataFrame(rows)


def listings(table: pd.DataFrame) -> str:
    """Return the report part by part as Markdown lists: each page's figures and tables behind the command for them."""
    lines = []
    for part in table["part"].unique():
        lines.append(f"### {'The front page' if part == 'front' else part}\n")
        for row in table[table["part"] == part].to_dict("records"):
            shown = ", ".join(f"[{label}](#{label})" for label in row["references"])
            if not shown:
                shown = "nothing is stored" if pd.isna(row["took"]) else "its page has prose only"
            lines.append(f"- **{row['page']}**, `{row['command']}`: {shown}.")
        lines.append("")
    return "\n".join(lines).rstrip()
