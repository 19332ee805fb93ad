"""Several random starts of each variant of a study: put together, averaged, and made one for paired comparisons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lib.data.interactions import Interactions
from lib.metrics.per_user import PerUser, averaged
from lib.metrics.rating import user_errors

Fits = Iterable[Mapping[str, Any]]
"""Records of fits, labelled ``variant``."""

MEASURED = ("test_rmse", "train_rmse", "validation_rmse", "n_epochs", "seconds_fit", "n_parameters")


def by_variant(fits: Fits) -> dict[str, list[Mapping[str, Any]]]:
    """Put each variant's records together, in the order in which they come."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for fit in fits:
        found.setdefault(fit["variant"], []).append(fit)
    return found


def over_starts(fits: Fits, measured: Sequence[str] = MEASURED) -> pd.DataFrame:
    """Return the mean of each of some measurements over a variant's starts, a row a variant."""
    means = {
        n: [np.mean([fit[name] for fit in of]) for name in measured] for n, of in by_variant(fits).items()
    }
    return pd.DataFrame.from_dict(means, orient="index", columns=list(measured), dtype=float)


def spread(fits: Fits, measured: str = "test_rmse") -> pd.Series:
    """Return the sample standard deviation of a measurement over a variant's starts; NaN for one start."""
    starts = by_variant(fits)
    return pd.Series({n: pd.Series([fit[measured] for fit in of]).std() for n, of in starts.items()})


def averaged_errors(fits: Fits, test: Interactions) -> PerUser:
    """Return each user's squared errors, averaged over the starts of one variant, for paired comparisons."""
    predicted = [np.asarray(fit["predictions"], dtype=np.float64) for fit in fits]
    return averaged([user_errors(test.users, test.ratings, one).per_user("rmse") for one in predicted])
