"""Hyperparameters to begin with: what the report chose on MovieLens 100K, kept beside the code.

``python -m lib.own_ratings.defaults RUNS`` writes them from the run ``one_table`` in a folder of runs.
"""

from __future__ import annotations

import argparse
import json
from functools import cache
from pathlib import Path
from typing import Any

from lib.files import write_json
from lib.results import load_run

STORED = Path(__file__).with_name("hyperparameters.json")


@cache
def _stored() -> dict[str, Any]:
    return json.loads(STORED.read_text(encoding="utf-8"))


def stored_parameters(contender: str) -> dict[str, Any]:
    """Return what was chosen for a contender, empty where nothing was to choose or the file is older than it."""
    return dict(_stored()["contenders"].get(contender, {}))


def chosen_on() -> str:
    """Say on which data the stored hyperparameters were chosen."""
    return _stored()["dataset"]


def main(arguments: list[str] | None = None) -> None:
    """Write `STORED` from a stored run."""
    parser = argparse.ArgumentParser(prog="python -m lib.own_ratings.defaults", description=__doc__)
    parser.add_argument("runs", help="folder of all runs, such as reports/runs")
    run = load_run("one_table", runs_dir=parser.parse_args(arguments).runs)
    choices = {name: choice["parameters"] for name, choice in run.facts["choices"].items()}
    write_json(STORED, {"dataset": run.provenance["dataset"], "run": run.run, "contenders": choices})


if __name__ == "__main__":
    main()
