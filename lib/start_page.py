"""Bring the start page of JupyterLab into step with the plan: ``python -m lib.start_page`` writes its generated blocks."""

from __future__ import annotations

import re

from lib import ROOT
from lib.files import whole_file
from lib.runner.plan import Plan, load_plan
from lib.workbench import TASKS

PATH = ROOT / "notebooks" / "START.md"


def plans() -> list[Plan]:
    """Return the report's plan and that of a reader's own ratings."""
    return [load_plan(), load_plan(ROOT / "own_ratings.toml")]


def notebooks_table(*plans: Plan) -> str:
    """Return the notebooks in the plans' order as a Markdown table; runs that share a notebook stand in one row."""
    planned = [run for plan in plans for run in plan.runs]
    lines = ["| notebook | what it asks | runs | reads the results of |", "|---|---|---|---|"]
    for notebook in dict.fromkeys(run.notebook for run in planned):
        runs = [run for run in planned if run.notebook == notebook]
        needs = dict.fromkeys(name for run in runs for name in run.needs)
        cells = (
            f"[{runs[0].title}]({notebook})",
            runs[0].summary,
            _code(run.id for run in runs),
            _code(needs) or "none",
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def tasks_table() -> str:
    """Return what a reader can do from a terminal as a Markdown table."""
    lines = ["| to | type |", "|---|---|"]
    for heading in dict.fromkeys(task.heading for task in TASKS):
        lines.append(f"| **{heading}** | |")
        lines += [f"| {task.meaning} | `{task.command}` |" for task in TASKS if task.heading == heading]
    return "\n".join(lines)


def with_blocks(text: str, *plans: Plan) -> str:
    """Put the generated tables between the page's markers.

    Raises
    ------
    ValueError
        A pair of markers is missing.
    """
    for name, block in (("notebooks", notebooks_table(*plans)), ("tasks", tasks_table())):
        start, end = f"<!-- {name}: written by `python -m lib.start_page` -->", f"<!-- /{name} -->"
        if start not in text or end not in text:
            raise ValueError(f"{PATH.name} lacks the lines {start!r} and {end!r}, between which a table goes")
        pattern = re.escape(start) + ".*?" + re.escape(end)
        filled = f"{start}\n\n{block}\n\n{end}"
        text = re.sub(pattern, lambda _, filled=filled: filled, text, flags=re.DOTALL)
    return text


def _code(names) -> str:
    return ", ".join(f"`{name}`" for name in names)


def main() -> None:
    """Rewrite the blocks from the plans."""
    text = with_blocks(PATH.read_text(encoding="utf-8"), *plans())
    with whole_file(PATH) as partial:
        partial.write_text(text, encoding="utf-8")
    print("notebooks/START.md is in step with the plans")


if __name__ == "__main__":
    main()
