"""Do two models say the same? Per-user correlation of their scores and shared films in their top k.

Every score matrix carries its ids, and matrices meet by id, never by row order: two good models whose rows or columns
stand in different orders look unrelated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import sparse

from lib.data.interactions import Interactions
from lib.metrics.lists import hide, top_k
from lib.metrics.per_user import PerUser
from lib.statistics.score_matrix import ScoreMatrix, align, mislabelled, places_of, shuffled
from lib.statistics.significance import bootstrap_interval

__all__ = [
    "ScoreMatrix",
    "agreement",
    "align",
    "chance_overlap",
    "mislabelled",
    "shuffled",
    "square",
    "user_correlations",
    "user_overlaps",
]

CELLS = 4_000_000
"""Scores of all models held at once in float64: 32 MB."""


def agreement(
    matrices: Mapping[str, ScoreMatrix],
    train: Interactions | None = None,
    *,
    k: int = 10,
    n_resamples: int = 2000,
    seed: int = 42,
) -> pd.DataFrame:
    """Compare every pair of models, user by user.

    Correlation is Pearson's r of a user's two rows of scores. Overlap is the number of films that stand in both lists of
    the k best. Intervals are BCa bootstraps over users (`lib.statistics.significance`).

    Parameters
    ----------
    matrices : mapping of str to ScoreMatrix
        At least two; aligned by id here.
    train : Interactions, optional
        Its pairs are left out of correlations and lists. Without it both see the whole catalogue.
    k : int
        Length of the lists.
    n_resamples, seed
        Of the intervals.

    Returns
    -------
    DataFrame
        A row a pair: ``model_a``, ``model_b``, ``n_users``; ``correlation_mean``, ``_low``, ``_high``, ``_min``,
        ``_max``, ``_std`` over users, ``n_undefined`` (a row constant in either model has no correlation: those users
        are left out of the six before; all NaN if none remains); ``overlap_mean``, ``_low``, ``_high``, ``_min``,
        ``_max``, ``_std`` in films; and ``overlap_chance`` (`chance_overlap`, mean over users).

    Raises
    ------
    ValueError
        Fewer than two models, ids that differ, k larger than the catalogue, or an id that `train` does not know.
    """
    names = list(matrices)
    if len(names) < 2:
        raise ValueError(f"agreement needs at least two models, got {names}")
    aligned = align(*matrices.values())
    mask = _mask(aligned[0], train)
    correlations = user_correlations(aligned, mask)
    overlaps = user_overlaps(aligned, k, mask)
    chance = chance_overlap(len(aligned[0].item_ids), k, 0 if mask is None else np.diff(mask.indptr))
    settings = {"n_resamples": n_resamples, "seed": seed}
    rows = []
    for i, j in combinations(range(len(names)), 2):
        row = {"model_a": names[i], "model_b": names[j], "n_users": len(aligned[0].user_ids)}
        row |= _summary("correlation", correlations[:, i, j], settings)
        row["n_undefined"] = int(np.isnan(correlations[:, i, j]).sum())
        row |= _summary("overlap", overlaps[:, i, j], settings)
        row["overlap_chance"] = float(np.mean(chance))
        rows.append(row)
    return pd.DataFrame(rows)


def square(table: pd.DataFrame, column: str, models: Sequence[str]) -> pd.DataFrame:
    """Return one column of `agreement`'s table as a symmetric models x models table, NaN on the diagonal."""
    half = table.pivot_table(index="model_a", columns="model_b", values=column)
    half = half.reindex(index=models, columns=models)
    return half.fillna(half.T)


def user_correlations(matrices: list[ScoreMatrix], mask=None) -> np.ndarray:
    r"""Correlate every pair of models over each user's films.

    .. math:: r_u(a, b) = \frac{\sum_i (a_{ui} - \bar a_u)(b_{ui} - \bar b_u)}
                               {\sqrt{\sum_i (a_{ui} - \bar a_u)^2 \sum_i (b_{ui} - \bar b_u)^2}}

    Parameters
    ----------
    matrices : list of ScoreMatrix
        Aligned.
    mask : sparse array, shape (n_users, n_items), optional
        Stored entries are left out of all sums.

    Returns
    -------
    ndarray of float64, shape (n_users, n_models, n_models)
        NaN where either model's row is constant over the films that count, or fewer than two films count.
    """
    n_users, n_items = _check_aligned(matrices)
    found = np.empty((n_users, len(matrices), len(matrices)))
    for rows in _blocks(n_users, n_items * len(matrices)):
        block = np.stack([matrix.values[rows] for matrix in matrices], axis=1).astype(np.float64)
        absent = None if mask is None else mask[rows]
        units = np.stack([_unit_rows(block[:, m], absent) for m in range(len(matrices))], axis=1)
        # Rounding may carry a perfect correlation past 1.
        found[rows] = np.clip(units @ units.transpose(0, 2, 1), -1.0, 1.0)
    return found


