"""Parts of feed-forward networks with sparse ends: rows of ratings in, predictions at chosen columns or all of them out.

The parts know names, shapes and activations; weights and gradients are dictionaries of arrays that several parts share
and that `lib.models.adam.Adam` steps along. Work at the sparse ends is proportional to stored entries times width; an
entry counts as stored whatever its value, zero included.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.special import expit

from lib.models.networks.network_model import Weights
from lib.models.sparse_kernels import products_at, weighted_sums


class Activation(NamedTuple):
    """An activation in place, and its derivative as a function of its output."""

    apply: Callable[[np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray], np.ndarray]


ACTIVATIONS: dict[str, Activation] = {
    "identity": Activation(lambda x: x, np.ones_like),
    "relu": Activation(lambda x: np.maximum(x, 0, out=x), lambda y: (y > 0).astype(y.dtype)),
    "sigmoid": Activation(lambda x: expit(x, out=x), lambda y: y * (1 - y)),
    "tanh": Activation(lambda x: np.tanh(x, out=x), lambda y: 1 - y * y),
}


class SparseRows:
    """The pattern of a sparse matrix, explicit zeros included: row r has ``columns[starts[r]:starts[r + 1]]``.

    Values stand beside it: several arrays of them (inputs after dropout, errors) share one pattern.
    """

    def __init__(self, matrix: sparse.csr_array):
        self.starts, self.columns = matrix.indptr, matrix.indices
        self.n_rows, self.n_columns = matrix.shape

    @cached_property
    def owners(self) -> np.ndarray:
        """Row of each entry."""
        return np.repeat(np.arange(self.n_rows, dtype=self.columns.dtype), np.diff(self.starts))

    @cached_property
    def by_column(self) -> sparse.csc_array:
        """The pattern in compressed columns, whose data say where each entry stands in the rows' order."""
        places = np.arange(len(self.columns), dtype=self.columns.dtype)
        shape = (self.n_rows, self.n_columns)
        return sparse.csr_array((places, self.columns, self.starts), shape=shape).tocsc()

    def times(self, values: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        """Multiply with a dense matrix of shape (n_columns, width): shape (n_rows, width)."""
        out = np.empty((self.n_rows, matrix.shape[1]), dtype=matrix.dtype)
        weighted_sums(self.starts, self.columns, values, matrix, out)
        return out

    def transposed_times(self, values: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        """Multiply the transposed rows with a dense matrix of shape (n_rows, width): shape (n_columns, width)."""
        turned = self.by_column
        out = np.empty((self.n_columns, matrix.shape[1]), dtype=matrix.dtype)
        weighted_sums(turned.indptr, turned.indices, values[turned.data], matrix, out)
        return out


class DenseLayers:
    r"""Dense layers with activations, :math:`h_l = f_l(h_{l-1} W_l + c_l)`.

    Weights go by names ``{name}_1/kernel``, of shape (before, after), ``{name}_1/bias`` and so on. `sizes` are widths from
    the input's on, one alone stands for no layer; `activations`, one a layer, are of `ACTIVATIONS`.
    """

    def __init__(self, name: str, sizes: Sequence[int], activations: Sequence[str]):
        self.sizes = list(pairwise(sizes))
        self.names = [f"{name}_{n}" for n in range(1, len(sizes))]
        self.activations = [ACTIVATIONS[activation] for activation in activations]

    def start(self, rng: np.random.Generator) -> Weights:
        """Draw weights: kernels by `glorot`, biases zero."""
        weights: Weights = {}
        for layer, (before, after) in zip(self.names, self.sizes, strict=True):
            weights[f"{layer}/kernel"] = glorot(before, after, rng)
            weights[f"{layer}/bias"] = np.zeros(after, dtype=np.float32)
        return weights

    def forward(self, weights: Weights, inputs: np.ndarray) -> list[np.ndarray]:
        """Compute all layers: the inputs, of shape (batch, before), then each layer's output."""
        outputs = [inputs]
        for layer, activation in zip(self.names, self.activations, strict=True):
            sums = outputs[-1] @ weights[f"{layer}/kernel"]
            sums += weights[f"{layer}/bias"]
            outputs.append(activation.apply(sums))
        return outputs

    def backward(self, weights: Weights, outputs: list[np.ndarray], slope: np.ndarray) -> tuple[Weights, np.ndarray]:
        """Return a loss's gradients by the weights, and by the inputs, given that by the last output."""
        gradients: Weights = {}
        for n in reversed(range(len(self.names))):
            slope = slope * self.activations[n].slope(outputs[n + 1])
            gradients[f"{self.names[n]}/kernel"] = outputs[n].T @ slope
            gradients[f"{self.names[n]}/bias"] = slope.sum(axis=0)
            slope = slope @ weights[f"{self.names[n]}/kernel"].T
        return gradients, slope


class SparseInput:
    """A layer that takes sparse rows, :math:`h_1 = f_1(x W_1 + c_1)`, and `DenseLayers` on top.

    Weights go by names ``{name}_0/kernel``, of shape (n_inputs, sizes[0]), ``{name}_0/bias``, and those of
    `DenseLayers`. `sizes` are widths of the layers, at least one, with an activation each.
    """

    def __init__(self, name: str, n_inputs: int, sizes: Sequence[int], activations: Sequence[str]):
        self.kernel, self.bias, self.shape = f"{name}_0/kernel", f"{name}_0/bias", (n_inputs, sizes[0])
        self.activation, self.width = ACTIVATIONS[activations[0]], sizes[-1]
        self.dense = DenseLayers(name, sizes, activations[1:])

    def start(self, rng: np.random.Generator) -> Weights:
        """Draw weights: kernels by `glorot`, biases zero."""
        first = {self.kernel: glorot(*self.shape, rng), self.bias: np.zeros(self.shape[1], dtype=np.float32)}
        return first | self.dense.start(rng)

    def forward(self, weights: Weights, rows: SparseRows, values: np.ndarray) -> list[np.ndarray]:
        """Compute all layers' outputs, the last one last; an empty row gives what the biases give."""
        sums = rows.times(values, weights[self.kernel])
        sums += weights[self.bias]
        return self.dense.forward(weights, self.activation.apply(sums))

    def last(self, weights: Weights, inputs: sparse.csr_array, block: int) -> np.ndarray:
        """Compute the last layer of many rows, shape (n_rows, sizes[-1]), a block of them at a time."""
        found = np.empty((inputs.shape[0], self.width), dtype=weights[self.bias].dtype)
        for low in range(0, len(found), block):
            part = inputs[low : low + block]
            found[low : low + block] = self.forward(weights, SparseRows(part), part.data)[-1]
        return found

    def backward(
        self, weights: Weights, rows: SparseRows, values: np.ndarray, outputs: list[np.ndarray], slope: np.ndarray
    ) -> Weights:
        """Return a loss's gradients by the weights, given that by the last output."""
        gradients, slope = self.dense.backward(weights, outputs, slope)
        slope = slope * self.activation.slope(outputs[0])
        gradients[self.kernel] = rows.transposed_times(values, slope)
        gradients[self.bias] = slope.sum(axis=0)
        return gradients


class ColumnOutput:
    r"""A linear layer with one output a column, :math:`z_{rc} = \langle h_r, W_c \rangle + b_c`.

    Computed at the entries of sparse rows only (`at`, `backward_at`), or for all columns (`everywhere`). Weights go by
    names ``{name}/kernel``, shape (n_columns, width), and ``{name}/bias``.
    """

    def __init__(self, name: str, n_columns: int, width: int):
        self.kernel, self.bias, self.shape = f"{name}/kernel", f"{name}/bias", (n_columns, width)

    def start(self, rng: np.random.Generator) -> Weights:
        """Draw weights: the kernel by `glorot`, biases zero."""
        return {self.kernel: glorot(*self.shape, rng), self.bias: np.zeros(self.shape[0], dtype=np.float32)}

    def at(self, weights: Weights, rows: SparseRows, hidden: np.ndarray) -> np.ndarray:
        """Compute the outputs at the rows' entries, shape (n_entries,)."""
        out = np.empty(len(rows.columns), dtype=hidden.dtype)
        products_at(rows.owners, rows.columns, hidden, weights[self.kernel], weights[self.bias], out)
        return out

    def backward_at(
        self, weights: Weights, rows: SparseRows, hidden: np.ndarray, slopes: np.ndarray
    ) -> tuple[Weights, np.ndarray]:
        """Return a loss's gradients by the weights, and by `hidden`, given that by the outputs at the entries."""
        bias = np.bincount(rows.columns, slopes, minlength=rows.n_columns).astype(hidden.dtype)
        gradients = {self.kernel: rows.transposed_times(slopes, hidden), self.bias: bias}
        return gradients, rows.times(slopes, weights[self.kernel])

    def everywhere(self, weights: Weights, hidden: np.ndarray) -> np.ndarray:
        """Compute the outputs at all columns, shape (batch, n_columns)."""
        out = hidden @ weights[self.kernel].T
        out += weights[self.bias]
        return out


def glorot(before: int, after: int, rng: np.random.Generator) -> np.ndarray:
    r"""Draw weights, (before, after), evenly from :math:`\pm\sqrt{6 / (before + after)}` (Glorot and Bengio 2010)."""
    drawn = rng.random((before, after), dtype=np.float32)
    drawn -= np.float32(0.5)
    drawn *= np.float32(2 * np.sqrt(6.0 / (before + after)))
    return drawn


def dropped(values: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Set a share of the values to zero at random and raise the rest by 1 / (1 - share), which keeps the mean."""
    if share == 0:
        return values
    kept = rng.random(len(values), dtype=np.float32) >= share
    return values * kept / values.dtype.type(1 - share)
