"""Users with few ratings, made from users with many, to see what a model does when a user has said almost nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lib.interactions import Interactions


def starve(
    train: Interactions, *, levels: Sequence[int], share: float, seed: int
) -> tuple[Interactions, np.ndarray]:
    """Leave some users only a few of their training ratings, drawn evenly.

    Every user of MovieLens 100K has at least 20 ratings, so how a model treats users with fewer has to be tried on
    users from whom the rest was taken.

    Parameters
    ----------
    train : Interactions
    levels : sequence of int
        Ratings left, 0 included; each level gets equally many of the starved users, drawn at random.
    share : float
        Of the users, how many are starved.
    seed : int

    Returns
    -------
    starved : Interactions
        Rows in train's order.
    level : ndarray of int64, shape (n_users,)
        Ratings left to each starved user, -1 for the others. A user with fewer ratings than the level keeps them all.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must lie in (0, 1]; got {share}")
    rng = np.random.default_rng(seed)
    rated = rng.permutation(np.flatnonzero(train.user_counts))
    chosen = rated[: round(share * len(rated))]
    level = np.full(train.n_users, -1, dtype=np.int64)
    level[chosen] = np.asarray(levels)[np.arange(len(chosen)) % len(levels)]
    order = rng.permutation(len(train))
    order = order[np.argsort(train.users[order], kind="stable")]
    starts = np.cumsum(train.user_counts) - train.user_counts
    place = np.empty(len(train), dtype=np.int64)
    place[order] = np.arange(len(train)) - starts[train.users[order]]
    allowed = level[train.users]
    return train.take((allowed < 0) | (place < allowed)), level
