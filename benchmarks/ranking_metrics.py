"""Speed of full-catalogue ranking metrics and of resampling users, against scikit-learn and SciPy.

`run()` returns rows of ``benchmarks.csv``. Scores and tastes are drawn at random in
MovieLens 1M's shape, so that no model's speed is in the figures.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats
from sklearn.metrics import ndcg_score

from benchmarks.pairs import Side, compare
from lib.data.interactions import Interactions, RatingScale
from lib.metrics import PerUser, evaluate_ranking, top_k
from lib.statistics.significance import bootstrap_interval, sign_flip_test

SHAPE = (6040, 3706)
N_RATINGS = 1_000_209
K = 10


def run() -> list[dict]:
    """Measure after a small warm-up, which compiles and loads what the first call would be charged for."""
    _measure((200, 100), 4000)
    return _measure(SHAPE, N_RATINGS)


def _measure(shape: tuple[int, int], n_ratings: int) -> list[dict]:
    rng = np.random.default_rng(0)
    train, test = _split(rng, shape, n_ratings)
    scores = rng.normal(size=shape).astype(np.float32)
    rows = [_ranking(scores, train, test)]
    ndcg = evaluate_ranking(top_k(scores, K, train.matrix), test).per_user("ndcg")
    rows.append(_bootstrap(ndcg))
    rows.append(_permutation(rng.normal(0.01, 1, shape[0])))
    return rows


def _ranking(scores: np.ndarray, train: Interactions, test: Interactions) -> dict:
    truth = np.zeros(scores.shape, dtype=np.float32)
    liked = test.ratings >= 4
    truth[test.users[liked], test.items[liked]] = 1
    masked = scores.copy()
    masked[train.users, train.items] = scores.min() - 1  # scikit-learn takes no infinity
    train.matrix  # noqa: B018  cached, as in a run that measures several models

    def ours():
        return evaluate_ranking(top_k(scores, K, train.matrix), test).metrics()[f"ndcg@{K}"]

    def theirs():
        kept = truth.any(axis=1)
        return ndcg_score(truth[kept], masked[kept], k=K, ignore_ties=True)

    return _row("ndcg_at_10", "lib.metrics, seven metrics", "scikit-learn ndcg_score", ours, theirs, 1e-9)


def _bootstrap(sample: PerUser) -> dict:
    def ours():
        return bootstrap_interval(sample, n_resamples=2000).low

    def theirs():
        found = stats.bootstrap((sample.numerators,), np.mean, n_resamples=2000, method="BCa", rng=0)
        return found.confidence_interval.low

    return _row("bca_interval", "lib.statistics.significance", "scipy stats.bootstrap", ours, theirs, 1e-2)


def _permutation(gaps: np.ndarray) -> dict:
    def ours():
        return sign_flip_test(gaps, n_resamples=2000)

    def theirs():
        return stats.permutation_test(
            (gaps, np.zeros(len(gaps))), lambda x, y, axis: np.mean(x - y, axis=axis), vectorized=True,
            permutation_type="samples", n_resamples=2000, rng=0,
        ).pvalue  # fmt: skip

    return _row("sign_flip_test", "lib.statistics.significance", "scipy stats.permutation_test", ours, theirs, 5e-2)


def _row(name: str, subject: str, peer: str, ours: Callable, theirs: Callable, agree: float) -> dict:
    values = {}

    def side(label: str, work: Callable) -> Side:
        def fit(_: int) -> None:
            values[label] = float(work())

        return Side(label, fit)

    package, _, function = peer.partition(" ")
    row = compare(
        name, side(subject, ours), side(package, theirs), dataset="random, shape of ml-1m", headline=True,
        note=f"against {function}; both say the same within {agree:g}",
    )  # fmt: skip
    if not np.isclose(values[subject], values[package], rtol=0, atol=agree):
        raise AssertionError(f"{name}: they must agree first: {values}")
    return row


def _split(rng: np.random.Generator, shape: tuple[int, int], n: int) -> list[Interactions]:
    cells = rng.choice(shape[0] * shape[1], n, replace=False)
    ratings = rng.integers(1, 6, n)
    ids = np.arange(shape[0]), np.arange(shape[1])
    return [
        Interactions(
            cells[part] // shape[1], cells[part] % shape[1], ratings[part], np.zeros(len(cells[part])), *ids,
            RatingScale(1, 5),
        )
        for part in (slice(n // 5, None), slice(None, n // 5))
    ]  # fmt: skip
