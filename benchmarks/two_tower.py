"""Seconds of an epoch of the two-tower network: our training against plain Keras, at project A's best setting.

`run()` returns rows of ``benchmarks.csv``. The peer is the same network as A's code uses it: the batch's features are
gathered first, a vector is computed a rating, and ``fit`` goes to the backend once a step. Both networks must give the
same output before a ratio is given. Epochs are timed after a first one, which builds the graph; one thread each. Errors are
training RMSEs after as many epochs.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.pairs import of_version
from lib.data.dataset import load
from lib.data.splits import make_split
from lib.metrics import rmse
from lib.models.networks.two_tower import TwoTower

DATASET, SPLIT, SEED = "ml-100k", "per_user_80_20", 42
PEER_BATCHES = {1024: 4, 32: 2}
"""Batch sizes of both sides, A's own last, and how many epochs the peer runs."""


PLAIN = {"averaging": 0.0, "learning_rate": 1e-3}
"""What the peer does: Adam's own step, and the weights of the last one."""


def run() -> list[dict]:
    from lib.models.networks import keras_training
    from lib.models.networks.two_tower_network import TwoTowerNetwork

    train = make_split(load(DATASET), SPLIT, seed=SEED).train
    pairs = np.column_stack([train.users, train.items])
    targets = ((train.ratings - 3) / 2).astype(np.float32)
    ours = TwoTower(epochs=1)
    ours.fit(train)
    rows = []
    for batch_size, epochs in PEER_BATCHES.items():
        seconds = _seconds_an_epoch(train, batch_size, epochs)
        with keras_training.seeded(0):
            network = TwoTowerNetwork(*TwoTower(batch_size=1)._towers(train))
            whole = TwoTowerNetwork(*ours._towers(train))
            gap = np.abs(np.asarray(network(pairs[:5000])) - np.asarray(whole(pairs[:5000]))).max()
            if gap > 1e-5:
                raise AssertionError(f"the two networks' outputs differ by {gap}")
            peer_seconds = _plain(network, pairs, targets, batch_size, epochs)
        theirs = 3 + 2 * np.asarray(network.predict(pairs, batch_size=8192, verbose=0)).ravel()
        same = TwoTower(epochs=epochs, batch_size=batch_size, **PLAIN).fit(train).predict(train.users, train.items)
        error, peer_error = (rmse(train.ratings, train.scale.clip(found)) for found in (same, theirs))
        rows.append(
            {
                "benchmark": "two_tower_epoch", "subject": f"TwoTower, batch {batch_size}",
                "peer": "keras", "subject_seconds": seconds,
                "peer_seconds": peer_seconds, "ratio": peer_seconds / seconds, "dataset": DATASET,
                "threads": 1, "error": error, "peer_error": peer_error, "headline": "yes" if batch_size == 1024 else "",
                "note": f"{len(train):,} ratings, A's best architecture; the peer computes a vector a rating; "
                f"same network: outputs differ by at most {gap:.0e}; {of_version('keras')}medians of epochs",
            }
        )  # fmt: skip
    return rows


def _seconds_an_epoch(train, batch_size: int, few: int) -> float:
    """Median, of five, of what an epoch adds to a training whose graph is there."""
    found = []
    for _ in range(5):
        taken = []
        for epochs in (few, 2 * few):
            start = time.perf_counter()
            TwoTower(epochs=epochs, batch_size=batch_size, **PLAIN).fit(train)
            taken.append(time.perf_counter() - start)
        found.append((taken[1] - taken[0]) / few)
    return float(np.median(found))


def _plain(network, pairs, targets, batch_size: int, epochs: int) -> float:
    """Median epoch of ``fit``, without the first."""
    import keras

    ends = []

    class Clock(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            ends.append(time.perf_counter())

    network.compile(keras.optimizers.Adam(1e-3), loss="mean_squared_error", jit_compile=False)
    network.fit(pairs, targets, batch_size=batch_size, epochs=epochs, verbose=0, callbacks=[Clock()])
    return float(np.median(np.diff(ends)))


if __name__ == "__main__":
    for row in run():
        print(row)
