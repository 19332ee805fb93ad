"""Do two models say the same? Per-user correlation of their scores and shared films in their top k.

Every score matrix carries its ids, and matrices meet by id, never by row order: two good models whose rows or columns
stand in different orders look unrelated.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import sparse

from lib.data.interactions import Interactions
from lib.metrics.lists import blocks, hide, top_k
from lib.metrics.per_user import PerUser
from lib.statistics.significance import LEAST_USERS, bootstrap_interval


@dataclass(frozen=True, eq=False)
class ScoreMatrix:
    """A model's scores of every film for some users: float32 `values`, shape (n_users, n_items), with their raw ids.

    ValueError: an id occurs twice, or a score is NaN or infinite.
    """

    user_ids: np.ndarray
    item_ids: np.ndarray
    values: np.ndarray

    def __post_init__(self):
        for name, kind in (("user_ids", None), ("item_ids", None), ("values", np.float32)):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=kind))
        ids = len(self.user_ids), len(self.item_ids)
        if self.values.shape != ids:
            raise ValueError(f"the scores have shape {self.values.shape}, but there are ids of shape {ids}")
        for kind, ids in (("user", self.user_ids), ("item", self.item_ids)):
            if len(np.unique(ids)) != len(ids):
                raise ValueError(f"a {kind} id occurs twice, so rows cannot be matched by id")
        if not np.isfinite(self.values).all():
            raise ValueError("a score is NaN or infinite; a model must score every film finitely")

    def take(self, user_ids: np.ndarray, item_ids: np.ndarray) -> "ScoreMatrix":
        """Return the rows and columns of these raw ids, in this order; KeyError where the matrix lacks one."""
        rows = _places_of("user", self.user_ids, user_ids)
        columns = _places_of("item", self.item_ids, item_ids)
        return ScoreMatrix(np.asarray(user_ids), np.asarray(item_ids), self.values[np.ix_(rows, columns)])


def align(*matrices: ScoreMatrix) -> list[ScoreMatrix]:
    """Bring matrices into the first one's order of users and items; ValueError unless all hold the same ids."""
    for kind in ("user", "item"):
        first, *others = (pd.Index(getattr(matrix, f"{kind}_ids")) for matrix in matrices)
        for other in others:
            if not first.isin(other).any():
                raise ValueError(f"the matrices have no {kind} id in common; are all raw, of one type?")
            if len(apart := first.symmetric_difference(other)):
                raise ValueError(f"{len(apart)} {kind} ids are not in every matrix; score the same {kind}s")
    return [matrix.take(matrices[0].user_ids, matrices[0].item_ids) for matrix in matrices]


def mislabelled(
    matrix: ScoreMatrix, *, rows: np.ndarray | None = None, columns: np.ndarray | None = None
) -> ScoreMatrix:
    """Put the scores in another order under unchanged ids: the mistake of matching matrices by position.

    Row r of the result holds the scores of row ``rows[r]``; likewise the columns. Both are permutations.
    """
    values = matrix.values if rows is None else matrix.values[rows]
    return replace(matrix, values=values if columns is None else values[:, columns])


def shuffled(matrix: ScoreMatrix, *, seed: int, axis: str = "users") -> ScoreMatrix:
    """Put whole rows, columns or both (`axis`: users, items, both) in a random order under unchanged ids.

    Shuffled users keep what all users agree on, such as which films are good; shuffled items lose it.
    """
    if axis not in ("users", "items", "both"):
        raise ValueError(f"axis={axis!r}; choose 'users', 'items' or 'both'")
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(matrix.user_ids)) if axis != "items" else None
    columns = rng.permutation(len(matrix.item_ids)) if axis != "users" else None
    return mislabelled(matrix, rows=rows, columns=columns)


def _places_of(kind: str, ids: np.ndarray, wanted: np.ndarray, where: str = "the matrix") -> np.ndarray:
    """Positions of raw ids among others; an id that is not there is a KeyError that names it."""
    places = pd.Index(ids).get_indexer(np.asarray(wanted))
    lost = np.asarray(wanted)[places < 0].tolist()
    if lost:
        raise KeyError(f"{len(lost)} {kind} ids are not in {where}, such as {lost[0]!r}; are both raw ids?")
    return places


