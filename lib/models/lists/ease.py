"""EASE: a linear autoencoder over films, solved in closed form, of all films or of those that are rated most."""

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse
from scipy.linalg import lapack

from lib.data.interactions import Interactions
from lib.models.card import Card
from lib.models.lists.co_occurrence import co_occurrences, weights_of_inverse
from lib.models.lists.item_weights import ItemWeights, check

MOST_ITEMS = 40_000  # largest catalogue: its weights, items x items in double precision, then take 12.8 GB


class EASE(ItemWeights):
    r"""Embarrassingly shallow autoencoder (Steck 2019): which films go with those that a user has rated.

    With X the users x films matrix of ones where there is a training rating (of at least `threshold`), the weights
    minimise

    .. math:: |X - X B|_F^2 + \lambda |B|_F^2 \quad \text{with } \operatorname{diag}(B) = 0,

    for which :math:`B_{ij} = -P_{ij} / P_{jj}` off the diagonal, :math:`P = (X^\top X + \lambda I)^{-1}`. Scores are
    :math:`X B`: near 1 for films that belong to the user's, near 0 for others. Work is O(items^3), memory O(items^2),
    whatever the number of users. `l2` is :math:`\lambda`, in ratings, a few hundred being usual; `threshold` None
    counts all ratings.
    """

    card = Card(
        "ease",
        "EASE",
        "implicit feedback lists",
        "A cold user gets the mean score of all users; a film outside the id map scores 0.",
        most={"items": 12_000},
        most_searched={"items": 5_000},
        films="weights_",
    )

    def __init__(self, *, l2: float = 300.0, threshold: float | None = None):
        self._store(locals())

    def _weights(self, history: sparse.csr_array) -> np.ndarray:
        n_items = history.shape[1]
        check(self, positive=("l2",))
        if n_items > MOST_ITEMS:
            raise ValueError(f"EASE: {n_items:,} films need {8e-9 * n_items**2:.0f} GB; it takes up to {MOST_ITEMS:,}")
        gram = co_occurrences(history)
        gram[np.diag_indices_from(gram)] += self.l2
        # A symmetric inverse is half the work of a general one: Cholesky's factor, and from it one triangle of the inverse.
        factor, failed = lapack.dpotrf(gram.T, lower=1, overwrite_a=1)
        inverse, failed = lapack.dpotri(factor, lower=1, overwrite_c=1) if not failed else (None, failed)
        if failed:
            raise ValueError(f"EASE: l2={self.l2:g} is too small for these ratings; take a larger one")
        weights = np.ascontiguousarray(inverse.T)  # type: ignore[union-attr]  # it is there
        weights_of_inverse(weights)
        return weights

    @property
    def n_parameters_(self) -> int:
        """Weights off the diagonal."""
        self._check_fitted()
        return self.n_items_ * (self.n_items_ - 1)


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
