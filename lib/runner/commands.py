"""The commands with which a reader asks the report something else, by heading: what to type, and what comes of it."""

from __future__ import annotations

CHANGE, RATINGS, MODEL, LAB = "Other parameters", "Your own ratings", "Your own model", "Look around"

TASKS: dict[str, dict[str, str]] = {
    CHANGE: {
        "python run_notebooks.py --describe svd": "a run's parameters: type, default, meaning",
        "python run_notebooks.py --only svd -p n_factors 50": "one run with another value, beside the report in `reports/reruns/`, and a table of what changed",
        "python run_notebooks.py --only svd -p n_factors 10,20,50": "a sweep: a run a value, a table and a plot",
        "python run_notebooks.py --only svd --preset by_time": "values from `data/presets/by_time.yaml`; `--preset FILE` takes a file of yours",
        "python run_notebooks.py --only svd -p n_factors 50 --into-report": "the report itself made from the other value",
    },
    RATINGS: {
        "python run_notebooks.py --dataset ratings.csv": "a report about your ratings in `reports/own/`; columns are found by name, ids may be of any type",
        "python run_notebooks.py --dataset votes.tsv --columns user=who,item=what,rating=vote --scale 0,100": "the same, where the columns have other names and the scale is known",
        "python run_notebooks.py --dataset ratings.csv --items items.csv --users users.csv --duplicates last": "with tables of features; of two ratings of one item by one user the last one counts",
    },
    MODEL: {
        "python run_notebooks.py --model my_module:MyModel --contract": "the tests that every model must pass, on a class in `my_module.py` of yours",
        "python run_notebooks.py --model my_module:MyModel -p shrinkage 5": "your class under the common protocol, in the tables, figures and tests of significance beside the others; `-p` sets its hyperparameters",
    },
    LAB: {"make lab": "JupyterLab on its start page; an edit in `lib` holds from the next cell on"},
}  # fmt: skip


def listing(heading: str) -> str:
    """Return the tasks under a heading as a Markdown list."""
    return "\n".join(f"- `{command}`: {meaning}." for command, meaning in TASKS[heading].items())
