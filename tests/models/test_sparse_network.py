"""Networks with sparse ends: kernels against dense algebra, every gradient, dropout, Adam, and what early stopping keeps."""

import numpy as np
import pytest
from numba import get_num_threads, set_num_threads
from scipy import sparse

from lib.models.adam import Adam
from lib.models.early_stopping import EarlyStopping
from lib.models.networks.sparse_network import (
    ACTIVATIONS,
    ColumnOutput,
    SparseInput,
    SparseRows,
    dropped,
    glorot,
)
from tests.models.finite_differences import assert_gradients, in_double


def some_rows(n_rows=6, n_columns=11, density=0.5, seed=0, dtype=np.float64):
    """Sparse rows with an empty one, an empty column, and an explicit zero."""
    rng = np.random.default_rng(seed)
    rated = rng.random((n_rows, n_columns)) < density
    rated[2], rated[:, 4], rated[0, 0] = False, False, True
    rows, columns = np.argwhere(rated).T.astype(np.int32)  # as in the matrix of ratings
    values = rng.normal(size=len(rows)).astype(dtype)
    values[0] = 0.0
    return sparse.csr_array((values, (rows, columns)), shape=rated.shape)


def dense_mask(matrix):
    return sparse.csr_array((np.ones(matrix.nnz), matrix.indices, matrix.indptr), matrix.shape).toarray() > 0


# -- kernels -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("width", [1, 7, 32])
def test_products_of_sparse_rows_are_the_dense_ones(dtype, width):
    matrix, rng = some_rows(9, 30, dtype=dtype), np.random.default_rng(1)
    rows, tolerance = SparseRows(matrix), 1e-5 if dtype == np.float32 else 1e-12
    right, left = rng.normal(size=(30, width)).astype(dtype), rng.normal(size=(9, width)).astype(dtype)
    offsets = rng.normal(size=30).astype(dtype)
    for found, wanted in (
        (rows.times(matrix.data, right), matrix.toarray() @ right),
        (rows.transposed_times(matrix.data, left), matrix.toarray().T @ left),
        (
            ColumnOutput("out", 30, width).at({"out/kernel": right, "out/bias": offsets}, rows, left),
            (left @ right.T + offsets)[rows.owners, rows.columns],
        ),
    ):
        assert found.dtype == dtype
        np.testing.assert_allclose(found, wanted, atol=tolerance)


def test_any_number_of_threads_gives_the_same_bits():
    matrix, rng = some_rows(40, 60, dtype=np.float32), np.random.default_rng(1)
    rows, weights = SparseRows(matrix), rng.normal(size=(60, 33)).astype(np.float32)
    before = get_num_threads()
    found = []
    try:
        for n_threads in {1, before}:
            set_num_threads(n_threads)
            found.append(rows.times(matrix.data, weights))
    finally:
        set_num_threads(before)
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


def test_an_explicit_zero_is_an_entry():
    matrix = some_rows()
    rows = SparseRows(matrix)
    assert 0.0 in matrix.data
    assert len(rows.columns) == matrix.nnz == dense_mask(matrix).sum()
    assert len(ColumnOutput("out", 11, 2).at(
        {"out/kernel": np.ones((11, 2)), "out/bias": np.zeros(11)}, rows, np.ones((6, 2))
    )) == matrix.nnz  # fmt: skip


# -- gradients -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_an_activation_and_its_slope(activation):
    apply, slope = ACTIVATIONS[activation]
    at = np.array([-2.0, -0.3, 0.4, 1.5])
    wanted = {"identity": at, "relu": at.clip(0), "sigmoid": 1 / (1 + np.exp(-at)), "tanh": np.tanh(at)}
    np.testing.assert_allclose(apply(at.copy()), wanted[activation])
    found = (apply(at + 1e-6) - apply(at - 1e-6)) / 2e-6
    np.testing.assert_allclose(slope(apply(at.copy())), found, atol=1e-9)


