"""The network of AutoRec: rows of ratings in, the same rows' ratings out, trained on the stored entries alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from lib.data.interactions import RatingScale
from lib.models.adam import Adam
from lib.models.early_stopping import EarlyStopping
from lib.models.networks.row_centring import RowCentring
from lib.models.networks.sparse_network import ColumnOutput, SparseInput, SparseRows, Weights, dropped

ROWS = 8192
"""Rows whose hidden layers are computed at once where nothing is learned."""


class Autoencoder:
    r"""An autoencoder of sparse rows.

    .. math:: h = f_L(\dots f_1(x W_1 + c_1) \dots), \qquad \hat x_j = \langle h, V_j \rangle + b_j

    Parameters
    ----------
    n_columns : int
    hidden_sizes : sequence of int
    activation : str
        Of `lib.models.networks.sparse_network.ACTIVATIONS`, of all hidden layers.
    """

    def __init__(self, n_columns: int, hidden_sizes: Sequence[int], activation: str):
        self.n_columns = n_columns
        self.encoder = SparseInput("hidden", n_columns, hidden_sizes, [activation] * len(hidden_sizes))
        self.output = ColumnOutput("output", n_columns, hidden_sizes[-1])

    def start(self, rng: np.random.Generator, dtype=np.float32) -> Weights:
        """Draw weights."""
        return self.encoder.start(rng, dtype) | self.output.start(rng, dtype)

    def hidden(self, weights: Weights, inputs: sparse.csr_array) -> np.ndarray:
        """Compute the last hidden layer of many rows, shape (n_rows, width)."""
        n_rows = inputs.shape[0]
        found = np.empty((n_rows, self.output.shape[1]), dtype=weights[self.output.bias].dtype)
        for low in range(0, n_rows, ROWS):
            part = inputs[low : low + ROWS]
            found[low : low + ROWS] = self.encoder.forward(weights, SparseRows.of(part), part.data)[-1]
        return found

    def step(
        self, weights: Weights, batch: sparse.csr_array, *, input_dropout: float = 0.0, rng: np.random.Generator
    ) -> tuple[float, Weights]:  # fmt: skip
        r"""Return the sum of squared errors of the batch's entries, and the gradient of their mean by the weights.

        .. math:: \frac{1}{|B|} \sum_{(i,j) \in B} (\hat x_{ij} - x_{ij})^2

        The target is every stored entry, of inputs that were dropped too.
        """
        rows = SparseRows.of(batch)
        inputs = dropped(batch.data, input_dropout, rng)
        layers = self.encoder.forward(weights, rows, inputs)
        errors = self.output.at(weights, rows, layers[-1]) - batch.data
        slopes = errors * errors.dtype.type(2 / max(len(errors), 1))
        gradients, slope = self.output.backward_at(weights, rows, layers[-1], slopes)
        gradients |= self.encoder.backward(weights, rows, inputs, layers, slope)
        return float(np.vdot(errors, errors)), gradients


@dataclass
class Training:
    """What a training did.

    Parameters
    ----------
    weights : dict of str to ndarray
        Of the epoch that is kept.
    n_epochs : int
        Epochs behind them.
    history : list of (float, float, float)
        By epoch: root mean squared error of the training entries on the way, validation error (NaN without), and
        learning rate.
    """

    weights: Weights = field(repr=False)
    n_epochs: int
    history: list[tuple[float, float, float]]


def validation_error(
    network: Autoencoder, centring: RowCentring, inputs: sparse.csr_array, offsets: np.ndarray,
    held_out: sparse.csr_array, *, scale: RatingScale, leaky: bool = False, lost_zeros: bool = False,
) -> Callable[[Weights], float]:  # fmt: skip
    """Make the function that takes weights and gives the RMSE of clipped predictions of held-out ratings.

    Parameters
    ----------
    network, centring
    inputs : csr_array, shape (n_rows, n_columns)
        Centred ratings that are known, from which the others are predicted.
    offsets : ndarray, shape (n_rows,)
        Of those rows.
    held_out : csr_array, shape (n_rows, n_columns)
        Ratings, not centred.
    scale : RatingScale
    leaky : bool
        Predict them from themselves.
    lost_zeros : bool
        Leave out those that are zero once centred.
    """
    if leaky:
        offsets = centring.offsets(held_out)
        inputs = centring.centred(held_out, offsets)
    rows = SparseRows.of(held_out)
    counted = centring.centred(held_out, offsets).data != 0 if lost_zeros else slice(None)
    back = offsets[rows.owners] + centring.columns[rows.columns]

    def error(weights: Weights) -> float:
        found = network.output.at(weights, rows, network.hidden(weights, inputs)) + back
        gaps = (scale.clip(found) - held_out.data)[counted]
        return float(np.sqrt(np.mean(gaps**2)))

    return error


def without_zeros(centred: sparse.csr_array) -> sparse.csr_array:
    """Return what project D's mask leaves of centred ratings.

    Raises
    ------
    ValueError
        Nothing.
    """
    left = centred.copy()
    left.eliminate_zeros()
    if left.nnz == 0:
        raise ValueError(
            "AutoRec: every rating is zero once centred, so that lost_zeros leaves none; set it to False"
        )
    return left


def train(
    network: Autoencoder, ratings: sparse.csr_array, stopping: EarlyStopping, *, epochs: int, batch_size: int,
    l2: float = 0.0, input_dropout: float = 0.0, error: Callable[[Weights], float] | None = None,
    rates: Sequence[float] | None = None, rng: np.random.Generator,
) -> Training:  # fmt: skip
    """Train by Adam, in batches of rows drawn anew each epoch; rows without entries are left out.

    Parameters
    ----------
    network : Autoencoder
    ratings : csr_array, shape (n_rows, n_columns)
        Centred.
    stopping : EarlyStopping
    epochs : int
        At most.
    batch_size : int
        Rows a step.
    l2 : float
        Weight of half the kernels' squared norms beside the sum of all squared errors.
    input_dropout : float
    error : callable or None
        Takes weights, returns their validation error.
    rates : sequence of float or None
        Learning rates by epoch, in place of what `stopping` says.
    rng : numpy Generator

    Raises
    ------
    FloatingPointError
        The error is no longer finite.
    """
    weights = network.start(rng, ratings.dtype.type)
    kernels = [name for name in weights if name.endswith("/kernel")]
    optimiser = Adam(weights, stopping.learning_rate, dict.fromkeys(kernels, l2 / ratings.nnz))
    active, fit = np.flatnonzero(np.diff(ratings.indptr)), []
    for epoch in range(epochs):
        optimiser.learning_rate = stopping.learning_rate if rates is None else rates[epoch]
        order, total = rng.permutation(active), 0.0
        for low in range(0, len(order), batch_size):
            batch = ratings[order[low : low + batch_size]]
            squares, gradients = network.step(weights, batch, input_dropout=input_dropout, rng=rng)
            optimiser.step(gradients)
            total += squares
        fit.append(float(np.sqrt(total / ratings.nnz)))
        if not np.isfinite(fit[-1]):
            raise FloatingPointError(
                f"AutoRec diverged at learning_rate={stopping.learning_rate}; try a smaller one"
            )
        averaged = stopping.averaged(weights)
        stopping.record(averaged, None if error is None else error(averaged))
        if stopping.stopped:
            break
    used = stopping.rates if rates is None else list(rates[: len(fit)])
    return Training(stopping.weights, stopping.best + 1, list(zip(fit, stopping.errors, used, strict=True)))
