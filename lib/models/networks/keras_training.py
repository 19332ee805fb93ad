"""Training a Keras network on data that fits in memory: one call into the backend an epoch, the same seed the same bits.

Importing this loads Keras and its backend, which takes seconds: import it where a network is about to be trained.
"""

import gc
import logging
import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import ceil

import numpy as np

from lib.models.early_stopping import EarlyStopping
from lib.models.networks.network_model import Weights

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
gc.freeze()  # what the backend is made of stays: each search for garbage would go through it, a second at a time

STREAM_BYTES = 100_000_000  # shuffled copies of the data, one an epoch, that are laid out in memory at a time

KEPT, LARGEST = 2, 5_000_000
"""Compiled networks that are kept, one that stops and one for its refit, and the most weights that such a one has."""

_kept: dict[tuple, keras.Model] = {}


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed what Keras draws without a seed, and give Python's and numpy's global generators back as they were."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    # keras.utils.set_random_seed would do this, and have TensorFlow optimise the graphs of kept networks once more.
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002


class EachEpoch(keras.callbacks.Callback):
    """Measures and keeps weights after each epoch, one execution of many steps, and sets the next learning rate."""

    def __init__(self, stopping: EarlyStopping, epochs: int, error: Callable | None, rates: Sequence[float] | None):
        super().__init__()
        self.stopping, self.epochs, self.error, self.rates = stopping, epochs, error, rates
        self.losses: list[float] = []
        self.executions, self.total = 0, 0.0

    def on_epoch_begin(self, epoch, logs=None):
        """Keras starts a new running mean of the loss."""
        self.executions, self.total = 0, 0.0

    def on_train_batch_end(self, batch, logs=None):
        """Do an epoch's end: Keras calls this once an execution."""
        self.executions += 1
        total = self.executions * float((logs or {})["loss"])  # Keras gives the mean since its epoch began
        loss, self.total = total - self.total, total
        epoch, stopping = len(self.losses), self.stopping
        if not np.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss} in epoch {epoch + 1}; try a smaller learning_rate")
        self.losses.append(loss)
        weights = stopping.averaged(self.model.weights_by_name())
        stopping.record(weights, self.error(weights) if self.error else None)
        self.model.stop_training = epoch + 1 == self.epochs or stopping.stopped
        if self.rates is not None:
            stopping.learning_rate = self.rates[min(epoch + 1, len(self.rates) - 1)]
        if stopping.learning_rate != stopping.rates[-1]:
            self.model.optimizer.learning_rate = stopping.learning_rate


def train(
    network: keras.Model,
    inputs: np.ndarray,
    targets: np.ndarray,
    stopping: EarlyStopping,
    *,
    epochs: int,
    batch_size: int,
    error: Callable[[Weights], float] | None = None,
    rates: Sequence[float] | None = None,
    seed: int = 0,
) -> list[float]:
    """Train by Adam on mean squared error, and return the mean loss by epoch, penalties included.

    What is trained may be another network, compiled before and set to the start of this one: see `compiled`.

    An epoch is split into equally large batches of at most `batch_size`; the few ratings that are then left over, fewer
    than there are batches, are others in each epoch. Raises FloatingPointError: the loss is no longer finite. The
    `network` is built, not compiled; its ``weights_by_name()`` returns arrays, and its ``constants``, a tuple, are all
    that tells its graph from those of the same class and of weights of the same shapes. `stopping` says how to go on
    after each of at most so many `epochs`, and is left with weights, errors and learning rates; `error` takes weights
    and returns their validation error, and None trains for all epochs. `rates` by epoch stand in place of what
    `stopping` says; `seed` is of the shuffling.
    """
    if rates is not None:
        stopping.learning_rate = rates[0]
    steps = ceil(len(inputs) / batch_size)
    used = steps * (len(inputs) // steps)
    rng = np.random.default_rng(seed)
    # Handing the data over costs as much as an epoch does, so that many epochs go over at once, shuffled each.
    laid_out = min(epochs, max(1, STREAM_BYTES // (inputs.nbytes + targets.nbytes)))
    order = np.concatenate([rng.permutation(len(inputs))[:used] for _ in range(laid_out)])
    form = (type(network), network.constants, steps, used // steps)
    form += tuple((weight.name, tuple(weight.shape), weight.trainable) for weight in network.variables)
    network = compiled(network, form, steps)
    gc.collect(1)  # frees a network that only gave its weights: a circle of references, still young
    network.optimizer.learning_rate = stopping.learning_rate
    each = EachEpoch(stopping, epochs, error, rates)
    network.fit(
        inputs[order],
        targets[order],
        batch_size=used // steps,
        epochs=ceil(epochs / laid_out),
        shuffle=False,
        verbose=0,
        callbacks=[each],
    )
    if network.count_params() <= LARGEST:
        _kept[form] = network
    return each.losses


def compiled(network: keras.Model, form: tuple, steps: int) -> keras.Model:
    """Compile a network or, where one of its `form` is kept, set that one to its weights and the optimizer's start.

    Tracing a training and optimising its graph takes as long as many epochs of a small network. Earlier trainings leave
    no mark: weights, states of seeds and the optimizer's variables are all that is carried on. It is taken out of what
    is kept, so that nobody else trains it meanwhile.
    """
    kept = _kept.pop(form, None)
    if kept is not None:
        for weight, start in zip(kept.variables, network.variables, strict=True):
            weight.assign(start)
        for variable in kept.optimizer.variables:
            variable.assign(keras.ops.zeros(variable.shape, variable.dtype))
        return kept
    while len(_kept) >= KEPT:
        del _kept[next(iter(_kept))]
    # Drops the graphs of networks that are no longer kept; to look for garbage takes seconds, and Python does it by itself.
    keras.backend.clear_session(free_memory=False)
    network.compile(
        optimizer=keras.optimizers.Adam(),
        loss="mean_squared_error",
        steps_per_execution=steps,
        # TensorFlow's own kernels: compiling by XLA takes longer than training does. JAX cannot do without it.
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
    )
    # Unbuilt, the optimizer would make its variables in the first step's graph, which is then traced a second time.
    network.optimizer.build(network.trainable_variables)
    return network
