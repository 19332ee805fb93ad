"""What an ensemble and its parts come to on one split: members, plain mean, blend, ensemble, and each member left out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lib.data.interactions import Interactions
from lib.data.splits import Split
from lib.experiment.evaluation import Evaluation
from lib.metrics import PerUser, user_errors
from lib.metrics.rating import rmse
from lib.statistics.significance import paired_difference
from lib.studies.stacking import LevelOne, Stack, cross_validated


@dataclass(frozen=True)
class Outcome:
    """One model's predictions of a split's test ratings (`test`, in their order), and what they come to.

    `test_rmse` and `level_one` are errors on the test and on the level-one ratings, the latter by cross-validation
    where weights were learned on them; `weights` are linear ones by member, `seconds` those of learning them.
    """

    test: np.ndarray = field(repr=False)
    test_rmse: float
    level_one: float
    weights: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


class Stacked(NamedTuple):
    """Members by name, and what joins them: ``equal_weights``, ``blend``, ``blend_timeless`` and ``ensemble``."""

    members: dict[str, Outcome]
    joined: dict[str, Outcome]


def stacked(
    learned: LevelOne,
    ratings: Interactions,
    asked: LevelOne,
    split: Split,
    *,
    seed: int = 0,
    validate: bool = True,
    timeless: Sequence[str] = (),
) -> Stacked:
    """Join members, as `lib.studies.ensemble_study.level_one` has them, in three ways and measure them.

    The split's test ratings are measured on, and read for nothing else. `seed` is that of the trees and of the
    cross-validation by which what was learned is measured on the level-one ratings too; NaN without `validate`. Where
    some members are `timeless`, not told when a rating was given, ``blend_timeless`` joins these alone.
    """
    truth, target, scale = split.test.ratings, ratings.ratings, split.train.scale
    members = {
        name: Outcome(asked.predictions[name], rmse(truth, asked.predictions[name]), rmse(target, values))
        for name, values in learned.predictions.items()
    }
    level, test = (np.mean(list(one.predictions.values()), axis=0) for one in (learned, asked))
    joined = {"equal_weights": Outcome(test, rmse(truth, test), rmse(target, level))}
    forms = {"blend": tuple(members), "blend_timeless": tuple(timeless)}
    both = (learned, asked)
    pairs = {n: tuple(one.of(*of, moments=False) for one in both) for n, of in forms.items() if of}
    if learned.moments is not None:
        pairs["ensemble"] = both
    for name, (one, other) in pairs.items():
        start, boosted = time.perf_counter(), name == "ensemble"
        stack = Stack(scale, boosted=boosted, seed=seed).fit(one, target)
        found = stack.predict(other)
        seconds, level = time.perf_counter() - start, np.nan
        if validate:
            level = rmse(target, cross_validated(one, target, scale, seed=seed, boosted=boosted))
        joined[name] = Outcome(found, rmse(truth, found), level, stack.weights_, seconds)
    return Stacked(members, joined)


def left_out_gains(
    learned: LevelOne, ratings: Interactions, asked: LevelOne, split: Split, *, seed: int, n_resamples: int
) -> pd.DataFrame:
    """Leave each member out in turn, then the moment, and measure what that changes.

    Columns: ``member`` (``"moments"`` for the moment), ``rmse`` without it, ``difference`` from the whole ensemble
    (positive: worse without it), ``low`` and ``high`` of its interval over users, ``p_value``.
    """

    def errors(one: LevelOne, other: LevelOne) -> PerUser:
        stack = Stack(split.train.scale, seed=seed).fit(one, ratings.ratings)
        return user_errors(split.test.users, split.test.ratings, stack.predict(other)).per_user("rmse")

    whole, names = errors(learned, asked), list(learned.predictions)
    pairs = {out: [one.of(*(n for n in names if n != out)) for one in (learned, asked)] for out in names}
    if learned.moments is not None:
        pairs["moments"] = [one.of(*names, moments=False) for one in (learned, asked)]
    rows = []
    for name, pair in pairs.items():
        found = paired_difference(errors(*pair), whole, n_resamples=n_resamples, seed=seed)
        rows.append({**vars(found), "member": name, "rmse": found.first})
    return pd.DataFrame(rows, columns=["member", "rmse", "difference", "low", "high", "p_value"])


def gap(one: Evaluation, other: Evaluation, *, n_resamples: int) -> dict[str, float]:
    """Return the ``difference`` in RMSE of two models on one split, paired by user, with ``low``, ``high`` and ``p``."""
    if one.errors is None or other.errors is None:
        raise ValueError(f"{one.model} and {other.model} must both predict ratings")
    first, second = (errors.per_user("rmse") for errors in (one.errors, other.errors))
    found = paired_difference(first, second, n_resamples=n_resamples)
    return {"difference": found.difference, "low": found.low, "high": found.high, "p": found.p_value}


def compared(found: Stacked, evaluations: Mapping[str, Evaluation], *, n_resamples: int) -> dict[str, Any]:
    """Compare the ensemble on one split with its best member and with the blend, over `n_resamples` of the users.

    `evaluations`, of the members and of what joins them, by name, have intervals.

    Keys: ``ensemble`` (RMSE, with ``low`` and ``high``), ``mae``; ``best_member`` (its name), ``best_member_rmse``;
    the RMSE of ``blend``, ``equal_weights``, ``blend_timeless``, None where there is none; ``against``, the `gap` of
    the ensemble to the ``best_member`` and to the ``blend``.
    """
    best = min(found.members, key=lambda name: found.members[name].test_rmse)
    ours, rivals = evaluations["ensemble"], {"best_member": evaluations[best], "blend": evaluations["blend"]}
    told: dict[str, Any] = dict(zip(("ensemble", "low", "high"), ours.values["rmse"], strict=True))
    told |= {"mae": ours["mae"], "best_member": best, "best_member_rmse": found.members[best].test_rmse}
    for name in ("blend", "equal_weights", "blend_timeless"):
        told[name] = found.joined[name].test_rmse if name in found.joined else None
    against = {name: gap(ours, rival, n_resamples=n_resamples) for name, rival in rivals.items()}
    return {**told, "against": against}
