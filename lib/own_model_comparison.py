"""One model against every other: paired tests by user, and how far it agrees with each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lib.agreement_map import correlation_maps, list_maps
from lib.evaluation import top_of
from lib.metrics.per_user import PerUser
from lib.one_table import FOLDS, protocol_of
from lib.own_model_protocol import OwnRow, Protocol
from lib.significance import compare_models
from lib.stored_tables import errors_of, list_table, models_of, pool, rankings_of, rating_table

BETTER, WORSE, SAME = "better", "worse", "not told apart"


@dataclass(frozen=True, eq=False)
class Measured:
    """Every model's metric on one protocol, user by user.

    Parameters
    ----------
    title : str
        Metric and protocol in words.
    metric : str
        ``"rmse"`` or ``"ndcg"``.
    key : str
        Of the split; the protocol's name for pooled folds.
    users : dict of str to PerUser
        By model, the own one among them.
    """

    title: str
    metric: str
    key: str
    users: dict[str, PerUser]

    @property
    def lower_is_better(self) -> bool:
        """Whether a small value is a good one."""
        return self.metric == "rmse"


def ratings_with(
    own: OwnRow, fits: Mapping[str, Mapping[str, Any]], protocol: Protocol, key: str
) -> pd.DataFrame:
    """Return the stored predictions of a split (`lib.stored_tables.rating_table`) and a column of the own model's."""
    table = rating_table([protocol.stored], protocol.splits[key])
    if "predictions" in fits[key]:
        table[own.name] = np.asarray(fits[key]["predictions"], dtype=np.float64)
    return table


def lists_with(
    own: OwnRow, fits: Mapping[str, Mapping[str, Any]], protocol: Protocol, key: str
) -> pd.DataFrame:
    """Return the stored lists of a split (`lib.stored_tables.list_table`) and below them the own model's."""
    split = protocol.splits[key]
    theirs = list_table([protocol.stored], split, protocol.k)
    if "items" not in fits[key]:
        return theirs
    mine = (
        top_of(fits[key], split.train)
        .frame(split.train.user_ids, split.train.item_ids)
        .assign(model=own.name)
    )
    return pd.concat([theirs, mine[list(theirs.columns)]], ignore_index=True)


def measured(own: OwnRow, fits: Mapping[str, Mapping[str, Any]], protocol: Protocol) -> list[Measured]:
    """Bring every protocol on which the own model and another one were measured into the form that tests take.

    Errors: each protocol's first split, published folds pooled; lists: each protocol's first split that has them.

    Returns
    -------
    list of Measured
        Errors first; without errors where the own model predicts no ratings.
    """
    found = []
    groups: dict[str, list[str]] = {}
    for key, split in protocol.splits.items():
        groups.setdefault(protocol_of(split.name), []).append(key)
    for name, keys in groups.items():
        folds = [key for key in keys if key in FOLDS]
        tables = [ratings_with(own, fits, protocol, key) for key in folds or keys[:1]]
        table = pool(tables) if len(tables) > 1 else tables[0]
        title = f"RMSE, {', '.join(folds)} pooled" if len(folds) > 1 else f"RMSE, {(folds or keys)[0]}"
        found.append(Measured(title, "rmse", name if folds else keys[0], {m: e.per_user("rmse") for m, e in errors_of(table).items()}))  # fmt: skip
    for keys in groups.values():
        key = next((key for key in keys if key in protocol.listed), None)
        if key is None:
            continue
        rankings = rankings_of(
            lists_with(own, fits, protocol, key),
            protocol.splits[key],
            protocol.k,
            threshold=protocol.threshold,
        )
        found.append(Measured(f"nDCG@{protocol.k}, {key}", "ndcg", key, {m: r.per_user("ndcg") for m, r in rankings.items()}))  # fmt: skip
    return [one for one in found if own.name in one.users and len(one.users) > 1]


def against_each(one: Measured, own: str, *, level: float, n_resamples: int, seed: int) -> pd.DataFrame:
    r"""Test one model against each other one: sign flips by user, Holm over the comparisons.

    Parameters
    ----------
    one : Measured
    own : str
        The model that is compared with each.
    level : float
        Family-wise error rate.
    n_resamples : int
        Of users for intervals, and sign flips of the tests.
    seed : int

    Returns
    -------
    DataFrame
        A row another model, best first: ``model``, ``value``, ``own``, ``difference`` (own minus other, in the metric's
        units), ``low``, ``high`` (95% interval over users, not corrected), ``effect_size`` (:math:`d_z`),
        ``p_value``, ``p_adjusted``, and ``verdict``: whether the own model is `BETTER`, `WORSE` or `SAME`.

    Raises
    ------
    ValueError
        Too few resamples for any comparison to reach the level, or `own` is not among the models.
    """
    n_pairs = len(one.users) - 1
    if n_pairs / (1 + n_resamples) > level:
        raise ValueError(
            f"n_resamples={n_resamples} is too few for {n_pairs} comparisons: no corrected p-value could be below "
            f"{level:g}; take at least {int(np.ceil(n_pairs / level))}"
        )
    table = compare_models(one.users, reference=own, n_resamples=n_resamples, seed=seed)
    found = pd.DataFrame(
        {
            "model": table["model_a"], "value": table["first"], "own": table["second"],
            "difference": -table["difference"], "low": -table["high"], "high": -table["low"],
            "effect_size": -table["effect_size"], "p_value": table["p_value"], "p_adjusted": table["p_adjusted"],
        }
    )  # fmt: skip
    gain = -found["difference"] if one.lower_is_better else found["difference"]
    found["verdict"] = np.where(found["p_adjusted"] > level, SAME, np.where(gain > 0, BETTER, WORSE))
    return found.sort_values("value", ascending=one.lower_is_better, ignore_index=True, kind="stable")


def agreement_with(own: str, ratings: pd.DataFrame, lists: pd.DataFrame) -> pd.DataFrame:
    """Tell how far each other model says the same as the own one.

    Parameters
    ----------
    own : str
    ratings : DataFrame
        Of `ratings_with`.
    lists : DataFrame
        Of `lists_with`, of the same split.

    Returns
    -------
    DataFrame
        A row another model, the most alike first: ``model``; ``predictions`` and ``errors``, Pearson's correlations over
        the test ratings (NaN for models that predict no ratings or one number for all); ``shared``, films that two
        lists for the same user share, and ``strangers``, for two different users, which popularity alone gives (NaN
        without lists).
    """
    rated = [name for name in models_of(ratings) if np.ptp(ratings[name]) > 0]
    listed = list(dict.fromkeys(lists["model"]))
    others = [name for name in dict.fromkeys([*models_of(ratings), *listed]) if name != own]
    found = pd.DataFrame(index=pd.Index(others, name="model"))
    blank = pd.Series(dtype=float)
    has_ratings, has_lists = own in rated and len(rated) > 1, own in listed and len(listed) > 1
    squares = (
        *(correlation_maps(ratings, rated) if has_ratings else (None, None)),
        *(list_maps(lists, listed) if has_lists else (None, None)),
    )
    for column, square in zip(("predictions", "errors", "shared", "strangers"), squares, strict=True):
        found[column] = (blank if square is None else square[own]).reindex(others)
    order = ["predictions", "shared"] if has_ratings else ["shared"]
    return found.reset_index().sort_values(order, ascending=False, ignore_index=True, kind="stable")