def agreement(
    matrices: Mapping[str, ScoreMatrix], train: Interactions | None = None, *, k: int = 10, n_resamples=2000
) -> pd.DataFrame:
    """Compare every pair of models, user by user: a row a pair.

    Correlation is Pearson's r of a user's two rows of scores, overlap the number of films in both lists of the k best;
    the pairs of `train` are left out of both. ``correlation_mean``, ``_low``, ``_high`` (BCa bootstrap over users),
    ``_min``, ``_max``, ``_std`` leave ``n_undefined`` users out, for whom a model's row is constant; ``overlap_mean``
    and so on are in films, ``overlap_chance`` is the mean of `chance_overlap`. ValueError with fewer than two models,
    ids that differ, k larger than the catalogue, or an id that `train` does not know.
    """
    names, several = list(matrices), list(matrices.values())
    if len(names) < 2:
        raise ValueError(f"agreement needs at least two models, got {names}")
    n_users, n_items = several[0].values.shape
    mask = _mask(several[0], train)
    correlations, overlaps = user_correlations(several, mask), user_overlaps(several, k, mask)
    chance = chance_overlap(n_items, k, 0 if mask is None else np.diff(mask.indptr))
    rows = []
    for i, j in combinations(range(len(names)), 2):
        row = {"model_a": names[i], "model_b": names[j], "n_users": n_users}
        row |= _summary("correlation", correlations[:, i, j], n_resamples)
        row["n_undefined"] = int(np.isnan(correlations[:, i, j]).sum())
        row |= _summary("overlap", overlaps[:, i, j], n_resamples)
        row["overlap_chance"] = float(np.mean(chance))
        rows.append(row)
    return pd.DataFrame(rows)


def user_correlations(matrices: list[ScoreMatrix], mask=None) -> np.ndarray:
    r"""Correlate every pair of models over each user's films.

    .. math:: r_u(a, b) = \frac{\sum_i (a_{ui} - \bar a_u)(b_{ui} - \bar b_u)}
                               {\sqrt{\sum_i (a_{ui} - \bar a_u)^2 \sum_i (b_{ui} - \bar b_u)^2}}

    The stored entries of `mask` (sparse, shape (n_users, n_items), in the first one's order) are left out of all sums.
    Returns float64 of shape (n_users, n_models, n_models): NaN where either model's row is constant over the films that
    count, or fewer than two films count.
    """
    matrices, (n_users, n_items) = align(*matrices), matrices[0].values.shape
    found = np.empty((n_users, len(matrices), len(matrices)))
    for rows in blocks(n_users, n_items * len(matrices)):
        block = np.stack([matrix.values[rows] for matrix in matrices], axis=1).astype(np.float64)
        absent = None if mask is None else mask[rows]
        units = np.stack([_unit_rows(block[:, m], absent) for m in range(len(matrices))], axis=1)
        # Rounding may carry a perfect correlation past 1.
        found[rows] = np.clip(units @ units.transpose(0, 2, 1), -1.0, 1.0)
    return found


def user_overlaps(matrices: list[ScoreMatrix], k: int, mask=None) -> np.ndarray:
    """Count the films that each pair of models shares in a user's k best.

    The stored entries of `mask`, as in `user_correlations`, cannot be in a list, so that a user with fewer than k films
    left has a shorter one. Equal scores rank by column. Returns int64 of shape (n_users, n_models, n_models): the
    diagonal holds the lists' own lengths.
    """
    matrices, (n_users, n_items) = align(*matrices), matrices[0].values.shape
    lists = [top_k(matrix.values, k, mask).items for matrix in matrices]
    found = np.empty((n_users, len(matrices), len(matrices)), dtype=np.int64)
    for rows in blocks(n_users, (n_items + 1) * len(matrices)):
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
    to user u and :math:`k_u = \min(k, n_u)`. `n_masked` is the number of films, one for all or one a user, that cannot be
    recommended; the answer, float64, has its shape, and is 0 where nothing is left.
    """
    left = n_items - np.asarray(n_masked, dtype=np.float64)
    length = np.minimum(k, left)
    return np.where(left > 0, length**2 / np.maximum(left, 1.0), 0.0)


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


def _summary(name: str, values: np.ndarray, n_resamples: int) -> dict[str, float]:
    """Mean with interval, extremes and spread over the users where the value is defined."""
    defined = values[~np.isnan(values)]
    found = dict.fromkeys(("mean", "low", "high", "min", "max", "std"), np.nan)
    if len(defined) >= LEAST_USERS:
        sample = PerUser.mean(name, np.arange(len(defined)), defined)
        interval = bootstrap_interval(sample, n_resamples=n_resamples)
        found |= {"low": interval.low, "high": interval.high}
    if len(defined):
        found |= {part: float(getattr(defined, part)()) for part in ("mean", "min", "max", "std")}
    return {f"{name}_{part}": value for part, value in found.items()}


def _mask(matrix: ScoreMatrix, train: Interactions | None) -> sparse.csr_array | None:
    """Training pairs in the matrix's order of users and items."""
    if train is None:
        return None
    rows = _places_of("user", train.user_ids, matrix.user_ids, where="the training data")
    columns = _places_of("item", train.item_ids, matrix.item_ids, where="the training data")
    # Ones instead of ratings: column selection must not lose a rating of 0.
    seen = train.matrix.copy()
    seen.data[:] = 1.0
    return seen[rows][:, columns]
