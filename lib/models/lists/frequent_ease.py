"""EASE on the films that are rated most, for catalogues whose square matrix of weights would be too large."""

from dataclasses import replace
from typing import Any

import numpy as np

from lib.data.interactions import Interactions
from lib.models.card import Card
from lib.models.lists.ease import EASE


class FrequentEASE(EASE):
    """`lib.models.lists.ease.EASE` on the `n_frequent` films with most training ratings; `films_` are their codes.

    All others score as the user's lowest of these does.
    """

    card = Card(
        "frequent_ease",
        "EASE on frequent films",
        "implicit feedback lists",
        "A cold user gets the mean score of all users; a film outside the id map scores 0.",
        needs="many items",
    )

    def __init__(self, *, l2: float = 300.0, n_frequent: int = 6000, threshold: float | None = None):
        self._store(locals())

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        films = self.films_ = np.sort(np.argsort(-train.item_counts, kind="stable")[: self.n_frequent])
        few = train.take(np.isin(train.items, films))
        codes: dict[str, Any] = {"items": np.searchsorted(films, few.items), "item_ids": train.item_ids[films]}
        super()._fit(replace(few, **codes, item_table=None), validation)

    def score(self, users) -> np.ndarray:
        """Score the catalogue: one product for the frequent films."""
        self._check_fitted()
        few = super().score(users)
        scores = np.repeat(few.min(axis=1, keepdims=True), self.n_items_, axis=1)
        scores[:, self.films_] = few
        return scores

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        super()._restore(state)
        self.history_ = self.history_[:, : len(self.films_)]
