"""The largest of some numbers, against numpy's own order."""

import numpy as np
import pytest

from lib.models.selection import kth_largest, sort_falling


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("levels", [1, 3, 1000])
def test_the_kth_largest_is_that_of_a_sort(dtype, levels):
    rng = np.random.default_rng(levels)
    for n in (1, 2, 3, 10, 101):
        values = rng.integers(0, levels, n).astype(dtype)
        before = values.copy()
        for k in range(1, n + 1):
            assert kth_largest(values, k) == np.sort(values)[n - k]
        np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("levels", [1, 3, 1000])
def test_values_fall_and_equal_ones_stand_by_code(levels):
    rng = np.random.default_rng(levels)
    for n in (0, 1, 2, 7, 100):
        values, codes = (
            rng.integers(0, levels, n + 5).astype(np.float32),
            rng.permutation(n + 5).astype(np.int32),
        )
        order = np.lexsort((codes[:n], -values[:n]))
        expected = values[:n][order], codes[:n][order], values[n:].copy()
        sort_falling(values, codes, n)
        for found, wanted in zip((values[:n], codes[:n], values[n:]), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)
