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

from lib.data.feature_groups import available_groups
from lib.data.files import write_json
from lib.data.interactions import Interactions
from lib.experiment.stored_runs import load_run
from lib.models import model_class
from lib.studies.contenders import Contender, chosen_from

STORED = Path(__file__).with_name("hyperparameters.json")
"""What the report chose on MovieLens 100K."""

ON_TIME = ("timesvdpp", "timed_factorisation_machine", "timed_factorisation_machine_ordinal")
ON_FEATURES = ("two_tower",)
"""Contenders that need tables of items and of users."""
MIXED = "side_information_als_features_implicit"

LIMITS: dict[str, dict[str, int]] = {
    "ease": {"items": 12_000}, "item_knn": {"items": 40_000}, "correlation_neighbours": {"items": 4_000, "ratings": 300_000},
    "interpolated_neighbours": {"items": 4_000, "ratings": 200_000}, "neighbourhood": {"items": 6_000, "ratings": 300_000},
    "integrated": {"items": 6_000, "ratings": 300_000}, "autorec": {"ratings": 300_000}, "autorec_user": {"ratings": 150_000},
    "factorisation_machine": {"ratings": 500_000}, "timed_factorisation_machine": {"ratings": 200_000},
    "side_information_als_implicit": {"ratings": 500_000}, "side_information_als_features_implicit": {"ratings": 300_000},
    "soft_impute": {"cells": 100_000_000}, "soft_impute_tuned": {"cells": 100_000_000}, "hard_impute": {"cells": 20_000_000},
    "matrix_factorisation": {"cells": 50_000_000}, "softmax": {"cells": 100_000_000},
}  # fmt: skip
"""Most of each that a contender is fitted on within the time of the full profile."""


@dataclass(frozen=True)
class Candidates:
    """What runs, with the hyperparameters to begin with, and what does not: ``model`` and ``reason``."""

    contenders: dict[str, Contender]
    parameters: dict[str, dict[str, Any]]
    skipped: pd.DataFrame


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
        Whether `LIMITS` hold.

    Raises
    ------
    ValueError
        A name that is no contender's.
    """
    left_out, only, kept, parameters, rows = set(left_out), list(only), {}, {}, []
    n_all, asked = len(chosen_from()), chosen_from((), only)
    chosen_from(left_out)  # refuses an unknown name
    times, groups = interactions.timestamps, set(available_groups(interactions)) - {"raters", "rated"}
    facts = {
        "single_valued": single_valued, "times": len(times) > 0 and times.min() < times.max(), "groups": groups,
        "tables": interactions.user_table is not None and interactions.item_table is not None,
    }  # fmt: skip
    sizes = {
        "ratings": len(interactions), "items": interactions.n_items, "cells": interactions.n_users * interactions.n_items,
    }  # fmt: skip
    for name, one in asked.items():
        if name == "item_mean":
            one = replace(one, label="Item mean")
        over = [
            f"{sizes[what]:,} {what}, more than {most:,}"
            for what, most in LIMITS.get(name, {}).items()
            if limits and sizes[what] > most
        ]
        why = _unsuited(name, one, facts)
        if not why and name in left_out:
            why = "too slow for this profile: add --profile large"
        if not why and over:
            why = f"too slow here ({over[0]}): add --profile large"
        if why:
            rows.append({"model": one.label, "reason": why})
        else:
            kept[name], parameters[name] = one, _parameters(name, one, groups)
    if only:
        others = f"{n_all - len(asked)} other models"
        rows.append({"model": others, "reason": "not among those asked for (parameter models)"})
    return Candidates(kept, parameters, pd.DataFrame(rows, columns=["model", "reason"]))


def _unsuited(name: str, one: Contender, facts: Mapping[str, Any]) -> str:
    if facts["single_valued"] and model_class(one.model).predicts_ratings:
        return "predicts ratings, and all ratings here are the same"
    if name in ON_TIME and not facts["times"]:
        return "learns from timestamps, and there are none"
    if name in ON_FEATURES and not facts["tables"]:
        return "needs features of items and of users: add --items and --users"
    if name == MIXED and not facts["groups"]:
        return "learns from features of items or users: add --items or --users"
    return ""


def _parameters(name: str, one: Contender, groups: set[str]) -> dict[str, Any]:
    found = {**stored()["contenders"].get(name, {}), **one.fixed}
    if name == MIXED:
        penalties, wanted = found.get("projection_penalties", {}), [*sorted(groups), "raters", "rated"]
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
