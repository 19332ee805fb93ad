"""Where a model errs: users by activity, films by popularity, cold pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lib.data.interactions import Interactions
from lib.metrics.rating import METRICS, user_errors

USER_EDGES = (0, 1, 20, 40, 80, 160, 320)  # lower ends of bins of training ratings a user; the last is open
ITEM_EDGES = (0, 1, 5, 20, 50, 100, 200)  # the same of training ratings a film
COLD = ("warm", "cold film", "cold user", "cold user and film")
"""Labels of a pair by whether its user and its film have a training rating."""


def count_bins(counts: np.ndarray, edges: Sequence[int] | np.ndarray) -> pd.Categorical[str]:
    """Label counts by bin.

    `edges` are the bins' lower ends, rising from 0 (else a ValueError): ``(0, 1, 5, 20)`` gives the bins 0, 1-4, 5-19 and
    20 or more. The labels are ordered, with every bin among the categories, empty ones too.
    """
    edges = np.asarray(edges)
    if len(edges) == 0 or edges[0] != 0 or (np.diff(edges) <= 0).any():
        raise ValueError(f"bin edges must rise from 0, got {edges.tolist()}")
    ends = [*(edges[1:] - 1), None]
    labels = [
        f"{low} or more" if high is None else str(low) if low == high else f"{low}–{high}"
        for low, high in zip(edges, ends, strict=True)
    ]
    codes = np.searchsorted(edges, np.asarray(counts), side="right") - 1
    return pd.Categorical.from_codes(codes, categories=pd.Index(labels), ordered=True)


def user_bins(train: Interactions, edges: Sequence[int] = USER_EDGES) -> pd.Categorical[str]:
    """Label each user code by the user's number of training ratings, shape (n_users,)."""
    return count_bins(train.user_counts, edges)


def item_bins(train: Interactions, edges: Sequence[int] = ITEM_EDGES) -> pd.Categorical[str]:
    """Label each item code by the film's number of training ratings, shape (n_items,)."""
    return count_bins(train.item_counts, edges)


def cold_pairs(train: Interactions, test: Interactions) -> pd.Categorical[str]:
    """Label each test pair as one of `COLD`, shape (len(test),)."""
    no_user = train.user_counts[test.users] == 0
    no_item = train.item_counts[test.items] == 0
    return pd.Categorical.from_codes(2 * no_user + no_item, categories=pd.Index(COLD), ordered=True)


def pair_segments(train: Interactions, test: Interactions) -> dict[str, pd.Categorical[str]]:
    """Label each test pair by ``user_activity``, ``film_popularity`` (both counted in train) and ``cold``."""
    return {
        "user_activity": user_bins(train)[test.users],
        "film_popularity": item_bins(train)[test.items],
        "cold": cold_pairs(train, test),
    }


def rating_by_segment(
    labels: pd.Categorical[Any], users: np.ndarray, ratings: np.ndarray, predictions: np.ndarray
) -> pd.DataFrame:
    """Measure errors within each segment; `users`, `ratings`, `predictions` as for `lib.metrics.rating.user_errors`.

    There is one label a test pair; a pair without one is left out. ValueError where lengths differ, or a value is NaN.
    Returns a DataFrame, indexed by segment in its order: ``n_ratings``, ``n_users``, ``share`` of the ratings,
    ``rmse``, ``mae``, ``mean_error``. A segment without ratings stays, with NaN errors.
    """
    users, ratings, predictions = np.asarray(users), np.asarray(ratings), np.asarray(predictions)
    if len(labels) != len(ratings):
        raise ValueError(f"there are {len(labels)} labels for {len(ratings)} ratings; label every test pair")
    rows = []
    for code in range(len(labels.categories)):
        inside = labels.codes == code
        row = {"n_ratings": int(inside.sum()), "n_users": 0, "share": float(inside.mean())}
        if inside.any():
            errors = user_errors(users[inside], ratings[inside], predictions[inside])
            row["n_users"] = len(errors.users)
            row |= {metric: errors.per_user(metric).value for metric in METRICS}
        rows.append(row)
    columns = ["n_ratings", "n_users", "share", *METRICS]
    return pd.DataFrame(rows, index=pd.Index(labels.categories, name="segment"), columns=columns)
