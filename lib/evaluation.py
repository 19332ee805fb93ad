"""One model on one split: fit, predict, clip, measure. Every figure in the report is made here."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from lib import metrics
from lib.agreement import ScoreMatrix
from lib.models import Recommender, create
from lib.significance import bootstrap_interval
from lib.splits import Split

RATING_METRICS = ("rmse", "mae")
MAX_SCORE_CELLS = 30_000_000
"""Score matrices above this size (120 MB in single precision) are not kept."""


@dataclass(frozen=True)
class Evaluation:
    """What one fitted model did on one split.

    Parameters
    ----------
    model : str
        The name that results, tables and figures use.
    fitted : Recommender
    split : Split
    seed : int or None
        The model's own seed; None where it has none.
    errors : lib.metrics.UserErrors or None
        Test errors of clipped predictions by user; None for a model that does not predict ratings.
    ranking : dict of int to lib.metrics.Ranking
        By k; full catalogue, train masked.
    values : dict of str to (value, low, high)
        Every metric with its interval (NaN where none was asked for).
    predictions, top_k : DataFrame or None
        By raw id.
    scores : ScoreMatrix or None
        Unclipped scores of every user and film.
    """

    model: str
    fitted: Recommender = field(repr=False)
    split: Split
    seed: int | None
    values: dict[str, tuple[float, float, float]]
    seconds_fit: float
    seconds_predict: float
    errors: metrics.UserErrors | None = field(default=None, repr=False)
    ranking: dict[int, metrics.Ranking] = field(default_factory=dict, repr=False)
    predictions: pd.DataFrame | None = field(default=None, repr=False)
    top_k: pd.DataFrame | None = field(default=None, repr=False)
    scores: ScoreMatrix | None = field(default=None, repr=False)

    def __getitem__(self, metric: str) -> float:
        """Return one metric's value."""
        return self.values[metric][0]

    def records(self) -> list[dict]:
        """Tidy metric records, without dataset and run."""
        return [
            {
                "split": self.split.name, "fold": self.split.fold, "seed": self.seed, "model": self.model,
                "metric": metric, "value": value, "low": low, "high": high, "seconds_fit": self.seconds_fit,
                "seconds_predict": self.seconds_predict,
            }
            for metric, (value, low, high) in self.values.items()
        ]  # fmt: skip


def evaluate(
    model: str | Recommender,
    split: Split,
    *,
    name: str | None = None,
    validation=None,
    ks: Sequence[int] = (10,),
    threshold: float = 4.0,
    keep: bool = True,
    n_resamples: int = 1000,
    resampling_seed: int = 42,
    fitted: bool = False,
    seconds_fit: float | None = None,
    **parameters,
) -> Evaluation:
    """Fit a model on ``split.train`` and measure it on ``split.test``.

    Predictions are clipped to the rating scale before errors are taken; cold pairs get the model's documented answer
    and count like all others. Errors weigh every test rating alike. Lists are drawn from the full catalogue with
    training films masked; a test rating of `threshold` or more is relevant, and users without one are left out.

    Parameters
    ----------
    model : str or Recommender
        A registered name (`parameters` are its hyperparameters) or a model.
    split : Split
    name : str, optional
        What results call it; the registered name by default.
    validation : Interactions, optional
        Handed to ``fit`` for early stopping.
    ks : sequence of int
        List lengths; empty for no ranking.
    threshold : float
    keep : bool
        Keep predictions, lists and, up to `MAX_SCORE_CELLS`, the score matrix.
    n_resamples : int
        Resamples of users for 95% intervals; 0 for none.
    resampling_seed : int
        Of the intervals; a model's own `seed` is one of its hyperparameters.
    fitted : bool
        `model` is fitted already, on ``split.train``; `seconds_fit` says how long that took.

    Raises
    ------
    ValueError
        The model gave a prediction that is not finite.
    """
    if isinstance(model, str):
        name = name or model
        model = create(model, **parameters)
    elif parameters:
        raise TypeError(f"parameters {sorted(parameters)} go with a model's name, not with a model")
    elif name is None:
        raise TypeError("give the evaluated model a name: evaluate(model, split, name='...')")
    if not fitted:
        start = time.perf_counter()
        model.fit(split.train, validation=validation)
        seconds_fit = time.perf_counter() - start
    test, train = split.test, split.train
    values: dict[str, tuple[float, float, float]] = {}
    errors, predictions, ranking, lists = None, None, {}, None

    start = time.perf_counter()
    raw = model.predict(test.users, test.items)
    seconds_predict = time.perf_counter() - start
    if model.predicts_ratings:
        clipped = test.scale.clip(raw)
        errors = metrics.user_errors(test.users, test.ratings, clipped)
        for metric in RATING_METRICS:
            values[metric] = _with_interval(errors.per_user(metric), n_resamples, resampling_seed)
        on_train = metrics.user_errors(
            train.users, train.ratings, train.scale.clip(model.predict(train.users, train.items))
        )
        for metric in RATING_METRICS:
            values[f"train_{metric}"] = (on_train.per_user(metric).value, np.nan, np.nan)
        if keep:
            predictions = test.frame().drop(columns="timestamp").assign(prediction=clipped)
    if len(ks):
        top = metrics.recommend(model, train, max(ks))
        for k in ks:
            ranking[k] = metrics.evaluate_ranking(top, test, k=k, threshold=threshold, train=train)
            for metric, value in ranking[k].metrics().items():
                if metric.startswith("coverage"):
                    values[metric] = (value, np.nan, np.nan)
                else:
                    values[metric] = _with_interval(ranking[k].per_user(metric), n_resamples, resampling_seed)
        lists = top.frame(train.user_ids, train.item_ids) if keep else None
    values["n_parameters"] = (float(model.n_parameters_), np.nan, np.nan)
    scores = None
    if keep and train.n_users * train.n_items <= MAX_SCORE_CELLS:
        scores = score_matrix(model, train)
    return Evaluation(
        model=name, fitted=model, split=split, seed=getattr(model, "seed", None), values=values,
        seconds_fit=float(seconds_fit if seconds_fit is not None else np.nan), seconds_predict=seconds_predict,
        errors=errors, ranking=ranking, predictions=predictions, top_k=lists, scores=scores,
    )  # fmt: skip


def score_matrix(model: Recommender, train) -> ScoreMatrix:
    """Score every user and film, unclipped, in single precision, a block of users at a time."""
    values = np.empty((train.n_users, train.n_items), dtype=np.float32)
    step = max(1, 4_000_000 // train.n_items)
    for start in range(0, train.n_users, step):
        users = np.arange(start, min(start + step, train.n_users))
        values[users] = model.score(users)
    return ScoreMatrix(train.user_ids, train.item_ids, values)


def _with_interval(sample, n_resamples: int, seed: int) -> tuple[float, float, float]:
    if n_resamples == 0 or len(sample) < 2:
        return sample.value, np.nan, np.nan
    interval = bootstrap_interval(sample, n_resamples=n_resamples, seed=seed)
    return interval.value, interval.low, interval.high
