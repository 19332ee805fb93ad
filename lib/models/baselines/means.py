"""The constant predictors: what a model must beat to have learned anything."""

import numpy as np

from lib.data.interactions import Interactions
from lib.models.base import Recommender, lookup
from lib.models.card import Card
from lib.models.normalisation import means_of


class GlobalMean(Recommender):
    r"""Predict the mean training rating for every pair: :math:`\hat r_{ui} = \mu`."""

    card = Card(
        "global_mean",
        "Global mean",
        "means and popularity",
        "Cold users and films get the mean training rating, like all others.",
        colour="#9A9A9A",
    )

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        self.mean_ = np.float64(train.ratings.mean(dtype=np.float64))

    def predict(self, users, items, times=None) -> np.ndarray:
        """Predict the global mean."""
        users, _ = self._pairs(users, items, times)
        return np.full(len(users), float(self.mean_))


class UserMean(Recommender):
    r"""Predict a user's mean training rating, :math:`\hat r_{ui} = \bar r_u`: lists are in order of item code."""

    card = Card(
        "user_mean", "User mean", "means and popularity", "A cold user gets the mean training rating.", colour="#868686"
    )

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        self.mean_ = np.float64(train.ratings.mean(dtype=np.float64))
        self.user_means_ = means_of(train.users, train.ratings, train.n_users, float(self.mean_))

    def predict(self, users, items, times=None) -> np.ndarray:
        """Predict the user's mean."""
        users, _ = self._pairs(users, items, times)
        return lookup(self.user_means_, users, float(self.mean_))


class ItemMean(Recommender):
    r"""Predict a film's mean training rating: :math:`\hat r_{ui} = \bar r_i`."""

    card = Card(
        "item_mean", "Film mean", "means and popularity", "A cold film gets the mean training rating.", colour="#737373"
    )

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        self.mean_ = np.float64(train.ratings.mean(dtype=np.float64))
        self.item_means_ = means_of(train.items, train.ratings, train.n_items, float(self.mean_))

    def predict(self, users, items, times=None) -> np.ndarray:
        """Predict the film's mean."""
        _, items = self._pairs(users, items, times)
        return lookup(self.item_means_, items, float(self.mean_))
