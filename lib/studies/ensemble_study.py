"""The ensemble at work: members fitted on parts of a training set, what joins them, and what all that comes to."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from math import ceil
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lib.data.interactions import Interactions
from lib.data.splits import Split
from lib.experiment.evaluation import Evaluation, evaluation_of
from lib.experiment.fit import Fit, Fitted, Parts, fit_and_measure
from lib.metrics import PerUser, user_errors
from lib.metrics.rating import rmse
from lib.statistics.significance import paired_difference
from lib.studies.contenders import Contender
from lib.studies.moment_features import moment_features
from lib.studies.stacking import LevelOne, Stack, cross_validated

Members = Mapping[str, Mapping[str, Any]]
"""``model`` and ``parameters`` by the name of a member."""

WHOLE = -1
"""The part that leaves nothing out: members fitted on all training ratings answer for the test ratings."""

TELLS = "timesvdpp"
"""The member whose residuals and film vectors the moment features are made of: it is fitted within seconds."""


def left_out(split: Split, part: int, *, n_folds: int, seed: int) -> np.ndarray:
    """Tell which training ratings one part leaves out, as a mask in the order of ``split.train``.

    Training ratings are parted evenly at random into `n_folds`. Under a split by time the only part is the latest ones,
    as many as the split itself holds out: level one asks what the test will ask. Another part is a ValueError.
    """
    train = split.train
    if split.name == "chronological":
        if part != 0:
            raise ValueError(f"a split by time has one part, number 0; got {part}")
        n_left_out = ceil(len(split.test) / (len(train) + len(split.test)) * len(train))
        return train.timestamps > np.sort(train.timestamps)[-n_left_out - 1]
    if not 0 <= part < n_folds:
        raise ValueError(f"parts are numbered 0 to {n_folds - 1}; got {part}")
    order = np.random.default_rng(seed).permutation(len(train))
    return np.isin(np.arange(len(train)), np.array_split(order, n_folds)[part])


def part_left_out(
    parts: Parts, fit: Fit, *, split: str, part: int, n_folds: int, seed: int
) -> dict[str, Interactions]:
    """Prepare a fit without one part of the training ratings, asked for that part; `split` is the split's name."""
    train = parts[fit.train]
    out = left_out(Split(split, train, parts[fit.test]), part, n_folds=n_folds, seed=seed)
    return {fit.train: train.take(~out), fit.test: train.take(out)}


def part_numbers(split: Split, n_parts: int) -> list[int]:
    """List the parts of a split that members are fitted for; a split by time has one."""
    return [0] if split.name == "chronological" else list(range(n_parts))


def moments(fitted: Fitted) -> dict[str, Any]:
    """Return ``moments``, the moment features (float32) of the ratings asked for."""
    train, vectors = fitted.train, fitted.model.item_factors_.astype(np.float64)
    residuals = train.ratings - fitted.answers(fitted.fit.train)
    return {"moments": moment_features(train, residuals, vectors, fitted.test).astype(np.float32)}


def members_of(
    contenders: Mapping[str, Contender],
    choices: Mapping[str, Mapping[str, Any]],
    changes: Mapping[str, Mapping[str, Any]] | None = None,
) -> Members:
    """Return members with the hyperparameters and epochs that `choices` (of `choose`) say, but for those in `changes`.

    ValueError: a change for what is no member.
    """
    changes = dict(changes or {})
    if wrong := sorted(set(changes) - set(contenders)):
        raise ValueError(f"changes: no members {', '.join(wrong)}; there are {', '.join(contenders)}")
    found = {}
    for name, one in contenders.items():
        choice = choices[name]
        epochs = {one.stopping.limit: choice["n_epochs"]} if one.stopping and choice["n_epochs"] else {}
        parameters = {**choice["parameters"], **epochs, **changes.get(name, {})}
        found[name] = {"model": one.model, "parameters": parameters}
    return found


