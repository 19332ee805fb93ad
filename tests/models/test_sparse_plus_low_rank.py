"""Sparse-plus-low-rank algebra against the same algebra on dense arrays."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from lib.models.imputation.sparse_plus_low_rank import ObservedEntries, SparsePlusLowRank, compressed


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture
def dense(rng):
    """A matrix with an empty row, an empty column and an observed zero, and the mask of what is observed."""
    mask = rng.random((30, 45)) < 0.3
    mask[4], mask[:, 7], mask[0, 0] = False, False, True
    values = np.where(mask, rng.normal(size=mask.shape), 0.0)
    values[0, 0] = 0.0
    return values, mask


@pytest.fixture
def observed(dense):
    values, mask = dense
    rows, columns = np.nonzero(mask)
    shuffled = np.random.default_rng(0).permutation(len(rows))
    rows, columns = rows[shuffled], columns[shuffled]
    return ObservedEntries(sparse.csr_array((values[rows, columns], (rows, columns)), shape=values.shape))


def test_an_observed_zero_counts_as_observed(observed, dense):
    values, mask = dense
    assert len(observed) == mask.sum()
    np.testing.assert_array_equal(observed.values, values[mask])
    np.testing.assert_array_equal(observed.row_counts, mask.sum(axis=1))
    np.testing.assert_array_equal(observed.column_counts, mask.sum(axis=0))


def test_entries_are_those_of_the_dense_product(observed, dense, rng):
    left, right = rng.normal(size=(30, 4)), rng.normal(size=(45, 4))
    np.testing.assert_allclose(observed.entries(left, right), (left @ right.T)[dense[1]], atol=1e-12)
    np.testing.assert_array_equal(observed.entries(left[:, :0], right[:, :0]), 0)


def test_slopes_give_the_entries_after_a_step(observed, rng):
    left, right, left_step, right_step = (rng.normal(size=(n, 3)) for n in (30, 45, 30, 45))
    first, second = observed.slopes(left, right, left_step, right_step)
    t = 0.37
    moved = observed.entries(left + t * left_step, right + t * right_step)
    np.testing.assert_allclose(observed.entries(left, right) + t * first + t**2 * second, moved, atol=1e-12)


def test_products_are_those_of_the_dense_sum(observed, dense, rng):
    left, right = rng.normal(size=(30, 4)), rng.normal(size=(45, 4))
    matrix = SparsePlusLowRank(observed, observed.values, left, right)
    whole = dense[0] + left @ right.T
    block, other = rng.normal(size=(45, 6)), rng.normal(size=(30, 6))
    np.testing.assert_allclose(matrix.times(block), whole @ block, atol=1e-11)
    np.testing.assert_allclose(matrix.transposed_times(other), whole.T @ other, atol=1e-11)


def test_both_ways_to_singular_triplets_agree_with_the_full_decomposition(observed, dense, rng):
    left, right = 3 * rng.normal(size=(30, 4)), rng.normal(size=(45, 4))
    matrix = SparsePlusLowRank(observed, observed.values, left, right)
    U, s, V = np.linalg.svd(dense[0] + left @ right.T)
    by_rounds = matrix.leading_triplets(rng.normal(size=(45, 12)), 40)
    by_lanczos = matrix.lanczos_triplets(4, tolerance=1e-10)
    for found in (by_rounds, by_lanczos):
        np.testing.assert_allclose(found[1][:4], s[:4], rtol=1e-8)
        product = (found[0][:, :4] * found[1][:4]) @ found[2][:, :4].T
        np.testing.assert_allclose(product, (U[:, :4] * s[:4]) @ V[:4], atol=1e-5)


def test_lanczos_takes_all_of_a_matrix_too_small_for_it():
    tiny = ObservedEntries(sparse.csr_array(np.array([[3.0, 0.0], [0.0, -4.0], [0.0, 0.0]])))
    _, s, _ = SparsePlusLowRank(tiny, tiny.values).lanczos_triplets(1, tolerance=1e-6)
    np.testing.assert_allclose(s, [4.0])


def test_lanczos_on_the_zero_matrix_finds_nothing(observed):
    _, s, _ = SparsePlusLowRank(observed, np.zeros(len(observed))).lanczos_triplets(3, tolerance=1e-6)
    assert s.max(initial=0.0) == 0


def test_compressed_is_the_decomposition_of_the_product(rng):
    left, right = rng.normal(size=(30, 5)), rng.normal(size=(45, 5))
    left[:, 4] = left[:, 0]  # rank 4 after all
    right[:, 4] = -right[:, 0]
    U, s, V = compressed(left, right)
    assert (s > 1e-9).sum() == 3
    np.testing.assert_allclose((U * s) @ V.T, left @ right.T, atol=1e-11)
    np.testing.assert_allclose(U.T @ U, np.eye(len(s)), atol=1e-12)
    assert (np.diff(s) <= 0).all()
