"""Which models a reader's ratings allow, and why the others stay out; and what their hyperparameters begin with.

``python -m lib.workbench.own_ratings.candidates RUNS`` stores the latter anew from the run ``one_table`` in a folder of runs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from lib.data.feature_groups import IMPLICIT, available_groups
from lib.data.files import write_json
from lib.data.interactions import Interactions
from lib.experiment.stored_runs import load_run
from lib.models import model_class
from lib.studies.contenders import Contender, chosen_from

STORED = Path(__file__).with_name("hyperparameters.json")
"""What the report chose on MovieLens 100K."""

LACKS = {
    "tables": "needs features of items and of users: add --items and --users",
    "features": "learns from features of items or users: add --items or --users",
}
"""By what a card says that a model needs."""


@dataclass(frozen=True)
class Candidates:
    """What runs, with the hyperparameters to begin with; what does not: ``model`` and ``reason``; groups of features."""

    contenders: dict[str, Contender]
    parameters: dict[str, dict[str, Any]]
    skipped: pd.DataFrame
    groups: tuple[str, ...]


def candidates(
    interactions: Interactions, *, single_valued: bool, left_out: Iterable[str] = (), only: Iterable[str] = (), limits: bool = True
) -> Candidates:  # fmt: skip
    """Choose the contenders that these ratings allow.

    Parameters
    ----------
    interactions : Interactions
        As `lib.workbench.own_ratings.stars.for_models` gives them.
    single_valued : bool
        Whether all ratings are the same, so that only lists mean anything.
    left_out : iterable of str
        Contenders too slow for this profile.
    only : iterable of str
        The only contenders; empty for all.
    limits : bool
        Whether data may be too large for a model.

    Raises
    ------
    ValueError
        A name that is no contender's.
    """
    left_out, only, kept, parameters, rows = set(left_out), list(only), {}, {}, []
    n_all, asked = len(chosen_from()), chosen_from((), only)
    chosen_from(left_out)  # refuses an unknown name
    times = interactions.timestamps
    groups = tuple(sorted(set(available_groups(interactions)) - set(IMPLICIT)))
    there = {
        "tables": interactions.user_table is not None and interactions.item_table is not None,
        "features": bool(groups),
        "times": len(times) > 0 and times.min() < times.max(),
        "ratings that differ": not single_valued,
    }
    for name, one in asked.items():
        one = replace(one, label=one.label.replace("Film", "Item"))
        why = _unsuited(one, there)
        if not why and name in left_out:
            why = "too slow for this profile: add --profile large"
        if not why and limits and (over := excess(one.most, interactions)):
            why = f"too slow here ({over}): add --profile large"
        if why:
            rows.append({"model": one.label, "reason": why})
        else:
            kept[name], parameters[name] = one, _parameters(one, groups)
    if only:
        others = f"{n_all - len(asked)} other models"
        rows.append({"model": others, "reason": "not among those asked for (parameter models)"})
    return Candidates(kept, parameters, pd.DataFrame(rows, columns=["model", "reason"]), groups)


def excess(most: Mapping[str, int], data: Interactions) -> str:
    """Say in what data are larger than a card allows, ``"50 items, more than 49"``; nothing where they are not."""
    sizes = {"ratings": len(data), "items": data.n_items, "cells": data.n_users * data.n_items}
    over = [
        f"{sizes[what]:,} {what}, more than {limit:,}" for what, limit in most.items() if sizes[what] > limit
    ]
    return over[0] if over else ""


def _unsuited(one: Contender, there: Mapping[str, bool]) -> str:
    cls = model_class(one.model)
    if cls.predicts_ratings and not there["ratings that differ"]:
        return "predicts ratings, and all ratings here are the same"
    if cls.uses_time and not there["times"]:
        return "learns from timestamps, and there are none"
    return "" if there.get(one.needs, True) else LACKS[one.needs]


def _parameters(one: Contender, groups: tuple[str, ...]) -> dict[str, Any]:
    found = {**stored()["contenders"].get(one.name, {}), **one.fixed}
    if one.needs == "features" and "projection_penalties" in found:
        penalties, wanted = found["projection_penalties"], [*groups, *IMPLICIT]
        usual = penalties.get("genres", 50.0)
        found["groups"] = wanted
        found["projection_penalties"] = {group: penalties.get(group, usual) for group in wanted}
    return found


@cache
def stored() -> dict[str, Any]:
    """Return `STORED`: ``dataset``, and hyperparameters by name of the ``contenders``."""
    return json.loads(STORED.read_text(encoding="utf-8"))


if __name__ == "__main__":
    run = load_run("one_table", runs_dir=sys.argv[1])
    choices = {name: choice["parameters"] for name, choice in run.facts["choices"].items()}
    write_json(STORED, {"dataset": run.provenance["dataset"], "run": run.run, "contenders": choices})