@pytest.mark.parametrize("sizes", [(4,), (5, 3), (5, 4, 3)])
@pytest.mark.parametrize("activation", ["sigmoid", "relu", "tanh"])
def test_gradients_at_the_entries(sizes, activation):
    """Sparse in, sparse out: the mean squared error of the stored entries, an explicit zero among them."""
    matrix, rng = some_rows(), np.random.default_rng(3)
    rows, mask = SparseRows(matrix), dense_mask(matrix)
    encoder = SparseInput("hidden", 11, sizes, [activation] * len(sizes))
    output = ColumnOutput("out", 11, sizes[-1])
    weights = in_double(encoder.start(rng) | output.start(rng))
    for name in weights:
        weights[name] += 0.3 * rng.normal(size=weights[name].shape)

    def objective():
        """Written out densely."""
        hidden = matrix.toarray()
        for layer in range(len(sizes)):
            hidden = hidden @ weights[f"hidden_{layer}/kernel"] + weights[f"hidden_{layer}/bias"]
            hidden = ACTIVATIONS[activation].apply(hidden)
        out = hidden @ weights["out/kernel"].T + weights["out/bias"]
        return np.mean((out - matrix.toarray())[mask] ** 2)

    layers = encoder.forward(weights, rows, matrix.data)
    errors = output.at(weights, rows, layers[-1]) - matrix.data
    assert np.mean(errors**2) == pytest.approx(objective(), rel=1e-12)
    gradients, slope = output.backward_at(weights, rows, layers[-1], 2 * errors / len(errors))
    gradients |= encoder.backward(weights, rows, matrix.data, layers, slope)
    assert_gradients(objective, weights, gradients)
    np.testing.assert_allclose(encoder.last(weights, matrix, block=4), layers[-1], rtol=1e-12)


# -- around them ---------------------------------------------------------------------------------------------------
def test_dropout_keeps_the_mean():
    values, rng = np.linspace(0.5, 2, 50, dtype=np.float32), np.random.default_rng(0)
    draws = np.array([dropped(values, 0.6, rng) for _ in range(4000)])
    assert draws.dtype == np.float32
    np.testing.assert_allclose(draws.mean(axis=0), values, rtol=0.12)
    assert np.mean(draws == 0) == pytest.approx(0.6, abs=0.01)
    np.testing.assert_allclose(draws[draws[:, 3] > 0, 3], values[3] / 0.4, rtol=1e-6)
    assert dropped(values, 0.0, rng) is values


def test_weights_start_by_glorots_rule():
    drawn = glorot(300, 100, np.random.default_rng(0))
    limit = np.sqrt(6 / 400)
    assert drawn.dtype == np.float32 and drawn.shape == (300, 100)
    assert np.abs(drawn).max() <= limit and np.abs(drawn).max() > 0.99 * limit
    assert drawn.std() == pytest.approx(limit / np.sqrt(3), rel=0.02)


def test_adam_against_the_papers_loop():
    rng = np.random.default_rng(5)
    weights = {"a": rng.normal(size=(3, 2)), "b": rng.normal(size=4)}
    by_hand = {name: value.copy() for name, value in weights.items()}
    adam, l2 = Adam(weights, 0.01, {"a": 0.3}), {"a": 0.3, "b": 0.0}
    first, second = ({name: np.zeros_like(v) for name, v in weights.items()} for _ in range(2))
    for t in range(1, 6):
        gradients = {name: rng.normal(size=value.shape) for name, value in weights.items()}
        adam.step(gradients)
        for name, value in by_hand.items():
            g = gradients[name] + l2[name] * value
            first[name] = 0.9 * first[name] + 0.1 * g
            second[name] = 0.999 * second[name] + 0.001 * g**2
            root = np.sqrt(second[name]) + 1e-7
            value -= 0.01 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * first[name] / root
    for name in weights:
        np.testing.assert_allclose(weights[name], by_hand[name], rtol=1e-12)


class TestEarlyStopping:
    @staticmethod
    def run(errors, **settings):
        stopping = EarlyStopping(1.0, **settings)
        for epoch, error in enumerate(errors):
            kept = stopping.averaged({"w": np.full(2, float(epoch), dtype=np.float32)})
            stopping.record(kept, error)
            if stopping.stopped:
                break
        return stopping

    def test_the_best_epoch_is_kept(self):
        found = self.run([5, 3, 4, 3.5, 2, 9], patience=2)
        assert (found.best, len(found.errors), found.stopped) == (1, 4, True)
        np.testing.assert_array_equal(found.weights["w"], 1.0)

    def test_without_errors_the_last_one_is(self):
        found = self.run([None] * 3, patience=1)
        assert found.best == 2 and not found.stopped
        np.testing.assert_array_equal(found.weights["w"], 2.0)

    def test_the_average_is_the_normalised_moving_one(self):
        found = self.run([None] * 3, averaging=0.5)
        np.testing.assert_allclose(found.weights["w"], (0.25 * 0 + 0.5 * 1 + 1 * 2) / 1.75, rtol=1e-6)

    def test_the_rate_falls_on_a_plateau(self):
        errors = [3, 2, 1.99995, 2.5, 1.5, 1.6, 1.6, 1.6, 1.6]
        found = self.run(errors, plateau_patience=2, plateau_factor=0.5, least_rate=0.3)
        assert found.rates == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.3, 0.3]

    def test_what_is_kept_does_not_move_with_the_training(self):
        stopping, weights = EarlyStopping(1.0), {"w": np.zeros(2)}
        stopping.record(stopping.averaged(weights), 1.0)
        weights["w"] += 1
        np.testing.assert_array_equal(stopping.weights["w"], 0.0)
