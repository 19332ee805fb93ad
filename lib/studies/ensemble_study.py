"""The ensemble at work: members fitted on parts of a training set, what joins them, and what all that comes to."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from math import ceil
from typing import Any

import numpy as np
import pandas as pd

from lib.data.interactions import Interactions
from lib.data.splits import Split
from lib.experiment import records
from lib.experiment.evaluation import Evaluation
from lib.experiment.fit import Fit, Fitted, Parts, fit_and_measure
from lib.experiment.search_result import Search
from lib.metrics import user_errors
from lib.metrics.rating import rmse
from lib.statistics.significance import paired_difference
from lib.studies.ensemble_forms import TELLS, Form, Members
from lib.studies.moment_features import moment_features
from lib.studies.stack_design import DesignSearch, later_half
from lib.studies.stacking import Design, LevelOne, Stack, facts_of
from lib.studies.variants import Variant

WHOLE = -1  # the part that leaves nothing out: members fitted on all training ratings answer for the test ratings


def left_out(split: Split, part: int, *, n_folds: int, seed: int) -> np.ndarray:
    """Tell which training ratings one part leaves out, as a mask in the order of ``split.train``.

    Training ratings are parted evenly at random into `n_folds`, whatever their order. Under a split by time the only part is
    the latest ones, as many as the split itself holds out: level one asks what the test will ask. ValueError: another part,
    or a last second that too many ratings share.
    """
    train = split.train
    if split.name == "chronological":
        if part != 0:
            raise ValueError(f"a split by time has one part, number 0; got {part}")
        n_left_out = ceil(len(split.test) / (len(train) + len(split.test)) * len(train))
        out = train.timestamps > np.sort(train.timestamps)[-n_left_out - 1]
        if not out.any():
            raise ValueError("too many ratings share the last second of train: none can be left out to learn on")
        return out
    if not 0 <= part < n_folds:
        raise ValueError(f"parts are numbered 0 to {n_folds - 1}; got {part}")
    order = np.lexsort((train.items, train.users))[np.random.default_rng(seed).permutation(len(train))]
    return np.isin(np.arange(len(train)), np.array_split(order, n_folds)[part])


def part_left_out(parts: Parts, fit: Fit, *, split: str, part: int, n_folds: int, seed: int) -> dict[str, Interactions]:
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


def members_of(variants: Mapping[str, Variant], found: Mapping[str, Search]) -> Members:
    """Return members at the points and with the epochs that their searches found."""
    epochs = {name: {"n_epochs": one.n_epochs} if one.n_epochs else {} for name, one in found.items()}
    return {
        name: {"model": one.model, "parameters": {**one.parameters(found[name].chosen), **epochs[name]}}
        for name, one in variants.items()
    }


def member_fits(
    members: Members, key: str, split: Split, *, n_folds: int, n_parts: int, seed: int = 0, start: int = 0
) -> list[Fit]:
    """Return the fits of every member on the whole and on every part of a split, labelled ``member`` and ``part``.

    Of `n_folds` folds of the training ratings the first `n_parts` are left out in turn: fewer where one is enough to learn
    the weights from. `seed` is that of the folds and of the members; another random `start` fits the whole alone, with the
    seed that comes so much later. ValueError: more parts than folds.
    """
    if not 1 <= n_parts <= n_folds:
        raise ValueError(f"n_parts={n_parts} must lie between 1 and n_folds={n_folds}")
    found = []
    for name, one in members.items():
        measure: dict[str, Mapping[str, Any]] = {"predictions": {}}
        measure |= {f"{__name__}:moments": {}} if name == TELLS else {}
        for part in (WHOLE,) if start else (WHOLE, *part_numbers(split, n_parts)):
            options = {"split": split.name, "part": part, "n_folds": n_folds, "seed": seed}
            prepare = None if part == WHOLE else (f"{__name__}:part_left_out", options)
            data: dict[str, Any] = {"train": f"{key}/train", "test": f"{key}/test", "prepare": prepare}
            data |= {"measure": measure, "labels": {"member": name, "part": part}}
            found.append(Fit(one["model"], one["parameters"], seed + start, **data))
    return found


def whole_fit(members: Members, key: str, split: Split, *, forms: Mapping[str, Any], **options: Any) -> Fit:
    """Return a fit of a split's whole ensemble, to be kept; `options` are those of `errors_of_all` and `member_fits`.

    Where fits are made anew, but no searches, `forms` take the kept record's designs; the label ``chosen`` tells their search.
    """
    asked = {"split": split.name, "members": members, "forms": forms, **options}
    tells, data = members.get(TELLS) or next(iter(members.values())), (f"{key}/train", f"{key}/test")
    group = "ensemble_1m" if len(split.train) > 500_000 else "ensemble"  # one file of all would be too large to keep
    fit = Fit(tells["model"], tells["parameters"], options["seed"], *data, keep=group)
    fit = replace(fit, measure={f"{__name__}:errors_of_all": asked}, labels={"split": key})
    if not records.since("fits") or records.since("searches"):
        return fit
    identity = records.identity(fit, dict(zip(data, (split.train, split.test), strict=True)))
    told = records.kept_group(group).get(identity, {"found": {"told": {}}})["found"]["told"]
    taken = ("design", "trials", "seconds_fit")
    chosen = {name: {of: one[of] for of in taken} for name, one in told.items() if "design" in one}
    for one in chosen.values():  # the search alone took
        one["seconds_fit"] -= told["equal_weights"]["seconds_fit"]
    asked["forms"] = {n: {**form, "design": chosen[n]["design"]} if n in chosen else form for n, form in forms.items()}
    return replace(fit, labels={"split": key, "chosen": chosen}, keep="" if chosen else group)


def errors_of_all(
    fitted: Fitted,
    *,
    split: str,
    members: Members,
    forms: Mapping[str, Mapping[str, Any]],
    starts: int = 1,
    **options: int,
) -> dict[str, Any]:
    """Fit all members, join them in several `forms`, and add everybody's errors up by user.

    What joins the members is learned once; then they are fitted on the whole from `starts` random starts. Returns of members
    and of what joins them ``squared/<name>`` and ``absolute/<name>`` (as `lib.experiment.measurements.by_user`, means over
    the starts), ``told`` by name, the `Ensemble.outcomes` without predictions and with ``starts``, the test RMSE of each, and
    ``correlations`` of each two members' test errors.
    """
    key, test = fitted.fit.train.removesuffix("/train"), fitted.test
    parted = Split(split, fitted.train, test)

    def made(start: int) -> list[dict[str, Any]]:
        wanted = member_fits(members, key, parted, **options, start=start)
        return [{**fit_and_measure(fitted.parts, fit), **fit.labels} for fit in wanted]

    fits = made(0)
    ensemble = Ensemble(fits, parted, forms, **options)
    found = [ensemble.outcomes(fits), *(ensemble.outcomes(made(start)) for start in range(1, starts))]
    arrays: dict[str, np.ndarray] = {}
    told: dict[str, Any] = {}
    errors = {name: found[0][name]["predictions"] - test.ratings for name in members}
    for name in found[0]:
        starting = [rmse(test.ratings, one[name]["predictions"]) for one in found]
        told[name] = {**found[0][name], "starts": starting}
        sums = [user_errors(test.users, test.ratings, one[name]["predictions"]) for one in found]
        for of in ("squared", "absolute"):
            arrays[f"{of}/{name}"] = np.mean([getattr(one, of) for one in sums], axis=0).astype(np.float32)
        del told[name]["predictions"]
    return {**arrays, "told": told, "correlations": pd.DataFrame(errors).corr().to_dict()}


def kept_outcomes(record: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what a `whole_fit` left in the form of `Ensemble.outcomes`, by name."""
    sums = {n: {of: record[f"{of}/{n}"] for of in ("squared", "absolute")} for n in record["told"]}
    found = {name: {**sums[name], **told} for name, told in record["told"].items()}
    for name, one in record.get("chosen", {}).items():
        found[name] |= {**one, "seconds_fit": found[name]["seconds_fit"] + one["seconds_fit"]}
    return found


