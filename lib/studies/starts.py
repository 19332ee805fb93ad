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
    starts = by_variant(fits)
    rows = [[np.mean([fit[name] for fit in of]) for name in measured] for of in starts.values()]
    return pd.DataFrame(rows, list(starts), list(measured), dtype=float)


def spread(fits: Fits) -> pd.Series:
    """Return the sample standard deviation of the test RMSE over a variant's starts; NaN for one start."""
    starts = by_variant(fits).items()
    return pd.Series({name: pd.Series([fit["test_rmse"] for fit in of]).std() for name, of in starts})


def averaged_errors(fits: Fits, test: Interactions) -> PerUser:
    """Return each user's squared errors, averaged over the starts of one variant, for paired comparisons."""
    starts = [user_errors(test.users, test.ratings, fit["predictions"]) for fit in fits]
    return averaged([one.per_user("rmse") for one in starts])
