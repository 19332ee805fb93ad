"""What the comparison of project A's models asks: errors by segment, correlations, and matrices in another order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lib.data.interactions import Interactions
from lib.metrics.rating import user_errors
from lib.metrics.segments import rating_by_segment
from lib.models import label
from lib.statistics.agreement import ScoreMatrix, agreement, mislabelled, shuffled
from lib.statistics.significance import paired_difference

GROUPS = {
    "sparse_users": ("user_activity", ("1–19", "20–39")),
    "busy_users": ("user_activity", ("160–319", "320 or more")),
    "rare_films": ("film_popularity", ("1–4", "5–19")),
    "popular_films": ("film_popularity", ("200 or more",)),
    "cold_pairs": ("cold", ("cold film", "cold user", "cold user and film")),
}
"""Kind and names of the segments (`lib.metrics.segments`) that tell a model's strengths and weaknesses."""


def errors_by_segment(table: pd.DataFrame, models: Sequence[str], labels: pd.Categorical) -> pd.DataFrame:
    """RMSE of each model in each segment of the test ratings.

    Returns
    -------
    DataFrame, one row a segment and model
        ``segment``, ``model``, ``n_ratings``, ``share``, ``rmse``, ``mae``; segments without ratings are left out.
    """
    parts = []
    for model in models:
        pairs = (table[column].to_numpy() for column in ("user", "rating", model))
        part = rating_by_segment(labels, *pairs).reset_index()
        parts.append(part.assign(model=model))
    together = pd.concat(parts, ignore_index=True)
    together = together[together["n_ratings"] > 0]
    return together[["segment", "model", "n_ratings", "share", "rmse", "mae"]].reset_index(drop=True)


def test_correlations(table: pd.DataFrame, models: Sequence[str]) -> pd.DataFrame:
    r"""Correlate models over the test ratings: their predictions, and their errors :math:`\hat r - r`.

    Errors that correlate leave an average little to gain: of two models with equal error variance
    :math:`\sigma^2` and error correlation :math:`\rho`, the mean has :math:`\sigma^2 (1 + \rho) / 2`.

    Returns
    -------
    DataFrame
        A row a pair: ``model_a``, ``model_b``, ``predictions``, ``errors``.
    """
    predictions = table[list(models)].to_numpy().T
    errors = predictions - table["rating"].to_numpy(dtype=np.float64)
    first, second = np.triu_indices(len(models), 1)
    names = np.array(models)
    found = {
        "predictions": np.corrcoef(predictions)[first, second],
        "errors": np.corrcoef(errors)[first, second],
    }
    return pd.DataFrame({"model_a": names[first], "model_b": names[second], **found})


def put_back(matrix: ScoreMatrix, train: Interactions) -> ScoreMatrix:
    """Put the training ratings into a score matrix, as an imputer's completed matrix has them.

    Parameters
    ----------
    matrix : ScoreMatrix
        On the rating scale.
    train : Interactions
        All its users and items are in the matrix.

    Raises
    ------
    ValueError
        A training pair has no place in the matrix.
    """
    rows = pd.Index(matrix.user_ids).get_indexer(train.user_ids[train.users])
    columns = pd.Index(matrix.item_ids).get_indexer(train.item_ids[train.items])
    if (rows < 0).any() or (columns < 0).any():
        raise ValueError("a training pair's user or item is not in the score matrix")
    values = matrix.values.copy()
    values[rows, columns] = train.ratings
    return ScoreMatrix(matrix.user_ids, matrix.item_ids, values)


def order_of_appearance(ids: np.ndarray, sequence: np.ndarray) -> np.ndarray:
    """Places of `ids` in the order in which they first appear in `sequence`; ids that never do come last.

    This is the order of rows or columns that a loop over ``pandas.unique`` gives, where `ids` are sorted.
    """
    seen = pd.unique(np.asarray(sequence))
    places = pd.Index(ids).get_indexer(seen)
    rest = np.setdiff1d(np.arange(len(ids)), places)
    return np.concatenate([places, rest])


