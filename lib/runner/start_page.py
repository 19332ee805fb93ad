"""Bring the start page of JupyterLab into step with the plan: ``python -m lib.runner.start_page`` writes its table of notebooks."""

from __future__ import annotations

from lib import ROOT
from lib.data.files import whole_file
from lib.runner.plan import Plan, load_plan

PATH = ROOT / "notebooks" / "START.md"
START, END = "<!-- notebooks: written by `python -m lib.runner.start_page` -->", "<!-- /notebooks -->"


def plans() -> list[Plan]:
    """Return the report's plan and that of a reader's own ratings."""
    return [load_plan(), load_plan(ROOT / "own_ratings.toml")]


def notebooks_table(*plans: Plan) -> str:
    """Return the notebooks in the plans' order as a Markdown table; runs that share a notebook stand in one row."""
    planned = [run for plan in plans for run in plan.runs]
    lines = ["| notebook | what it asks | runs | reads the results of |", "|---|---|---|---|"]
    for notebook in dict.fromkeys(run.notebook for run in planned):
        runs = [run for run in planned if run.notebook == notebook]
        names = [run.id for run in runs], dict.fromkeys(name for run in runs for name in run.needs)
        made, read = (", ".join(f"`{name}`" for name in of) or "none" for of in names)
        cells = (f"[{runs[0].title}]({notebook})", runs[0].summary, made, read)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def with_table(text: str, *plans: Plan) -> str:
    """Put the table between the page's markers.

    Raises
    ------
    ValueError
        The markers are missing.
    """
    if START not in text or END not in text:
        raise ValueError(f"{PATH.name} lacks the lines {START!r} and {END!r}, between which a table goes")
    return f"{text.partition(START)[0]}{START}\n\n{notebooks_table(*plans)}\n\n{END}{text.partition(END)[2]}"


if __name__ == "__main__":
    page = with_table(PATH.read_text(encoding="utf-8"), *plans())
    with whole_file(PATH) as partial:
        partial.write_text(page, encoding="utf-8")
    print("notebooks/START.md is in step with the plans")
