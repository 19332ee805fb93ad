"""Strong generalisation: lists for users whom the model was not trained on, from part of their films."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from scipy import sparse

from lib.data.interactions import Interactions
from lib.metrics.lists import CELLS, TopK, top_k
from lib.metrics.ranking import Ranking, evaluate_ranking

FOLD_IN_SHARE = 0.8
"""Of a held-out user's films, how many a model is told of."""

LEAST_RATINGS = 5
"""Users with fewer are left out; held-out users of whom fewer are left have no target."""


@dataclass(frozen=True, eq=False)
class HeldOutUsers:
    """Users who are not in training: what a model is told of them (`fold_in`), and what it is to find (`target`).

    `users` are their codes, int32, ascending; some may have no target. The `catalogue`, a bool array of shape
    (n_items,), are the films with a training rating, and all that is asked for.
    """

    users: np.ndarray
    fold_in: Interactions
    target: Interactions
    catalogue: np.ndarray

    @property
    def histories(self) -> sparse.csr_array:
        """The fold-in ratings, shape (n, n_items), a row a user in the order of `users`."""
        return self.fold_in.matrix[self.users]


def strong_split(
    interactions: Interactions, *, held_out_users: float = 0.1, threshold: float | None = None, seed: int = 42
) -> tuple[Interactions, HeldOutUsers]:
    r"""Part the users into training and test users (Marlin 2004; as in Liang et al. 2018).

    1. Ratings below `threshold` (on the scale; None keeps all) are dropped, then users with fewer than `LEAST_RATINGS`.
    2. Test users, a share `held_out_users` of all, rounded up, and as many validation users, on whom nothing is chosen
       here, are drawn evenly; the others are training users, and all their ratings are training data.
    3. Ratings of held-out users whose film no training user has rated are dropped.
    4. Of the n ratings that a held-out user has left, :math:`\lfloor (1 - share) \cdot n \rfloor`, drawn evenly, are the
       target; `FOLD_IN_SHARE` of them is folded in.

    The parts depend on the pairs and the seed, not on the order of rows, which is kept, as the id map is. ValueError:
    the share is not between 0 and 0.5, or leaves no training user.
    """
    if not 0 < held_out_users < 0.5:
        raise ValueError(f"held_out_users must be a share between 0 and 0.5; got {held_out_users}")
    kept = np.ones(len(interactions), bool) if threshold is None else interactions.ratings >= threshold
    counts = np.bincount(interactions.users[kept], minlength=interactions.n_users)
    enough = np.flatnonzero(counts >= LEAST_RATINGS)
    n_held_out = ceil(held_out_users * len(enough))
    if 2 * n_held_out >= len(enough):
        raise ValueError(
            f"held_out_users={held_out_users} makes {n_held_out:,} validation and as many test users of "
            f"{len(enough):,} with at least {LEAST_RATINGS} ratings, which leaves none to train on; hold out fewer, or "
            "lower the threshold"
        )
    rng = np.random.default_rng(seed)
    parts = np.full(interactions.n_users, -1)  # 0 train, 1 validation, 2 test, -1 too few ratings
    parts[enough] = rng.permutation(np.repeat([0, 1, 2], [len(enough) - 2 * n_held_out, *[n_held_out] * 2]))
    part_of_row = np.where(kept, parts[interactions.users], -1)
    train = interactions.take(part_of_row == 0)
    catalogue = train.item_counts > 0
    asked = (part_of_row > 0) & catalogue[interactions.items]
    is_target = _draw_targets(interactions, np.flatnonzero(asked), rng)
    of_test = asked & (part_of_row == 2)
    fold_in, target = interactions.take(of_test & ~is_target), interactions.take(of_test & is_target)
    return train, HeldOutUsers(np.flatnonzero(parts == 2).astype(np.int32), fold_in, target, catalogue)


def evaluate_fold_in(model, part: HeldOutUsers, *, ks: Sequence[int]) -> dict[int, Ranking]:
    r"""Measure a model's lists for held-out users, by their lengths `ks`.

    Lists are drawn from all films with a training rating, those folded in left out; every target film is relevant,
    whatever its rating; users without one are counted in ``n_left_out``; coverage is a share of the whole id map.
    Beside the metrics of `lib.metrics.evaluate_ranking` stands ``recall_capped``, that of Liang et al. 2018,

    .. math:: \sum_{j \le k} h_j / \min(k, R).

    A model's ``score_histories`` is given rows of ``part.histories`` and returns finite scores, (rows, n_items).
    ValueError: a k out of 1 to the number of films, scores that are not finite, or no user with a target.
    """
    if len(part.target) == 0:
        raise ValueError("no held-out user has a target; hold out more users")
    n_items = len(part.catalogue)
    films = np.flatnonzero(part.catalogue).astype(np.int32)
    step, blocks = max(1, CELLS // n_items), []
    for start in range(0, len(part.users), step):
        histories = part.histories[start : start + step]
        scores = np.asarray(model.score_histories(histories))
        blocks.append(top_k(scores[:, films], max(ks), histories[:, films]))
    places = np.concatenate([block.items for block in blocks])
    scores = np.concatenate([block.scores for block in blocks])
    top = TopK(part.users, np.where(places >= 0, films[places], -1), scores, n_items)
    rankings = {}
    for k in ks:
        found = evaluate_ranking(top, part.target, k=k, threshold=part.target.scale.low)
        hits = np.rint(found.values["precision"] * k)
        capped = hits / np.minimum(part.target.user_counts[found.users], k)
        rankings[k] = replace(found, values={**found.values, "recall_capped": capped})
    return rankings


def _draw_targets(interactions: Interactions, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw each user's share of `rows`, rounded down; returns a mask over all rows."""
    rows = rows[np.lexsort((interactions.items[rows], interactions.users[rows]))]
    users = interactions.users[rows]
    rows = rows[np.lexsort((rng.random(len(rows)), users))]  # user by user, within a user at random
    counts = np.bincount(users, minlength=interactions.n_users)
    # 1 - 0.8 is a little less than 0.2, and a fifth of five films is one.
    share = np.floor((1 - FOLD_IN_SHARE) * counts + 1e-9).astype(np.int64)
    n_targets = np.where(counts >= LEAST_RATINGS, share, 0)
    place = np.arange(len(rows)) - (np.cumsum(counts) - counts)[users]
    is_target = np.zeros(len(interactions), bool)
    is_target[rows[place < n_targets[users]]] = True
    return is_target
