"""Seconds of an epoch of project D's AutoRec: our sparse kernels against the same network in Keras on TensorFlow.

`run()` returns rows of ``benchmarks.csv``. The peer is D's code: every row of ratings dense, a loss at the entries that
are not zero. Both have D's layers, dropout, batch and Adam, and run as many epochs; a ratio is given only if our test RMSE
is then no higher. Epochs are timed after a first one, which builds the graph; one thread each.
"""

from __future__ import annotations

import os
import time

import numpy as np

from benchmarks.pairs import clocked, of_version, on_threads
from lib.data.dataset import load
from lib.data.splits import make_split
from lib.experiment.alone import THREADS
from lib.metrics import rmse
from lib.models.networks.autorec import AutoRec

SETTINGS = {"form": "user", "hidden_sizes": (512, 256, 128), "activation": "relu", "input_dropout": 0.6, "l2": 0.0}
SETTINGS |= {"centre": "global", "learning_rate": 1e-3, "batch_size": 512, "averaging": 0.0}
SIZES = {"ml-100k": 20, "ml-1m": 10}
"""Data sets, D's kind of split each, and how many epochs both sides run; the last is the one that counts."""
ALIKE = 0.02
"""By how much our test RMSE may be higher: starts and dropout are drawn by other generators."""


def run(sizes=SIZES) -> list[dict]:
    os.environ.update(THREADS)  # TensorFlow reads them when it is loaded
    rows = []
    for dataset, epochs in sizes.items():
        split = make_split(load(dataset), "random_90_10", seed=10)
        with on_threads(1):
            AutoRec(**SETTINGS, epochs=1).fit(split.train)  # compiles
            pairs = [
                [clocked(AutoRec(**SETTINGS, epochs=n).fit, split.train) for n in (epochs, 2 * epochs)]
                for _ in range(3)
            ]
            seconds = float(np.median([(longer[0] - short[0]) / epochs for short, longer in pairs]))
            peer_seconds, predicted = _keras(split, epochs)
        ours = pairs[0][0][1].predict(split.test.users, split.test.items)
        error, peer_error = (rmse(split.test.ratings, split.test.scale.clip(found)) for found in (ours, predicted))
        if error - peer_error > ALIKE:
            raise AssertionError(f"ours has the higher error: {error:.4f}, and in Keras {peer_error:.4f}")
        rows.append(
            {
                "benchmark": "autorec_epoch", "subject": "AutoRec", "peer": "keras", "subject_seconds": seconds,
                "peer_seconds": peer_seconds, "ratio": peer_seconds / seconds, "dataset": dataset, "threads": 1,
                "error": error, "peer_error": peer_error, "headline": "yes" if dataset == [*sizes][-1] else "",
                "note": f"D's user AutoRec, 512-256-128; the peer reads dense rows; error: test RMSE after {epochs} epochs; "
                f"{of_version('keras')}{of_version('tensorflow-cpu')}an epoch's seconds",
            }
        )  # fmt: skip
    return rows


def _keras(split, epochs: int) -> tuple[float, np.ndarray]:
    """Train D's network as D does; return the median epoch without the first, and predictions of the test ratings."""
    import keras
    from keras import layers, ops

    mean = split.train.ratings.mean(dtype=np.float64)
    rows = np.zeros((split.train.n_users, split.train.n_items), np.float32)
    rows[split.train.users, split.train.items] = split.train.ratings - mean

    def loss(given, found):
        rated = ops.cast(ops.not_equal(given, 0.0), "float32")
        return ops.sum(ops.square(found - given) * rated) / (ops.sum(rated) + 1e-8)

    ends = []
    keras.utils.set_random_seed(0)
    hidden = inputs = layers.Input((rows.shape[1],))
    hidden = layers.Dropout(0.6)(hidden)
    for size in SETTINGS["hidden_sizes"]:
        hidden = layers.Dense(size, activation="relu")(hidden)
    network = keras.Model(inputs, layers.Dense(rows.shape[1])(hidden))
    network.compile(keras.optimizers.Adam(SETTINGS["learning_rate"]), loss=loss, jit_compile=False)
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter()))
    network.fit(rows, rows, batch_size=SETTINGS["batch_size"], epochs=epochs, verbose=0, callbacks=[clock])
    found = network.predict(rows, batch_size=SETTINGS["batch_size"], verbose=0)
    return float(np.median(np.diff(ends))), mean + found[split.test.users, split.test.items]


if __name__ == "__main__":
    for row in run():
        print(row)
