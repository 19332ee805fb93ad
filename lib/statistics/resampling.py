"""Resampling users: bootstrap weights, sign flips, and intervals from what they give."""

from collections.abc import Iterator

import numpy as np
from scipy import special  # scipy.stats would take each kernel seconds to import

from lib.metrics.lists import blocks
from lib.metrics.per_user import PerUser

TAILS = np.array([(1 - 0.95) / 2, (1 + 0.95) / 2])  # probabilities of the two ends of a 95% interval


def weights_of(n: int, n_resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Blocks of bootstrap weights: how often each user was drawn, shape (block, n), rows summing to n."""
    rng = np.random.default_rng(seed)
    for rows in blocks(n_resamples, n):
        size = rows.stop - rows.start
        drawn = rng.integers(0, n, size=(size, n)) + n * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)


def resample_metrics(samples: list[PerUser], n_resamples: int, seed: int) -> np.ndarray:
    """Each metric over each resample of the users, shape (n_resamples, len(samples))."""
    sums = np.stack([s.numerators for s in samples] + [s.denominators for s in samples], axis=1)
    totals = np.concatenate([weights @ sums for weights in weights_of(len(sums), n_resamples, seed)])
    tops, bottoms = np.hsplit(totals, 2)
    return np.stack([s.of(tops[:, i], bottoms[:, i]) for i, s in enumerate(samples)], axis=1)


def leave_one_out(sample: PerUser) -> np.ndarray:
    """Compute the metric without each user in turn, shape (n,)."""
    tops = sample.numerators.sum() - sample.numerators
    bottoms = sample.denominators.sum() - sample.denominators
    return sample.of(np.maximum(tops, 0.0) if sample.root else tops, bottoms)


def interval(resampled: np.ndarray, value: float, left_out: np.ndarray) -> tuple[float, float]:
    """Turn resampled values into a BCa interval (Efron 1987): percentiles, shifted for the median's bias and the skew.

    `value` is that over all users, `left_out` (shape (n_users,)) those without each user in turn. Percentiles are plain where
    all values lie on one side of `value` or nothing varies.
    """
    share = (np.mean(resampled < value) + np.mean(resampled <= value)) / 2
    away = left_out.mean() - left_out
    spread, tails = np.sum(away**2) ** 1.5, TAILS
    if 0 < share < 1 and spread > 0:
        bias = special.ndtri(share)
        acceleration = np.sum(away**3) / (6 * spread)
        z = bias + special.ndtri(TAILS)
        tails = special.ndtr(bias + z / (1 - acceleration * z))
    low, high = np.quantile(resampled, tails)
    return float(low), float(high)


def all_signs(n: int) -> Iterator[np.ndarray]:
    """Every way to flip the signs of n users, in one block of shape (2**n, n)."""
    yield 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)


def random_signs(n: int, n_resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Blocks of random signs, shape (block, n)."""
    rng = np.random.default_rng(seed)
    for rows in blocks(n_resamples, n):
        yield 1.0 - 2.0 * rng.integers(0, 2, size=(rows.stop - rows.start, n), dtype=np.int8)
