"""The protocols: how ratings are parted into train and test, each under one name everywhere in the report."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any

import numpy as np

from lib.data.interactions import Interactions

MIN_RATINGS = 5  # a user with fewer ratings stays wholly in train where a split goes user by user
FOLDS = ("u1", "u2", "u3", "u4", "u5")  # the published folds of ml-100k


@dataclass(frozen=True)
class Split:
    """Train and test ratings, disjoint, over shared id maps; rows stand in the protocol's own order.

    `name` is the protocol's: ``kfold_5``, or one of `PROTOCOLS`; `fold` is which one of a K-fold protocol, counted from
    one, empty elsewhere; `seed` is None where the protocol leaves nothing to chance.
    """

    name: str
    train: Interactions = field(repr=False)
    test: Interactions = field(repr=False)
    fold: str = ""
    seed: int | None = None

    def __str__(self) -> str:
        fold = f", fold {self.fold}" if self.fold else ""
        seed = "" if self.seed is None else f", seed {self.seed}"
        return f"{self.name}{fold}{seed}: {len(self.train):,} train, {len(self.test):,} test"


def traced(function: Callable[..., Any]) -> Callable[..., Any]:
    """Have what a function splits remember how it is made again (`Interactions.origin`), where its source does."""

    @wraps(function)
    def splits(source, *arguments, **options):
        found = function(source, *arguments, **options)
        origin = getattr(source, "interactions", source).origin
        if not origin:
            return found

        def traced_split(split: Split) -> Split:
            step = (function.__name__, arguments, options, split.fold)
            sides = {"train": split.train, "test": split.test}
            told: dict[str, Any] = {
                side: replace(part, origin=(*origin, (*step, side))) for side, part in sides.items()
            }
            return replace(split, **told)

        return [traced_split(split) for split in found] if isinstance(found, list) else traced_split(found)

    return splits


def _split(name: str, whole: Interactions, train, test, fold: str = "", seed: int | None = None) -> Split:
    return Split(name, whole.take(train), whole.take(test), fold, seed)


def _shares(test_share: float) -> str:
    test = _percent(test_share)
    return f"{100 - test}_{test}"


def _percent(test_share: float) -> int:
    """Return a share in whole percent: others would share a name, and 0.07 of 100 in binary arithmetic is more than 7."""
    percent = round(100 * test_share) if np.isfinite(test_share) else 0
    if not 0 < percent < 100 or abs(100 * test_share - percent) > 1e-9:
        raise ValueError(f"test_share must be a whole number of percent, above 0 and below 1; got {test_share}")
    return percent


def _share_of(n, test_share: float):
    return -(-n * _percent(test_share) // 100)  # rounded up


def _check_train(split: Split) -> Split:
    if len(split.train) == 0:
        raise ValueError(f"{split.name} leaves no rating to train on: these are {len(split.test):,} in all")
    return split


def _check_times(times: np.ndarray) -> None:
    if len(times) == 0 or times.min() == times.max():
        raise ValueError("a chronological split needs timestamps that differ; these ratings have none")


@traced
def per_user_holdout(interactions: Interactions, *, test_share: float = 0.2, seed: int = 42) -> Split:
    r"""Hold out a share of each user's ratings: project A's protocol, row for row.

    Each user's n rows, in their order in `interactions`, are permuted by a generator seeded with `seed`, anew for
    each user; the first :math:`\lceil share \cdot n \rceil` are test. This equals calling scikit-learn's
    ``train_test_split(rows, test_size=test_share, random_state=seed)`` a user, users in ascending order of id, and
    keeps its order of rows. A user with fewer than `MIN_RATINGS` stays wholly in train. ValueError: a user would be left
    with nothing in train.
    """
    name, permutations = f"per_user_{_shares(test_share)}", {}
    nothing = np.empty(0, dtype=np.int64)
    train, test = [nothing], [nothing]
    by_user = np.argsort(interactions.users, kind="stable")
    for rows in np.split(by_user, np.cumsum(interactions.user_counts)[:-1]):
        n = len(rows)
        if n not in permutations:  # the same seed gives users with equally many ratings the same permutation
            permutations[n] = np.random.RandomState(seed).permutation(n)
        held_out = _share_of(n, test_share) if n >= MIN_RATINGS else 0
        if n and held_out == n:
            raise ValueError(f"{name} leaves a user with {n} ratings nothing to train on; hold out a smaller share")
        test.append(rows[permutations[n][:held_out]])
        train.append(rows[permutations[n][held_out:]] if held_out else rows)
    return _split(name, interactions, np.concatenate(train), np.concatenate(test), seed=seed)


@traced
def per_user_chronological(interactions: Interactions, *, test_share: float = 0.1) -> Split:
    r"""Hold out the latest ratings of each user: the temporal split that project D wrote and gave up.

    Of a user's n ratings in order of time the last :math:`\lfloor share \cdot n \rfloor` are test. Ratings of the same
    second, of which MovieLens has many, stand in their order in `interactions`. A user whom the floor leaves without a
    test rating (below 10 ratings for a tenth) or who has fewer than `MIN_RATINGS` stays wholly in train. One user's
    test may precede another's train, so the split forbids learning from a user's own future and not from the crowd's:
    for that see `chronological`. Rows go user by user in ascending code, each user's in order of time. ValueError: the
    ratings have no timestamps, or all lie in one second.
    """
    name = f"temporal_{_shares(test_share)}"
    _check_times(interactions.timestamps)
    order = np.lexsort((interactions.timestamps, interactions.users))  # stable
    counts = interactions.user_counts
    held_out = np.where(counts >= MIN_RATINGS, counts * _percent(test_share) // 100, 0)
    left = np.repeat(np.cumsum(counts), counts) - np.arange(len(order))  # 1 for a user's latest rating
    late = left <= np.repeat(held_out, counts)
    return _split(name, interactions, order[~late], order[late])


@traced
def random_holdout(interactions: Interactions, *, test_share: float = 0.1, seed: int = 42) -> Split:
    """Hold out a share of all ratings, drawn evenly, whomever that leaves without any; ValueError: it takes all."""
    name, held_out = f"random_{_shares(test_share)}", _share_of(len(interactions), test_share)
    order = np.random.default_rng(seed).permutation(len(interactions))
    rows = np.sort(order[held_out:]), np.sort(order[:held_out])
    return _check_train(_split(name, interactions, *rows, seed=seed))


@traced
def k_fold(interactions: Interactions, *, n_folds: int = 5, seed: int = 42) -> list[Split]:
    """Part all ratings evenly at random into `n_folds` test sets, from 2 to as many as there are ratings."""
    return with_folds(interactions, fold_numbers(len(interactions), n_folds, seed), seed)


def fold_numbers(n_ratings: int, n_folds: int, seed: int) -> np.ndarray:
    """Return the fold, from 0, of each rating, as `k_fold` parts them."""
    if not 2 <= n_folds <= n_ratings:
        raise ValueError(f"n_folds must lie between 2 and the {n_ratings:,} ratings; got {n_folds}")
    order, numbers = np.random.default_rng(seed).permutation(n_ratings), np.empty(n_ratings, dtype=np.int64)
    for number, rows in enumerate(np.array_split(order, n_folds)):
        numbers[rows] = number
    return numbers


def with_folds(interactions: Interactions, numbers: np.ndarray, seed: int) -> list[Split]:
    """Return a split a fold, named ``kfold_<n>``, folds counted from one; rows keep their order."""
    n_folds = int(numbers.max()) + 1
    sides = [(numbers != n, numbers == n) for n in range(n_folds)]
    return [_split(f"kfold_{n_folds}", interactions, *both, str(n), seed) for n, both in enumerate(sides, 1)]


@traced
def shuffled_fold(interactions: Interactions, *, fold: int, n_folds: int = 10, seed: int = 0) -> Split:
    """Hold out a fold, counted from one, of scikit-learn's ``KFold(n_folds, shuffle=True, random_state=seed)``: others' folds.

    Ratings in their order in `interactions` are permuted by numpy's ``RandomState(seed)`` and parted in a row, the first folds
    taking one more where they don't come out even; rows keep their order. ValueError: there is no such fold.
    """
    if not 1 <= fold <= n_folds <= len(interactions):
        raise ValueError(f"there is no fold {fold} of {n_folds} among {len(interactions):,} ratings")
    order = np.random.RandomState(seed).permutation(len(interactions))
    in_test = np.zeros(len(order), dtype=bool)
    in_test[np.array_split(order, n_folds)[fold - 1]] = True
    return _split(f"kfold_{n_folds}", interactions, ~in_test, in_test, str(fold), seed)


@traced
def chronological(interactions: Interactions, *, test_share: float = 0.2) -> Split:
    """Hold out the latest ratings of all: train ends before test begins, as when a system goes live.

    Ratings that share the boundary's second all go to train, so that the share is met from below. ValueError: the
    ratings have no timestamps, too many lie in one second, or none would be left to train on.
    """
    times = interactions.timestamps
    _check_times(times)
    n_train = len(times) - _share_of(len(times), test_share)
    if n_train == 0:
        raise ValueError(f"a test share of {test_share} of {len(times):,} ratings leaves nothing to train on")
    boundary = np.sort(times)[n_train - 1]
    if boundary == times.max():
        raise ValueError(f"too many ratings share the last second for a test share of {test_share}")
    order = np.argsort(times, kind="stable")
    late = times[order] > boundary
    return _split("chronological", interactions, order[~late], order[late])


@traced
def cut_at(interactions: Interactions, *, time: int) -> Split:
    """Part ratings at a moment, in seconds since 1970: train before it, test from it on. ValueError: a side is empty."""
    later = interactions.timestamps >= time
    if later.all() or not later.any():
        raise ValueError(f"all {len(later):,} ratings lie on one side of the second {time}")
    return _split("cut", interactions, ~later, later)


@traced
def cold_items(interactions: Interactions, *, test_share: float = 0.1, seed: int = 42) -> Split:
    """Hold out all ratings of a share of the rated items, drawn evenly: new in the catalogue, known by features alone."""
    return _cold("item", interactions, test_share, seed)


@traced
def cold_users(interactions: Interactions, *, test_share: float = 0.1, seed: int = 42) -> Split:
    """Hold out every rating of a share of the users: who is new, and known by age, gender and occupation at most."""
    return _cold("user", interactions, test_share, seed)


def _cold(kind: str, interactions: Interactions, test_share: float, seed: int) -> Split:
    name, rated = f"cold_{kind}s_{_shares(test_share)}", np.flatnonzero(getattr(interactions, f"{kind}_counts"))
    held_out = np.random.default_rng(seed).permutation(rated)[: _share_of(len(rated), test_share)]
    in_test = np.isin(getattr(interactions, f"{kind}s"), held_out)
    return _check_train(_split(name, interactions, ~in_test, in_test, seed=seed))


@traced
def published(dataset, name: str) -> Split:
    """Take a split that the data's authors published, one of `FOLDS` of ml-100k.

    Fold uN's test ratings are lines 20,000 (N - 1) + 1 to 20,000 N of u.data, its training ratings all others.
    ValueError: the data set has no published folds, or none of that name.
    """
    if dataset.name != "ml-100k":
        raise ValueError(f"{dataset.name} has no published folds; only ml-100k has ({', '.join(FOLDS)})")
    if name not in FOLDS:
        raise ValueError(f"ml-100k has no fold {name!r}; its folds are {', '.join(FOLDS)}")
    fold = np.arange(len(dataset.interactions)) * len(FOLDS) // len(dataset.interactions)
    in_test = fold == FOLDS.index(name)
    return _split(name, dataset.interactions, ~in_test, in_test, fold=name[1:])


def validation_from(train: Interactions, *, share: float = 0.1, seed: int = 0) -> Split:
    """Cut validation data from a training set, user by user, for choices that must not see the test set."""
    # The seed differs from the protocol's own, or the same positions of each user's history would be drawn again.
    split = per_user_holdout(train, test_share=share, seed=seed)
    return Split(f"validation_{_shares(share)}", split.train, split.test, seed=seed)


def temporal_validation_from(train: Interactions, *, share: float = 0.1) -> Split:
    """Cut validation data as `per_user_chronological` cuts a test set: random ones would ask an easier question."""
    split = per_user_chronological(train, test_share=share)
    return Split(f"temporal_validation_{_shares(share)}", split.train, split.test)


@traced
def inner_split(train: Interactions, *, by_time: bool = False, users: float = 1.0, seed: int = 0) -> Split:
    """Cut validation data from one split's training set, whatever the order of its rows, for what is chosen for that split.

    A tenth of each user's ratings, or, `by_time`, the latest fifth of all; with `users` below 1 of so large a share of the
    users, drawn at random, whose ratings alone the search then sees.
    """
    rows = train.ordered()
    if users < 1:
        drawn = np.random.default_rng(seed).permutation(rows.n_users)[: max(1, round(users * rows.n_users))]
        rows = rows.take(np.isin(rows.users, drawn))
    split = chronological(rows) if by_time else validation_from(rows, seed=seed)
    return Split("inner", split.train, split.test, seed=seed)


BY_SHARE = {  # by what a split's name begins with; its shares follow
    "per_user": per_user_holdout,
    "temporal": per_user_chronological,
    "random": random_holdout,
    "cold_items": cold_items,
    "cold_users": cold_users,
}
USUAL = ("per_user_80_20", "temporal_90_10", "random_90_10", "cold_items_90_10", "cold_users_90_10")
PROTOCOLS = (*USUAL, "chronological", *FOLDS)


def make_split(dataset, name: str, *, seed: int = 42) -> Split:
    """Make a split by its name, as a notebook's parameter gives it; another name is a ValueError."""
    if name == "chronological":
        return chronological(dataset.interactions)
    if name in FOLDS:
        return published(dataset, name)
    kind, *shares = name.rsplit("_", 2)
    if kind not in BY_SHARE:
        raise ValueError(f"no split is called {name!r}; known: {', '.join(PROTOCOLS)}, also with other shares")
    if len(shares) != 2 or not all(map(str.isdigit, shares)) or sum(map(int, shares)) != 100:
        raise ValueError(f"a split such as {name!r} ends in two shares that add up to 100: per_user_80_20")
    seeds = {} if kind == "temporal" else {"seed": seed}
    return BY_SHARE[kind](dataset.interactions, test_share=int(shares[1]) / 100, **seeds)
