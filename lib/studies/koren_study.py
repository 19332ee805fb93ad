"""Project E's study of Koren's family: what is fixed and what is searched in each model, and what one fit leaves."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lib.data.interactions import Interactions
from lib.data.splits import Split, random_holdout
from lib.experiment.fit import Fit, Fitted, Parts, Stopping
from lib.experiment.run import run_fits
from lib.experiment.space import Integer, Real, Space
from lib.metrics.ranking import Ranking
from lib.metrics.rating import rmse
from lib.metrics.sampled import SampledRanks, cases_of
from lib.models import model_class
from lib.models.base import Recommender
from lib.models.fitting import answers, fit_model
from lib.models.recommendations import titles_of
from lib.studies.variants import Variant

ORDER = ("biased_svd", "asymmetric_svd", "svdpp", "integrated")
"""From the largest error to the smallest, as the papers have it."""

LATENT = ("biased_svd", "nsvd", "asymmetric_svd", "svdpp", "integrated", "timesvdpp")
"""Models with factors."""

EXPLAINED = ("correlation_neighbours", "neighbourhood", "asymmetric_svd", "integrated")
"""Models whose predictions are sums over a user's films."""

TRANSDUCTIVE = ("svdpp", "asymmetric_svd", "integrated")
"""Models whose N(u) the papers fill with the films of the test pairs, too."""

PUBLISHED = {
    "biased_svd": "SVD",
    "nsvd": "NSVD",
    "asymmetric_svd": "Asymmetric-SVD",
    "svdpp": "SVD++",
    "integrated": "Integrated",
}
"""How ``claims.toml`` has the models with factors."""

IN_LISTS = {
    "hits_none": "hit_rate: Sampled hits@10",
    "hits_rated": "hit_rate: Sampled hits@10, rated kept out",
    "percentile": "percentile: Sampled mean rank (%)",
    "ndcg": "ndcg: nDCG, full catalogue",
    "precision": "precision: Precision, full catalogue",
}
"""Columns of the table of lists, by what `list_quality` finds."""


def variants() -> dict[str, Variant]:
    """Return the models by the name that results use, simplest first, with the space of each one's search.

    Factors are 50 and neighbours 300 while the rest is searched; the number of epochs is found by early stopping.
    """
    factors = {
        "factor_learning_rate": Real(0.004, 0.015, log=True), "factor_regularisation": Real(0.03, 0.15, log=True),
    }  # fmt: skip
    implicit = {
        "implicit_learning_rate": Real(0.004, 0.03, log=True), "implicit_regularisation": Real(3e-4, 5e-3, log=True),
    }  # fmt: skip
    weights = {"weight_learning_rate": Real(1e-3, 2e-2, log=True), "weight_regularisation": Real(5e-4, 2e-2, log=True)}  # fmt: skip
    biases = {"bias_regularisation": Real(3e-3, 6e-2, log=True), "learning_rate_decay": Real(0.93, 0.99)}
    moving = {
        "time_bias_learning_rate": Real(1e-4, 3e-3, log=True), "time_bias_regularisation": Real(5e-3, 0.2, log=True),
        "time_factor_learning_rate": Real(1e-4, 2e-3, log=True), "time_factor_regularisation": Real(5e-3, 0.2, log=True),
    }  # fmt: skip
    size, near = {"n_factors": 50, "initial_scale": 0.05}, {"n_neighbours": 300}
    penalty = Real(0.5, 30.0, log=True)
    found = [
        Variant.of("bias", {}, Space({"user_regularisation": penalty, "item_regularisation": penalty})),
        Variant.of("correlation_neighbours", {}, Space({
            "n_neighbours": Integer(10, 100, log=True), "shrinkage": Real(10.0, 1000.0, log=True),
        })),
        Variant.of("interpolated_neighbours", {}, Space({
            "n_neighbours": Integer(10, 60, log=True), "moment_shrinkage": Real(20.0, 1000.0, log=True),
        })),
        Variant.of("nsvd", size, Space(factors | implicit | biases)),
        Variant.of("biased_svd", size, Space(factors | biases)),
        Variant.of("neighbourhood", near, Space(weights | biases)),
        Variant.of("asymmetric_svd", size, Space(factors | implicit | biases)),
        Variant.of("svdpp", size, Space(factors | implicit | biases)),
        Variant.of("integrated", size | near, Space(factors | implicit | weights | biases)),
        Variant.of("timesvdpp", size, Space(factors | implicit | moving | biases)),
    ]  # fmt: skip
    return {v.name: v for v in found}


def validation_fit(variant: Variant, *, most_epochs: int, patience: int) -> Fit:
    """Return a search's fit: on ``train``, judged, and stopped where a model has epochs, on ``validation``."""
    stopping = None
    if _has_epochs(variant):
        stopping = Stopping("n_epochs", most_epochs, patience, validation="validation", refit=False)
    return Fit(variant.model, variant.fixed, test="validation", stopping=stopping, measure={"score": {}})


def refitted(
    variant: Variant, chosen: Mapping[str, Any], *, most_epochs: int, patience: int, seed: int = 0,
    changes: Mapping[str, Any] | None = None, measure: Mapping[str, Mapping[str, Any]] | None = None,
) -> Fit:  # fmt: skip
    """Return a fit on all of ``train``, for as many epochs as are found on ``inner_test`` (`with_inner`).

    Hyperparameters are the variant's with `chosen`, a point of its search, and then `changes`, such as another number
    of factors; `measure` comes beside the errors.
    """
    changes = dict(changes or {})
    found = ("n_epochs", most_epochs, patience) if _has_epochs(variant) else ()
    return Fit(
        variant.model, {**variant.parameters(chosen), **changes}, seed=seed,
        stopping=Stopping(*found, train="inner_train", validation="inner_test"),
        measure={"errors": {}, **(measure or {}), "validation_error": {}},
        labels={"variant": variant.name, "changes": changes, "seed": seed},
    )  # fmt: skip


