"""Project E's study of Koren's family: what is fixed and what is searched in each model, and what one fit leaves."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lib.evaluation import score_matrix
from lib.interactions import Interactions
from lib.metrics import recommend
from lib.metrics.per_user import PerUser
from lib.metrics.rating import rmse
from lib.metrics.sampled import SampledRanks, sampled_ranks
from lib.models import create, model_class
from lib.models.base import Recommender
from lib.recommendations import titles_of
from lib.search_space import Integer, Real, Space
from lib.splits import Split
from lib.variants import Variant

MODULES = (
    "lib.item_similarity", "lib.models.bias", "lib.models.rated_neighbours", "lib.models.correlation_neighbours",
    "lib.models.interpolated_neighbours", "lib.models.nonnegative", "lib.models.sgd_engine", "lib.models.sgd_kernels",
    "lib.models.sgd_schedule", "lib.models.sgd_answers", "lib.models.sgd_parameters", "lib.models.sgd_time",
    "lib.models.biased_svd", "lib.models.nsvd", "lib.models.neighbourhood", "lib.models.asymmetric_svd",
    "lib.models.svdpp", "lib.models.integrated", "lib.models.timesvdpp",
)  # fmt: skip
"""What a fit's outcome depends on, for the ``version`` of searches."""

ORDER = ("biased_svd", "asymmetric_svd", "svdpp", "integrated")
"""From the largest error to the smallest, as the papers have it."""

AT_SCALE = {
    "SVD, 50 factors": ("biased_svd", {"n_factors": 50, "n_epochs": 1}),
    "Asymmetric-SVD, 50 factors": ("asymmetric_svd", {"n_factors": 50, "n_epochs": 1}),
    "SVD++, 50 factors": ("svdpp", {"n_factors": 50, "n_epochs": 1}),
}
"""What is timed on made-up ratings (`lib.scale_study`)."""

LATENT = ("biased_svd", "nsvd", "asymmetric_svd", "svdpp", "integrated", "timesvdpp")
"""Models with factors."""


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
        Variant("bias", "Baseline", "bias", {}, Space({"user_regularisation": penalty, "item_regularisation": penalty})),
        Variant("correlation_neighbours", "CorNgbr", "correlation_neighbours", {}, Space({
            "n_neighbours": Integer(10, 100, log=True), "shrinkage": Real(10.0, 1000.0, log=True),
        })),
        Variant("interpolated_neighbours", "WgtNgbr", "interpolated_neighbours", {}, Space({
            "n_neighbours": Integer(10, 60, log=True), "moment_shrinkage": Real(20.0, 1000.0, log=True),
        })),
        Variant("nsvd", "NSVD", "nsvd", size, Space(factors | implicit | biases)),
        Variant("biased_svd", "SVD", "biased_svd", size, Space(factors | biases)),
        Variant("neighbourhood", "Revised neighbourhood", "neighbourhood", near, Space(weights | biases)),
        Variant("asymmetric_svd", "Asymmetric-SVD", "asymmetric_svd", size, Space(factors | implicit | biases)),
        Variant("svdpp", "SVD++", "svdpp", size, Space(factors | implicit | biases)),
        Variant("integrated", "Integrated model", "integrated", size | near, Space(factors | implicit | weights | biases)),
        Variant("timesvdpp", "timeSVD++", "timesvdpp", size, Space(factors | implicit | moving | biases)),
    ]  # fmt: skip
    return {v.name: v for v in found}


def answers(model: Recommender, data: Interactions) -> np.ndarray:
    """Predict the pairs of `data`, clipped to the scale; a model of time is told when each rating was given."""
    asked = (data.users, data.items)
    if getattr(model, "uses_timestamps", False):
        asked += (data.timestamps,)
    return data.scale.clip(model.predict(*asked))


def search_context(variant: Variant, split: Split, *, most_epochs: int, patience: int) -> dict[str, Any]:
    """Bring a variant and the validation data (``split.test``) into the form that `validate` is handed."""
    return {
        "variant": variant, "train": split.train, "validation": split.test,
        "settings": {"most_epochs": most_epochs, "patience": patience},
    }  # fmt: skip


def validate(context: Mapping[str, Any], parameters: Mapping[str, Any], fold: int) -> dict[str, float]:
    """Fit one point of a search, stopped early; the score is the clipped RMSE on the validation ratings."""
    one = context["variant"]
    model = _stopped(one, one.parameters(parameters), context["train"], context["validation"], **context["settings"])  # fmt: skip
    found = {"score": rmse(context["validation"].ratings, answers(model, context["validation"]))}
    return found | {"n_epochs": float(getattr(model, "n_epochs_", 0))}


def _stopped(
    one: Variant, parameters: Mapping[str, Any], train, validation, *, most_epochs: int, patience: int
):
    """Fit a model on the inner training ratings; one that is trained by epochs keeps the best on validation ratings."""
    parameters = dict(parameters)
    if "patience" in model_class(one.model).parameter_names():
        parameters = {"n_epochs": most_epochs, "patience": patience, **parameters}
    return create(one.model, **parameters).fit(train, validation=validation)


