"""The network of AutoRec: rows of ratings in, the same rows' ratings out, trained on the stored entries alone."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from lib.models.networks.network_model import Weights
from lib.models.networks.side_features import joined
from lib.models.networks.sparse_network import ColumnOutput, SparseInput, SparseRows, dropped

ROWS = 8192  # rows whose hidden layers are computed at once where nothing is learned


class Autoencoder:
    """An autoencoder of sparse rows: that of `lib.models.networks.autorec.AutoRec`, of any number of hidden layers.

    Beside the columns are `n_features` inputs that are no targets; hidden layers have one `activation` of
    `sparse_network.ACTIVATIONS`.
    """

    def __init__(self, n_columns: int, n_features: int, hidden_sizes: Sequence[int], activation: str):
        activations = [activation] * len(hidden_sizes)
        self.encoder = SparseInput("hidden", n_columns + n_features, hidden_sizes, activations)
        self.output = ColumnOutput("output", n_columns, hidden_sizes[-1])

    def start(self, rng: np.random.Generator) -> Weights:
        """Draw weights."""
        return self.encoder.start(rng) | self.output.start(rng)

    def hidden(self, weights: Weights, inputs: sparse.csr_array) -> np.ndarray:
        """Compute the last hidden layer of many rows, shape (n_rows, width)."""
        return self.encoder.last(weights, inputs, ROWS)

    def step(
        self,
        weights: Weights,
        batch: sparse.csr_array,
        features: sparse.csr_array | None = None,
        *,
        input_dropout: float,
        rng: np.random.Generator,
    ) -> tuple[float, Weights]:
        r"""Return :math:`\sum_{(i,j) \in B} (\hat x_{ij} - x_{ij})^2`, and the gradient of its mean by the weights.

        The target is every stored entry, of inputs that were dropped too; `features` stand beside the inputs and are
        neither.
        """
        rows = asked = SparseRows(batch)
        inputs = dropped(batch.data, input_dropout, rng)
        if features is not None:
            with_features = joined(sparse.csr_array((inputs, batch.indices, batch.indptr), batch.shape), features)
            asked, inputs = SparseRows(with_features), with_features.data
        layers = self.encoder.forward(weights, asked, inputs)
        errors = self.output.at(weights, rows, layers[-1]) - batch.data
        slopes = errors * errors.dtype.type(2 / max(len(errors), 1))
        gradients, slope = self.output.backward_at(weights, rows, layers[-1], slopes)
        gradients |= self.encoder.backward(weights, asked, inputs, layers, slope)
        return float(np.vdot(errors, errors)), gradients