def user_overlaps(matrices: list[ScoreMatrix], k: int, mask=None) -> np.ndarray:
    """Count the films that each pair of models shares in a user's k best.

    Parameters
    ----------
    matrices : list of ScoreMatrix
        Aligned.
    k : int
        A user with fewer films left has shorter lists. Equal scores rank by column.
    mask : sparse array, shape (n_users, n_items), optional
        Stored entries cannot be in a list.

    Returns
    -------
    ndarray of int64, shape (n_users, n_models, n_models)
        The diagonal holds the lists' own lengths.
    """
    n_users, n_items = _check_aligned(matrices)
    lists = [top_k(matrix.values, k, mask).items for matrix in matrices]
    found = np.empty((n_users, len(matrices), len(matrices)), dtype=np.int64)
    for rows in _blocks(n_users, (n_items + 1) * len(matrices)):
        # One column more takes the -1 past the end of a list, and is cut off.
        listed = np.zeros((rows.stop - rows.start, len(matrices), n_items + 1), dtype=np.float32)
        for m, items in enumerate(lists):
            np.put_along_axis(listed[:, m], items[rows].astype(np.int64) % (n_items + 1), 1.0, axis=1)
        listed = listed[..., :n_items]
        found[rows] = np.rint(listed @ listed.transpose(0, 2, 1))
    return found


def chance_overlap(n_items: int, k: int, n_masked=0) -> np.ndarray:
    r"""Films that two lists drawn at random would share.

    The number shared is hypergeometric, with mean :math:`k_u^2 / n_u`, where :math:`n_u` films are left to recommend
    to user u and :math:`k_u = \min(k, n_u)`.

    `n_masked` is the number of films, one for all or one a user, that cannot be recommended; the answer, float64, has its
    shape, and is 0 where nothing is left.
    """
    left = n_items - np.asarray(n_masked, dtype=np.float64)
    length = np.minimum(k, left)
    return np.where(left > 0, length**2 / np.maximum(left, 1.0), 0.0)


# -- helpers -------------------------------------------------------------------------------------------------------
def _unit_rows(block: np.ndarray, absent) -> np.ndarray:
    """Centre each row and scale it to length 1 over the films that count; a constant row becomes NaN."""
    present = np.ones(block.shape, dtype=bool)
    if absent is not None:
        hide(present, absent, False)
    counts = present.sum(axis=1, keepdims=True)
    centred = np.where(present, block, 0.0)
    centred = np.where(present, centred - centred.sum(axis=1, keepdims=True) / np.maximum(counts, 1), 0.0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    # Exact: single-precision scores add up without rounding in double, so a constant row centres to zeros.
    constant = lengths == 0
    return np.where(constant, np.nan, centred / np.where(constant, 1.0, lengths))


def _summary(name: str, values: np.ndarray, settings: dict) -> dict[str, float]:
    """Mean with interval, extremes and spread over the users where the value is defined."""
    defined = values[~np.isnan(values)]
    found = dict.fromkeys(("mean", "low", "high", "min", "max", "std"), np.nan)
    if len(defined) > 1:
        interval = bootstrap_interval(PerUser.mean(name, np.arange(len(defined)), defined), **settings)
        found |= {"low": interval.low, "high": interval.high}
    if len(defined):
        found |= {part: float(getattr(defined, part)()) for part in ("mean", "min", "max", "std")}
    return {f"{name}_{part}": value for part, value in found.items()}


def _mask(matrix: ScoreMatrix, train: Interactions | None) -> sparse.csr_array | None:
    """Training pairs in the matrix's order of users and items."""
    if train is None:
        return None
    rows = places_of("user", train.user_ids, matrix.user_ids, where="the training data")
    columns = places_of("item", train.item_ids, matrix.item_ids, where="the training data")
    # Ones instead of ratings: column selection must not lose a rating of 0.
    seen = train.matrix.copy()
    seen.data[:] = 1.0
    return seen[rows][:, columns]


def _check_aligned(matrices: list[ScoreMatrix]) -> tuple[int, int]:
    for other in matrices[1:]:
        for kind in ("user_ids", "item_ids"):
            if not np.array_equal(getattr(matrices[0], kind), getattr(other, kind)):
                raise ValueError(f"the matrices' {kind} differ in order; align them first")
    return matrices[0].values.shape


def _blocks(n_users: int, width: int):
    step = max(1, CELLS // max(width, 1))
    for start in range(0, n_users, step):
        yield slice(start, min(start + step, n_users))
