"""The network of Multi-VAE: a bag of films, a normal distribution of latent vectors, and a softmax over all films."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from lib.models.networks.network_model import Weights
from lib.models.networks.sparse_network import ColumnOutput, DenseLayers, SparseInput, SparseRows, dropped

ROWS = 4096
"""Rows that are encoded at once where nothing is learned."""


class VariationalAutoencoder:
    r"""Encoder and decoder.

    .. math::

        (\mu, \log \sigma^2) = W_2 \tanh(W_1 x + c_1) + c_2, \qquad z = \mu + \sigma \odot \epsilon, \qquad
        p = \operatorname{softmax}(V \tanh(W_3 z + c_3) + b)

    Parameters
    ----------
    n_items : int
    hidden_sizes : sequence of int
        Of the encoder's hidden layers, from the input's side; the decoder has them in turned order.
    n_latent : int
        Length of z.
    """

    def __init__(self, n_items: int, hidden_sizes: Sequence[int], n_latent: int):
        self.n_latent = n_latent
        layers = ["tanh"] * len(hidden_sizes)
        self.encoder = SparseInput("encoder", n_items, [*hidden_sizes, 2 * n_latent], [*layers, "identity"])
        self.decoder = DenseLayers("decoder", [n_latent, *reversed(hidden_sizes)], layers)
        self.output = ColumnOutput("output", n_items, hidden_sizes[0])

    def start(self, rng: np.random.Generator) -> Weights:
        """Draw weights."""
        return self.encoder.start(rng) | self.decoder.start(rng) | self.output.start(rng)

    def step(
        self,
        weights: Weights,
        bags: sparse.csr_array,
        *,
        beta: float,
        input_dropout: float,
        rng: np.random.Generator,
    ) -> tuple[tuple[float, float], Weights]:
        r"""Return cross-entropy and divergence of a batch, and the gradient of the one + beta x the other by the weights.

        .. math::

            \frac1B \sum_u \Big( -\sum_i x_{ui} \log p_{ui}
            + \beta\,\tfrac12 \sum_k \big(\mu_{uk}^2 + \sigma_{uk}^2 - 1 - \log \sigma_{uk}^2\big) \Big)

        in nats, with one drawn z a user. `bags` x, of shape (B, n_items), hold ones; inputs are divided by their length,
        then dropped; labels are the whole bag.
        """
        rows, batch = SparseRows(bags), bags.shape[0]
        inputs = dropped(unit_length(bags).data, input_dropout, rng)
        encoded = self.encoder.forward(weights, rows, inputs)
        mean, log_variance = encoded[-1][:, : self.n_latent], encoded[-1][:, self.n_latent :]
        noise = rng.standard_normal(mean.shape, dtype=np.float32).astype(mean.dtype, copy=False)
        variance = np.exp(log_variance)
        deviation = np.sqrt(variance)
        decoded = self.decoder.forward(weights, mean + deviation * noise)
        loss, gradients, slope = self.output.softmax_loss(weights, rows, bags.data, decoded[-1])
        more, slope = self.decoder.backward(weights, decoded, slope)
        share = mean.dtype.type(beta / batch)
        by_mean = slope + share * mean
        by_log_variance = mean.dtype.type(0.5) * (slope * noise * deviation + share * (variance - 1))
        by_code = np.concatenate([by_mean, by_log_variance], axis=1)
        gradients |= more | self.encoder.backward(weights, rows, inputs, encoded, by_code)
        divergence = 0.5 * float(np.sum(mean**2 + variance - 1 - log_variance, dtype=np.float64)) / batch
        return (loss, divergence), gradients

    def encode(self, weights: Weights, bags: sparse.csr_array) -> np.ndarray:
        r"""Compute the mean latent vectors :math:`\mu` of bags, shape (n, n_latent)."""
        return self.encoder.last(weights, unit_length(bags), ROWS)[:, : self.n_latent].copy()

    def logits(self, weights: Weights, latent: np.ndarray) -> np.ndarray:
        """Compute all films' logits at latent vectors, shape (n, n_items)."""
        return self.output.everywhere(weights, self.decoder.forward(weights, latent)[-1])


def unit_length(bags: sparse.csr_array) -> sparse.csr_array:
    """Divide rows of ones by their Euclidean length."""
    counts = np.diff(bags.indptr)
    values = np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts).astype(bags.dtype)
    return sparse.csr_array((values, bags.indices, bags.indptr), shape=bags.shape)
