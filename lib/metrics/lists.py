"""The k best films of each user over the whole catalogue, seen ones left out, ties broken at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.data.interactions import Interactions

CELLS = 4_000_000  # scores held at once: 32 MB in float64, so that memory does not grow with the number of users


@dataclass(frozen=True, eq=False)
class TopK:
    """Recommendation lists; ValueError unless shapes fit, users and a list's items are unique, and items of the catalogue.

    `users` (int32, shape (n,)) and `items` (int32, shape (n, k), best first) are codes, `scores`, shape (n, k), the
    model's. A user with fewer than k films left to recommend has -1 and NaN past the end of the list. The catalogue
    that was ranked has `n_items`.
    """

    users: np.ndarray
    items: np.ndarray
    scores: np.ndarray
    n_items: int

    def __post_init__(self):
        users, items = self.users, self.items
        if items.shape != self.scores.shape or items.ndim != 2 or len(users) != len(items):
            raise ValueError(
                f"TopK needs users (n,), items (n, k) and scores (n, k), got {users.shape}, {items.shape} and "
                f"{self.scores.shape}"
            )
        if len(np.unique(users)) != len(users):
            raise ValueError("TopK: a user has two lists; give each user once")
        if items.size and (items.min() < -1 or items.max() >= self.n_items):
            raise ValueError(f"TopK: an item code lies outside 0..{self.n_items - 1}, the catalogue")
        ordered = np.sort(items, axis=1)
        if ((np.diff(ordered, axis=1) == 0) & (ordered[:, 1:] >= 0)).any():
            raise ValueError("TopK: a list holds an item twice, which would count its hit twice")

    @property
    def k(self) -> int:
        """Length of the lists."""
        return self.items.shape[1]

    def __len__(self) -> int:
        return len(self.users)

    def first(self, k: int) -> TopK:
        """Return the lists cut to their k best; ValueError where they are shorter."""
        if not 1 <= k <= self.k:
            raise ValueError(f"k={k}, but the lists hold {self.k} films; choose k from 1 to {self.k}")
        return TopK(self.users, self.items[:, :k], self.scores[:, :k], self.n_items)

    def frame(self, user_ids: np.ndarray, item_ids: np.ndarray) -> pd.DataFrame:
        """Return a table of raw ids: user, rank (from 1), item, score; no rows past the end of a list."""
        rows, ranks = np.nonzero(self.items >= 0)
        return pd.DataFrame(
            {
                "user": np.asarray(user_ids)[self.users[rows]],
                "rank": ranks + 1,
                "item": np.asarray(item_ids)[self.items[rows, ranks]],
                "score": self.scores[rows, ranks],
            }
        )


def top_k(scores: np.ndarray, k: int, mask=None, *, users: np.ndarray | None = None) -> TopK:
    """Rank the catalogue of each row by score; of `scores`, finite, shape (n, n_items), higher is better.

    Equal scores are ordered by chance, anew for each user, lest a model that tells films apart by nothing lives on how
    they are numbered; the chance is a number made of user and film (`tie_break`), so that the same scores give the same
    lists. The stored entries of `mask`, a sparse array of the same shape, are never recommended, whatever their values.
    `users` are the codes of the rows, 0 to n - 1 by default. ValueError where k is not between 1 and the size of the
    catalogue, shapes differ, or a score is NaN or infinite.
    """
    scores = np.asarray(scores)
    if scores.ndim != 2:
        raise ValueError(f"scores must have shape (users, items), got {scores.shape}")
    n, n_items = scores.shape
    _check_k(k, n_items)
    if mask is not None and mask.shape != scores.shape:
        raise ValueError(f"the mask has shape {mask.shape}, the scores {scores.shape}: of other users?")
    users = np.arange(n, dtype=np.int32) if users is None else np.asarray(users)
    mask = None if mask is None else mask.tocsr()
    dtype = scores.dtype if scores.dtype.kind == "f" else np.dtype(np.float64)
    items = np.empty((n, k), dtype=np.int32)
    best = np.empty((n, k), dtype=dtype)
    for rows in blocks(n, n_items):
        block = scores[rows].astype(dtype, copy=True)
        check_finite(block, users[rows])
        if mask is not None:
            hide(block, mask[rows])
        items[rows], best[rows] = best_columns(block, k, users[rows])
    return TopK(users, items, best, n_items)


def recommend(model, train: Interactions, k: int, *, users: np.ndarray | None = None) -> TopK:
    """Recommend to every user, or to some (codes), k films not rated in train, over the whole catalogue.

    `model` is fitted, and asked for ``score(users)`` as many users at a time as keep scores near 32 MB. ValueError where k
    is larger than the catalogue, or the model's scores have the wrong shape or are not finite.
    """
    _check_k(k, train.n_items)
    users = np.arange(train.n_users, dtype=np.int32) if users is None else np.asarray(users, dtype=np.int32)
    parts = []
    for rows in blocks(len(users), train.n_items):
        scores = scores_of(model, users[rows], train.n_items)
        parts.append(top_k(scores, k, train.matrix[users[rows]], users=users[rows]))
    items, scores = (np.concatenate([getattr(part, name) for part in parts]) for name in ("items", "scores"))
    return TopK(users, items, scores, train.n_items)


def scores_of(model, users: np.ndarray, n_items: int) -> np.ndarray:
    """Ask a model for its scores of the whole catalogue; ValueError where their shape is not (n_users, n_items)."""
    scores = np.asarray(model.score(users))
    if scores.shape != (len(users), n_items):
        raise ValueError(
            f"{type(model).__name__}.score returned shape {scores.shape} for {len(users)} users and {n_items} items"
        )
    return scores


def check_finite(scores: np.ndarray, users: np.ndarray) -> None:
    """Raise ValueError, which names the first place, where a score is NaN or infinite."""
    if not np.isfinite(scores).all():
        row, item = np.argwhere(~np.isfinite(scores))[0]
        raise ValueError(
            f"the score of user {users[row]}, item {item} is {scores[row, item]}; "
            "a score must be finite, and films to leave out belong in the mask"
        )


def hide(block: np.ndarray, mask, value: float = -np.inf) -> None:
    """Write `value` where the sparse `mask` stores an entry, in place; loops over entries, not over cells."""
    rows = np.repeat(np.arange(len(block)), np.diff(mask.indptr))
    block[rows, mask.indices] = value


def tie_break(users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Return a number for each pair of codes that looks drawn at random, uint64: splitmix64 (Steele and others 2014)."""
    mixed = (users.astype(np.uint64) << np.uint64(32)) + items.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def best_columns(scores: np.ndarray, k: int, users: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Pick the k best columns of each row in order, at the edge too; ties go to the lower one, given `users` by `tie_break`.

    Returns columns (int32) and values, both of shape (n, k): -1 and NaN in the place of a hidden score, -inf.
    """
    n_items = scores.shape[1]
    if k < n_items:
        picked = np.argpartition(scores, n_items - k, axis=1)[:, n_items - k :]
        edge = np.take_along_axis(scores, picked, axis=1).min(axis=1, keepdims=True)
        # Where more films reach the k-th score than fit, argpartition's choice among them is arbitrary.
        tied = np.flatnonzero((scores >= edge).sum(axis=1) > k)
        if len(tied):
            rows, edges = scores[tied], edge[tied]
            above, level = rows > edges, rows == edges
            room = k - above.sum(axis=1, keepdims=True)
            if users is None:
                place: np.ndarray = np.cumsum(level, axis=1, dtype=np.int32)
            else:
                drawn = tie_break(users[tied, None], np.arange(n_items))
                drawn[~level] = np.iinfo(np.uint64).max
                place = 1 + np.argsort(np.argsort(drawn, axis=1), axis=1)
            kept = above | (level & (place <= room))
            picked[tied] = np.nonzero(kept)[1].reshape(len(tied), k)
        picked.sort(axis=1)
    else:
        picked = np.broadcast_to(np.arange(n_items), scores.shape)
    best = np.take_along_axis(scores, picked, axis=1)
    drawn = picked if users is None else tie_break(users[:, None], picked)
    order = np.lexsort((drawn, -best), axis=1)
    items = np.take_along_axis(picked, order, axis=1).astype(np.int32)
    best = np.take_along_axis(best, order, axis=1)
    hidden = np.isneginf(best)
    items[hidden], best[hidden] = -1, np.nan
    return items, best


def blocks(n: int, width: int):
    """Yield slices of n rows of some width, of at most `CELLS` cells each."""
    step = max(1, CELLS // max(width, 1))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def _check_k(k: int, n_items: int) -> None:
    if k < 1:
        raise ValueError(f"k={k} must be at least 1")
    if k > n_items:
        raise ValueError(f"k={k} is larger than the catalogue of {n_items} films; choose at most that")