def starts_of(
    variants: Mapping[str, Variant], chosen: Mapping[str, Mapping[str, Any]], n_starts: int, *, k: int,
    sampling: Mapping[str, int], **stopping: int,
) -> list[Fit]:  # fmt: skip
    """Return the fits of every model at its search's choice, with all that is measured of them; see `refitted`.

    Models without a random start are fitted once. `k` is the length of the lists, `sampling` goes to
    `lib.metrics.sampled.sampled_ranks`.
    """
    fits = []
    for name, one in variants.items():
        starts = n_starts if "seed" in model_class(one.model).parameter_names() else 1
        for seed in range(starts):
            measure: dict[str, Mapping[str, Any]] = {"predictions": {}, "curve": {}}
            measure["sampled"] = {"k": k, **sampling}
            if seed == 0 and name in EXPLAINED:
                measure["fitted_arrays"] = {}
            if seed == 0 and name in TRANSDUCTIVE:
                measure[f"{__name__}:transductive"] = {}
            fits.append(refitted(one, chosen[name], seed=seed, measure=measure, **stopping))
    return fits


def refit(fits: Sequence[Fit], parts: Parts) -> list[dict[str, Any]]:
    """Make the fits of `refitted`; seconds are those of the fit on all training ratings."""
    return [{**found, "seconds_fit": found["seconds_refit"]} for found in run_fits(fits, parts)]


def with_inner(split: Split, *, seed: int) -> dict[str, Interactions]:
    """Return a split's parts, with a tenth of its training ratings as validation ratings."""
    cut = random_holdout(split.train, test_share=0.1, seed=seed)
    return {"train": split.train, "test": split.test, "inner_train": cut.train, "inner_test": cut.test}


def _has_epochs(variant: Variant) -> bool:
    return "patience" in model_class(variant.model).parameter_names()


# -- measurements --------------------------------------------------------------------------------------------------
def seconds_an_epoch(fitted: Fitted, *, n: int = 4) -> dict[str, float]:
    """Time an epoch (``seconds_epoch``) by what fits of n + 1 epochs take more than fits of one."""
    seconds = []
    for epochs in (1, n + 1):
        start = time.perf_counter()
        fit_model(fitted.fit.model, fitted.train, **{**fitted.model.parameters, "n_epochs": epochs})
        seconds.append(time.perf_counter() - start)
    return {"seconds_epoch": max(seconds[1] - seconds[0], 0.0) / n}


def transductive(fitted: Fitted) -> dict[str, float]:
    """Return ``transductive_rmse``: N(u) holds the films of the test pairs too; for no table beside others."""
    model = type(fitted.model)(**fitted.model.parameters).fit_transductive(fitted.train, fitted.test)
    return {"transductive_rmse": rmse(fitted.test.ratings, answers(model, fitted.test))}


# -- what they left ------------------------------------------------------------------------------------------------
def sampled_of(
    record: Mapping[str, Any], test: Interactions, exclude: str, *, n_sampled: int
) -> SampledRanks:
    """Return the sampled ranks that a fit left (`lib.experiment.measurements.sampled`)."""
    rows = cases_of(test)
    above, level = (np.asarray(record[f"{kind}_{exclude}"], dtype=np.int32) for kind in ("above", "level"))
    return SampledRanks(test.users[rows], test.items[rows], above, level, n_sampled)


def list_quality(ranks: Mapping[str, Sequence[SampledRanks]], lists: Sequence[Ranking]) -> dict[str, float]:
    """Return what the test of lists finds of a model, means over its random starts.

    Parameters
    ----------
    ranks : mapping of str to sequence of SampledRanks
        By what was kept out of the samples.
    lists : sequence of Ranking
        Over the full catalogue.

    Returns
    -------
    dict of float
        ``hits_none`` and ``hits_rated`` (sampled hits among the first ten), ``percentile`` (sampled, rated films kept
        out), ``ndcg`` and ``precision``.
    """
    found = {f"hits_{kept_out}": [one.hit_rate(10).value for one in of] for kept_out, of in ranks.items()}
    found["percentile"] = [one.mean_percentile_rank().value for one in ranks["rated"]]
    found |= {metric: [one.per_user(metric).value for one in lists] for metric in ("ndcg", "precision")}
    return {name: float(np.mean(values)) for name, values in found.items()}


def explained(
    models: Mapping[str, Recommender], train: Interactions, user: int, item: int, n: int = 5
) -> pd.DataFrame:
    """Put what several models' predictions for one pair rest on side by side, a row a film, with titles.

    Returns
    -------
    DataFrame
        ``model``, ``film`` (title), ``rated`` (the user's training rating) and ``contribution`` (in rating units),
        each model's `n` largest first; then a row for the other films together and one for what no film answers for.
    """
    own = train.users == user
    given = dict(zip(train.items[own].tolist(), train.ratings[own].tolist(), strict=True))
    rows = []
    for name, model in models.items():
        found = model.explain(user, item, n)
        shown = zip(titles_of(train, found.items), found.items, found.contributions, strict=True)
        rows += [[name, title, given.get(int(j), np.nan), float(share)] for title, j, share in shown]
        rows.append([name, "all other films", np.nan, found.rest])
        rows.append([name, "mean, biases, own factors", np.nan, found.baseline])
    return pd.DataFrame(rows, columns=["model", "film", "rated", "contribution"])
