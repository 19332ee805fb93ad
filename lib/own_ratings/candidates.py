"""Which models a reader's ratings allow, and why the others stay out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from lib.contenders import Contender, chosen_from
from lib.feature_groups import available_groups
from lib.interactions import Interactions
from lib.models import model_class
from lib.own_ratings.defaults import stored_parameters

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
    """What runs and what does not.

    Parameters
    ----------
    contenders : dict of str to Contender
    parameters : dict of str to dict
        Hyperparameters to begin with, by contender.
    skipped : DataFrame
        ``model``, ``reason``.
    """

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
        As `lib.own_ratings.stars.for_models` gives them.
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
    chosen_from(left_out)
    times = interactions.timestamps
    facts = {
        "single_valued": single_valued, "times": len(times) > 0 and times.min() < times.max(),
        "groups": set(available_groups(interactions)) - {"raters", "rated"},
        "tables": interactions.user_table is not None and interactions.item_table is not None,
    }  # fmt: skip
    sizes = {
        "ratings": len(interactions), "items": interactions.n_items, "cells": interactions.n_users * interactions.n_items,
    }  # fmt: skip
    for name, known in chosen_from((), only).items():
        one = replace(known, label="Item mean") if name == "item_mean" else known
        why = _unsuited(name, one, facts)
        if not why and name in left_out:
            why = "too slow for this profile: add --profile large"
        if not why and limits:
            over = [
                f"{sizes[what]:,} {what}, more than {most:,}"
                for what, most in LIMITS.get(name, {}).items()
                if sizes[what] > most
            ]
            why = f"too slow here ({over[0]}): add --profile large" if over else ""
        if why:
            rows.append({"model": one.label, "reason": why})
            continue
        kept[name] = one
        parameters[name] = _parameters(name, one, facts["groups"])
    if only:
        n_others = len(chosen_from()) - len(chosen_from((), only))
        rows.append(
            {"model": f"{n_others} other models", "reason": "not among those asked for (parameter models)"}
        )
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
    found = {**stored_parameters(name), **one.fixed}
    if name == MIXED:
        penalties = found.get("projection_penalties", {})
        wanted = [*sorted(groups), "raters", "rated"]
        usual = penalties.get("genres", 50.0)
        found |= {
            "groups": wanted,
            "projection_penalties": {group: penalties.get(group, usual) for group in wanted},
        }
    return found
