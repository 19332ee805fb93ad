"""Do two models say the same? Per-user correlation of their scores and shared films in their top k.

Every score matrix carries its ids, and matrices meet by id, never by row order: two good models whose rows or columns
stand in different orders look unrelated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import sparse, stats

from lib.interactions import Interactions
from lib.metrics.lists import hide, top_k
from lib.metrics.per_user import PerUser
from lib.score_matrix import ScoreMatrix, align, mislabelled, places_of, shuffled
from lib.significance import bootstrap_interval

__all__ = [
    "Agreement",
    "ScoreMatrix",
    "agreement",
    "align",
    "chance_overlap",
    "mislabelled",
    "shuffled",
    "user_correlations",
    "user_overlaps",
]

CELLS = 4_000_000
"""Scores of all models held at once in float64: 32 MB."""


@dataclass(frozen=True, eq=False)
class Agreement:
    """What `agreement` found about every pair of models.

    Parameters
    ----------
    table : DataFrame
        A row a pair; the columns are described in `agreement`.
    correlations, overlaps : dict of (str, str) to ndarray, shape (n_users,)
        The same a user: correlation (NaN where undefined) and number of shared films.
    user_ids : ndarray
        The users of those arrays.
    """

    table: pd.DataFrame
    correlations: dict[tuple[str, str], np.ndarray]
    overlaps: dict[tuple[str, str], np.ndarray]
    user_ids: np.ndarray

    def square(self, column: str) -> pd.DataFrame:
        """Return one column of the table as a symmetric models x models table, NaN on the diagonal."""
        if column not in self.table:
            raise ValueError(f"no column {column!r}; there are {', '.join(self.table.columns)}")
        names = list(dict.fromkeys([*self.table["model_a"], *self.table["model_b"]]))
        square = pd.DataFrame(np.nan, index=names, columns=names)
        for a, b, value in self.table[["model_a", "model_b", column]].itertuples(index=False):
            square.loc[a, b] = square.loc[b, a] = value
        return square


def agreement(
    matrices: Mapping[str, ScoreMatrix],
    train: Interactions | None = None,
    *,
    k: int = 10,
    rank: bool = False,
    drop: bool = False,
    n_resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 42,
) -> Agreement:
    r"""Compare every pair of models, user by user.

    Correlation is Pearson's r of a user's two rows of scores (Spearman's with `rank`). Overlap is the number of films
    that stand in both lists of the k best. Intervals are BCa bootstraps over users (`lib.significance`).

    Parameters
    ----------
    matrices : mapping of str to ScoreMatrix
        At least two; aligned by id here.
    train : Interactions, optional
        Its pairs are left out of correlations and lists. Without it both see the whole catalogue.
    k : int
        Length of the lists.
    rank : bool
        Correlate ranks (ties at their mean rank) instead of scores.
    drop : bool
        As in `align`.
    n_resamples, confidence, seed
        Of the intervals.

    Returns
    -------
    Agreement
        Its table has ``model_a``, ``model_b``, ``n_users``; ``correlation_mean``, ``_low``, ``_high``, ``_min``,
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
    aligned = align(*matrices.values(), drop=drop)
    user_ids = aligned[0].user_ids
    mask = _mask(aligned[0], train)
    correlations = user_correlations(aligned, mask, rank=rank)
    overlaps = user_overlaps(aligned, k, mask)
    chance = chance_overlap(len(aligned[0].item_ids), k, 0 if mask is None else np.diff(mask.indptr))
    settings = {"n_resamples": n_resamples, "confidence": confidence, "seed": seed}
    rows, by_pair = [], ({}, {})
    for i, j in combinations(range(len(names)), 2):
        pair = names[i], names[j]
        by_pair[0][pair], by_pair[1][pair] = correlations[:, i, j], overlaps[:, i, j]
        row = {"model_a": pair[0], "model_b": pair[1], "n_users": len(user_ids)}
        row |= _summary("correlation", correlations[:, i, j], settings)
        row["n_undefined"] = int(np.isnan(correlations[:, i, j]).sum())
        row |= _summary("overlap", overlaps[:, i, j], settings)
        row["overlap_chance"] = float(np.mean(chance))
        rows.append(row)
    return Agreement(pd.DataFrame(rows), *by_pair, user_ids)


def user_correlations(matrices: list[ScoreMatrix], mask=None, *, rank: bool = False) -> np.ndarray:
    r"""Correlate every pair of models over each user's films.

    .. math:: r_u(a, b) = \frac{\sum_i (a_{ui} - \bar a_u)(b_{ui} - \bar b_u)}
                               {\sqrt{\sum_i (a_{ui} - \bar a_u)^2 \sum_i (b_{ui} - \bar b_u)^2}}

    Parameters
    ----------
    matrices : list of ScoreMatrix
        Aligned.
    mask : sparse array, shape (n_users, n_items), optional
        Stored entries are left out of all sums.
    rank : bool
        Of ranks within the user's row instead (Spearman's rho).

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
        units = np.stack([_unit_rows(block[:, m], absent, rank) for m in range(len(matrices))], axis=1)
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

    Raises
    ------
    ValueError
        k is larger than the catalogue.
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

    Parameters
    ----------
    n_items, k : int
    n_masked : int or int array, shape (n_users,)
        Films that cannot be recommended to the user.

    Returns
    -------
    ndarray of float64
        Of the shape of `n_masked`; 0 where nothing is left.
    """
    left = n_items - np.asarray(n_masked, dtype=np.float64)
    length = np.minimum(k, left)
    return np.where(left > 0, length**2 / np.maximum(left, 1.0), 0.0)


# -- helpers -------------------------------------------------------------------------------------------------------
def _unit_rows(block: np.ndarray, absent, rank: bool) -> np.ndarray:
    """Centre each row and scale it to length 1 over the films that count; a constant row becomes NaN."""
    present = np.ones(block.shape, dtype=bool)
    if absent is not None:
        hide(present, absent, False)
    counts = present.sum(axis=1, keepdims=True)
    if rank:
        # Behind all others, the films that do not count leave the others' ranks alone.
        block = stats.rankdata(np.where(present, block, np.inf), axis=1)
    centred = np.where(present, block, 0.0)
    centred = np.where(present, centred - centred.sum(axis=1, keepdims=True) / np.maximum(counts, 1), 0.0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    # Exact: single-precision scores add up without rounding in double, so a constant row centres to zeros.
    constant = lengths == 0
    return np.where(constant, np.nan, centred / np.where(constant, 1.0, lengths))


def _summary(name: str, values: np.ndarray, settings: dict) -> dict[str, float]:
    """Mean with interval, extremes and spread over the users where the value is defined."""
    defined = values[~np.isnan(values)]
    if len(defined) == 0:
        return {f"{name}_{part}": np.nan for part in ("mean", "low", "high", "min", "max", "std")}
    low = high = np.nan
    if len(defined) > 1:
        interval = bootstrap_interval(PerUser.mean(name, np.arange(len(defined)), defined), **settings)
        low, high = interval.low, interval.high
    return {
        f"{name}_mean": float(defined.mean()),
        f"{name}_low": low,
        f"{name}_high": high,
        f"{name}_min": float(defined.min()),
        f"{name}_max": float(defined.max()),
        f"{name}_std": float(defined.std()),
    }


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
