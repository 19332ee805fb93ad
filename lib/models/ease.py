"""EASE: a linear autoencoder over films, solved in closed form."""

from __future__ import annotations

import numpy as np
from scipy import linalg, sparse

from lib.interactions import Interactions
from lib.models.base import Recommender

MOST_ITEMS = 40_000
"""Largest catalogue: its weights, items x items in double precision, then take 12.8 GB."""


class EASE(Recommender):
    r"""Embarrassingly shallow autoencoder (Steck 2019): which films go with those that a user has rated.

    With X the users x films matrix of ones where there is a training rating (of at least `threshold`), the weights
    minimise

    .. math:: |X - X B|_F^2 + \lambda |B|_F^2 \quad \text{with } \operatorname{diag}(B) = 0,

    for which :math:`B_{ij} = -P_{ij} / P_{jj}` off the diagonal, :math:`P = (X^\top X + \lambda I)^{-1}`. Scores are
    :math:`X B`. Work is O(items^3), memory O(items^2), whatever the number of users. It orders films and says nothing
    about ratings: scores are near 1 for films that belong to the user's, near 0 for others.

    A cold user gets the mean score of all users, which orders films nearly by popularity; a code outside the id maps
    scores 0.

    Parameters
    ----------
    l2 : float
        :math:`\lambda`, in ratings; a few hundred is usual.
    threshold : float or None
        Least rating that counts; None counts all.

    Attributes
    ----------
    weights_ : ndarray of float64, shape (n_items, n_items)
        B.
    """

    predicts_ratings = False

    def __init__(self, *, l2: float = 300.0, threshold: float | None = None):
        self.l2 = l2
        self.threshold = threshold

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        if not self.l2 > 0:
            raise ValueError(f"EASE: l2 must be positive; got {self.l2}")
        if train.n_items > MOST_ITEMS:
            raise ValueError(
                f"EASE: {train.n_items:,} films ask for {8e-9 * train.n_items**2:.0f} GB; it takes at most {MOST_ITEMS:,}"
            )
        history = implicit_matrix(train, self.threshold)
        gram = (history.T @ history).toarray()
        gram[np.diag_indices_from(gram)] += self.l2
        inverse = linalg.cho_solve(
            linalg.cho_factor(gram, lower=True, overwrite_a=True, check_finite=False),
            np.eye(train.n_items), overwrite_b=True, check_finite=False,
        )  # fmt: skip
        weights = inverse / -np.diag(inverse)
        np.fill_diagonal(weights, 0.0)
        self.weights_ = weights
        self.history_ = history
        active = np.diff(history.indptr) > 0
        self.mean_scores_ = (
            history[active].mean(axis=0) @ weights if active.any() else np.zeros(train.n_items)
        )

    def predict(self, users, items) -> np.ndarray:
        """Score pairs: the sum of the weights from the user's films to the film."""
        users, items = self._pairs(users, items)
        return pairwise_scores(self, users, items)

    def score(self, users) -> np.ndarray:
        """Score the catalogue by one sparse product."""
        self._check_fitted()
        users = np.asarray(users)
        known = (users >= 0) & (users < self.n_users_)
        rows = self.history_[np.where(known, users, 0)]
        scores = np.asarray(rows @ self.weights_)
        cold = ~known | (np.diff(rows.indptr) == 0)
        scores[cold] = self.mean_scores_
        return scores

    @property
    def n_parameters_(self) -> int:
        """Weights off the diagonal."""
        self._check_fitted()
        return self.n_items_ * (self.n_items_ - 1)

    def _state(self) -> dict[str, np.ndarray]:
        state = {name: value for name, value in super()._state().items() if name != "history_"}
        return {**state, "history_indices_": self.history_.indices, "history_indptr_": self.history_.indptr}

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        indices, indptr = state.pop("history_indices_"), state.pop("history_indptr_")
        super()._restore(state)
        shape = (self.n_users_, self.n_items_)
        self.history_ = sparse.csr_array((np.ones(len(indices)), indices, indptr), shape=shape)


def pairwise_scores(model: Recommender, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Take pairs out of a model's scores of whole catalogues, some users at a time; 0 for an item outside the id map."""
    asked, place = np.unique(users, return_inverse=True)
    order = np.argsort(place, kind="stable")
    found = np.zeros(len(users))
    step = max(1, 4_000_000 // model.n_items_)
    for low in range(0, len(asked), step):
        scores = model.score(asked[low : low + step])
        first, last = np.searchsorted(place[order], [low, low + len(scores)])
        rows = order[first:last]
        known = rows[(items[rows] >= 0) & (items[rows] < model.n_items_)]
        found[known] = scores[place[known] - low, items[known]]
    return found


def implicit_matrix(train: Interactions, threshold: float | None = None) -> sparse.csr_array:
    """Return ones where there is a training rating, of at least `threshold` if one is given, shape (n_users, n_items)."""
    kept = slice(None) if threshold is None else train.ratings >= threshold
    users, items = train.users[kept], train.items[kept]
    found = sparse.csr_array((np.ones(len(users)), (users, items)), shape=(train.n_users, train.n_items))
    found.sort_indices()
    return found