def member_fits(
    members: Members, splits: Mapping[str, Split], *, n_folds: int, n_parts: int, seed: int = 0
) -> list[Fit]:
    """Return the fits of every member on every part of every split and on the whole, labelled so.

    Slow members should come first. Of `n_folds` folds of the training ratings the first `n_parts` are left out in
    turn: fewer where one is enough to learn the weights from. `seed` is that of the folds and of the members.
    ValueError: more parts than folds.
    """
    if not 1 <= n_parts <= n_folds:
        raise ValueError(f"n_parts={n_parts} must lie between 1 and n_folds={n_folds}")
    found = []
    for name, one in members.items():
        measure: dict[str, Mapping[str, Any]] = {"predictions": {}}
        measure |= {f"{__name__}:moments": {}} if name == TELLS else {}
        for key, split in splits.items():
            for part in (WHOLE, *part_numbers(split, n_parts)):
                options = {"split": split.name, "part": part, "n_folds": n_folds, "seed": seed}
                prepare = None if part == WHOLE else (f"{__name__}:part_left_out", options)
                labels = {"member": name, "split": key, "part": part}
                data: dict[str, Any] = {"train": f"{key}/train", "test": f"{key}/test", "prepare": prepare}
                fit = Fit(one["model"], one["parameters"], seed, **data, measure=measure, labels=labels)
                found.append(fit)
    return found


def whole_fit(
    members: Members, key: str, split: Split, *, measure: str = "errors_of_all", **options: Any
) -> Fit:
    """Return one fit that makes a split's whole ensemble: no predictions, so that the project can keep it.

    `measure` names what is left of it, a function of this module: `errors_of_all`, `gains_of_all` or `blend_of_all`.
    `options` are those of `member_fits` and what that function takes.
    """
    asked = {"split": split.name, "members": members, **options}
    tells, data = members.get(TELLS) or next(iter(members.values())), (f"{key}/train", f"{key}/test")
    fit = Fit(tells["model"], tells["parameters"], options["seed"], *data, keep="ensemble")
    return replace(fit, measure={f"{__name__}:{measure}": asked}, labels={"split": key})


def errors_of_all(
    fitted: Fitted, *, split: str, members: Members, timeless: Sequence[str], **options: int
) -> dict[str, Any]:
    """Fit all members, join them, and add everybody's errors up by user.

    Returns ``squared/<name>`` and ``absolute/<name>`` (as `lib.experiment.measurements.by_user`) of members and of what joins
    them, and ``costs``, their seconds by name.
    """
    parted, level, made = _made(fitted, split, members, options)
    found = stacked(*level, parted, seed=options["seed"], validate=False, timeless=timeless)
    arrays: dict[str, np.ndarray] = {}
    costs: dict[str, Any] = {}
    for name, one in outcomes(found, made).items():
        sums = user_errors(fitted.test.users, fitted.test.ratings, one.pop("predictions"))
        arrays |= {f"{of}/{name}": getattr(sums, of).astype(np.float32) for of in ("squared", "absolute")}
        costs[name] = one
    return {**arrays, "costs": costs}


def gains_of_all(fitted: Fitted, *, split: str, members: Members, n_resamples: int, **options: int) -> dict:
    """Fit all members and return ``gains``, the rows of `left_out_gains`."""
    parted, level, _ = _made(fitted, split, members, options)
    gains = left_out_gains(*level, parted, seed=options["seed"], n_resamples=n_resamples)
    return {"gains": gains.to_dict("records")}


def blend_of_all(fitted: Fitted, *, split: str, members: Members, n_resamples: int, **options: int) -> dict:
    """Fit all members and hold the linear blend against the best of them.

    Returns ``errors`` (test RMSE by name), ``weights`` in the blend, ``best`` (a member), ``gap`` (of `gap`, the blend minus
    it) and ``correlations`` of each two members' test errors.
    """
    parted, level, _ = _made(fitted, split, members, options)
    single, joined = stacked(*level, parted, seed=options["seed"], validate=False)
    best = min(single, key=lambda name: single[name].test_rmse)
    pair = ({"predictions": one.test} for one in (joined["blend"], single[best]))
    change = gap(*(evaluation_of("", one, parted, n_resamples=0) for one in pair), n_resamples=n_resamples)
    errors = [one.test - parted.test.ratings for one in single.values()]
    alike = [float(np.corrcoef(*both)[0, 1]) for both in combinations(errors, 2)]
    rmses = {name: one.test_rmse for name, one in {**single, **joined}.items()}
    found = {"errors": rmses, "weights": joined["blend"].weights, "best": best, "gap": change}
    return {**found, "correlations": alike}


