"""Centring and scaling of ratings, learned from train alone, and the way back to the rating scale."""

from typing import Self

import numpy as np

from lib.data.interactions import Interactions
from lib.models.base import lookup


def means_of(codes: np.ndarray, ratings: np.ndarray, size: int, default: float) -> np.ndarray:
    """Return the mean rating of each of `size` users or films (float64), `default` for one without ratings."""
    counts = np.bincount(codes, minlength=size)
    sums = np.bincount(codes, ratings.astype(np.float64), minlength=size)
    return np.where(counts > 0, sums / np.maximum(counts, 1), default)


class UserMean:
    r"""Project A's :math:`z_{ui} = r_{ui} - \bar r_u`, less the user's mean training rating, else the global one."""

    def fit(self, train: Interactions) -> Self:
        """Learn the users' means; ValueError where `train` is empty."""
        if len(train) == 0:
            raise ValueError("UserMean.fit: the training set holds no ratings")
        self.global_mean_ = float(train.ratings.astype(np.float64).mean())
        self.means_ = means_of(train.users, train.ratings, train.n_users, self.global_mean_)
        return self

    def transform(self, interactions: Interactions) -> np.ndarray:
        """Centred ratings as float64, shape (n,)."""
        return interactions.ratings - lookup(self.means_, interactions.users, self.global_mean_)

    def inverse(self, users: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Add the users' means back."""
        return np.asarray(values, dtype=np.float64) + lookup(self.means_, users, self.global_mean_)


class LinearScale:
    r"""Map the rating scale's ends linearly onto -1 and 1: :math:`z = (2 r - low - high) / (high - low)`."""

    def fit(self, train: Interactions) -> Self:
        """Learn the scale's ends."""
        low, high = train.scale
        if not low < high:
            raise ValueError(f"LinearScale.fit: the rating scale {low:g} to {high:g} has no width")
        self.middle_, self.half_width_ = (low + high) / 2, (high - low) / 2
        return self

    def transform(self, interactions: Interactions) -> np.ndarray:
        """Scaled ratings as float64, shape (n,), in [-1, 1]."""
        return (interactions.ratings.astype(np.float64) - self.middle_) / self.half_width_

    def inverse(self, users: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return values on the rating scale."""
        return self.middle_ + self.half_width_ * np.asarray(values, dtype=np.float64)
