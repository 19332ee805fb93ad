"""The network of Multi-VAE: a bag of films, a normal distribution of latent vectors, and a softmax over all films."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from lib.models.networks.sparse_network import (
    ColumnOutput,
    DenseLayers,
    SparseInput,
    SparseRows,
    Weights,
    dropped,
)

ROWS = 4096
"""Rows that are encoded at once where nothing is learned."""


@dataclass(frozen=True)
class Bound:
    """The evidence lower bound of a batch with its sign turned, in nats, means over users.

    Parameters
    ----------
    cross_entropy : float
        Of a user's films, summed over them.
    divergence : float
        Kullback and Leibler's, of the latent distribution from the standard normal.
    """

    cross_entropy: float
    divergence: float


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
        self.n_items, self.n_latent = n_items, n_latent
        layers = ["tanh"] * len(hidden_sizes)
        self.encoder = SparseInput("encoder", n_items, [*hidden_sizes, 2 * n_latent], [*layers, "identity"])
        self.decoder = DenseLayers("decoder", [n_latent, *reversed(hidden_sizes)], layers)
        self.output = ColumnOutput("output", n_items, hidden_sizes[0])

    def start(self, rng: np.random.Generator, dtype=np.float32) -> Weights:
        """Draw weights."""
        parts = (self.encoder, self.decoder, self.output)
        return {name: value for part in parts for name, value in part.start(rng, dtype).items()}

    def step(
        self, weights: Weights, bags: sparse.csr_array, *, beta: float, input_dropout: float, rng: np.random.Generator
    ) -> tuple[Bound, Weights]:  # fmt: skip
        r"""Return a batch's bound and the gradient of cross-entropy + beta x divergence by the weights.

        .. math::

            \frac1B \sum_u \Big( -\sum_i x_{ui} \log p_{ui}
            + \beta\,\tfrac12 \sum_k \big(\mu_{uk}^2 + \sigma_{uk}^2 - 1 - \log \sigma_{uk}^2\big) \Big)

        with one drawn z a user. Inputs are divided by their length, then dropped; labels are the whole bag.

        Parameters
        ----------
        weights : dict
        bags : csr_array x, shape (B, n_items)
            Ones.
        beta : float
        input_dropout : float
        rng : numpy Generator
        """
        rows, batch = SparseRows.of(bags), bags.shape[0]
        inputs = dropped(unit_length(bags), input_dropout, rng)
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
        return Bound(loss, divergence), gradients

    def encode(self, weights: Weights, bags: sparse.csr_array) -> np.ndarray:
        r"""Compute the mean latent vectors :math:`\mu` of bags, shape (n, n_latent)."""
        found = np.empty((bags.shape[0], self.n_latent), dtype=weights[self.output.bias].dtype)
        for low in range(0, len(found), ROWS):
            part = bags[low : low + ROWS]
            layers = self.encoder.forward(weights, SparseRows.of(part), unit_length(part))
            found[low : low + ROWS] = layers[-1][:, : self.n_latent]
        return found

    def decode(self, weights: Weights, latent: np.ndarray) -> np.ndarray:
        """Compute the last hidden layer of latent vectors, shape (n, width)."""
        return self.decoder.forward(weights, latent)[-1]


def unit_length(bags: sparse.csr_array) -> np.ndarray:
    """Return the entries' values, all ones, with each row divided by its Euclidean length."""
    counts = np.diff(bags.indptr)
    return np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts).astype(bags.dtype)
