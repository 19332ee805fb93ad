"""What project A's imputation chapter measures: errors along a path of fits, guesses at how A's figures came about."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from lib.data.splits import Split
from lib.experiment.fit import Fit, Fitted
from lib.experiment.run import run_fits
from lib.metrics.rating import mae, rmse, user_errors
from lib.models.base import Recommender
from lib.models.fitting import answers, fit_model
from lib.models.imputation.hard_impute import hard_impute_path
from lib.models.imputation.soft_impute import soft_impute_path
from lib.models.normalisation import UserMean

PATHS: dict[str, tuple[Callable[..., Iterator[Recommender]], str]] = {  # how fitted, and along which hyperparameter
    "soft_impute": (soft_impute_path, "shrinkage"),
    "hard_impute": (hard_impute_path, "rank"),
}

REFERENCE = "benchmarks.fancyimpute_models"


def reference_fits(*, shrinkage: float, rank: int, converge: bool = False) -> list[Fit]:
    """Return fits of fancyimpute, minutes each: as A runs it, from film means and, with `converge`, to convergence."""
    kinds: dict[str, tuple[str, dict[str, Any]]] = {
        "soft_impute": ("ReferenceSoftImpute", {"shrinkage": shrinkage}),
        "hard_impute": ("ReferenceIterativeSVD", {"rank": rank}),
    }
    asked: list[tuple[str, str, dict[str, Any]]] = [(name, "fancyimpute", {}) for name in kinds]
    asked += [(name, "fancyimpute, started from film means", {"fill": "mean"}) for name in kinds]
    if converge:
        asked.append(("soft_impute", "fancyimpute, converged", {"tolerance": 1e-5, "max_iterations": 1000}))
    errors = {"parts": ["test", "train"], "metrics": ["rmse", "mae"], "by_user": True}
    measure: dict[str, Mapping[str, Any]] = {"errors": errors, f"{__name__}:reached": {}}
    found = []
    for name, engine, further in asked:
        kind, parameters = kinds[name]
        fit = Fit(f"{REFERENCE}:{kind}", {**parameters, **further}, measure=measure, keep="imputation")
        found.append(replace(fit, labels={"model": name, "engine": engine}))
    return found


def reached(fitted: Fitted) -> dict[str, float]:
    """Return a completion's ``rank`` and ``objective``."""
    return {"rank": fitted.model.rank_, "objective": float(fitted.model.objective_)}


def sweep(model: str, values: Sequence[float], split: Split, inner: Split, **parameters: Any) -> pd.DataFrame:
    """Fit a model of `PATHS` along values of its setting, to a split's train and to that of `inner`, cut from it.

    A row a value, rising: the setting, and errors on both; ``rank`` and ``train_rmse`` are of the fit to all of train.
    """
    rows: dict[float, dict[str, float]] = {}
    setting = PATHS[model][1]
    asked = {"model": model, "values": list(values), "parameters": parameters}
    fit = Fit(model, measure={f"{__name__}:along_path": asked}, keep="imputation")
    for part, data in (("test", split), ("validation", inner)):
        (found,) = run_fits([fit], {"train": data.train, "test": data.test})
        for one in found["path"]:
            first = {setting: one["value"], "rank": one["rank"], "train_rmse": one["train_rmse"]}
            row = rows.setdefault(one["value"], first)
            row |= {f"{part}_{metric}": one[metric] for metric in ("rmse", "mae")}
    return pd.DataFrame(rows.values()).sort_values(setting, ignore_index=True)


def along_path(fitted: Fitted, *, model: str, values: Sequence[float], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Fit along values of a setting, and return ``path``: ``value``, ``rank``, ``train_rmse``, test ``rmse`` and ``mae``."""
    path, setting = PATHS[model]
    train, test, rows = fitted.train, fitted.test, []
    for one in path(train, values, **parameters):
        on_test = user_errors(test.users, test.ratings, answers(one, test))
        on_train = user_errors(train.users, train.ratings, answers(one, train))
        row = {"value": one.parameters[setting], "rank": one.rank_}
        row |= {"train_rmse": on_train.rmse, "rmse": on_test.rmse, "mae": on_test.mae}
        rows.append(row)
    return {"path": rows}


def guess(model: Recommender, words: str, name: str, split: Split, clip=True, means: UserMean | None = None) -> dict:
    """Measure one guess at how a published error came about: ``guess`` (`words`), ``model`` (`name`), ``rmse``, ``mae``.

    A model that is not fitted yet is fitted here; fitted `means` are subtracted first, and added to its predictions.
    """
    train, test = split.train, split.test
    if means is not None:
        width = train.scale.high - train.scale.low
        train = train.with_ratings(means.transform(train), (-width, width))
    if not hasattr(model, "U_"):
        fit_model(model, train)
    predicted = model.predict(test.users, test.items)
    if means is not None:
        predicted = means.inverse(test.users, predicted)
    errors = test.ratings, test.scale.clip(predicted) if clip else predicted
    return {"guess": words, "model": name, "rmse": rmse(*errors), "mae": mae(*errors)}


def readings(guesses: pd.DataFrame, published: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """Say of each `guess` if it has the `published` RMSE and MAE once ``cut``, or ``rounded``, to two digits."""
    errors = guesses[["rmse", "mae"]]
    wanted = np.array([published[model] for model in guesses["model"]])
    cut = np.isclose(np.floor(100 * errors + 1e-9) / 100, wanted)
    rounded = np.isclose(errors.round(2).to_numpy(), wanted)
    read = guesses.assign(cut=cut.all(axis=1), rounded=rounded.all(axis=1), rmse_cut=cut[:, 0])
    return read.sort_values(["model", "rmse"], ascending=[False, True], kind="stable", ignore_index=True)


def shared(guesses: pd.DataFrame, reading: str) -> list[str]:
    """Name the guesses that, by a reading of `readings`, hold for every model that there is."""
    models = guesses[guesses[reading]].groupby("guess")["model"].nunique()
    return sorted(models.index[models == guesses["model"].nunique()])
