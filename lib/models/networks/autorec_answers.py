"""What a trained AutoRec answers: for its training rows, and for rows of ratings that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from lib.models.networks.autorec_network import Autoencoder
from lib.models.networks.row_centring import RowCentring
from lib.models.networks.sparse_network import Weights
from lib.models.sparse_kernels import products_at


@dataclass(frozen=True, eq=False)
class RowAnswers:
    r"""Predictions :math:`o_i + c_j + \langle h_i, V_j \rangle + b_j` of row i and column j.

    Rows and columns have one place more than there are codes: the last has the mean hidden layer, or the mean weights, of
    those with training ratings. It stands for unknown codes, and those without training ratings have its values. A row's
    offset is then the mean rating.

    Parameters
    ----------
    network : Autoencoder
    weights : dict of str to ndarray
        The network's, with the mean column.
    centring : RowCentring
        Its columns' offsets c without the mean one.
    hidden : ndarray h, shape (n_rows + 1, width)
    row_offsets : ndarray of float64 o, shape (n_rows + 1,)
    column_offsets : ndarray of float64, shape (n_columns + 1,)
        c.
    """

    network: Autoencoder
    weights: Weights
    centring: RowCentring
    hidden: np.ndarray
    row_offsets: np.ndarray
    column_offsets: np.ndarray

    @classmethod
    def of(cls, network: Autoencoder, weights: Weights, ratings: sparse.csr_array, centre: str) -> RowAnswers:
        """Encode the training rows, and give cold rows and columns the mean of the others."""
        centring = RowCentring.fit(ratings, centre)
        seen = np.bincount(ratings.indices, minlength=ratings.shape[1]) > 0
        rated = np.diff(ratings.indptr) > 0
        offsets = centring.offsets(ratings)
        hidden = network.hidden(weights, centring.centred(ratings, offsets))
        weights = dict(weights)
        for name in (network.output.kernel, network.output.bias):
            weights[name] = with_mean(weights[name], seen)
        # What nobody rated in training says nothing of a row that is new.
        weights[network.encoder.kernel] = np.where(seen[:, None], weights[network.encoder.kernel], 0)
        columns = with_mean(centring.columns, seen)
        return cls(
            network, weights, centring, with_mean(hidden, rated), np.append(offsets, centring.mean), columns
        )

    def encode(self, ratings: sparse.csr_array) -> tuple[np.ndarray, np.ndarray]:
        """Compute hidden layer and offset of other rows of ratings; an empty row is cold."""
        offsets = self.centring.offsets(ratings)
        hidden = self.network.hidden(self.weights, self.centring.centred(ratings, offsets))
        empty = np.diff(ratings.indptr) == 0
        hidden[empty] = self.hidden[-1]
        return hidden, offsets

    def at(
        self, rows: np.ndarray, columns: np.ndarray, hidden: np.ndarray, offsets: np.ndarray
    ) -> np.ndarray:
        """Predict pairs of a row of `hidden` and `offsets` and a column's code, shape (n,)."""
        columns = known(columns, len(self.column_offsets) - 1)
        found = np.empty(len(rows), dtype=hidden.dtype)
        kernel, bias = self.weights[self.network.output.kernel], self.weights[self.network.output.bias]
        products_at(rows, columns, hidden, kernel, bias, found)
        return found + offsets[rows] + self.column_offsets[columns]

    def trained_at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Predict pairs of a training row's and a column's code, shape (n,)."""
        return self.at(known(rows, len(self.hidden) - 1), columns, self.hidden, self.row_offsets)

    def all_columns(self, hidden: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """Predict all columns of some encoded rows, shape (n, n_columns)."""
        found = self.network.output.everywhere(self.weights, hidden)[:, :-1].astype(np.float64)
        return found + offsets[:, None] + self.column_offsets[:-1]

    def all_rows(self, columns: np.ndarray) -> np.ndarray:
        """Predict all training rows for some columns' codes, shape (n, n_rows)."""
        columns = known(columns, len(self.column_offsets) - 1)
        found = (self.weights[self.network.output.kernel][columns] @ self.hidden[:-1].T).astype(np.float64)
        found += (self.weights[self.network.output.bias][columns] + self.column_offsets[columns])[:, None]
        return found + self.row_offsets[:-1]

    # -- saving ----------------------------------------------------------------------------------------------------
    def arrays(self) -> dict[str, np.ndarray]:
        """Everything but the network's shape."""
        weights = {f"weights/{name}": value for name, value in self.weights.items()}
        return weights | {
            "mean": np.array(self.centring.mean),
            "hidden": self.hidden,
            "row_offsets": self.row_offsets,
            "column_offsets": self.column_offsets,
        }

    @classmethod
    def from_arrays(cls, network: Autoencoder, arrays: dict[str, np.ndarray], centre: str) -> RowAnswers:
        """Take back what `arrays` gave."""
        weights = {
            name.removeprefix("weights/"): value
            for name, value in arrays.items()
            if name.startswith("weights/")
        }
        columns = arrays["column_offsets"]
        centring = RowCentring(centre, float(arrays["mean"]), columns[:-1])
        return cls(network, weights, centring, arrays["hidden"], arrays["row_offsets"], columns)


def with_mean(values: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Give unseen rows the mean of the seen ones, and append it as a last row."""
    mean = values[seen].mean(axis=0, dtype=np.float64).astype(values.dtype)
    found = np.concatenate([values, mean[None]])
    found[:-1][~seen] = mean
    return found


def known(codes: np.ndarray, n: int) -> np.ndarray:
    """Turn codes outside 0 to n - 1 into n, the place of the mean one."""
    codes = np.asarray(codes)
    return np.where((codes >= 0) & (codes < n), codes, n)