def _made(
    fitted: Fitted, split: str, members: Members, options: Mapping[str, int]
) -> tuple[Split, tuple[LevelOne, Interactions, LevelOne], list[dict[str, Any]]]:
    """Fit the members on every part of a split, and return it with its `level_one` and the fits."""
    key, parted = fitted.fit.train.removesuffix("/train"), Split(split, fitted.train, fitted.test)
    fits = member_fits(members, {key: parted}, **options)
    made = [{**fit_and_measure(fitted.parts, fit), **fit.labels} for fit in fits]
    return parted, level_one(made, key, parted, **options), made


def outcomes(found: Stacked, fits: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what `lib.experiment.evaluation.evaluation_of` reads, by name, from a split's stack and its `member_fits`."""
    fits = list(fits)
    whole, together = (
        {f["member"]: f for f in fits if f["part"] == WHOLE},
        sum(f["seconds_fit"] for f in fits),
    )
    joined = {
        n: {"predictions": o.test, "seconds_fit": together + o.seconds} for n, o in found.joined.items()
    }
    costs = {n: {of: whole[n][of] for of in ("seconds_fit", "seconds_predict")} for n in found.members}
    return {**{n: {"predictions": o.test, **costs[n]} for n, o in found.members.items()}, **joined}


def kept_outcomes(record: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the same from what a `whole_fit` left."""
    sums = {n: {of: record[f"{of}/{n}"] for of in ("squared", "absolute")} for n in record["costs"]}
    return {name: {**sums[name], **costs} for name, costs in record["costs"].items()}


def level_one(
    fits: Iterable[Mapping[str, Any]], key: str, split: Split, *, n_folds: int, n_parts: int, seed: int = 0
) -> tuple[LevelOne, Interactions, LevelOne]:
    """Bring one split's fits, of `member_fits`, into the form that a stack learns from and answers in.

    What the members say of the training ratings left out, part by part; these ratings; and what they say of the test's.
    """
    mine = {(f["member"], f["part"]): f for f in fits if f["split"] == key}
    members = list(dict.fromkeys(member for member, _ in mine))
    parts = part_numbers(split, n_parts)
    rows = [np.flatnonzero(left_out(split, part, n_folds=n_folds, seed=seed)) for part in parts]

    def joined(numbers: Sequence[int]) -> LevelOne:
        def of(member: str, what: str) -> np.ndarray:
            return np.concatenate([np.asarray(mine[member, part][what], np.float64) for part in numbers])

        predictions = {member: of(member, "predictions") for member in members}
        return LevelOne(predictions, of(TELLS, "moments") if TELLS in members else None)

    return joined(parts), split.train.take(np.concatenate(rows)), joined([WHOLE])


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
    """Join members, as `level_one` has them, in three ways and measure them.

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
    """Leave each member out in turn, then the moment (``"moments"``), and measure what that changes.

    ``rmse`` is that without it, ``difference`` that from the whole ensemble, positive where it is worse without it.
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


def compared(
    members: Iterable[str], evaluations: Mapping[str, Evaluation], *, n_resamples: int
) -> dict[str, Any]:
    """Compare the ensemble on one split with its best member and with the blend, over `n_resamples` of the users.

    `evaluations`, of `members` and of what joins them, by name, have intervals. Figures are RMSEs but for ``mae``,
    None where there is no such blend; ``low`` and ``high`` are the ensemble's; ``against`` has its `gap` to either.
    """
    best = min(members, key=lambda name: evaluations[name]["rmse"])
    ours, rivals = evaluations["ensemble"], {"best_member": evaluations[best], "blend": evaluations["blend"]}
    told: dict[str, Any] = dict(zip(("ensemble", "low", "high"), ours.values["rmse"], strict=True))
    told |= {"mae": ours["mae"], "best_member": best, "best_member_rmse": evaluations[best]["rmse"]}
    for name in ("blend", "equal_weights", "blend_timeless"):
        told[name] = evaluations[name]["rmse"] if name in evaluations else None
    against = {name: gap(ours, rival, n_resamples=n_resamples) for name, rival in rivals.items()}
    return {**told, "against": against}
