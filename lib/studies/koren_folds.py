"""Koren's models beside scikit-surprise's on the same folds: equal at its defaults, and what tuning adds."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from lib.data.interactions import Interactions
from lib.data.splits import k_fold
from lib.experiment.fit import Fit, Fitted, Parts
from lib.experiment.protocol import parts_of
from lib.experiment.run import run_fits
from lib.models import label
from lib.models.base import Recommender
from lib.models.fitting import fit_model


class Surprise(Recommender):
    """A model of scikit-surprise (`kind`: SVD or SVDpp), asked by codes."""

    loaded_first = ("surprise",)

    def __init__(self, *, kind: str, n_factors: int, n_epochs: int, lr_all: float, reg_all: float):
        self._store(locals())

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        import surprise

        columns = {"user": train.users, "item": train.items, "rating": train.ratings.astype(float)}
        reader = surprise.Reader(rating_scale=train.scale)
        self._known = surprise.Dataset.load_from_df(pd.DataFrame(columns), reader).build_full_trainset()
        options = {name: value for name, value in self.parameters.items() if name != "kind"}
        options |= {"cache_ratings": True} if self.kind == "SVDpp" else {}
        algorithm = getattr(surprise, self.kind)(**options, random_state=0)
        start = time.perf_counter()
        self._fitted = algorithm.fit(self._known)
        self.seconds_ = time.perf_counter() - start

    def predict(self, users: np.ndarray, items: np.ndarray, times: np.ndarray | None = None) -> np.ndarray:
        """Ask scikit-surprise, pair by pair."""
        users, items = self._pairs(users, items, times)
        of_users, of_items = self._known._raw2inner_id_users, self._known._raw2inner_id_items
        pairs = zip(users.tolist(), items.tolist(), strict=True)
        known = ((of_users.get(u, "new"), of_items.get(i, "new")) for u, i in pairs)
        return np.array([self._fitted.estimate(*pair) for pair in known])

    @property
    def n_parameters_(self) -> int:
        """Biases and factors."""
        tables = (getattr(self._fitted, name, np.empty(0)) for name in ("bu", "bi", "pu", "qi", "yj"))
        return sum(table.size for table in tables)


SAME: dict[str, tuple[str, dict[str, Any]]] = {
    "svd": ("biased_svd", {"kind": "SVD", "n_factors": 100, "n_epochs": 20, "lr_all": 5e-3, "reg_all": 0.02}),
    "svdpp": ("svdpp", {"kind": "SVDpp", "n_factors": 20, "n_epochs": 20, "lr_all": 7e-3, "reg_all": 0.02}),
}
"""A model here and scikit-surprise's defaults for it, by the end of the names that results use."""


def compare_on_folds(
    dataset, n_folds: int, tuned: Mapping[str, Mapping[str, Any]], *, seed: int
) -> pd.DataFrame:
    """Fit scikit-surprise's SVD and SVD++, the same ones here, and tuned models on each of some random folds.

    `tuned` has hyperparameters by registered name. ``rmse``, of clipped predictions, and ``seconds`` of a fit are means over
    folds, ``spread`` is the RMSE's standard deviation, and ``gap`` the largest difference to scikit-surprise's predictions,
    NaN where the settings are not the same. Empty without folds.
    """
    columns = ["name", "model", "rmse", "spread", "seconds", "gap"]
    if not n_folds:
        return pd.DataFrame(columns=columns)
    folds = {fold.fold: fold for fold in k_fold(dataset.interactions, n_folds=n_folds, seed=seed)}
    measure = {"predictions": {"dtype": "float64"}, "errors": {"parts": ["test"]}, f"{__name__}:seconds": {}}
    fits = []
    for fold in folds:
        shared = {"train": f"{fold}/train", "test": f"{fold}/test", "measure": measure}
        for name, words, model, parameters, options in _rows(tuned):
            labels = {"name": name, "model": words, "fold": fold}
            fits.append(Fit(model, parameters, labels=labels, **shared, **options))
    table = pd.DataFrame(run_fits(fits, parts_of(folds)))
    theirs = table.set_index(["name", "fold"])["predictions"]
    table["gap"] = np.nan
    for row in table[table["name"].str.startswith("same")].itertuples():
        expected = theirs[row.name.replace("same", "surprise"), row.fold]
        table.loc[row.Index, "gap"] = np.abs(row.predictions - expected).max()
    grouped = table.groupby(["name", "model"], sort=False)
    found = grouped.agg(rmse=("test_rmse", "mean"), spread=("test_rmse", "std"), gap=("gap", "max"))
    return found.assign(seconds=grouped["seconds_fit"].mean()).reset_index()[columns]


def seconds(fitted: Fitted) -> dict[str, float]:
    """Leave out, of ``seconds_fit``, what scikit-surprise takes to make its own data structure."""
    return {"seconds_fit": getattr(fitted.model, "seconds_", fitted.seconds_fit)}


def compiled(parts: Parts, fit: Fit) -> Parts:
    """Fit a few ratings first, so that no compiler runs while the clock does."""
    fit_model(fit.model, parts[fit.train].take(np.arange(1000)), **fit.parameters)
    return {}


def _rows(tuned: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, str, Mapping, dict[str, Any]]]:
    """Yield name, words for readers, model, hyperparameters and further options of each fit on a fold."""
    for name, (_, theirs) in SAME.items():
        words = f"scikit-surprise, {theirs['kind'].replace('pp', '++')}"
        yield f"surprise_{name}", words, f"{__name__}:Surprise", theirs, {}
    for name, (ours, theirs) in SAME.items():
        groups = ("bias", "factor", "implicit") if ours == "svdpp" else ("bias", "factor")
        same = {f"{group}_learning_rate": theirs["lr_all"] for group in groups}
        same |= {f"{group}_regularisation": theirs["reg_all"] for group in groups}
        same |= {"n_factors": theirs["n_factors"], "n_epochs": theirs["n_epochs"], "learning_rate_decay": 1.0}
        same |= {"initial_scale": 0.1, "shuffle": False, "dtype": "float64"}
        words = f"{label(ours)}, at those settings"
        yield f"same_{name}", words, ours, same, {"prepare": (f"{__name__}:compiled", {})}
    for name, parameters in tuned.items():
        yield name, f"{label(name)}, tuned", name, parameters, {}
