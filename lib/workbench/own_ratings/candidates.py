"""Which models a reader's ratings allow, and why the others stay out; and what their hyperparameters begin with.

``python -m lib.workbench.own_ratings.candidates RUNS`` stores the latter anew from ``one_table`` in a folder of runs.
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lib.data.feature_groups import IMPLICIT, available_groups
from lib.data.files import read_json, write_json
from lib.data.interactions import Interactions
from lib.experiment.stored_runs import load_run
from lib.models import cards, model_class
from lib.studies.contenders import Contender, chosen_from

STORED = Path(__file__).with_name("hyperparameters.json")
"""What the report chose on MovieLens 100K."""

LACKS = {
    "tables": "needs features of items and of users: add --items and --users",
    "features": "learns from features of items or users: add --items or --users",
    "counts": "learns from counts, such as plays, and these are ratings",
    "many items": "takes the place of EASE where there are too many items for it",
}
"""By what a card says that a model needs."""


@dataclass(frozen=True)
class Candidates:
    """What runs, with its first hyperparameters; what does not: ``model`` and ``reason``; groups of features."""

    contenders: dict[str, Contender]
    parameters: dict[str, dict[str, Any]]
    skipped: pd.DataFrame
    groups: tuple[str, ...]


def candidates(
    data: Interactions, *, left_out: Iterable[str] = (), only: Iterable[str] = (), limits=True, counts=False
) -> Candidates:
    """Choose the contenders that these ratings, of `lib.workbench.own_ratings.stars.for_models`, allow.

    Those `left_out` are too slow for this profile; where `only` is not empty it names all that are wanted; `limits`: data may
    be too large for a model; `counts`: ratings are confidences, which nobody predicts. An unknown name is a ValueError.
    """
    everyone = partial(chosen_from, others_data=True)
    left_out, asked, n_all = set(left_out), everyone((), only), len(everyone())
    everyone(left_out)  # refuses an unknown name
    groups = tuple(sorted(set(available_groups(data)) - set(IMPLICIT)))
    kept, parameters, skipped = {}, {}, {}
    for name, one in asked.items():
        one = replace(one, label=one.label.replace("Film", "Item"))
        why = _unsuited(one, data, groups, counts)
        if not why and name in left_out:
            why = "too slow for this profile: add --profile large"
        if not why and limits and (over := excess(one.most, data)):
            why = f"too slow here ({over}): add --profile large"
        if why:
            skipped[one.label] = why
        else:
            if counts:
                every = {"threshold": None, "by_count": True}
                own = {n: value for n, value in every.items() if n in model_class(one.model).parameter_names()}
                one = replace(one, fixed={**one.fixed, **own})
            kept[name], parameters[name] = one, _parameters(one, groups)
    if len(asked) < n_all:
        skipped[f"{n_all - len(asked)} other models"] = "not among those asked for (parameter models)"
    return Candidates(kept, parameters, pd.DataFrame(skipped.items(), columns=["model", "reason"]), groups)


def excess(most: Mapping[str, int], data: Interactions) -> str:
    """Say in what data are larger than a card allows, ``"50 items, more than 49"``; nothing where they are not."""
    sizes = {"ratings": len(data), "items": data.n_items, "cells": data.n_users * data.n_items}
    over = (f"{sizes[what]:,} {what}, more than {limit:,}" for what, limit in most.items() if sizes[what] > limit)
    return next(over, "")


def _unsuited(one: Contender, data: Interactions, groups: tuple[str, ...], counts: bool) -> str:
    cls = model_class(one.model)
    if cls.predicts_ratings and np.ptp(data.ratings) == 0:
        return "predicts ratings, and all ratings here are the same"
    if cls.predicts_ratings and counts:
        return "predicts ratings, and these are counts"
    if cls.uses_time and np.ptp(data.timestamps) == 0:
        return "learns from timestamps, and there are none"
    tables = data.user_table is not None and data.item_table is not None
    there = {"tables": tables, "features": bool(groups), "counts": counts}
    there["many items"] = data.n_items > cards()["ease"].most["items"]
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
    return read_json(STORED)


if __name__ == "__main__":
    run = load_run("one_table", runs_dir=sys.argv[1])
    choices = {name: choice["parameters"] for name, choice in run.facts["choices"].items()}
    write_json(STORED, {"dataset": run.provenance["dataset"], "run": run.run, "contenders": choices})
