"""Training a Keras network on data that fits in memory: one call into the backend an epoch, the same seed the same bits.

Importing this loads Keras and its backend, which takes seconds: import it where a network is about to be trained.
"""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
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

STREAM_BYTES = 100_000_000
"""Shuffled copies of the data, one an epoch, that are laid out in memory at a time."""

Weights = dict[str, np.ndarray]


@dataclass
class Training:
    """What a training did.

    Parameters
    ----------
    objectives : list of float
        Mean loss by epoch, penalties included.
    errors : list of float
        Validation error by epoch; empty without validation.
    best : int
        The epoch, from zero, whose weights were kept: the one with the lowest error, or the last.
    weights : dict of str to ndarray
    """

    objectives: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    best: int = -1
    weights: Weights = field(default_factory=dict, repr=False)


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


class EachEpoch(keras.callbacks.Callback):
    """Average, measure and keep weights after each epoch, which is one execution of many steps."""

    def __init__(
        self, read: Callable[[keras.Model], Weights], error: Callable[[Weights], float] | None, epochs: int,
        averaging: float, patience: int,
    ):  # fmt: skip
        super().__init__()
        self.read, self.error, self.epochs = read, error, epochs
        self.averaging, self.patience = averaging, patience
        self.training, self.average = Training(), {}
        self.executions, self.total = 0, 0.0

    def on_epoch_begin(self, epoch, logs=None):
        """Keras starts a new running mean of the loss."""
        self.executions, self.total = 0, 0.0

    def on_train_batch_end(self, batch, logs=None):
        """Do an epoch's end: Keras calls this once an execution."""
        self.executions += 1
        total = self.executions * float((logs or {})["loss"])  # Keras gives the mean since its epoch began
        objective, self.total = total - self.total, total
        epoch = len(self.training.objectives)
        if not np.isfinite(objective):
            raise FloatingPointError(
                f"the loss is {objective} in epoch {epoch + 1}; try a smaller learning_rate"
            )
        self.training.objectives.append(objective)
        weights = self._averaged(self.read(self.model), epoch + 1)
        if self.error:
            self.training.errors.append(self.error(weights))
        if (
            epoch == 0
            or not self.error
            or self.training.errors[-1] < self.training.errors[self.training.best]
        ):
            self.training.best, self.training.weights = epoch, weights
        self.model.stop_training = epoch + 1 == self.epochs or epoch - self.training.best >= self.patience

    def _averaged(self, weights: Weights, count: int) -> Weights:
        """Update the moving average; dividing by the weight that it has so far takes out its start at zero."""
        if self.averaging == 0:
            return weights
        for name, now in weights.items():
            before = self.average.get(name, 0.0)
            self.average[name] = self.averaging * before + (1 - self.averaging) * now
        share = np.float32(1 - self.averaging**count)
        return {name: mean / share for name, mean in self.average.items()}


def train(
    network: keras.Model,
    inputs: np.ndarray,
    targets: np.ndarray,
    *,
    read: Callable[[keras.Model], Weights],
    epochs: int,
    batch_size: int,
    learning_rate: float,
    averaging: float = 0.0,
    error: Callable[[Weights], float] | None = None,
    patience: int = 3,
    seed: int = 0,
) -> Training:
    """Train by Adam on mean squared error.

    An epoch is split into equally large batches of at most `batch_size`; the few ratings that are then left over, fewer
    than there are batches, are others in each epoch.

    Parameters
    ----------
    network : keras.Model
        Built, not compiled.
    inputs, targets : ndarray, shape (n, ...)
    read : callable
        Takes the network, returns its weights as arrays.
    epochs : int
        At most this many.
    batch_size : int
    learning_rate : float
    averaging : float
        Momentum, an epoch, of an average of the weights that is measured and kept in their place; 0 for none.
    error : callable or None
        Takes weights, returns their validation error; None trains for all epochs.
    patience : int
        Epochs without a lower error after which training stops.
    seed : int
        Of the shuffling.

    Returns
    -------
    Training

    Raises
    ------
    FloatingPointError
        The loss is no longer finite.
    """
    steps = ceil(len(inputs) / batch_size)
    used = steps * (len(inputs) // steps)
    rng = np.random.default_rng(seed)
    # Handing the data over costs as much as an epoch does, so that many epochs go over at once, shuffled each.
    laid_out = min(epochs, max(1, STREAM_BYTES // (inputs.nbytes + targets.nbytes)))
    order = np.concatenate([rng.permutation(len(inputs))[:used] for _ in range(laid_out)])
    network.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss="mean_squared_error",
        steps_per_execution=steps,
        # TensorFlow's own kernels: compiling by XLA takes longer than training does. JAX cannot do without it.
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
    )
    # Unbuilt, the optimizer would make its variables in the first step's graph, which is then traced a second time.
    network.optimizer.build(network.trainable_variables)
    each = EachEpoch(read, error, epochs, averaging, patience)
    network.fit(
        inputs[order], targets[order], batch_size=used // steps, epochs=ceil(epochs / laid_out), shuffle=False,
        verbose=0, callbacks=[each],
    )  # fmt: skip
    return each.training
