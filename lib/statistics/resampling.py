"""Resampling users: bootstrap weights, sign flips, and intervals from what they give."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import special  # scipy.stats would take each kernel seconds to import

from lib.metrics.per_user import PerUser

CELLS = 4_000_000
"""Weights or signs held at once: 32 MB."""


def weights_of(n: int, n_resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Blocks of bootstrap weights: how often each user was drawn, shape (block, n), rows summing to n."""
    rng = np.random.default_rng(seed)
    step = max(1, CELLS // n)
    for start in range(0, n_resamples, step):
        size = min(step, n_resamples - start)
        drawn = rng.integers(0, n, size=(size, n)) + n * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)


def resample_metrics(samples: list[PerUser], n_resamples: int, seed: int) -> np.ndarray:
    """Each metric over each resample of the users, shape (n_resamples, len(samples))."""
    sums = np.stack([s.numerators for s in samples] + [s.denominators for s in samples], axis=1)
    totals = np.concatenate([weights @ sums for weights in weights_of(len(sums), n_resamples, seed)])
    tops, bottoms = np.hsplit(totals, 2)
    return np.stack([s.of(tops[:, i], bottoms[:, i]) for i, s in enumerate(samples)], axis=1)


def resample_effects(gaps: np.ndarray, n_resamples: int, seed: int) -> np.ndarray:
    """Compute the effect size over each resample, shape (n_resamples, n_pairs)."""
    n = len(gaps)
    sums = np.concatenate([gaps, gaps**2], axis=1)
    totals = np.concatenate([weights @ sums for weights in weights_of(n, n_resamples, seed)])
    first, second = np.hsplit(totals / n, 2)
    return standardise(first, np.maximum(second - first**2, 0.0) * n / (n - 1))


def standardise(mean, variance):
    """Divide means by standard deviations: 0 for a mean of 0, infinite for another mean without any spread."""
    mean, variance = np.asarray(mean, dtype=np.float64), np.asarray(variance, dtype=np.float64)
    same = variance <= 1e-24 * mean**2  # equal for every user, but for rounding
    ratio = mean / np.sqrt(np.where(same, 1.0, variance))
    return np.where(same, np.where(mean == 0, 0.0, np.copysign(np.inf, mean)), ratio)


def leave_one_out(sample: PerUser) -> np.ndarray:
    """Compute the metric without each user in turn, shape (n,)."""
    tops = sample.numerators.sum() - sample.numerators
    bottoms = sample.denominators.sum() - sample.denominators
    return sample.of(np.maximum(tops, 0.0) if sample.root else tops, bottoms)


def interval(
    resampled: np.ndarray, value: float, left_out: np.ndarray, confidence: float
) -> tuple[float, float]:
    """Turn resampled values into a BCa interval (Efron 1987); plain percentiles where all lie on one side of `value`.

    Parameters
    ----------
    resampled : ndarray of float, shape (n_resamples,)
    value : float
        Over all users.
    left_out : ndarray of float, shape (n_users,)
        Without each user in turn; for the acceleration.
    confidence : float
    """
    low, high = np.quantile(resampled, _bca_tails(resampled, value, left_out, tails_of(confidence)))
    return float(low), float(high)


def _bca_tails(resampled: np.ndarray, value: float, left_out: np.ndarray, tails: np.ndarray) -> np.ndarray:
    """Shift the percentiles for the median's bias and the skew; unchanged where nothing varies."""
    share = (np.mean(resampled < value) + np.mean(resampled <= value)) / 2
    away = left_out.mean() - left_out
    spread = np.sum(away**2) ** 1.5
    if not 0 < share < 1 or spread == 0:
        return tails
    bias = special.ndtri(share)
    acceleration = np.sum(away**3) / (6 * spread)
    z = bias + special.ndtri(tails)
    return special.ndtr(bias + z / (1 - acceleration * z))


def tails_of(confidence: float) -> np.ndarray:
    """Probabilities of the two ends of a central interval."""
    return np.array([(1 - confidence) / 2, (1 + confidence) / 2])


def all_signs(n: int) -> Iterator[np.ndarray]:
    """Every way to flip the signs of n users, in one block of shape (2**n, n)."""
    yield 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)


def random_signs(n: int, n_resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Blocks of random signs, shape (block, n)."""
    rng = np.random.default_rng(seed)
    step = max(1, CELLS // n)
    for start in range(0, n_resamples, step):
        size = min(step, n_resamples - start)
        yield 1.0 - 2.0 * rng.integers(0, 2, size=(size, n), dtype=np.int8)
