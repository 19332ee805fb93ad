"""Least squares for a projection from features into the latent space: exact, or by conjugate gradients."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange
from scipy import linalg, sparse

from lib.models.als_rows import RIDGE_FLOOR, apply_grams, subtract_products, sum_weighted

EXACT_UNKNOWNS = 2_000
"""Up to this many unknowns (features x columns) the normal equations are formed and solved by Cholesky."""
EXACT_FEATURES = 32
BLOCK_CELLS = 20_000_000
"""Largest array (160 MB) that forming the normal equations takes at a time."""
MAX_STEPS = 5
"""Of the conjugate gradient, an update."""
TOLERANCE = 1e-2
"""It ends early once the preconditioned residual has fallen to this part of its start."""


class Ratings(NamedTuple):
    """One side's ratings as compressed lists, int64; see `lib.models.als_rows`."""

    start: np.ndarray
    partner: np.ndarray
    place: np.ndarray

    @property
    def n_rows(self) -> int:
        """Rows of this side, those without a rating included."""
        return len(self.start) - 1


class Projection:
    r"""A linear map W from the features of one side's rows into the latent space, shape (d, K).

    With x a row's features, q the partner's vector and e the residual, a step brings the objective's part

    .. math:: \sum_{(r,c)} \big(e_{rc} + q_c^\top W^\top x_r - q_c^\top \tilde W^\top x_r\big)^2
        + \lambda |\tilde W|_F^2

    to its minimum over :math:`\tilde W` (`solve_exactly`), or down by some steps of a warm-started conjugate gradient
    with Jacobi preconditioning (`descend`), which lowers it at each step and whose work is linear in the ratings: the
    way for groups of thousands of features, such as who rated the film. `update` takes the exact way where it is small.

    `features` x have shape (n_rows, d), `ratings` are this side's lists and `other` the other's.
    """

    def __init__(
        self, features: sparse.csr_array, n_columns: int, penalty: float, ratings: Ratings, other: Ratings
    ):
        self.features, self.transposed = features, sparse.csr_array(features.T)
        self.penalty, self.ratings, self.other = penalty, ratings, other
        self.weights = np.zeros((features.shape[1], n_columns))
        self.exact = features.shape[1] <= EXACT_FEATURES and features.shape[1] * n_columns <= EXACT_UNKNOWNS
        self._products: np.ndarray | None = None

    def update(self, residuals: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Improve the weights, and return by how much each row's projected features moved; `residuals` follow."""
        if not self.features.nnz or not self.weights.shape[1]:
            return np.zeros((self.ratings.n_rows, self.weights.shape[1]))
        slope = self._slope(residuals, others)
        change = self.solve_exactly(slope, others) if self.exact else self.descend(slope, others)
        self.weights += change
        moved = self.features @ change
        subtract_products(*self.ratings, others, moved, residuals)
        return moved

    def solve_exactly(self, slope: np.ndarray, others: np.ndarray) -> np.ndarray:
        r"""Return the change of the weights that reaches the minimum.

        The normal matrix is :math:`\sum_c \big(\sum_{r \in c} x_r x_r^\top\big) \otimes q_c q_c^\top + \lambda I`,
        summed over the other side's rows c: its first factor depends on the data alone and is formed once.
        """
        d, n_columns = self.weights.shape
        if self._products is None:
            self._products = np.zeros((self.other.n_rows, d * (d + 1) // 2))
            features = self.features.indptr, self.features.indices, self.features.data
            _feature_products(self.other.start, self.other.partner, *features, self._products)
        # Both factors are symmetric: each is held as its lower triangle, a quarter of the work in all.
        low_row, low_column = np.tril_indices(n_columns)
        blocks = np.zeros((self._products.shape[1], len(low_row)))
        step = max(1, BLOCK_CELLS // len(low_row))
        for low in range(0, len(others), step):
            part = others[low : low + step]
            blocks += self._products[low : low + step].T @ (part[:, low_row] * part[:, low_column])
        normal = blocks[_pairs(d)[:, None, :, None], _pairs(n_columns)[None, :, None, :]]
        normal = normal.reshape(d * n_columns, d * n_columns)
        normal[np.diag_indices_from(normal)] += max(self.penalty, RIDGE_FLOOR)
        factor = linalg.cho_factor(normal, lower=True, overwrite_a=True, check_finite=False)
        return linalg.cho_solve(factor, slope.ravel(), check_finite=False).reshape(d, n_columns)

    def descend(self, slope: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return the change that some steps of the preconditioned conjugate gradient reach."""
        sums = np.empty((self.ratings.n_rows, slope.shape[1]))
        sum_weighted(*self.ratings, np.empty(0), others, 2, sums)
        penalty = max(self.penalty, RIDGE_FLOOR)
        diagonal = self.transposed.power(2) @ sums + penalty
        change, residual = np.zeros_like(slope), slope.copy()
        scaled = residual / diagonal
        direction, size = scaled.copy(), float(np.vdot(residual, scaled))
        least = TOLERANCE**2 * size
        for _ in range(MAX_STEPS):
            if size <= least or size == 0.0:
                break
            apply_grams(*self.ratings[:2], others, self.features @ direction, sums)
            curved = self.transposed @ sums + penalty * direction
            length = size / float(np.vdot(direction, curved))
            change += length * direction
            residual -= length * curved
            scaled = residual / diagonal
            before, size = size, float(np.vdot(residual, scaled))
            direction = scaled + (size / before) * direction
        return change

    def _slope(self, residuals: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Half the negative gradient of the objective's part at the present weights."""
        sums = np.empty((self.ratings.n_rows, self.weights.shape[1]))
        sum_weighted(*self.ratings, residuals, others, 1, sums)
        return self.transposed @ sums - max(self.penalty, RIDGE_FLOOR) * self.weights


def _pairs(n: int) -> np.ndarray:
    """Return where row i, column j stands in a lower triangle written row by row, or j, i for the upper one."""
    row, column = np.maximum.outer(np.arange(n), np.arange(n)), np.minimum.outer(np.arange(n), np.arange(n))
    return row * (row + 1) // 2 + column


@njit(parallel=True, cache=True)
def _feature_products(start, partner, indptr, indices, data, out):
    """Sum x x' over each row's partners: its lower triangle, row by row."""
    for r in prange(len(start) - 1):
        for m in range(start[r], start[r + 1]):
            x = partner[m]
            for a in range(indptr[x], indptr[x + 1]):
                high = indices[a]
                for b in range(indptr[x], a + 1):  # columns rise within a row
                    out[r, high * (high + 1) // 2 + indices[b]] += data[a] * data[b]
