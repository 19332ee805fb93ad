"""Koren's models beside scikit-surprise's on the same folds: equal at its defaults, and what tuning adds."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lib.grid import Grid
from lib.interactions import Interactions
from lib.koren_study import MODULES
from lib.metrics.rating import rmse
from lib.models import create, label
from lib.processes import source_version
from lib.splits import k_fold

SURPRISE = {
    "surprise_svd": ("SVD", {"n_factors": 100, "n_epochs": 20, "lr_all": 0.005, "reg_all": 0.02}),
    "surprise_svdpp": ("SVDpp", {"n_factors": 20, "n_epochs": 20, "lr_all": 0.007, "reg_all": 0.02}),
}
"""scikit-surprise's models at its own defaults, which are written out: they may change with its version."""

SAME = {"same_svd": ("biased_svd", "surprise_svd"), "same_svdpp": ("svdpp", "surprise_svdpp")}
"""The engine here with the settings of a model there."""


def compare_on_folds(
    dataset, n_folds: int, tuned: Mapping[str, Mapping[str, Any]], n_epochs: Mapping[str, int], *, seed: int,
    store: Path | str, workers: int | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Fit scikit-surprise's SVD and SVD++, the same ones here, and tuned models on each of some random folds.

    Parameters
    ----------
    dataset : Dataset
    n_folds : int
    tuned : mapping of str to mapping
        Hyperparameters by registered name.
    n_epochs : mapping of str to int
        Their epochs.
    seed : int
        Of the folds.
    store : path
        Where finished fits are kept.
    workers : int, optional
        As in `lib.grid.Grid`.

    Returns
    -------
    DataFrame
        A row a model: ``name``, ``model`` (for readers), ``rmse`` and ``spread`` (mean and standard deviation over
        folds, predictions clipped to the scale), ``seconds`` (of a fit) and ``gap``: the largest difference to
        scikit-surprise's predictions, NaN where the settings are not the same.
    """
    jobs = [{"name": name} for name in (*SURPRISE, *SAME)]
    jobs += [{"name": n, "parameters": {**p, "n_epochs": n_epochs[n]}} for n, p in tuned.items()]
    rows = []
    for number, fold in enumerate(k_fold(dataset.interactions, n_folds=n_folds, seed=seed)):
        context = {"train": fold.train, "test": fold.test}
        version = source_version("lib.koren_folds", *MODULES)
        with Grid(measure, context=context, store=store, version=version, workers=workers) as grid:
            found = {result["name"]: result for result in grid.run(jobs)}
        for name, result in found.items():
            gap = np.nan
            if name in SAME:
                theirs = np.asarray(found[SAME[name][1]]["predictions"])
                gap = float(np.abs(np.asarray(result["predictions"]) - theirs).max())
            rows.append({"name": name, "fold": number, "gap": gap, **{k: result[k] for k in ("rmse", "seconds_fit")}})  # fmt: skip
    table = pd.DataFrame(rows).groupby("name", sort=False)
    found = table.agg(
        rmse=("rmse", "mean"), spread=("rmse", "std"), seconds=("seconds_fit", "mean"), gap=("gap", "max")
    )
    found.insert(0, "model", [_label(name) for name in found.index])
    return found.reset_index()


def _label(name: str) -> str:
    if name in SURPRISE:
        return f"scikit-surprise, {SURPRISE[name][0].replace('pp', '++')}"
    if name in SAME:
        return f"{label(SAME[name][0]).split(',')[0]}, at those settings"
    return f"{label(name).split(',')[0]}, tuned"


def measure(context: Mapping[str, Any], *, name: str, parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:  # fmt: skip
    """Fit one model on one fold.

    Returns
    -------
    dict
        ``predictions`` (float64, clipped), ``rmse``, ``seconds_fit``.
    """
    train, test = context["train"], context["test"]
    if name in SURPRISE:
        fit = _fit_surprise(name, train)
    elif name in SAME:
        fit = create(SAME[name][0], **_same_settings(name)).fit
        create(SAME[name][0], **_same_settings(name)).fit(train.take(np.arange(1000)))  # compiles
    else:
        fit = create(name, **(parameters or {})).fit
    start = time.perf_counter()
    model = fit(train)
    seconds = time.perf_counter() - start
    predicted = test.scale.clip(model.predict(test.users, test.items))
    return {"predictions": predicted, "rmse": rmse(test.ratings, predicted), "seconds_fit": seconds}


def _same_settings(name: str) -> dict[str, Any]:
    kind, theirs = SAME[name]
    settings = SURPRISE[theirs][1]
    groups = ("bias", "factor", "implicit") if kind == "svdpp" else ("bias", "factor")
    found = {f"{group}_learning_rate": settings["lr_all"] for group in groups}
    found |= {f"{group}_regularisation": settings["reg_all"] for group in groups}
    return found | {
        "n_factors": settings["n_factors"], "n_epochs": settings["n_epochs"], "learning_rate_decay": 1.0,
        "initial_scale": 0.1, "shuffle": False, "dtype": "float64",
    }  # fmt: skip


class _Surprise:
    """A fitted model of scikit-surprise that is asked by codes."""

    def __init__(self, algorithm, trainset):
        self.algorithm, self.trainset = algorithm, trainset

    def predict(self, users, items) -> np.ndarray:
        inner = self.trainset._raw2inner_id_users, self.trainset._raw2inner_id_items
        pairs = zip(users.tolist(), items.tolist(), strict=True)
        return np.array(
            [self.algorithm.estimate(inner[0].get(u, "new"), inner[1].get(i, "new")) for u, i in pairs]
        )


def _fit_surprise(name: str, train: Interactions):
    """Return what fits; its own data structure is made before the clock starts."""
    import surprise

    kind, settings = SURPRISE[name]
    frame = pd.DataFrame({"user": train.users, "item": train.items, "rating": train.ratings.astype(float)})
    reader = surprise.Reader(rating_scale=(train.scale.low, train.scale.high))
    trainset = surprise.Dataset.load_from_df(frame, reader).build_full_trainset()
    more = {"cache_ratings": True} if kind == "SVDpp" else {}
    algorithm = getattr(surprise, kind)(**settings, **more, random_state=0)
    return lambda _: _Surprise(algorithm.fit(trainset), trainset)
