"""A small choice of hyperparameters on a reader's ratings: the report's own against a few drawn at random."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import optuna

from lib.data.splits import Split, validation_from
from lib.experiment.fit import Fit
from lib.experiment.run import run_fits
from lib.experiment.space import PROJECTION, Space
from lib.studies import koren_study, ranking_study, side_information_study
from lib.studies.contenders import NOT_SEARCHED, chosen_from
from lib.studies.variants import Variant
from lib.workbench.own_ratings.candidates import Candidates, excess, stored

STEPS = 30
"""Most epochs of a fit that only chooses."""


def searched(groups: Sequence[str], *, k: int, threshold: float) -> dict[str, tuple[Fit, Variant]]:
    """Return the contenders whose hyperparameters are searched: the fit that tries a point, and the variant.

    `groups` are those of features, implicit ones left out; `k` and `threshold` as in `choose`.
    """
    ranked = partial(ranking_study.validation_fit, k=k, threshold=threshold)
    sides = side_information_study.further_variants(tuple(groups), most_factors=32)
    studies: dict[str, tuple[Mapping[str, Variant], Callable[[Variant], Fit]]] = {
        "koren": (koren_study.variants(), partial(koren_study.validation_fit, most_epochs=STEPS, patience=2)),
        "ranking": (ranking_study.rating_variants() | ranking_study.list_variants(4.0), ranked),
        "side_information": (sides, side_information_study.validation_fit),
    }
    found = {}
    for name, one in chosen_from(others_data=True).items():
        if one.source in studies:
            variants, fit = studies[one.source]
            found[name] = fit(variants[one.variant]), variants[one.variant]
        elif one.space is not None:
            usual = stored()["contenders"].get(name, {})
            fixed = {n: value for n, value in usual.items() if n not in one.space}
            variant = Variant(name, one.label, one.model, fixed, one.space)
            found[name] = ranked(variant), variant
    return found


def draw(space: Space, n: int, seed: int) -> list[dict[str, Any]]:
    """Draw points of a space at random; the same seed gives the same points."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    return [study.ask(dict(space)).params for _ in range(n)]


def as_point(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Bring hyperparameters into the form of a search's point: one number a name."""
    found = dict(parameters)
    penalties = found.pop("projection_penalties", {})
    return {**found, **{f"{PROJECTION}{group}": value for group, value in penalties.items()}}


def choose(found: Candidates, split: Split, *, n_trials: int, k: int, threshold: float, seed: int) -> dict[str, dict]:
    """Choose hyperparameters on a tenth of each user's training ratings, in the form of `lib.studies.contenders.choose`.

    For each model of `searched` the report's own choice competes with points drawn at random from the `seed`, `n_trials` in
    all (below 2 nothing is tried); others, and those too slow for it on such data, as their card says, keep it. The `split`
    is as models see it; lists have length `k`, and a rating, of 1 to 5, of `threshold` or more is relevant.
    """
    inner = validation_from(split.train)
    tries = searched(found.groups, k=k, threshold=threshold)
    points: dict[str, list[dict[str, Any]]] = {name: [] for name in found.contenders}
    if n_trials > 1 and len(inner.test):
        for name, one in found.contenders.items():
            space = tries[name][1].space if name in tries else None
            if space and not excess(one.card.most_searched, split.train):
                drawn = draw(space, n_trials - 1, seed)
                points[name] = [as_point(found.parameters[name]), *drawn]
    fits = []
    for name, tried in points.items():
        for point in tried:
            fit, variant = tries[name]
            parameters = {**variant.parameters(point), **found.contenders[name].fixed}
            told: dict[str, Any] = {"parameters": parameters, "labels": {"contender": name, **point}}
            # Hyperparameters that do not work are not chosen.
            fits.append(replace(fit, records_errors=("Exception",), **told))
    records = iter(run_fits(fits, {"train": inner.train, "validation": inner.test}))
    choices = {}
    for name, parameters in found.parameters.items():
        scores = [next(records).get("score") for _ in points[name]]
        finite = [np.inf if score is None else score for score in scores] or [np.inf]
        best, score = int(np.argmin(finite)), min(finite)
        how = f"as chosen on {stored()['dataset']}" if parameters else "nothing to choose"
        if best:
            parameters = {**tries[name][1].parameters(points[name][best]), **found.contenders[name].fixed}
            how = "drawn at random"
        choices[name] = {"parameters": parameters, **NOT_SEARCHED, "trials": len(scores) or None, "how": how}
        if np.isfinite(score):
            metric = "RMSE, 1 to 5" if score > 0 else f"nDCG@{k}"
            where = "a tenth of each user's training ratings"
            choices[name] |= {"validation": abs(score), "metric": metric, "chosen_on": where}
    return choices
