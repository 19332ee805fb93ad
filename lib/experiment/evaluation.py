"""From what a fit left to its figures with intervals, in the one form in which runs keep results."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from lib import metrics
from lib.data.interactions import Interactions
from lib.data.splits import Split
from lib.experiment import measurements
from lib.experiment.fit import Fit, Fitted
from lib.experiment.measurements import errors_of
from lib.experiment.records import model_of
from lib.experiment.run import run_fits
from lib.metrics.lists import TopK
from lib.metrics.ranking import ranking_of_hits
from lib.metrics.rating import UserErrors
from lib.models import Recommender
from lib.statistics.agreement import ScoreMatrix
from lib.statistics.significance import LEAST_USERS, bootstrap_interval

RATING_METRICS = ("rmse", "mae")
COSTS = ("n_parameters", "peak_mib", "seconds_rank")
MAX_SCORE_CELLS = 30_000_000  # larger score matrices (120 MB in single precision) are not kept
ERRORS: dict[str, Mapping[str, Any]] = {  # what is measured for errors on train and test
    "predictions": {"dtype": "float64"},
    "errors": {"parts": ["train"], "metrics": list(RATING_METRICS), "by_user": True},
}


@dataclass(frozen=True)
class Evaluation:
    """What one fitted model, `model` by its name in results, did on one split.

    `seed` is the model's own, None where it has none. `values` have every metric with its interval (value, low, high;
    NaN where none was asked for). `errors` are test errors of clipped predictions by user, None for a model that does
    not predict ratings; `ranking` is by k, over the full catalogue, train masked; `predictions` and `top_k` are by raw
    id; `scores` are unclipped, of every user and film; `fitted` is the model itself, of `evaluate`.
    """

    model: str
    split: Split
    seed: int | None
    values: dict[str, tuple[float, float, float]]
    seconds_fit: float
    seconds_predict: float
    errors: UserErrors | None = field(default=None, repr=False)
    ranking: dict[int, metrics.Ranking] = field(default_factory=dict, repr=False)
    predictions: pd.DataFrame | None = field(default=None, repr=False)
    top_k: pd.DataFrame | None = field(default=None, repr=False)
    scores: ScoreMatrix | None = field(default=None, repr=False)
    fitted: Recommender | None = field(default=None, repr=False)

    def __getitem__(self, metric: str) -> float:
        """Return one metric's value."""
        return self.values[metric][0]

    def records(self) -> list[dict]:
        """Tidy metric records, without dataset and run."""
        key = {"split": self.split.name, "fold": self.split.fold, "seed": self.seed, "model": self.model}
        seconds = {"seconds_fit": self.seconds_fit, "seconds_predict": self.seconds_predict}
        return [
            {**key, "metric": metric, "value": value, "low": low, "high": high, **seconds}
            for metric, (value, low, high) in self.values.items()
        ]


def evaluation_of(
    name: str,
    found: Mapping[str, Any],
    split: Split,
    *,
    ks: Sequence[int] = (),
    threshold: float = 4.0,
    n_resamples: int = 1000,
    seed: int | None = None,
    list_metrics: Collection[str] | None = None,
    intervals: Collection[str] | None = None,
) -> Evaluation:
    """Turn what a fit left into figures: errors of its predictions, quality of its lists, what it cost.

    Errors weigh every test rating alike. Lists are of the full catalogue, training films masked; a test rating of
    `threshold` or more is relevant, and users without one are left out of means over lists.

    `name` is what results call the model. Of the record `found` count ``predictions`` (clipped, in the order of the
    test ratings), ``items`` and ``scores`` of everybody's list, or what `by_user` and `hits` of
    `lib.experiment.measurements` leave in their place, ``score_matrix``, ``train_rmse``, ``train_mae``,
    ``n_parameters``, ``peak_mib`` and seconds. `ks` are lengths of lists, none for no ranking, `n_resamples` those of
    users for 95% intervals, 0 for none. Metrics in `list_metrics`, such as ``ndcg``, are kept of lists, those in
    `intervals` get one (coverage never does); all by default.
    """
    test, train = split.test, split.train
    values: dict[str, tuple[float, float, float]] = {}
    predictions, lists, matrix = None, None, None

    def keep(metric: str, sample: metrics.PerUser) -> None:
        wanted = intervals is None or metric.partition("@")[0] in intervals
        if not wanted or n_resamples == 0 or len(sample) < LEAST_USERS:
            values[metric] = (sample.value, np.nan, np.nan)
            return
        interval = bootstrap_interval(sample, n_resamples=n_resamples)
        values[metric] = (interval.value, interval.low, interval.high)

    errors = errors_of(found, test)
    for metric in RATING_METRICS:
        if errors is not None:
            keep(metric, errors.per_user(metric))
        elif not np.isnan(value := _number(found.get(f"test_{metric}"))):
            values[metric] = (value, np.nan, np.nan)
    if found.get("predictions") is not None:
        predictions = test.frame().drop(columns="timestamp").assign(prediction=np.asarray(found["predictions"]))
    for metric in ("train_rmse", "train_mae"):
        if not np.isnan(value := _number(found.get(metric))):
            values[metric] = (value, np.nan, np.nan)
    ranking = rankings_in(found, test, train, ks=ks, threshold=threshold)
    for of_length in ranking.values():
        for metric, value in of_length.metrics().items():
            short = metric.partition("@")[0]
            if list_metrics is not None and short not in list_metrics:
                continue
            if short == "coverage":
                values[metric] = (float(value), np.nan, np.nan)
            else:
                keep(metric, of_length.per_user(metric))
    if "items" in found and ks:
        lists = top_of(found, train).frame(train.user_ids, train.item_ids)
    for cost in COSTS:
        if found.get(cost) is not None:
            values[cost] = (float(found[cost]), np.nan, np.nan)
    if found.get("score_matrix") is not None:
        matrix = ScoreMatrix(train.user_ids, train.item_ids, found["score_matrix"])
    seconds = _number(found.get("seconds_fit")), _number(found.get("seconds_predict"))
    return Evaluation(name, split, seed, values, *seconds, errors, ranking, predictions, lists, matrix)


