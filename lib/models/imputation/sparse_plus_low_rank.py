"""Matrices seen at some entries, and sparse-plus-low-rank algebra on them, without a dense users x items array."""

import numpy as np
from numba import njit
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, eigsh

Factors = tuple[np.ndarray, np.ndarray, np.ndarray]
"""U, s, V of a matrix U diag(s) V', shapes (n_rows, rank), (rank,) and (n_columns, rank); singular values falling."""


@njit(cache=True, fastmath=True)
def _entries(pointers, columns, left, right, out):
    """``out[e] = left[i] . right[j]`` for each stored entry e = (i, j)."""
    for i in range(len(pointers) - 1):
        for e in range(pointers[i], pointers[i + 1]):
            j = columns[e]
            total = 0.0
            for c in range(left.shape[1]):
                total += left[i, c] * right[j, c]
            out[e] = total


@njit(cache=True, fastmath=True)
def _slopes(pointers, columns, left, right, left_step, right_step, first, second):
    """Entries of (L + tL')(R + tR')^T as a polynomial in t: its coefficients of t and of t squared."""
    for i in range(len(pointers) - 1):
        for e in range(pointers[i], pointers[i + 1]):
            j = columns[e]
            linear, square = 0.0, 0.0
            for c in range(left.shape[1]):
                linear += left[i, c] * right_step[j, c] + left_step[i, c] * right[j, c]
                square += left_step[i, c] * right_step[j, c]
            first[e] = linear
            second[e] = square


@njit(cache=True, fastmath=True)
def _pulls(pointers, columns, values, left, right, of_left, of_right):
    """Subtract S R from `of_left` and S' L from `of_right`, S having the `values`, in one pass over these."""
    for i in range(len(pointers) - 1):
        for e in range(pointers[i], pointers[i + 1]):
            j, value = columns[e], values[e]
            for c in range(left.shape[1]):
                of_left[i, c] -= value * right[j, c]
                of_right[j, c] -= value * left[i, c]