def measure(
    context: Mapping[str, Any], *, variant: str, chosen: Mapping[str, Any], changes: Mapping[str, Any], seed: int = 0,
    lists: bool = False, timed: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Find a model's number of epochs on validation ratings, fit it on all training ratings, and measure it.

    Parameters
    ----------
    context : mapping
        ``train`` and ``test``; ``inner_train`` and ``inner_test``, validation data cut from train; ``settings``:
        ``most_epochs``, ``patience``, ``k`` (length of the lists), ``n_sampled`` (films that a held-out one is put among)
        and ``sampling_seed``.
    chosen : mapping
        A point of the variant's search.
    changes : mapping
        Hyperparameters that differ from variant and search, such as the number of factors.
    lists : bool
        Whether to draw everybody's list, and to rank held-out favourites among random films.
    timed : bool
        Whether to time one epoch, by fits of one and of several.

    Returns
    -------
    dict
        ``predictions`` (float32, clipped, in the order of the test ratings), ``test_rmse``, ``train_rmse``,
        ``validation_rmse`` (of the first fit), ``n_epochs``, ``curve`` (that fit's validation RMSE by epoch, unclipped;
        empty where there are no epochs), ``seconds_fit``, ``seconds_predict``, ``n_parameters``; with `lists` also
        ``items``, ``scores`` and, for what is kept out of the samples ("none" or "rated"), ``above_*`` and ``level_*``
        (`lib.metrics.sampled.SampledRanks`); with `timed` also ``seconds_epoch``.
    """
    one, settings = variants()[variant], context["settings"]
    train, test = context["train"], context["test"]
    parameters = {**one.parameters(chosen), **changes}
    if "seed" in model_class(one.model).parameter_names():
        parameters["seed"] = seed
    stopping = {name: settings[name] for name in ("most_epochs", "patience")}
    stopped = _stopped(one, parameters, context["inner_train"], context["inner_test"], **stopping)
    epochs = {"n_epochs": int(stopped.n_epochs_)} if hasattr(stopped, "n_epochs_") else {}
    start = time.perf_counter()
    model = create(one.model, **parameters, **epochs).fit(train)
    fitted = time.perf_counter()
    predicted = answers(model, test)
    done = time.perf_counter()
    found = {
        "predictions": predicted.astype(np.float32), "test_rmse": rmse(test.ratings, predicted),
        "train_rmse": rmse(train.ratings, answers(model, train)),
        "validation_rmse": rmse(context["inner_test"].ratings, answers(stopped, context["inner_test"])),
        "n_epochs": epochs.get("n_epochs", 0),
        "curve": np.asarray(stopped.history_)[:, 1].astype(np.float64) if epochs else np.empty(0),
        "seconds_fit": fitted - start, "seconds_predict": done - fitted, "n_parameters": int(model.n_parameters_),
    }  # fmt: skip
    if timed and epochs:
        found["seconds_epoch"] = _seconds_an_epoch(one, parameters, train)
    return found | (_lists(model, train, test, settings) if lists else {})


def _seconds_an_epoch(one: Variant, parameters: Mapping[str, Any], train: Interactions, n: int = 4) -> float:
    """Time an epoch by what fits of n + 1 epochs take more than fits of one."""
    seconds = []
    for epochs in (1, n + 1):
        start = time.perf_counter()
        create(one.model, **{**parameters, "n_epochs": epochs}).fit(train)
        seconds.append(time.perf_counter() - start)
    return max(seconds[1] - seconds[0], 0.0) / n


class _Scores(NamedTuple):
    """Scores of everybody, made once for several questions."""

    values: np.ndarray

    def score(self, users: np.ndarray) -> np.ndarray:
        return self.values[users]


def _lists(model: Recommender, train: Interactions, test: Interactions, settings: Mapping[str, Any]) -> dict:
    scores = _Scores(score_matrix(model, train).values)
    top = recommend(scores, train, settings["k"])
    found = {"items": top.items, "scores": top.scores.astype(np.float32)}
    for exclude in ("none", "rated"):
        ranks = sampled_ranks(
            scores, train, test, n_sampled=settings["n_sampled"], exclude=exclude, seed=settings["sampling_seed"]
        )  # fmt: skip
        found |= {f"above_{exclude}": ranks.above, f"level_{exclude}": ranks.level}
    return found


def sampled_of(
    fit: Mapping[str, Any], test: Interactions, settings: Mapping[str, Any], exclude: str
) -> SampledRanks:
    """Return the sampled ranks that `measure` left."""
    rows = np.flatnonzero(test.ratings >= test.scale.high)
    rows = rows[np.lexsort((test.items[rows], test.users[rows]))]
    above, level = (np.asarray(fit[f"{kind}_{exclude}"], dtype=np.int32) for kind in ("above", "level"))
    return SampledRanks(
        test.users[rows], test.items[rows], above, level, settings["n_sampled"], float(test.scale.high), exclude,
        settings["sampling_seed"],
    )  # fmt: skip


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
        rows += [
            {"model": name, "film": title, "rated": given.get(int(j), np.nan), "contribution": float(share)}
            for title, j, share in shown
        ]
        rows.append({"model": name, "film": "all other films", "rated": np.nan, "contribution": found.rest})
        rows.append({"model": name, "film": "mean, biases, own factors", "rated": np.nan, "contribution": found.baseline})  # fmt: skip
    return pd.DataFrame(rows)


def transductive_errors(
    one: Variant, chosen: Mapping[str, Any], n_epochs: int, train: Interactions, test: Interactions
) -> float:
    """Return the test RMSE of a model whose N(u) holds the films of the test pairs too; for no table beside others."""
    model = create(one.model, **one.parameters(chosen), n_epochs=n_epochs).fit_transductive(train, test)
    return rmse(test.ratings, answers(model, test))


def averaged_hits(of_starts: Sequence[SampledRanks], k: int) -> PerUser:
    """Return the sampled hit rate by user, averaged over random starts of one model."""
    samples = [ranks.hit_rate(k) for ranks in of_starts]
    numerators = np.mean([sample.numerators for sample in samples], axis=0)
    return PerUser(samples[0].metric, samples[0].users, numerators, samples[0].denominators)