def orders(matrix: ScoreMatrix, data: Interactions, n_shuffles: int) -> dict[str, list[ScoreMatrix]]:
    """Put a matrix into other orders under unchanged ids, as a slip in matching rows or columns would.

    Returns
    -------
    dict of str to list of ScoreMatrix
        By what was done, in words: nothing; users, films or both in the order in which they first appear in `data`; the
        same shuffled, `n_shuffles` times each.
    """
    frame = data.frame()
    rows = order_of_appearance(matrix.user_ids, frame["user"].to_numpy())
    columns = order_of_appearance(matrix.item_ids, frame["item"].to_numpy())
    found = {
        "matched by id": [matrix],
        "users in order of first appearance": [mislabelled(matrix, rows=rows)],
        "films in order of first appearance": [mislabelled(matrix, columns=columns)],
        "users and films in order of first appearance": [mislabelled(matrix, rows=rows, columns=columns)],
    }
    for words, axis in (("users", "users"), ("films", "items"), ("users and films", "both")):
        found[f"{words} shuffled"] = [shuffled(matrix, seed=seed, axis=axis) for seed in range(n_shuffles)]
    return found


def order_agreement(
    reference: ScoreMatrix, variants: Mapping[str, Sequence[ScoreMatrix]], *, k: int
) -> pd.DataFrame:
    """Measure how well a matrix agrees with another one that stands in several orders, of `orders`.

    Returns
    -------
    DataFrame
        A row an order: ``order``, ``correlation`` (mean over users and variants), ``lowest`` and ``highest`` of any user,
        ``overlap`` of lists of k (mean) and ``overlap_max``.
    """
    rows = []
    for order, matrices in variants.items():
        pairs = [{"reference": reference, "variant": one} for one in matrices]
        each = pd.concat([agreement(pair, k=k, n_resamples=100) for pair in pairs])
        rows.append(
            {
                "order": order,
                "correlation": each["correlation_mean"].to_numpy().mean(),
                "lowest": each["correlation_min"].min(),
                "highest": each["correlation_max"].max(),
                "overlap": each["overlap_mean"].to_numpy().mean(),
                "overlap_max": each["overlap_max"].max(),
            }
        )
    return pd.DataFrame(rows)


def blend_table(table: pd.DataFrame, blends: Sequence[Sequence[str]], *, n_resamples: int) -> pd.DataFrame:
    """Average models with equal weights, and compare each average with its best member over resampled users.

    Returns
    -------
    DataFrame
        A row a blend: ``blend`` (its members' labels), ``rmse``, ``mae``, ``best_member``, ``best_member_rmse``; the
        ``difference`` in RMSE with ``low``, ``high`` and ``p``.
    """
    users, ratings = table["user"].to_numpy(), table["rating"].to_numpy()
    rows = []
    for members in blends:
        alone = {model: user_errors(users, ratings, table[model].to_numpy()) for model in members}
        mixed = user_errors(users, ratings, table[list(members)].mean(axis=1).to_numpy())
        best = min(alone, key=lambda model: alone[model].rmse)
        gap = paired_difference(mixed.per_user("rmse"), alone[best].per_user("rmse"), n_resamples=n_resamples)
        differences = gap.difference, gap.low, gap.high, gap.p_value
        rows.append(
            [" + ".join(map(label, members)), mixed.rmse, mixed.mae, best, alone[best].rmse, *differences]
        )
    columns = ["blend", "rmse", "mae", "best_member", "best_member_rmse", "difference", "low", "high", "p"]
    return pd.DataFrame(rows, columns=columns)


def pooled_rmse(segments: pd.DataFrame) -> pd.DataFrame:
    """RMSE over several segments at once, a row a model and a column a group of `GROUPS`; NaN without ratings.

    `segments` are of `errors_by_segment`, with ``kind`` beside them.
    """
    found: dict[str, dict[str, float]] = {}
    for model, rows in segments.groupby("model", sort=False):
        found[str(model)] = {}
        for group, (kind, names) in GROUPS.items():
            inside = rows[(rows["kind"] == kind) & rows["segment"].isin(names)]
            squares = (inside["rmse"] ** 2 * inside["n_ratings"]).sum()
            error = float(np.sqrt(squares / inside["n_ratings"].sum())) if len(inside) else np.nan
            found[str(model)][group] = error
    return pd.DataFrame(found).T


def pair_labels(pairs: pd.DataFrame, joint: str = " and ") -> list[str]:
    """Return the labels of ``model_a`` and ``model_b`` of each row, joined."""
    return [f"{label(a)}{joint}{label(b)}" for a, b in zip(pairs["model_a"], pairs["model_b"], strict=True)]
