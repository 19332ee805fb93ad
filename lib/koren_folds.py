"""Koren's models beside scikit-surprise's on the same folds: equal at its defaults, and what tuning adds."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lib.experiment.fit import Fit, Fitted, Parts, fit_model
from lib.experiment.protocol import parts_of
from lib.experiment.run import run_fits
from lib.interactions import Interactions
from lib.models import label
from lib.models.base import Recommender
from lib.splits import k_fold


class SurpriseSVD(Recommender):
    """scikit-surprise's SVD, asked by codes; by default with its own defaults, which may change with its version."""

    loaded_first = ("surprise",)
    kind = "SVD"
    options: Mapping[str, Any] = {}

    def __init__(
        self, *, n_factors: int = 100, n_epochs: int = 20, lr_all: float = 0.005, reg_all: float = 0.02
    ):
        self.n_factors, self.n_epochs, self.lr_all, self.reg_all = n_factors, n_epochs, lr_all, reg_all

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        import surprise

        frame = pd.DataFrame(
            {"user": train.users, "item": train.items, "rating": train.ratings.astype(float)}
        )
        self._known = surprise.Dataset.load_from_df(
            frame, surprise.Reader(rating_scale=train.scale)
        ).build_full_trainset()
        algorithm = getattr(surprise, self.kind)(**self.parameters, **self.options, random_state=0)
        start = time.perf_counter()
        self._fitted = algorithm.fit(self._known)
        self.seconds_ = time.perf_counter() - start

    def predict(self, users: np.ndarray, items: np.ndarray, times: np.ndarray | None = None) -> np.ndarray:
        """Ask scikit-surprise, pair by pair."""
        users, items = self._pairs(users, items, times)
        inner = self._known._raw2inner_id_users, self._known._raw2inner_id_items
        pairs = zip(users.tolist(), items.tolist(), strict=True)
        return np.array(
            [self._fitted.estimate(inner[0].get(u, "new"), inner[1].get(i, "new")) for u, i in pairs]
        )

    @property
    def n_parameters_(self) -> int:
        """Biases and factors."""
        tables = (getattr(self._fitted, name, np.empty(0)) for name in ("bu", "bi", "pu", "qi", "yj"))
        return sum(table.size for table in tables)


class SurpriseSVDpp(SurpriseSVD):
    """scikit-surprise's SVD++."""

    kind = "SVDpp"
    options: Mapping[str, Any] = {"cache_ratings": True}

    def __init__(
        self, *, n_factors: int = 20, n_epochs: int = 20, lr_all: float = 0.007, reg_all: float = 0.02
    ):
        super().__init__(n_factors=n_factors, n_epochs=n_epochs, lr_all=lr_all, reg_all=reg_all)


SAME = {"svd": ("biased_svd", SurpriseSVD), "svdpp": ("svdpp", SurpriseSVDpp)}
"""A model here and the one there whose settings it is given, by the end of the names that results use."""


def compare_on_folds(
    dataset, n_folds: int, tuned: Mapping[str, Mapping[str, Any]], *, seed: int
) -> pd.DataFrame:
    """Fit scikit-surprise's SVD and SVD++, the same ones here, and tuned models on each of some random folds.

    Parameters
    ----------
    dataset : Dataset
    n_folds : int
    tuned : mapping of str to mapping
        Hyperparameters by registered name.
    seed : int
        Of the folds.

    Returns
    -------
    DataFrame
        A row a model: ``name``, ``model`` (for readers), ``rmse`` and ``spread`` (mean and standard deviation over
        folds, predictions clipped to the scale), ``seconds`` (of a fit) and ``gap``: the largest difference to
        scikit-surprise's predictions, NaN where the settings are not the same.
    """
    folds = {fold.fold: fold for fold in k_fold(dataset.interactions, n_folds=n_folds, seed=seed)}
    fits = [
        Fit(
            model, parameters, train=f"{fold}/train", test=f"{fold}/test", **options,
            measure={"predictions": {"dtype": "float64"}, "errors": {"parts": ["test"]}, f"{__name__}:seconds": {}},
            labels={"name": name, "fold": fold},
        )
        for fold in folds
        for name, model, parameters, options in _rows(tuned)
    ]  # fmt: skip
    table = pd.DataFrame(run_fits(fits, parts_of(folds)))
    theirs = table.set_index(["name", "fold"])["predictions"]
    table["gap"] = [
        float(np.abs(row.predictions - theirs[row.name.replace("same", "surprise"), row.fold]).max())
        if row.name.startswith("same")
        else np.nan
        for row in table.itertuples(index=False)
    ]
    found = table.groupby("name", sort=False).agg(
        rmse=("test_rmse", "mean"), spread=("test_rmse", "std"), seconds=("seconds_fit", "mean"), gap=("gap", "max")
    )  # fmt: skip
    found.insert(0, "model", [_label(name) for name in found.index])
    return found.reset_index()


def seconds(fitted: Fitted) -> dict[str, float]:
    """Leave out, of ``seconds_fit``, what scikit-surprise takes to make its own data structure."""
    return {"seconds_fit": getattr(fitted.model, "seconds_", fitted.seconds_fit)}


def compiled(parts: Parts, fit: Fit) -> Parts:
    """Fit a few ratings first, so that no compiler runs while the clock does."""
    fit_model(fit.model, parts[fit.train].take(np.arange(1000)), **fit.parameters)
    return {}


def _rows(tuned: Mapping[str, Mapping[str, Any]]):
    """Yield name, model, hyperparameters and further options of each fit on a fold."""
    for name, (_, theirs) in SAME.items():
        yield f"surprise_{name}", f"{__name__}:{theirs.__name__}", theirs().parameters, {}
    for name, (ours, theirs) in SAME.items():
        yield f"same_{name}", ours, _same(ours, theirs()), {"prepare": (f"{__name__}:compiled", {})}
    for name, parameters in tuned.items():
        yield name, name, parameters, {}


def _same(ours: str, theirs: SurpriseSVD) -> dict[str, Any]:
    groups = ("bias", "factor", "implicit") if ours == "svdpp" else ("bias", "factor")
    found = {f"{group}_learning_rate": theirs.lr_all for group in groups}
    found |= {f"{group}_regularisation": theirs.reg_all for group in groups}
    return found | {
        "n_factors": theirs.n_factors, "n_epochs": theirs.n_epochs, "learning_rate_decay": 1.0, "initial_scale": 0.1,
        "shuffle": False, "dtype": "float64",
    }  # fmt: skip


def _label(name: str) -> str:
    kind, _, same = name.partition("_")
    if kind == "surprise":
        return f"scikit-surprise, {SAME[same][1].kind.replace('pp', '++')}"
    if kind == "same":
        return f"{label(SAME[same][0]).split(',')[0]}, at those settings"
    return f"{label(name).split(',')[0]}, tuned"
