"""Centring and scaling of ratings, learned from train alone, and the way back to the rating scale."""

from __future__ import annotations

from typing import Self

import numpy as np

from lib.data.interactions import Interactions
from lib.models.base import lookup


class Identity:
    """Leave ratings as they are."""

    def fit(self, train: Interactions) -> Self:
        """Learn nothing."""
        return self

    def transform(self, interactions: Interactions) -> np.ndarray:
        """Ratings as float64, shape (n,)."""
        return interactions.ratings.astype(np.float64)

    def inverse(self, users: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return the values unchanged."""
        return np.asarray(values, dtype=np.float64)


class UserMean:
    r"""Subtract each user's mean training rating: :math:`z_{ui} = r_{ui} - \bar r_u` (project A's normalisation).

    A user without a training rating gets the global mean.
    """

    means_: np.ndarray
    global_mean_: float

    def fit(self, train: Interactions) -> Self:
        """Learn the users' means.

        Raises
        ------
        ValueError
            `train` is empty.
        """
        if len(train) == 0:
            raise ValueError("UserMean.fit: the training set holds no ratings")
        ratings = train.ratings.astype(np.float64)
        self.global_mean_ = float(ratings.mean())
        sums = np.bincount(train.users, ratings, minlength=train.n_users)
        counts = train.user_counts
        self.means_ = np.where(counts > 0, sums / np.maximum(counts, 1), self.global_mean_)
        return self

    def transform(self, interactions: Interactions) -> np.ndarray:
        """Centred ratings as float64, shape (n,)."""
        return interactions.ratings - lookup(self.means_, interactions.users, self.global_mean_)

    def inverse(self, users: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Add the users' means back; `values` has shape (n,) or (n, n_items)."""
        means = lookup(self.means_, users, self.global_mean_)
        values = np.asarray(values, dtype=np.float64)
        return values + (means[:, None] if values.ndim == 2 else means)


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


CENTRINGS = {"none": Identity, "user": UserMean}


def centring(name: str):
    """Make a normalisation by the name that models' ``centre`` parameter takes: ``none`` or ``user``.

    Raises
    ------
    ValueError
        No centring has that name.
    """
    if name not in CENTRINGS:
        raise ValueError(f"centre must be one of {', '.join(map(repr, CENTRINGS))}; got {name!r}")
    return CENTRINGS[name]()
