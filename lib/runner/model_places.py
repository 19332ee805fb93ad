"""Where a reader's own model stands, in the terminal and at the start of its page."""

from __future__ import annotations

import json
from pathlib import Path

from lib.runner.page import Overview
from lib.runner.plain_table import print_table

COLUMNS = ("Split", "Measured", "Value", "95% interval", "Place", "Best", "Its value")
WORDS = 2
"""How many of the columns are words."""


def show_places(folder: Path, overview: Overview) -> None:
    """Print and keep a model's value and place on every split, as its run left them.

    Parameters
    ----------
    folder : Path
        Of the run's results.
    overview : Overview
        The page that opens what the call made.
    """
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    rows = [
        [
            place["key"], place["metric"], f"{place['value']:.4f}", place["interval"],
            f"{place['place']} of {place['n_models']}", place["best"], f"{place['best_value']:.4f}",
        ]
        for place in facts["places"]
    ]  # fmt: skip
    name = facts["model"]["name"]
    print(f"{name} beside the models of the report:")
    print_table(COLUMNS, rows, right=[c for c in COLUMNS[WORDS:] if c != "Best"])
    overview.prose(f"`{name}` on every split, with its place among the models that were fitted there.")
    overview.table("tbl-places", "The model's own figures, and the best model's.", COLUMNS, rows, left=WORDS)
