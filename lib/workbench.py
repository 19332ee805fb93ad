"""The commands with which a reader asks the report something else; the start page and the report show the same ones."""

from __future__ import annotations

from dataclasses import dataclass

REPRODUCE, CHANGE, RATINGS, MODEL, LAB = (
    "Reproduce", "Other parameters", "Your own ratings", "Your own model", "Look around",
)  # fmt: skip


@dataclass(frozen=True)
class Task:
    """Something to do: under which heading, what to type, and what comes of it."""

    heading: str
    command: str
    meaning: str


TASKS = (
    Task(REPRODUCE, "make report", "everything: the environment, the data, all runs, the HTML report and the PDF"),
    Task(REPRODUCE, "python run_notebooks.py --list", "the runs of the plan and when each was made"),
    Task(REPRODUCE, "python run_notebooks.py --dry-run", "what would run, and why"),
    Task(REPRODUCE, "python run_notebooks.py --profile quick --output-dir /tmp/quick", "all of it on small grids, in a folder of its own"),
    Task(REPRODUCE, "python run_notebooks.py --only svd --force", "one run made anew, though nothing changed"),
    Task(CHANGE, "python run_notebooks.py --describe svd", "a run's parameters: type, default, meaning"),
    Task(CHANGE, "python run_notebooks.py --only svd -p n_factors 50", "one run with another value, beside the report in `reports/reruns/`, and a table of what changed"),
    Task(CHANGE, "python run_notebooks.py --only svd -p n_factors 10,20,50", "a sweep: a run a value, a table and a plot"),
    Task(CHANGE, "python run_notebooks.py --only svd --preset by_time", "values from `data/presets/by_time.yaml`; `--preset FILE` takes a file of yours"),
    Task(CHANGE, "python run_notebooks.py --only svd -p n_factors 50 --into-report", "the report itself made from the other value"),
    Task(RATINGS, "python run_notebooks.py --dataset ratings.csv", "a report about your ratings in `reports/own/`; columns are found by name, ids may be of any type"),
    Task(RATINGS, "python run_notebooks.py --dataset votes.tsv --columns user=who,item=what,rating=vote --scale 0,100", "the same, where the columns have other names and the scale is known"),
    Task(RATINGS, "python run_notebooks.py --dataset ratings.csv --items items.csv --users users.csv --duplicates last", "with tables of features; of two ratings of one item by one user the last one counts"),
    Task(MODEL, "python run_notebooks.py --model my_module:MyModel --contract", "the tests that every model must pass, on a class in `my_module.py` of yours"),
    Task(MODEL, "python run_notebooks.py --model my_module:MyModel -p shrinkage 5", "your class under the common protocol, in the tables, figures and tests of significance beside the others; `-p` sets its hyperparameters"),
    Task(LAB, "make lab", "JupyterLab on its start page; an edit in `lib` holds from the next cell on"),
)  # fmt: skip


def listing(heading: str) -> str:
    """Return the tasks under a heading as a Markdown list."""
    return "\n".join(f"- `{task.command}`: {task.meaning}." for task in TASKS if task.heading == heading)