class Ensemble:
    """What joins a split's members, learned from ratings that they had not seen; test ratings are never read.

    `fits` are records of `member_fits`, made with the same options, `forms` by name have the arguments of
    `lib.studies.ensemble_forms.Form`; `seed` is that of the trees and of the cross-validation, too.
    """

    def __init__(
        self,
        fits: Iterable[Mapping[str, Any]],
        split: Split,
        forms: Mapping[str, Mapping[str, Any]],
        *,
        n_folds: int,
        n_parts: int,
        seed: int = 0,
    ):
        self.mine, train = {(f["member"], f["part"]): f for f in fits}, split.train
        self.members, self.split = list(dict.fromkeys(member for member, _ in self.mine)), split
        self.facts = facts_of(train, split.test)
        parts = part_numbers(split, n_parts)
        masks = [left_out(split, part, n_folds=n_folds, seed=seed) for part in parts]
        rest = train.take(np.concatenate([np.flatnonzero(mask) for mask in masks]))
        facts = [facts_of(train.take(~mask), train.take(mask), (~mask).mean()) for mask in masks]
        order = np.lexsort((rest.items, rest.users))
        learned = self._level_one(self.mine, parts, np.concatenate(facts)).take(order)
        self.ratings = rest.take(order)
        target = self.ratings.ratings
        times = self.ratings.timestamps if split.name == "chronological" else None
        equal = np.mean(list(learned.predictions.values()), axis=0)
        # All are judged on the ratings that designs are judged on.
        rows = slice(None) if times is None else later_half(times)
        told = {**learned.predictions, "equal_weights": equal}
        self.level_one = {name: rmse(target[rows], of[rows]) for name, of in told.items()}
        self.stacks: dict[str, tuple[Form, Stack]] = {}
        self.told: dict[str, dict[str, Any]] = {}
        for name, form in ((name, Form(**one)) for name, one in forms.items()):
            known, start = form.of(learned), time.perf_counter()
            search = DesignSearch(known, target, train.scale, times=times, seed=seed)
            error, design = search.best() if form.design is None else search.judge(Design(**form.design))
            stack = Stack(train.scale, design, seed=seed).fit(known, target)
            self.stacks[name], self.level_one[name] = (form, stack), error
            self.told[name] = {"seconds": time.perf_counter() - start}
            if form.design is None:
                self.told[name] |= {"design": asdict(design), "trials": search.trials}

    def _level_one(self, fits: Mapping[Any, Mapping[str, Any]], parts: Sequence[int], facts) -> LevelOne:
        def of(member: str, what: str) -> np.ndarray:
            return np.concatenate([np.asarray(fits[member, part][what], np.float64) for part in parts])

        predictions = {member: of(member, "predictions") for member in self.members}
        return LevelOne(predictions, facts, of(TELLS, "moments") if TELLS in self.members else None)

    def outcomes(self, fits: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """Return what members say of the test ratings, and what joins them, by name; `fits` are those on the whole.

        Each has ``predictions``, ``level_one`` (RMSE on the level-one ratings), ``weights`` by member, seconds, as
        `lib.experiment.evaluation.evaluation_of` reads them, and, where it was searched, the ``design`` and its ``trials``.
        """
        whole = {(f["member"], f["part"]): f for f in fits if f["part"] == WHOLE}
        asked = self._level_one(whole, [WHOLE], self.facts)
        together = sum(f["seconds_fit"] for f in self.mine.values())
        found: dict[str, dict[str, Any]] = {}
        for name in self.members:
            costs = {of: whole[name, WHOLE][of] for of in ("seconds_fit", "seconds_predict")}
            found[name] = {"predictions": asked.predictions[name], **costs}
        equal = np.mean(list(asked.predictions.values()), axis=0)
        found["equal_weights"] = {"predictions": equal, "seconds_fit": together}
        for name, (form, stack) in self.stacks.items():
            told = {"weights": stack.weights_, **self.told[name]}
            told["seconds_fit"] = together + told.pop("seconds")
            found[name] = {"predictions": stack.predict(form.of(asked)), **told}
        return {name: {**one, "level_one": self.level_one[name]} for name, one in found.items()}


def gap(one: Evaluation, other: Evaluation, *, n_resamples: int) -> dict[str, float]:
    """Return the ``difference`` in RMSE of two models on one split, paired by user, with ``low``, ``high`` and ``p``."""
    if one.errors is None or other.errors is None:
        raise ValueError(f"{one.model} and {other.model} must both predict ratings")
    first, second = (errors.per_user("rmse") for errors in (one.errors, other.errors))
    found = paired_difference(first, second, n_resamples=n_resamples)
    return {"difference": found.difference, "low": found.low, "high": found.high, "p": found.p_value}


def compared(members: Iterable[str], evaluations: Mapping[str, Evaluation], *, n_resamples: int) -> dict[str, Any]:
    """Compare the ensemble on one split with its best member, the blend and the timeless one, over `n_resamples` of the users.

    `evaluations`, of `members` and of what joins them, by name, have intervals. Figures are RMSEs but for ``mae``,
    None where there is none; ``low`` and ``high`` are the ensemble's; ``against`` has its `gap` to each.
    """
    best = min(members, key=lambda name: evaluations[name]["rmse"])
    ours, rivals = evaluations["ensemble"], {"best_member": evaluations[best], "blend": evaluations["blend"]}
    told: dict[str, Any] = dict(zip(("ensemble", "low", "high"), ours.values["rmse"], strict=True))
    told |= {"mae": ours["mae"], "best_member": best, "best_member_rmse": evaluations[best]["rmse"]}
    for name in ("blend", "equal_weights", "ensemble_timeless"):
        told[name] = evaluations[name]["rmse"] if name in evaluations else None
    if "ensemble_timeless" in evaluations:
        rivals["ensemble_timeless"] = evaluations["ensemble_timeless"]
    against = {name: gap(ours, rival, n_resamples=n_resamples) for name, rival in rivals.items()}
    return {**told, "against": against}
