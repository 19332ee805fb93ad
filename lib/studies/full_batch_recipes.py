"""What project E leaves open of its training, as recipes by name: optimiser, clipping, sum or mean; how near each comes to E."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from lib.data.interactions import Interactions
from lib.experiment.fit import Fit
from lib.studies.full_batch import WEIGHT, WEIGHTS, Arrays, FullBatch
from lib.studies.full_batch_study import LABELS, figure_name, training

AS_READ = "gradient descent as E's slides have it"
"""The one recipe in E's words alone: E names clipping without a threshold, and another optimiser as what it left undone."""

MOMENTUM = {"model": f"{__name__}:Momentum"}
BY_LENGTH = {"clip_by": "norm"}

RECIPES: dict[str, dict[str, Any]] = {  # by what readers see: changes for `training`, and the model if not `FullBatch`
    AS_READ: {},
    "each number of the gradient clipped at 1": {"clip_gradient": 1.0},
    "each number of the gradient clipped at 10": {"clip_gradient": 10.0},
    "each number of the gradient clipped at 100": {"clip_gradient": 100.0},
    "each number of the gradient clipped at 1,000": {"clip_gradient": 1e3},
    "each number of the gradient clipped at 10,000": {"clip_gradient": 1e4},
    "the gradient's length clipped at 1,000": {"clip_gradient": 1e3, **BY_LENGTH},
    "the gradient's length clipped at 1,000,000": {"clip_gradient": 1e6, **BY_LENGTH},
    "Adam": {"optimiser": "adam"},
    "Adam at ten times E's rates": {"optimiser": "adam", "rate_factor": 10.0},
    "momentum": MOMENTUM,
    "errors averaged instead of summed": {"averaged": True},
}


class Momentum(FullBatch):
    r"""`FullBatch` whose steps have momentum, :math:`v = 0.9\,v + g`, of the gradient after clipping, as in PyTorch."""

    KEPT = 0.9

    def _fit(self, train: Interactions, validation: Any) -> None:
        self._velocity: Arrays = {}
        super()._fit(train, validation)

    def _clip(self, gradients: Arrays) -> None:
        super()._clip(gradients)
        for name, gradient in gradients.items():
            gradient += self.KEPT * self._velocity.get(name, 0.0)
            self._velocity[name] = gradient


def by_recipe(names: Iterable[str], rows: Sequence[Mapping[str, Any]], **shared: Any) -> list[Fit]:
    """Return `training` of some of E's models, rows with ``model`` and ``size``, by each of some `RECIPES`."""
    fits = []
    for name in names:
        changes = dict(RECIPES[name])
        model = changes.pop("model", "")
        for row in rows:
            fit = training(row["model"], row["size"], changes, **shared)
            fits.append(replace(fit, model=model or fit.model, labels={**fit.labels, "recipe": name}))
    return fits


def reach(name: str, *, n_epochs: int, rate_factor: float) -> float:
    """Return how far a number can go in a training at the smallest of E's rates; infinite where nothing bounds a step.

    Adam's step is about its rate; a clipped length bounds each number, too, though not all of them together so far.
    """
    recipe = RECIPES[name]
    bound = 1.0 if recipe.get("optimiser") == "adam" else recipe.get("clip_gradient", np.inf)
    rate = rate_factor * recipe.get("rate_factor", 1.0) * min(rate for *_, rate in LABELS.values())
    return n_epochs * rate * bound


def tightest(**training: Any) -> str:
    """Return the recipe that bounds steps the most and still lets every number `reach` as far as E's start is wide, 1."""
    found = {name: reach(name, **training) for name in RECIPES}
    return min((name for name in found if found[name] >= 1), key=found.__getitem__)


def pull(*, n_epochs: int, rate_factor: float) -> float:
    """Return the most by which E's penalty changes the length of an array in a training by gradient descent.

    The gradient of a length has a length of 1, whichever rows of the array are counted.
    """
    rates = {model: rate * WEIGHTS.get(model, WEIGHT) for model, (*_, rate) in LABELS.items()}
    return n_epochs * rate_factor * max(rates.values())


def errors(found: Iterable[Mapping[str, Any]], reported: Mapping[str, float]) -> pd.DataFrame:
    """Return records of `by_recipe`, each once: ``recipe``, ``model``, ``size``, ``test_rmse``, ``diverged`` and ``off``.

    ``off`` is the share by which an error is off E's, infinite where it diverged; `reported` are E's by `figure_name`.
    """
    names = ["recipe", "model", "size", "test_rmse", "diverged"]
    table = pd.DataFrame([[one[name] for name in names] for one in found], columns=names).drop_duplicates()
    theirs = [reported[figure_name(model, size)] for model, size in zip(table["model"], table["size"], strict=True)]
    off = (table["test_rmse"].astype(float) / np.array(theirs, float) - 1).abs()
    return table.assign(off=off.mask(table["diverged"].astype(bool), np.inf))


def counts(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row a recipe of `errors`, in its order: ``figures``, ``within_2`` and ``within_8`` per cent, ``diverged``."""
    of = table.groupby("recipe", sort=False)["off"]
    rows = {r: [len(off), (off <= 0.02).sum(), (off <= 0.08).sum(), np.isinf(off).sum()] for r, off in of}
    columns = ["figures", "within_2", "within_8", "diverged"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("recipe")
