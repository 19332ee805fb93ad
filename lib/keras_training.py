"""Training a Keras network on data that fits in memory: one call into the backend an epoch, the same seed the same bits.

Importing this loads Keras and its backend, which takes seconds: import it where a network is about to be trained.
"""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil

import numpy as np

# Backends read these once, when they load. One thread: steps are too small to share, and the order of sums is fixed.
for _name, _value in (
    ("TF_CPP_MIN_LOG_LEVEL", "3"),
    ("TF_ENABLE_ONEDNN_OPTS", "0"),
    ("TF_NUM_INTRAOP_THREADS", "1"),
    ("TF_NUM_INTEROP_THREADS", "1"),
):
    os.environ.setdefault(_name, _value)

import keras  # noqa: E402

logging.getLogger("tensorflow").setLevel(logging.ERROR)  # else a warning at each new network's first step


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed Keras, and give Python's and numpy's global generators back as they were."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    keras.backend.clear_session()  # drops the graphs of networks trained before
    keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002


class BestEpoch(keras.callbacks.Callback):
    """Keep the weights of the epoch with the lowest validation error; stop after `patience` epochs without a better.

    Parameters
    ----------
    error : callable or None
        Takes the network, returns its validation error; without one the last epoch is the best.
    patience : int
    """

    def __init__(self, error: Callable[[keras.Model], float] | None, patience: int):
        super().__init__()
        self.error, self.patience = error, patience
        self.losses: list[float] = []
        self.errors: list[float] = []
        self.best, self.kept = -1, None

    def on_epoch_end(self, epoch, logs=None):
        """Measure the epoch."""
        loss = float((logs or {})["loss"])
        if not np.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss} in epoch {epoch + 1}; try a smaller learning_rate")
        self.losses.append(loss)
        self.errors.append(self.error(self.model) if self.error else -float(epoch))
        if self.best < 0 or self.errors[-1] < self.errors[self.best]:
            self.best = epoch
            self.kept = [np.array(w) for w in self.model.get_weights()]
        elif epoch - self.best >= self.patience:
            self.model.stop_training = True


def train(
    network: keras.Model,
    inputs: np.ndarray,
    targets: np.ndarray,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    averaging: float = 0.0,
    error: Callable[[keras.Model], float] | None = None,
    patience: int = 3,
) -> BestEpoch:
    """Train by Adam on mean squared error, and leave the best epoch's weights in the network.

    Parameters
    ----------
    network : keras.Model
        Built, not compiled.
    inputs, targets : ndarray, shape (n, ...)
        Held in memory and shuffled anew each epoch.
    epochs : int
        At most this many.
    batch_size : int
    learning_rate : float
    averaging : float
        Momentum of an exponential moving average of the weights, which is what is measured and kept; 0 for none.
    error, patience
        As for `BestEpoch`.

    Returns
    -------
    BestEpoch
        ``losses`` and ``errors`` by epoch, and which one was ``best`` (from zero).

    Raises
    ------
    FloatingPointError
        The loss is no longer finite.
    """
    batch_size = min(batch_size, len(inputs))
    network.compile(
        optimizer=keras.optimizers.Adam(learning_rate, use_ema=averaging > 0, ema_momentum=averaging or 0.99),
        loss="mean_squared_error",
        # One call into the backend an epoch: the steps are so short that Python between them would cost as much.
        steps_per_execution=ceil(len(inputs) / batch_size),
        # TensorFlow's own kernels: compiling by XLA takes longer than training does. JAX cannot do without it.
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
    )
    # Unbuilt, the optimizer would make its variables in the first step's graph, which is then traced a second time.
    network.optimizer.build(network.trainable_variables)
    best = BestEpoch(error, patience)
    swap = [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if averaging > 0 else []
    network.fit(
        inputs,
        targets,
        batch_size=batch_size,
        epochs=epochs,
        shuffle=True,
        verbose=0,
        callbacks=[*swap, best],
    )
    network.set_weights(best.kept)
    return best
