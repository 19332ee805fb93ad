"""Orders without taste, by which any list is judged: the most popular films first, and chance."""

import numpy as np

from lib.data.interactions import Interactions
from lib.models.base import Recommender, lookup
from lib.models.card import Card


class MostPopular(Recommender):
    """Order films by their number of training ratings, the same for every user: a score that is no rating."""

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


class RandomOrder(Recommender):
    """Scores by chance, even in 0 to 1, the same pair always alike: a hash of user, film and seed."""

    card = Card(
        "random_order", "At random", "means and popularity", "Cold users and films score like all others.", starts=True
    )

    predicts_ratings = False

    def __init__(self, *, seed: int = 0):
        self._store(locals())

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        pass

    def predict(self, users, items, times=None) -> np.ndarray:
        """Score pairs by chance, the same pair always alike."""
        users, items = self._pairs(users, items, times)
        mixed = (users.astype(np.uint64) + np.uint64(self.seed)) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ items.astype(np.uint64)) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0x94D049BB133111EB)
        return (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53

    @property
    def n_parameters_(self) -> int:
        """None."""
        return 0
