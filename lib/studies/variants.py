"""The models of a study: what defines and what is searched of each, and its records over several random starts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import pandas as pd
from optuna.distributions import BaseDistribution

from lib.data.interactions import Interactions
from lib.experiment.measurements import errors_of
from lib.experiment.space import Integer, Real, Space, hyperparameters
from lib.metrics.per_user import PerUser, averaged
from lib.models import label

Fits = Iterable[Mapping[str, Any]]  # records of fits, labelled ``variant``

MEASURED = ("test_rmse", "train_rmse", "validation_rmse", "n_epochs", "seconds_fit", "n_parameters")


def magnitudes(**ranges: tuple[float, float]) -> dict[str, BaseDistribution]:
    """Return ranges that are searched by order of magnitude: whole numbers where the lower end is written as one."""
    return {
        name: Integer(low, int(high), log=True) if isinstance(low, int) else Real(low, high, log=True)
        for name, (low, high) in ranges.items()
    }


@dataclass(frozen=True)
class Variant:
    """One model of a study: registered name, what is fixed, and the space that is searched, None where nothing is."""

    name: str
    label: str = field(repr=False)  # the rest says what a search depends on
    model: str
    fixed: Mapping[str, Any]
    space: Space | None = field(default=None, repr=False)

    @classmethod
    def of(cls, model: str, searched: Mapping[str, BaseDistribution] | None = None, **fixed) -> Self:
        """Return a model under its own name and label."""
        return cls(model, label(model), model, fixed, Space(searched) if searched else None)

    def parameters(self, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """Turn a point of any variant's search into this one's hyperparameters, as B does: what does not apply drops out."""
        searched = {name: value for name, value in chosen.items() if name in (self.space or {})}
        return {**hyperparameters(searched, self.fixed), **self.fixed}


def by_name(*variants: Variant) -> dict[str, Variant]:
    """Return variants by their names."""
    return {one.name: one for one in variants}


def by_variant(fits: Fits) -> dict[str, list[Mapping[str, Any]]]:
    """Put each variant's records together, in the order in which they come."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for fit in fits:
        found.setdefault(fit["variant"], []).append(fit)
    return found


def over_starts(fits: Fits, measured: Sequence[str] = MEASURED) -> pd.DataFrame:
    """Return the mean of each of some measurements over a variant's starts, a row a variant."""
    starts = by_variant(fits)
    rows = [[np.mean([fit[name] for fit in of]) for name in measured] for of in starts.values()]
    return pd.DataFrame(rows, list(starts), list(measured), dtype=float)


def spread(fits: Fits) -> pd.Series:
    """Return the sample standard deviation of the test RMSE over a variant's starts; NaN for one start."""
    starts = by_variant(fits).items()
    return pd.Series({name: pd.Series([fit["test_rmse"] for fit in of]).std() for name, of in starts})


def averaged_errors(fits: Fits, test: Interactions) -> PerUser:
    """Return each user's squared errors, averaged over the starts of one variant, for paired comparisons."""
    return averaged([errors_of(fit, test).per_user("rmse") for fit in fits])  # type: ignore[union-attr]  # all predict
