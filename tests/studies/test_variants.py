"""Several random starts of each variant: kept in order, averaged, and paired by user."""

import numpy as np
import pandas as pd
import pytest

from lib.metrics.rating import rmse
from lib.studies.variants import MEASURED, averaged_errors, by_variant, over_starts, spread

FITS = [
    {"variant": name, "test_rmse": error, "n_epochs": epochs}
    for name, error, epochs in (("b", 0.9, 3), ("a", 0.8, 0), ("b", 1.0, 4))
]


def test_starts_are_put_together_in_the_order_in_which_they_come():
    assert by_variant(FITS) == {"b": [FITS[0], FITS[2]], "a": [FITS[1]]}


def test_means_over_starts_are_numbers():
    expected = pd.DataFrame({"test_rmse": [0.95, 0.8], "n_epochs": [3.5, 0.0]}, index=["b", "a"])
    pd.testing.assert_frame_equal(over_starts(FITS, ["test_rmse", "n_epochs"]), expected)
    empty = over_starts([])
    assert empty.empty and tuple(empty) == MEASURED


def test_one_start_has_no_spread():
    found = spread(FITS)
    assert found["b"] == pytest.approx(np.std([0.9, 1.0], ddof=1)) and np.isnan(found["a"])


def test_squared_errors_are_averaged_over_starts(planted):
    rng = np.random.default_rng(0)
    fits = [{"predictions": planted.ratings + rng.normal(0, 0.3, len(planted))} for _ in range(2)]
    expected = np.sqrt(np.mean([rmse(planted.ratings, fit["predictions"]) ** 2 for fit in fits]))
    assert averaged_errors(fits, planted).value == pytest.approx(expected)
