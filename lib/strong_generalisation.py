"""Strong generalisation: lists for users whom the model was not trained on, from part of their films."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import ceil

import numpy as np
from scipy import sparse

from lib.interactions import Interactions
from lib.metrics.lists import CELLS, TopK, top_k
from lib.metrics.ranking import Ranking, evaluate_ranking


@dataclass(frozen=True, eq=False)
class HeldOutUsers:
    """Users who are not in training: what a model is told of them, and what it is to find.

    Parameters
    ----------
    users : ndarray of int32, shape (n,)
        Their codes, ascending. Some may have no target, and some no film at all that a training user has rated.
    fold_in, target : Interactions
        Disjoint, over the id maps of the training set; only films with a training rating.
    catalogue : bool array, shape (n_items,)
        Films with a training rating, from which lists are drawn.
    n_unknown : int
        Ratings of these users that are in neither part, because no training user has rated the film.
    """

    users: np.ndarray
    fold_in: Interactions
    target: Interactions
    catalogue: np.ndarray
    n_unknown: int

    @cached_property
    def histories(self) -> sparse.csr_array:
        """The fold-in ratings, shape (n, n_items), a row a user in the order of `users`."""
        return self.fold_in.matrix[self.users]

    def __len__(self) -> int:
        return len(self.users)

    def __repr__(self) -> str:
        return (
            f"HeldOutUsers({len(self):,} users, {len(self.fold_in):,} ratings folded in, {len(self.target):,} to find, "
            f"{self.n_unknown:,} of unknown films)"
        )


@dataclass(frozen=True, eq=False)
class StrongSplit:
    """Training users, and users held out for validation and for test.

    Parameters
    ----------
    train : Interactions
        Every kept rating of the training users; held-out users keep their place in the id map, without a rating.
    validation, test : HeldOutUsers
    seed : int
    n_few : int
        Users left out altogether, who have too few ratings.
    """

    name = "strong_generalisation"
    train: Interactions = field(repr=False)
    validation: HeldOutUsers
    test: HeldOutUsers
    seed: int
    n_few: int

    def __str__(self) -> str:
        return (
            f"{self.name}, seed {self.seed}: {np.count_nonzero(self.train.user_counts):,} training users, "
            f"{len(self.validation):,} validation users, {len(self.test):,} test users"
        )


def strong_split(
    interactions: Interactions,
    *,
    held_out_users: float | int = 0.1,
    fold_in_share: float = 0.8,
    threshold: float | None = None,
    min_ratings: int = 5,
    seed: int = 42,
) -> StrongSplit:
    r"""Part the users into training, validation and test users (Marlin 2004; as in Liang et al. 2018).

    1. Ratings below `threshold` are dropped, then users with fewer than `min_ratings` of what is left.
    2. Validation users and test users are drawn evenly from the users; the others are training users, and all their
       ratings are training data.
    3. Ratings of held-out users whose film no training user has rated are dropped, and counted in ``n_unknown``.
    4. Of the n ratings that a held-out user has left, :math:`\lfloor (1 - share) \cdot n \rfloor`, drawn evenly, are the
       target; the others are folded in. Whoever has fewer than `min_ratings` left has no target.

    The parts depend on the pairs and the seed, not on the order of rows; rows keep their order.

    Parameters
    ----------
    interactions : Interactions
    held_out_users : float or int
        Validation users, and as many test users: a share of the users, rounded up, if it is a float, their number if an
        integer. Liang et al. take 10,000 of the 136,677 users of ml-20m that have at least 5 ratings of 4 stars or more.
    fold_in_share : float
    threshold : float or None
        Least rating that is kept, in units of the scale; None keeps all.
    min_ratings : int
    seed : int

    Raises
    ------
    ValueError
        A parameter is out of range, or leaves no training user.
    """
    if not 0 < fold_in_share < 1:
        raise ValueError(f"fold_in_share must lie between 0 and 1, both excluded; got {fold_in_share}")
    if min_ratings < 2:
        raise ValueError(f"min_ratings must be at least 2, one to fold in and one to find; got {min_ratings}")
    kept = np.ones(len(interactions), bool) if threshold is None else interactions.ratings >= threshold
    counts = np.bincount(interactions.users[kept], minlength=interactions.n_users)
    enough = np.flatnonzero(counts >= min_ratings)
    n_few = int(np.count_nonzero(interactions.user_counts)) - len(enough)
    n_held_out = _number_of(held_out_users, len(enough))
    if 2 * n_held_out >= len(enough):
        raise ValueError(
            f"held_out_users={held_out_users} makes {n_held_out:,} validation and as many test users of "
            f"{len(enough):,} with at least {min_ratings} ratings, which leaves none to train on; hold out fewer, or "
            "lower threshold or min_ratings"
        )

    rng = np.random.default_rng(seed)
    parts = np.full(interactions.n_users, -1)  # 0 train, 1 validation, 2 test, -1 too few ratings
    parts[enough] = rng.permutation(np.repeat([0, 1, 2], [len(enough) - 2 * n_held_out, *[n_held_out] * 2]))
    part_of_row = np.where(kept, parts[interactions.users], -1)
    train = interactions.take(part_of_row == 0)
    catalogue = train.item_counts > 0
    asked = (part_of_row > 0) & catalogue[interactions.items]
    is_target = _draw_targets(interactions, np.flatnonzero(asked), 1 - fold_in_share, min_ratings, rng)

    def held_out(part: int) -> HeldOutUsers:
        of_part = part_of_row == part
        return HeldOutUsers(
            np.flatnonzero(parts == part).astype(np.int32),
            interactions.take(of_part & asked & ~is_target),
            interactions.take(of_part & is_target),
            catalogue,
            int((of_part & ~asked).sum()),
        )

    return StrongSplit(train, held_out(1), held_out(2), seed, n_few)


def evaluate_fold_in(
    model, part: HeldOutUsers, *, ks: Sequence[int] = (20, 50, 100), batch_size: int | None = None
) -> dict[int, Ranking]:
    r"""Measure a model's lists for held-out users.

    Lists are drawn from all films with a training rating, those folded in left out; every target film is relevant,
    whatever its rating. Beside the metrics of `lib.metrics.evaluate_ranking` stands ``recall_capped``,

    .. math:: \sum_{j \le k} h_j / \min(k, R),

    which is the recall of Liang et al. 2018: a perfect list has 1 where the user has more than k target films.

    Parameters
    ----------
    model : fitted model with ``score_histories``
        Given rows of ``part.histories`` (stored entries are the ratings folded in), it returns finite scores of shape
        (rows, n_items), as `lib.models.item_weights.ItemWeights` does.
    part : HeldOutUsers
    ks : sequence of int
        Lengths of the lists.
    batch_size : int, optional
        Users scored at once; by default as many as keep a batch's scores near 32 MB.

    Returns
    -------
    dict of int to Ranking
        By k. Users without a target are counted in ``n_left_out``; coverage is a share of the whole id map.

    Raises
    ------
    TypeError
        The model cannot score users whom it was not trained on.
    ValueError
        A k below 1 or above the number of films with a training rating, scores of the wrong shape or not finite, or no
        user with a target.
    """
    if not hasattr(model, "score_histories"):
        raise TypeError(
            f"{type(model).__name__} has no score_histories: it cannot score users whom it was not trained on"
        )
    if len(ks) == 0:
        raise ValueError("ks is empty; give at least one length of lists")
    if len(part.target) == 0:
        raise ValueError(
            "no held-out user has a target; hold out more users or a larger share of their films"
        )
    n_items = len(part.catalogue)
    films = np.flatnonzero(part.catalogue).astype(np.int32)
    step = max(1, CELLS // n_items) if batch_size is None else batch_size
    if step < 1:
        raise ValueError(f"batch_size={batch_size} must be at least 1")
    blocks = []
    for start in range(0, len(part), step):
        histories = part.histories[start : start + step]
        scores = np.asarray(model.score_histories(histories))
        if scores.shape != histories.shape:
            raise ValueError(
                f"{type(model).__name__}.score_histories returned shape {scores.shape} for histories of shape "
                f"{histories.shape}"
            )
        blocks.append(top_k(scores[:, films], max(ks), histories[:, films]))
    places = np.concatenate([block.items for block in blocks])
    top = TopK(
        part.users,
        np.where(places >= 0, films[places], -1),
        np.concatenate([block.scores for block in blocks]),
        n_items,
    )
    n_targets = part.target.user_counts
    return {
        k: _with_capped_recall(
            evaluate_ranking(top, part.target, k=k, threshold=part.target.scale.low), n_targets
        )
        for k in ks
    }


def _with_capped_recall(ranking: Ranking, n_targets: np.ndarray) -> Ranking:
    """Add the column; `n_targets` are target films by user code."""
    found = np.rint(ranking.values["precision"] * ranking.k)
    capped = found / np.minimum(n_targets[ranking.users], ranking.k)
    return replace(ranking, values={**ranking.values, "recall_capped": capped})


def _draw_targets(
    interactions: Interactions, rows: np.ndarray, share: float, min_ratings: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw a share of each user's `rows`, rounded down; returns a mask over all rows."""
    users, items = interactions.users[rows], interactions.items[rows]
    rows = rows[np.lexsort((items, users))]
    users = interactions.users[rows]
    rows = rows[np.lexsort((rng.random(len(rows)), users))]  # user by user, within a user at random
    counts = np.bincount(users, minlength=interactions.n_users)
    # 1 - 0.8 is a little less than 0.2, and a fifth of five films is one.
    n_targets = np.where(counts >= min_ratings, np.floor(share * counts + 1e-9).astype(np.int64), 0)
    place = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    is_target = np.zeros(len(interactions), bool)
    is_target[rows[place < np.repeat(n_targets, counts)]] = True
    return is_target


def _number_of(held_out_users: float | int, n_users: int) -> int:
    if isinstance(held_out_users, (int, np.integer)) and not isinstance(held_out_users, bool):
        if held_out_users < 1:
            raise ValueError(f"held_out_users must be at least 1 user; got {held_out_users}")
        return int(held_out_users)
    if not 0 < held_out_users < 0.5:
        raise ValueError(
            f"held_out_users must be a number of users or a share between 0 and 0.5; got {held_out_users}"
        )
    return ceil(held_out_users * n_users)
