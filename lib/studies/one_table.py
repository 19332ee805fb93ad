"""The one table: from fits of the common protocol to evaluations, and from these to means and spreads over splits."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lib.data.splits import FOLDS, Split
from lib.experiment.evaluation import RATING_METRICS, Evaluation, evaluation_of
from lib.studies.contenders import Contender

LIST_METRICS = ("ndcg", "precision", "recall", "mrr", "coverage")
COSTS = ("seconds_fit", "seconds_predict", "seconds_rank", "n_parameters", "peak_mib")
MEASURED = (*RATING_METRICS, *LIST_METRICS, *COSTS)
INTERVALS = (*RATING_METRICS, "ndcg")  # metrics that get an interval


def protocol_of(split: str) -> str:
    """Return the protocol that a split belongs to: ``"u1 to u5"`` for each of the published folds, else its own name."""
    return "u1 to u5" if split in FOLDS else split


def evaluations_of(
    fits: Iterable[Mapping[str, Any]],
    contenders: Mapping[str, Contender],
    splits: Mapping[str, Split],
    *,
    k: int,
    threshold: float,
    n_resamples: int = 0,
) -> dict[tuple[str, str], Evaluation]:
    """Turn records of `lib.experiment.protocol.table_fits` into what results keep, by contender and split's key."""
    found = {}
    for fit in fits:
        name, key = fit["contender"], fit["split"]
        seed = fit["seed"] if contenders[name].starts else None
        options: dict[str, Any] = {"threshold": threshold, "n_resamples": n_resamples, "intervals": INTERVALS}
        one = found[name, key] = evaluation_of(name, fit, splits[key], ks=(k,), seed=seed, **options)
        if one.predictions is not None:  # kept in single precision, on whatever scale they are
            one.predictions["prediction"] = one.predictions["prediction"].astype(np.float32)
    return found


def fit_table(evaluations: Mapping[tuple, Evaluation], contenders: Mapping[str, Contender], *, k: int) -> pd.DataFrame:
    """Return a row a fit, with errors NaN for models that predict no ratings, and lists where none were drawn."""
    rows = []
    for (name, key), found in evaluations.items():
        row = {"name": name, **contenders[name].facts, "key": key, "protocol": protocol_of(found.split.name)}
        row |= {"seconds_fit": found.seconds_fit, "seconds_predict": found.seconds_predict}
        row |= {metric.removesuffix(f"@{k}"): value for metric, (value, *_) in found.values.items()}
        rows.append(row)
    return pd.DataFrame(rows, columns=["name", "label", "family", "project", "key", "protocol", *MEASURED])


def board(fits: pd.DataFrame) -> pd.DataFrame:
    """Return a row a contender and protocol: means over the splits that have a metric, and how far they spread.

    Spreads are the sample standard deviation, NaN for one split; ``whole`` tells whether it was fitted on all of the
    protocol's splits. Protocols in the order of their first fit, models by RMSE, those without one at the end by nDCG.
    """
    grouped = fits.groupby(["protocol", "name", "label", "family", "project"], sort=False)
    found = grouped[list(MEASURED)].mean()
    found.insert(0, "n_splits", grouped["key"].nunique())
    for metric in ("rmse", "ndcg"):
        found[f"{metric}_spread"] = grouped[metric].std(ddof=1)
    found = found.reset_index()
    found["whole"] = found["n_splits"] == found["protocol"].map(fits.groupby("protocol")["key"].nunique())
    found = found.sort_values(["rmse", "ndcg"], ascending=[True, False])
    order = found["protocol"].map({name: place for place, name in enumerate(fits["protocol"].unique())})
    return found.loc[order.sort_values(kind="stable").index].reset_index(drop=True)


def by_split(fits: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Return contenders' RMSE with a column a split, then ``mean`` and ``spread`` over those that there are.

    Contenders that have all splits come first, by their mean; those without any are left out.
    """
    keys = list(keys)
    mine = fits[fits["key"].isin(keys) & fits["rmse"].notna()]
    wide = mine.pivot_table(index=["name", "label", "project"], columns="key", values="rmse", sort=False)
    wide = wide.reindex(columns=keys).rename_axis(columns=None)
    wide["mean"], wide["spread"] = wide[keys].mean(axis=1), wide[keys].std(axis=1, ddof=1)
    wide["gaps"] = wide[keys].isna().any(axis=1)
    return wide.reset_index().sort_values(["gaps", "mean"], ignore_index=True).drop(columns="gaps")


def choice_table(contenders: Mapping[str, Contender], choices: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return a row a contender: where its hyperparameters come from, what the best trial had, and what was chosen."""
    found = pd.DataFrame([{"model": one.label, **choices[name]} for name, one in contenders.items()])
    found["hyperparameters"] = found["parameters"].map(in_words)
    names = {"how": "from", "validation": "validation_value", "chosen_on": "validation_ratings"}
    columns = ["model", "how", "trials", "validation", "metric", "chosen_on", "hyperparameters"]
    return found[columns].astype({"trials": "Int64", "validation": float}).rename(columns=names)


def in_words(parameters: Mapping[str, Any]) -> str:
    """Write hyperparameters down in one line."""

    def text(value: Any) -> str:
        if isinstance(value, Mapping):
            return ", ".join(f"{name} {text(v)}" for name, v in value.items())
        if isinstance(value, (list, tuple)):
            return ", ".join(map(text, value)) or "none"
        return f"{value:.3g}" if isinstance(value, float) else str(value)

    return "; ".join(f"{name.replace('_', ' ')} {text(value)}" for name, value in parameters.items())
