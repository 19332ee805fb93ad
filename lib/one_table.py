"""The one table: from fits of the common protocol to evaluations, and from these to means and spreads over splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lib import metrics
from lib.contenders import Contender
from lib.evaluation import RATING_METRICS, Evaluation
from lib.metrics.lists import TopK
from lib.ranking_study import lists_of
from lib.significance import bootstrap_interval
from lib.splits import Split

LIST_METRICS = ("ndcg", "precision", "recall", "mrr", "coverage")
COSTS = ("seconds_fit", "seconds_predict", "seconds_rank", "n_parameters", "peak_mib")
FOLDS = ("u1", "u2", "u3", "u4", "u5")
PROTOCOLS = {"u1 to u5": FOLDS}
"""Splits that are one protocol together; any other split's name is its own protocol."""


def protocol_of(split: str) -> str:
    """Return the protocol that a split belongs to: ``"u1 to u5"`` for each of the published folds, else its own name."""
    return next((name for name, members in PROTOCOLS.items() if split in members), split)


def top_of(fit: Mapping[str, Any], split: Split) -> TopK | None:
    """Return the lists that `lib.common_protocol.measure` left, None where none were drawn."""
    return lists_of(fit, split.train) if "items" in fit else None


def evaluation_of(
    one: Contender, fit: Mapping[str, Any], split: Split, *, k: int, threshold: float, n_resamples: int = 0
) -> Evaluation:
    """Turn what `lib.common_protocol.measure` left into the form in which results are kept.

    Parameters
    ----------
    one : Contender
    fit : mapping
    split : Split
        The one that was fitted; its fold tells repeated splits apart.
    k : int
        Length of the lists that are measured, at most what was drawn.
    threshold : float
        A test rating of this or more is relevant; users without one are left out of means over lists.
    n_resamples : int
        Resamples of users for 95% intervals of RMSE, MAE and nDCG; 0 for none.
    """
    test, train = split.test, split.train
    samples, values = {}, {}
    errors, predictions = None, None
    if "predictions" in fit:
        predicted = np.asarray(fit["predictions"], dtype=np.float64)
        errors = metrics.user_errors(test.users, test.ratings, predicted)
        samples = {metric: errors.per_user(metric) for metric in RATING_METRICS}
        predictions = test.frame().drop(columns="timestamp").assign(prediction=predicted.astype(np.float32))
    ranking, lists = {}, None
    top = top_of(fit, split)
    if top is not None:
        ranking[k] = metrics.evaluate_ranking(top, test, k=k, threshold=threshold, train=train)
        samples[f"ndcg@{k}"] = ranking[k].per_user("ndcg")
        values |= {name: (float(value), np.nan, np.nan) for name, value in ranking[k].metrics().items()}
        lists = top.frame(train.user_ids, train.item_ids)
    for metric, sample in samples.items():
        if n_resamples and len(sample) > 1:
            interval = bootstrap_interval(sample, n_resamples=n_resamples)
            values[metric] = (interval.value, interval.low, interval.high)
        else:
            values[metric] = (sample.value, np.nan, np.nan)
    for cost in ("n_parameters", "peak_mib", "seconds_rank"):
        if fit.get(cost) is not None:
            values[cost] = (float(fit[cost]), np.nan, np.nan)
    return Evaluation(
        model=one.name, fitted=None, split=split, seed=int(fit["seed"]) if one.starts else None, values=values,
        seconds_fit=float(fit["seconds_fit"]), seconds_predict=_number(fit.get("seconds_predict")), errors=errors,
        ranking=ranking, predictions=predictions, top_k=lists,
    )  # fmt: skip


def fit_table(
    evaluations: Mapping[tuple[str, str], Evaluation], contenders: Mapping[str, Contender], *, k: int
) -> pd.DataFrame:
    """Return a row a fit.

    Parameters
    ----------
    evaluations : mapping
        By contender's name and split's key.
    contenders : mapping
    k : int
        Length of the lists.

    Returns
    -------
    DataFrame
        ``name``, ``label``, ``family``, ``project``, ``key`` (the split's), ``protocol``, ``rmse``, ``mae`` (NaN for models
        that predict no ratings), `LIST_METRICS` (NaN where no lists were drawn), `COSTS`.
    """
    rows = []
    for (name, key), found in evaluations.items():
        one = contenders[name]
        listed = {metric: _value(found, f"{metric}@{k}") for metric in LIST_METRICS}
        rows.append(
            {
                "name": name, "label": one.label, "family": one.family, "project": one.project, "key": key,
                "protocol": protocol_of(found.split.name), **{m: _value(found, m) for m in RATING_METRICS}, **listed,
                "seconds_fit": found.seconds_fit, "seconds_predict": found.seconds_predict,
                "seconds_rank": _value(found, "seconds_rank"), "n_parameters": _value(found, "n_parameters"),
                "peak_mib": _value(found, "peak_mib"),
            }
        )  # fmt: skip
    columns = [
        "name",
        "label",
        "family",
        "project",
        "key",
        "protocol",
        *RATING_METRICS,
        *LIST_METRICS,
        *COSTS,
    ]
    return pd.DataFrame(rows, columns=columns)


