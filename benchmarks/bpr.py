"""Seconds an epoch of Bayesian personalised ranking by single triplets: our kernel against the library `implicit`.

`run()` returns rows of ``benchmarks.csv``. Same ratings, factors, epochs, learning rate and penalty, starts of the same
spread. An epoch is as many triplets as there are ratings on both sides, so a ratio of epochs is one of seconds a sampled
triplet. First both draw triplets by the same law: negatives by popularity, a triplet skipped where the negative is among
the user's films. They must then rank alike before a ratio is given. The last row has our own law: negatives evenly over
the catalogue, and drawn again, so that no triplet is skipped. Whole fits are timed, ours and theirs in turn, with a seed a
pair; the ratio is the median of the pairs'.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from lib.data.dataset import load
from lib.data.splits import Split, make_split
from lib.metrics import evaluate_ranking, top_k
from lib.models.lists.bpr import BPR

DATASET, SPLIT, SEED = "ml-1m", "random_90_10", 42
FACTORS, EPOCHS, RATE, PENALTY = 64, 15, 0.05, 0.01
PAIRS = 3
ALIKE = 0.9
"""Least share of the peer's nDCG@10 that ours must have, and the other way round."""

SPREAD = 1 / (FACTORS * np.sqrt(12))
"""Standard deviation of the peer's start, which is even over a width of 1 / factors."""

PEERS_LAW = {"negative_power": 1.0, "n_tries": 1}


def run() -> list[dict]:
    split = make_split(load(DATASET), SPLIT, seed=SEED)
    for settings in ({}, PEERS_LAW):  # compiles
        BPR(n_factors=2, n_epochs=1, **settings).fit(split.train.take(np.arange(5000)))
    split.train.matrix  # noqa: B018  cached, and not part of either's work
    with threadpool_limits(1, user_api="blas"):
        return [
            _row(split, "bpr_epoch", PEERS_LAW, "its law of triplets"),
            _row(split, "bpr_epoch_even_negatives", {}, "negatives drawn evenly, none skipped"),
        ]


def _row(split: Split, name: str, settings: dict, law: str) -> dict:
    found = [_pair(split, settings, seed) for seed in range(PAIRS)]
    seconds, peer_seconds, ndcg, peer_ndcg, sampled = np.median(found, axis=0)
    if settings is PEERS_LAW and not ALIKE < ndcg / peer_ndcg < 1 / ALIKE:
        raise AssertionError(
            f"{name}: nDCG@10 of {ndcg:.4f} and of {peer_ndcg:.4f} must be nearer to each other"
        )
    return {
        "benchmark": name, "subject": f"BPR, {law}", "peer": "implicit BayesianPersonalizedRanking",
        "subject_seconds": seconds, "peer_seconds": peer_seconds,
        "ratio": float(np.median([theirs / ours for ours, theirs, *_ in found])), "dataset": DATASET,
        "note": f"{FACTORS} factors, {EPOCHS} epochs, one thread each, "
        f"median of {PAIRS} pairs of fits; nDCG@10 {ndcg:.4f} against {peer_ndcg:.4f} at learning rate {RATE:g} and "
        f"penalty {PENALTY:g}, nothing tuned; ours takes a step for {sampled:.0%} of its triplets",
    }  # fmt: skip


def _pair(split: Split, settings: dict, seed: int) -> tuple[float, ...]:
    """Fit ours, then theirs; seconds an epoch and nDCG@10 of each, and the share of our triplets not skipped."""
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    train = split.train
    ours = BPR(
        n_factors=FACTORS, n_epochs=EPOCHS, learning_rate=RATE, l2=PENALTY, initial_scale=SPREAD, seed=seed,
        **settings,
    )  # fmt: skip
    seconds = _clock(lambda: ours.fit(train)) / EPOCHS
    peer = BayesianPersonalizedRanking(
        factors=FACTORS, iterations=EPOCHS, learning_rate=RATE, regularization=PENALTY, num_threads=1,
        random_state=seed,
    )  # fmt: skip
    matrix = sparse.csr_matrix(train.matrix, dtype=np.float32)
    peer_seconds = _clock(lambda: peer.fit(matrix, show_progress=False)) / EPOCHS
    ndcg = _ndcg(split, ours.score(np.arange(train.n_users)))
    peer_ndcg = _ndcg(split, peer.user_factors @ peer.item_factors.T)
    return seconds, peer_seconds, ndcg, peer_ndcg, 1 - ours.n_skipped_ / (EPOCHS * len(train))


def _ndcg(split: Split, scores: np.ndarray) -> float:
    return evaluate_ranking(top_k(scores, 10, split.train.matrix), split.test).metrics()["ndcg@10"]


def _clock(work: Callable) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    for row in run():
        print(row)
