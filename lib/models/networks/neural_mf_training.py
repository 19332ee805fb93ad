"""Training with a learning rate that falls when validation stalls, or as another training found it should.

Importing this loads Keras.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil

import keras
import numpy as np

from lib.models.networks import keras_training
from lib.models.networks.keras_training import EachEpoch, Training, Weights


class Plateau(EachEpoch):
    """After each epoch, measure and keep weights as `EachEpoch` does, then set the next epoch's learning rate.

    Parameters
    ----------
    rates : sequence of float
        Learning rates by epoch, known beforehand; the last one holds from then on. Where there is an error to watch,
        it falls from there.
    plateau_patience : int
        Epochs without a new lowest error, counted from that error or from the last fall, after which the rate falls.
    plateau_factor : float
        What the rate is then multiplied by.
    read, error, epochs, averaging, patience
        As in `EachEpoch`.
    """

    def __init__(self, *args, rates: Sequence[float], plateau_patience: int, plateau_factor: float):
        super().__init__(*args)
        self.known = list(rates)
        self.plateau_patience, self.plateau_factor = plateau_patience, plateau_factor
        self.rates, self.rate, self.fell = [], self.known[0], -1

    def on_train_batch_end(self, batch, logs=None):
        """Do an epoch's end: Keras calls this once an execution."""
        super().on_train_batch_end(batch, logs)
        self.rates.append(self.rate)
        epoch = len(self.rates) - 1
        if epoch + 1 < len(self.known):
            self.rate = self.known[epoch + 1]
        elif self.error and epoch - max(self.training.best, self.fell) >= self.plateau_patience:
            self.rate, self.fell = self.rate * self.plateau_factor, epoch
        if self.rate != self.rates[-1]:
            self.model.optimizer.learning_rate = self.rate


def train(
    network: keras.Model,
    pairs: np.ndarray,
    ratings: np.ndarray,
    *,
    read: Callable[[keras.Model], Weights],
    epochs: int,
    batch_size: int,
    rates: Sequence[float],
    averaging: float,
    error: Callable[[Weights], float] | None,
    patience: int,
    plateau_patience: int,
    plateau_factor: float,
    seed: int,
) -> tuple[Training, list[float]]:
    """Train by Adam on mean squared error, as `lib.models.networks.keras_training.train` does at one learning rate.

    Parameters
    ----------
    network : keras.Model
        Built, not compiled.
    pairs : ndarray of int32, shape (n, 2)
    ratings : ndarray of float32, shape (n,)
    rates, plateau_patience, plateau_factor
        See `Plateau`.
    read, epochs, batch_size, averaging, error, patience, seed
        See `lib.models.networks.keras_training.train`.

    Returns
    -------
    Training
    list of float
        The learning rate of each epoch.

    Raises
    ------
    FloatingPointError
        The loss is no longer finite.
    """
    steps = ceil(len(pairs) / batch_size)
    used = steps * (len(pairs) // steps)
    rng = np.random.default_rng(seed)
    # Handing the data over takes long beside an epoch of a small network: many epochs go over at once, shuffled each.
    laid_out = min(epochs, max(1, keras_training.STREAM_BYTES // (pairs.nbytes + ratings.nbytes)))
    order = np.concatenate([rng.permutation(len(pairs))[:used] for _ in range(laid_out)])
    network.compile(
        optimizer=keras.optimizers.Adam(rates[0]),
        loss="mean_squared_error",
        steps_per_execution=steps,
        # TensorFlow's own kernels: compiled by XLA, a step takes longer. JAX cannot do without it.
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
    )
    network.optimizer.build(network.trainable_variables)  # before the first step, or that is traced twice
    each = Plateau(
        read, error, epochs, averaging, patience, rates=rates, plateau_patience=plateau_patience,
        plateau_factor=plateau_factor,
    )  # fmt: skip
    network.fit(
        pairs[order], ratings[order], batch_size=used // steps, epochs=ceil(epochs / laid_out), shuffle=False,
        verbose=0, callbacks=[each],
    )  # fmt: skip
    return each.training, each.rates