class ObservedEntries:
    r"""The places :math:`\Omega` at which a matrix is observed, and its `values` there, row by row.

    They are the stored entries of the sparse matrix, stored zeros included; none may stand twice. `row_counts` and
    `column_counts` say how many there are a row and a column.
    """

    def __init__(self, matrix: sparse.sparray):
        rows = sparse.csr_array(matrix, dtype=np.float64)
        rows.sort_indices()
        self.shape = rows.shape
        self.values, self._pointers, self._columns = rows.data, rows.indptr, rows.indices
        # The transposed layout, and where each of its entries stands in the row-wise one.
        places = np.arange(rows.nnz, dtype=np.float64)
        by_column = sparse.csr_array((places, rows.indices, rows.indptr), rows.shape).T.tocsr()
        self._order = by_column.data.astype(np.intp)
        self._row_pointers, self._rows = by_column.indptr, by_column.indices
        self.row_counts, self.column_counts = np.diff(rows.indptr), np.diff(by_column.indptr)

    def __len__(self) -> int:
        return len(self.values)

    def entries(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Entries of ``left @ right.T`` at the observed places, shape (n_entries,)."""
        out = np.zeros(len(self))
        _entries(self._pointers, self._columns, left, right, out)
        return out

    def slopes(self, left, right, left_step, right_step) -> tuple[np.ndarray, np.ndarray]:
        """Return first, second: after steps of t entries are ``entries(left, right) + t * first + t**2 * second``."""
        first, second = np.zeros(len(self)), np.zeros(len(self))
        _slopes(self._pointers, self._columns, left, right, left_step, right_step, first, second)
        return first, second

    def pull(self, values, left, right, of_left, of_right) -> None:
        """Subtract ``S @ right`` from `of_left` and ``S.T @ left`` from `of_right`, of the sparse S with these values."""
        _pulls(self._pointers, self._columns, values, left, right, of_left, of_right)

    def sparse(self, values: np.ndarray) -> tuple[sparse.csr_array, sparse.csr_array]:
        """Return the sparse matrix with these values at the observed places, and its transpose, both row by row."""
        rows = sparse.csr_array((values, self._columns, self._pointers), shape=self.shape)
        by_column = values[self._order], self._rows, self._row_pointers
        return rows, sparse.csr_array(by_column, shape=self.shape[::-1])


class SparsePlusLowRank:
    """The matrix ``S + left @ right.T``, as products with thin blocks (Hastie et al. 2015, section 5).

    `values` are those of S at the observed places; `left` and `right`, shapes (n_rows, rank) and (n_columns, rank), may
    be absent.
    """

    def __init__(self, observed: ObservedEntries, values: np.ndarray, left=None, right=None):
        self.shape = observed.shape
        self._sparse, self._transposed = observed.sparse(values)
        self._left, self._right = left, right

    def times(self, block: np.ndarray) -> np.ndarray:
        """Product with a (n_columns, k) block, shape (n_rows, k)."""
        product = self._sparse @ block
        return product if self._left is None else product + self._left @ (self._right.T @ block)

    def transposed_times(self, block: np.ndarray) -> np.ndarray:
        """Product of the transpose with a (n_rows, k) block, shape (n_columns, k)."""
        product = self._transposed @ block
        return product if self._left is None else product + self._right @ (self._left.T @ block)

    def leading_triplets(self, start: np.ndarray, n_rounds: int) -> Factors:
        """Leading singular triplets by subspace iteration, as many as `start`, shape (n_columns, p), has columns.

        `start` spans a guess at the leading right singular vectors. In a round, a product with the matrix and one with
        its transpose, the error of the k-th triplet falls by (s_p / s_k)^2: near the answer one or two are enough.
        """
        right = start
        for _ in range(n_rounds):
            left, _ = np.linalg.qr(self.times(right))
            right = self.transposed_times(left)
        V, s, rotation = np.linalg.svd(right, full_matrices=False)
        return left @ rotation.T, s, V

    def lanczos_triplets(self, k: int, *, tolerance: float, seed: int = 0) -> Factors:
        """At most k leading singular triplets without a guess, by the Lanczos method on the Gram matrix's products.

        Far more accurate than `leading_triplets` from a random start where singular values fall slowly. `tolerance` is
        the relative accuracy of the squared singular values, `seed` the start vector's.
        """
        n_columns = self.shape[1]
        if k >= n_columns // 2:  # the method needs room for its Krylov space; small enough to take all
            U, s, V = self.leading_triplets(np.eye(n_columns), 1)
            return U[:, :k], s[:k], V[:, :k]
        gram = LinearOperator(
            (n_columns, n_columns),
            matvec=lambda v: self.transposed_times(self.times(v.reshape(-1, 1))).ravel(),
            dtype=np.float64,
        )
        start = np.random.default_rng(seed).standard_normal(n_columns)
        # A vector in the row space: columns without an entry must stay exactly zero.
        start = gram.matvec(start)
        if not start.any():
            return nothing(self.shape)
        _, V = eigsh(gram, k=k, v0=start, tol=tolerance)
        left = self.times(V[:, ::-1])
        s = np.linalg.norm(left, axis=0)
        return left / np.maximum(s, np.finfo(float).tiny), s, V[:, ::-1]


def nothing(shape: tuple[int, int]) -> Factors:
    """Return the zero matrix."""
    return np.zeros((shape[0], 0)), np.zeros(0), np.zeros((shape[1], 0))


def compressed(left: np.ndarray, right: np.ndarray) -> Factors:
    """Singular value decomposition of ``left @ right.T`` without zero values; equal input gives equal signs."""
    basis_left, upper_left = np.linalg.qr(left)
    basis_right, upper_right = np.linalg.qr(right)
    U, s, V = np.linalg.svd(upper_left @ upper_right.T)
    kept = s > 0
    U, s, V = basis_left @ U[:, : len(s)][:, kept], s[kept], basis_right @ V[: len(s)].T[:, kept]
    signs = np.where(U[np.abs(U).argmax(axis=0), np.arange(len(s))] < 0, -1.0, 1.0) if len(s) else np.ones(0)
    return U * signs, s, V * signs
