"""Centring of sparse rows of ratings by offsets that a new row brings with itself."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import sparse

KINDS = ("global", "row", "both")
DAMPING = 5.0
"""Ratings at the mean that each row and column is credited with, so that a single rating doesn't set its offset."""


@dataclass(frozen=True, eq=False)
class RowCentring:
    r"""What is taken from the ratings of a sparse matrix: an offset a row, computed from that row, and one a column.

    With :math:`\mu` the mean training rating and d = `DAMPING`,

    .. math:: c_j = \frac{\sum_i (r_{ij} - \mu)}{n_j + d} \ \text{or} \ 0, \qquad
        o_i = \mu + \frac{\sum_j (r_{ij} - \mu - c_j)}{n_i + d} \ \text{or} \ \mu.

    By its `kind` it takes the `mean` :math:`\mu` alone ("global"), a row's own mean too ("row"), or a column's too
    ("both"). `columns` are :math:`c_j`, zero but for "both".
    """

    kind: str
    mean: float
    columns: np.ndarray

    @classmethod
    def fit(cls, ratings: sparse.csr_array, kind: str) -> Self:
        """Learn from training ratings."""
        n_columns, mean = ratings.shape[1], float(ratings.data.mean(dtype=np.float64))
        columns = np.zeros(n_columns)
        if kind == "both":
            sums = np.bincount(ratings.indices, ratings.data - mean, minlength=n_columns)
            columns = sums / (np.bincount(ratings.indices, minlength=n_columns) + DAMPING)
        return cls(kind, mean, columns)

    def offsets(self, ratings: sparse.csr_array) -> np.ndarray:
        """Return each row's offset, shape (n_rows,); an empty row's is the mean."""
        n_rows, lengths = ratings.shape[0], np.diff(ratings.indptr)
        if self.kind == "global":
            return np.full(n_rows, self.mean)
        rows = np.repeat(np.arange(n_rows), lengths)
        sums = np.bincount(rows, ratings.data - self.mean - self.columns[ratings.indices], minlength=n_rows)
        return self.mean + sums / (lengths + DAMPING)

    def centred(self, ratings: sparse.csr_array, offsets: np.ndarray) -> sparse.csr_array:
        """Take the offsets of rows and columns away, in float32; an entry that becomes zero stays stored."""
        rows = np.repeat(offsets, np.diff(ratings.indptr))
        values = (ratings.data - rows - self.columns[ratings.indices]).astype(np.float32)
        return sparse.csr_array((values, ratings.indices, ratings.indptr), shape=ratings.shape)
