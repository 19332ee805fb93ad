"""Most popular: the ranking baseline without which no list of recommendations can be judged."""

from __future__ import annotations

import numpy as np

from lib.data.interactions import Interactions
from lib.models.base import Recommender, lookup
from lib.models.card import Card


class MostPopular(Recommender):
    """Order films by their number of training ratings, the same for every user.

    The score is a count, not a rating, so no rating error is reported for it.
    """

    card = Card(
        "most_popular",
        "Most popular",
        "means and popularity",
        "A cold film scores zero; a cold user is like any other.",
        colour="grey",
    )

    predicts_ratings = False

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        self.counts_ = train.item_counts.astype(np.float64)

    def predict(self, users, items, times=None) -> np.ndarray:
        """Return the films' numbers of training ratings."""
        _, items = self._pairs(users, items, times)
        return lookup(self.counts_, items)

    def score_histories(self, histories) -> np.ndarray:
        """Return the same counts for every history, shape (n, n_items): a user who was not in training is no other."""
        self._check_fitted()
        return np.tile(self.counts_, (histories.shape[0], 1))
