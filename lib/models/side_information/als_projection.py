"""Least squares for a projection from features into the latent space: exact, or by conjugate gradients."""

import numpy as np
from scipy import linalg, sparse

from lib.models.als_rows import RIDGE_FLOOR, apply_grams

EXACT_UNKNOWNS = 2_000
"""Up to this many unknowns (features x columns) the normal equations are formed and solved by Cholesky."""
EXACT_FEATURES = 32
MAX_STEPS = 5  # of the conjugate gradient, an update
TOLERANCE = 1e-2  # its steps end early once the preconditioned residual has fallen to this part of its start


class Projection:
    r"""A linear map W from the features of one side's rows into the latent space, shape (d, K).

    With x a row's features, q the partner's vector and e the residual, a step brings the objective's part

    .. math:: \sum_{(r,c)} \big(e_{rc} + q_c^\top W^\top x_r - q_c^\top \tilde W^\top x_r\big)^2
        + \lambda |\tilde W|_F^2

    to its minimum over :math:`\tilde W` (`solve_exactly`), or down by some steps of a warm-started conjugate gradient
    with Jacobi preconditioning (`descend`), which lowers it at each step: the way for groups of thousands of features,
    such as who rated the film. `update` takes the exact way where it is small.

    Both see the ratings through the rows' Gram matrices G and slopes only, as `lib.models.als_rows.update_factors` keeps
    them. `features` x have shape (n_rows, d).
    """

    def __init__(self, features: sparse.csr_array, n_columns: int, penalty: float):
        self.features, self.transposed, self.penalty = features, sparse.csr_array(features.T), penalty
        self.weights = np.zeros((features.shape[1], n_columns))
        self.exact = features.shape[1] <= EXACT_FEATURES and features.shape[1] * n_columns <= EXACT_UNKNOWNS
        if self.exact:
            columns = sparse.csc_array(features)
            pairs = [columns[:, : a + 1].multiply(columns[:, [a]]) for a in range(features.shape[1])]
            self._products = sparse.csr_array(sparse.hstack(pairs).T)

    def update(self, grams: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        """Improve the weights, and return by how much each row's projected features moved; `slopes` follow."""
        if not self.features.nnz or not self.weights.shape[1]:
            return np.zeros_like(slopes)
        slope = self._slope(slopes)
        change = self.solve_exactly(slope, grams) if self.exact else self.descend(slope, grams)
        self.weights += change
        moved = self.features @ change
        slopes -= _applied(grams, moved)
        return moved

    def solve_exactly(self, slope: np.ndarray, grams: np.ndarray) -> np.ndarray:
        r"""Return the change of the weights that reaches the minimum.

        The normal matrix is :math:`\sum_r x_r x_r^\top \otimes G_r + \lambda I`. Both factors are symmetric: each is held
        as its lower triangle, a quarter of the work in all.
        """
        d, n_columns = self.weights.shape
        blocks = self._products @ grams
        normal = blocks[_pairs(d)[:, None, :, None], _pairs(n_columns)[None, :, None, :]]
        normal = normal.reshape(d * n_columns, d * n_columns)
        normal[np.diag_indices_from(normal)] += max(self.penalty, RIDGE_FLOOR)
        factor = linalg.cho_factor(normal, lower=True, overwrite_a=True, check_finite=False)
        return linalg.cho_solve(factor, slope.ravel(), check_finite=False).reshape(d, n_columns)

    def descend(self, slope: np.ndarray, grams: np.ndarray) -> np.ndarray:
        """Return the change that some steps of the preconditioned conjugate gradient reach."""
        penalty = max(self.penalty, RIDGE_FLOOR)
        squares = grams[:, np.diagonal(_pairs(slope.shape[1]))]
        diagonal = self.transposed.power(2) @ squares + penalty
        change, residual = np.zeros_like(slope), slope.copy()
        scaled = residual / diagonal
        direction, size = scaled.copy(), float(np.vdot(residual, scaled))
        least = TOLERANCE**2 * size
        for _ in range(MAX_STEPS):
            if size <= least or size == 0.0:
                break
            curved = self.transposed @ _applied(grams, self.features @ direction) + penalty * direction
            length = size / float(np.vdot(direction, curved))
            change += length * direction
            residual -= length * curved
            scaled = residual / diagonal
            before, size = size, float(np.vdot(residual, scaled))
            direction = scaled + (size / before) * direction
        return change

    def _slope(self, slopes: np.ndarray) -> np.ndarray:
        """Half the negative gradient of the objective's part at the present weights."""
        return self.transposed @ slopes - max(self.penalty, RIDGE_FLOOR) * self.weights


def _applied(grams: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    products = np.empty_like(vectors)
    apply_grams(grams, vectors, products)
    return products


def _pairs(n: int) -> np.ndarray:
    """Return where row i, column j stands in a lower triangle written row by row, or j, i for the upper one."""
    row, column = np.maximum.outer(np.arange(n), np.arange(n)), np.minimum.outer(np.arange(n), np.arange(n))
    return row * (row + 1) // 2 + column
