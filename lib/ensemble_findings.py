"""What an ensemble and its parts come to on one split: members, plain mean, blend, ensemble, and each member left out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from lib.interactions import Interactions
from lib.metrics import UserErrors, user_errors
from lib.metrics.rating import rmse
from lib.significance import paired_difference
from lib.splits import Split
from lib.stacking import LevelOne, Stack, cross_validated


@dataclass(frozen=True)
class Outcome:
    """One model's predictions of a split's test ratings.

    Parameters
    ----------
    test : ndarray of float64
        In the order of the test ratings.
    test_rmse, level_one : float
        On the test ratings, and on the level-one ratings (by cross-validation where weights were learned on them).
    weights : dict
        Members' linear weights, where there are any.
    seconds : float
        Of learning the weights; members not counted.
    """

    test: np.ndarray = field(repr=False)
    test_rmse: float
    level_one: float
    weights: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Stacked:
    """Members by name, and what joins them: ``equal_weights``, ``blend``, ``blend_timeless`` and ``ensemble``."""

    members: dict[str, Outcome]
    joined: dict[str, Outcome]


def stacked(
    learned: LevelOne, ratings: Interactions, asked: LevelOne, split: Split, *, seed: int = 0, validate: bool = True,
    timeless: Sequence[str] = (),
) -> Stacked:  # fmt: skip
    """Join members in three ways and measure them.

    Parameters
    ----------
    learned, ratings, asked
        Of `lib.ensemble_study.level_one`.
    split : Split
        Its test ratings are measured on, and read for nothing else.
    seed : int
        Of the trees and of the cross-validation.
    validate : bool
        Whether to measure what was learned on the level-one ratings too, by cross-validation; NaN without.
    timeless : sequence of str
        Members that are not told when a rating was given; where there are any, ``blend_timeless`` joins these alone.
    """
    truth, target = split.test.ratings, ratings.ratings
    members = {
        name: Outcome(asked.predictions[name], rmse(truth, asked.predictions[name]), rmse(target, values))
        for name, values in learned.predictions.items()
    }
    plain = {n: np.mean(list(one.predictions.values()), axis=0) for n, one in (("l", learned), ("a", asked))}
    joined = {"equal_weights": Outcome(plain["a"], rmse(truth, plain["a"]), rmse(target, plain["l"]))}
    forms = {"blend": (learned.of(*members, moments=False), asked.of(*members, moments=False), False)}
    if timeless:
        forms["blend_timeless"] = (
            learned.of(*timeless, moments=False),
            asked.of(*timeless, moments=False),
            False,
        )
    if learned.moments is not None:
        forms["ensemble"] = (learned, asked, True)
    for name, (one, other, boosted) in forms.items():
        start = time.perf_counter()
        stack = Stack(split.train.scale, boosted=boosted, seed=seed).fit(one, target)
        found = stack.predict(other)
        seconds = time.perf_counter() - start
        level = np.nan
        if validate:
            level = rmse(target, cross_validated(one, target, split.train.scale, seed=seed, boosted=boosted))
        joined[name] = Outcome(found, rmse(truth, found), level, stack.weights_, seconds)
    return Stacked(members, joined)


def left_out_gains(
    learned: LevelOne, ratings: Interactions, asked: LevelOne, split: Split, *, seed: int = 0, n_resamples: int = 1000
) -> pd.DataFrame:  # fmt: skip
    """Leave each member out in turn, then the moment, and measure what that changes.

    Returns
    -------
    DataFrame
        ``member`` (``"moments"`` for the moment), ``rmse`` without it, ``difference`` from the whole ensemble (positive:
        worse without it), ``low`` and ``high`` of its interval over users, ``p_value``.
    """

    def errors(one: LevelOne, other: LevelOne) -> UserErrors:
        stack = Stack(split.train.scale, seed=seed).fit(one, ratings.ratings)
        return user_errors(split.test.users, split.test.ratings, stack.predict(other))

    whole = errors(learned, asked).per_user("rmse")
    pairs = {name: (learned.without(name), asked.without(name)) for name in learned.predictions}
    if learned.moments is not None:
        names = list(learned.predictions)
        pairs["moments"] = (learned.of(*names, moments=False), asked.of(*names, moments=False))
    rows = []
    for name, pair in pairs.items():
        gap = paired_difference(errors(*pair).per_user("rmse"), whole, n_resamples=n_resamples, seed=seed)
        rows.append(
            {
                "member": name, "rmse": gap.first, "difference": gap.difference, "low": gap.low, "high": gap.high,
                "p_value": gap.p_value,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)