def rankings_in(
    found: Mapping[str, Any], test: Interactions, train: Interactions, *, ks: Sequence[int], threshold: float
) -> dict[int, metrics.Ranking]:
    """Measure the lists that a fit left, whole or as `lib.experiment.measurements.hits`, by their length; none for none."""
    if "items" in found:
        top = top_of(found, train)
        return {k: metrics.evaluate_ranking(top, test, k=k, threshold=threshold, train=train) for k in ks}
    if "hits" not in found:
        return {}
    if found["threshold"] != threshold:
        raise ValueError(f"hits were kept for threshold {found['threshold']:g}, not {threshold:g}; fit again with it")
    marks = np.unpackbits(np.asarray(found["hits"]), axis=1).astype(bool)
    of = {k: {what: found[f"{what}/{k}"] for what in ("novelty", "coverage")} for k in ks}
    return {k: ranking_of_hits(marks, test, k=k, threshold=threshold, **of[k]) for k in ks}


def top_of(found: Mapping[str, Any], train) -> TopK:
    """Return the lists that a fit left (`lib.experiment.measurements.lists`)."""
    users = np.arange(train.n_users, dtype=np.int32)
    return TopK(users, np.asarray(found["items"], dtype=np.int32), np.asarray(found["scores"]), train.n_items)


def evaluate(
    model: str | Recommender,
    split: Split,
    *,
    name: str = "",
    ks: Sequence[int] = (10,),
    threshold: float = 4.0,
    keep: bool = True,
    n_resamples: int = 1000,
    seconds_fit: float | None = None,
    **parameters,
) -> Evaluation:
    """Fit a model on ``split.train`` and measure it on ``split.test``, or find that it was done before.

    The model is a registered name (`parameters` are its hyperparameters), whose record is kept, or a model that is
    fitted already (`seconds_fit` says how long that took); results call it by its `name`, a registered one's by
    default. With `keep` predictions, lists and, up to `MAX_SCORE_CELLS`, the score matrix are kept. Predictions are
    clipped to the scale; cold pairs count like all others. Other options are those of `evaluation_of`.
    `lib.experiment.fit.FitFailed` where the model raised an error, or gave a prediction that is not finite.
    """
    parts = {"train": split.train, "test": split.test}
    measure = {**ERRORS}
    if ks:
        measure["lists"] = {"k": max(ks), "dtype": "float64"}
    if keep and split.train.n_users * split.train.n_items <= MAX_SCORE_CELLS:
        measure["score_matrix"] = {}
    if isinstance(model, str):
        fit = Fit(model, parameters, measure={**measure, "fitted_arrays": {}}, labels={"model": model})
        found: dict[str, Any] = run_fits([fit], parts)[0]
        fitted, name = model_of(found, fit, split.train), name or model
    elif parameters:
        raise TypeError(f"parameters {sorted(parameters)} go with a model's name, not with a model")
    elif not name:
        raise TypeError("give the evaluated model a name: evaluate(model, split, name='...')")
    else:
        fitted = model
        held = Fitted(Fit(type(model).__name__, measure=measure), model, parts, parts)
        found = {"n_parameters": int(model.n_parameters_), "seconds_fit": seconds_fit}
        for what in ("predictions", "errors", *(["lists"] if ks else [])):
            found |= getattr(measurements, what)(held, **measure[what])
        found |= {"score_matrix": held.scores} if "score_matrix" in measure else {}
    seed = getattr(fitted, "seed", None)
    one = evaluation_of(name, found, split, ks=ks, threshold=threshold, n_resamples=n_resamples, seed=seed)
    one = one if keep else replace(one, predictions=None, top_k=None)
    return replace(one, fitted=fitted)


def evaluate_each(model: str, wanted: Sequence[Mapping[str, Any]], split: Split, *, keep: str = "") -> list[Evaluation]:
    """Fit a registered model with several hyperparameters, side by side, and measure errors, without intervals.

    Each of `wanted` has the hyperparameters of a fit, ``seed`` among them where the model has one; `keep` is the group under
    which the project keeps them.
    """
    measure = {"errors": {**ERRORS["errors"], "parts": ["test", "train"]}}
    fits = [Fit(model, dict(one), measure=measure) for one in wanted]
    found = run_fits(fits, {"train": split.train, "test": split.test}, keep=keep)
    return [
        evaluation_of(model, record, split, n_resamples=0, seed=one.get("seed"))
        for one, record in zip(wanted, found, strict=True)
    ]


def _number(value: Any) -> float:
    return np.nan if value is None else float(value)
