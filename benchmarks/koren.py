"""Seconds to fit SVD and SVD++ against scikit-surprise, and an epoch of SVD++ on ten times the ratings.

`run()` returns rows of ``benchmarks.csv``. On MovieLens 100K both sides do the same: same start, order, epochs and double
precision. Their predictions must agree to rounding error before a ratio is given. Whole fits are timed after a warm-up
that compiles, without making scikit-surprise's own data structure; it may keep its lists of films (``cache_ratings``).
On MovieLens 1M scikit-surprise's SVD++, quadratic in a user's ratings, would take hours: there the peer is its plain SVD,
which has less to do, and ours is as the study trains it, shuffled and in single precision. One thread each.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import surprise

from lib.data.dataset import load
from lib.data.interactions import Interactions
from lib.models.latent.biased_svd import BiasedSVD
from lib.models.latent.svdpp import SVDpp

SMALL, LARGE = "ml-100k", "ml-1m"
EPOCHS, RATE, PENALTY = 20, 0.007, 0.02
SVD_FACTORS, SVDPP_FACTORS, LARGE_FACTORS = 100, 20, 50
PAIRS = {"svd_fit": 3, "svdpp_fit": 1, "svdpp_epoch": 3}
"""Fits of each side in turn; the median counts."""

ALIKE = 1e-6
"""Largest difference of two predictions that are the same."""


def run() -> list[dict]:
    data = load(SMALL).interactions
    trainset = _trainset(data)
    same = {"n_epochs": EPOCHS, "lr_all": RATE, "reg_all": PENALTY}
    pairs = {
        "svd_fit": (
            BiasedSVD(n_factors=SVD_FACTORS, **_like_surprise("bias", "factor")),
            surprise.SVD(n_factors=SVD_FACTORS, random_state=0, **same),
        ),
        "svdpp_fit": (
            SVDpp(n_factors=SVDPP_FACTORS, **_like_surprise("bias", "factor", "implicit")),
            surprise.SVDpp(n_factors=SVDPP_FACTORS, random_state=0, cache_ratings=True, **same),
        ),
    }
    rows = []
    for name, (ours, theirs) in pairs.items():
        ours.fit(data.take(np.arange(1000)))  # compiles
        seconds, peer_seconds = _pairs(name, lambda: ours.fit(data), lambda: theirs.fit(trainset))  # noqa: B023
        gap = _gap(ours, theirs, trainset, data)
        if not gap < ALIKE:
            raise AssertionError(f"{name}: predictions differ by {gap}; they must agree first")
        note = f"{ours.n_factors} factors, {EPOCHS} epochs, one thread each; predictions differ by at most {gap:.0e}"
        rows.append(_row(name, ours, type(theirs).__name__, seconds, peer_seconds, SMALL, note))
    return [*rows, _epoch()]


def _epoch() -> dict:
    data = load(LARGE).interactions
    trainset = _trainset(data)
    ours = SVDpp(n_factors=LARGE_FACTORS, n_epochs=1)
    theirs = surprise.SVD(n_factors=LARGE_FACTORS, n_epochs=1)
    ours.fit(data.take(np.arange(1000)))
    seconds, peer_seconds = _pairs("svdpp_epoch", lambda: ours.fit(data), lambda: theirs.fit(trainset))
    note = f"{LARGE_FACTORS} factors, fit of one epoch, one thread each; the peer has no implicit part"
    return _row("svdpp_epoch", ours, "SVD", seconds, peer_seconds, LARGE, note)


def _like_surprise(*groups: str) -> dict:
    found = {f"{group}_learning_rate": RATE for group in groups}
    found |= {f"{group}_regularisation": PENALTY for group in groups}
    return found | {
        "n_epochs": EPOCHS, "learning_rate_decay": 1.0, "initial_scale": 0.1, "shuffle": False, "dtype": "float64",
    }  # fmt: skip


def _trainset(data: Interactions) -> surprise.Trainset:
    frame = pd.DataFrame({"user": data.users, "item": data.items, "rating": data.ratings.astype(float)})
    reader = surprise.Reader(rating_scale=data.scale)
    return surprise.Dataset.load_from_df(frame, reader).build_full_trainset()


def _gap(ours, theirs, trainset: surprise.Trainset, data: Interactions) -> float:
    """Largest difference of predictions over some pairs."""
    rng = np.random.default_rng(0)
    users, items = rng.choice(data.users, 500), rng.choice(data.items, 500)
    expected = [
        theirs.estimate(trainset.to_inner_uid(u), trainset.to_inner_iid(i))
        for u, i in zip(users, items, strict=True)
    ]
    return float(np.abs(ours.predict(users, items) - expected).max())


def _pairs(name: str, ours: Callable, theirs: Callable) -> tuple[float, float]:
    found = [(_clock(ours), _clock(theirs)) for _ in range(PAIRS[name])]
    return tuple(statistics.median(side) for side in zip(*found, strict=True))


def _clock(work: Callable) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _row(name: str, ours, peer: str, seconds: float, peer_seconds: float, dataset: str, note: str) -> dict:
    return {
        "benchmark": name, "subject": type(ours).__name__, "peer": f"scikit-surprise {peer}", "subject_seconds": seconds,
        "peer_seconds": peer_seconds, "ratio": peer_seconds / seconds, "dataset": dataset,
        "note": f"{note}; median of {PAIRS[name]}" if PAIRS[name] > 1 else note,
    }  # fmt: skip


if __name__ == "__main__":
    for row in run():
        print(row)