def board(fits: pd.DataFrame) -> pd.DataFrame:
    """Return a row a contender and protocol: means over the protocol's splits, and how far they spread.

    Parameters
    ----------
    fits : DataFrame
        Of `fit_table`.

    Returns
    -------
    DataFrame
        ``protocol``, ``name``, ``label``, ``family``, ``project``; ``n_splits``, and ``whole``: whether it was fitted on all
        of the protocol's splits, as a mean over fewer stands beside others with care; means of every metric and cost over
        the splits that have it; ``rmse_spread`` and ``ndcg_spread``, the sample standard deviation over splits, NaN for
        one split. Protocols in the order of their first fit, models by RMSE, those without one at the end by nDCG.
    """
    measured = [*RATING_METRICS, *LIST_METRICS, *COSTS]
    keys = ["protocol", "name", "label", "family", "project"]
    grouped = fits.groupby(keys, sort=False)
    found = grouped[measured].mean()
    found.insert(0, "n_splits", grouped["key"].nunique())
    for metric in ("rmse", "ndcg"):
        found[f"{metric}_spread"] = grouped[metric].std(ddof=1)
    found = found.reset_index()
    found["whole"] = found["n_splits"] == found["protocol"].map(fits.groupby("protocol")["key"].nunique())
    order = {name: place for place, name in enumerate(dict.fromkeys(fits["protocol"]))}
    found["place"] = found["protocol"].map(order)
    found["worse"] = -found["ndcg"]
    found = found.sort_values(["place", "rmse", "worse"], ignore_index=True, kind="stable")
    return found.drop(columns=["place", "worse"])


def by_split(fits: pd.DataFrame, keys: Sequence[str], metric: str = "rmse") -> pd.DataFrame:
    """Return one metric with a column a split, then ``mean`` and ``spread``; contenders without it anywhere left out.

    Parameters
    ----------
    fits : DataFrame
        Of `fit_table`.
    keys : sequence of str
        The splits.
    metric : str

    Returns
    -------
    DataFrame
        ``name``, ``label``, ``project``, the splits, ``mean`` over those that it was fitted on, ``spread`` (sample standard
        deviation). Contenders that have all splits first, by their mean; then the others by theirs.
    """
    mine = fits[fits["key"].isin(list(keys)) & fits[metric].notna()]
    wide = mine.pivot_table(index=["name", "label", "project"], columns="key", values=metric, sort=False)
    wide = wide.reindex(columns=list(keys))
    wide["mean"], wide["spread"] = wide[list(keys)].mean(axis=1), wide[list(keys)].std(axis=1, ddof=1)
    wide["gaps"] = wide[list(keys)].isna().any(axis=1)
    wide = wide.reset_index().sort_values(["gaps", "mean"], ignore_index=True, kind="stable")
    wide.columns.name = None
    return wide.drop(columns="gaps")


def choice_table(
    contenders: Mapping[str, Contender], choices: Mapping[str, Mapping[str, Any]]
) -> pd.DataFrame:
    """Return a row a contender: ``model``, ``from``, ``trials``, ``validation``, ``metric``, ``chosen_on``, ``parameters``."""
    return pd.DataFrame(
        [
            {
                "model": one.label, "from": choices[name]["how"], "trials": choices[name]["trials"],
                "validation": choices[name]["validation"], "metric": choices[name]["metric"],
                "chosen_on": choices[name]["chosen_on"], "parameters": in_words(choices[name]["parameters"]),
            }
            for name, one in contenders.items()
        ],
        columns=["model", "from", "trials", "validation", "metric", "chosen_on", "parameters"],
    ).astype({"trials": "Int64", "validation": float})  # fmt: skip


def in_words(parameters: Mapping[str, Any]) -> str:
    """Write hyperparameters down in one line."""

    def text(value: Any) -> str:
        if isinstance(value, Mapping):
            return ", ".join(f"{name} {text(v)}" for name, v in value.items())
        if isinstance(value, (list, tuple)):
            return ", ".join(map(text, value)) or "none"
        return f"{value:.3g}" if isinstance(value, float) else str(value)

    return "; ".join(f"{name.replace('_', ' ')} {text(value)}" for name, value in parameters.items())


def _value(found: Evaluation, metric: str) -> float:
    return found[metric] if metric in found.values else np.nan


def _number(value: Any) -> float:
    return np.nan if value is None else float(value)
