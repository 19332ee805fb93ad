"""Item-kNN: films by the company they keep in users' histories."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from lib.interactions import Interactions
from lib.metrics.lists import best_columns
from lib.models.base import Recommender
from lib.models.ease import implicit_matrix, pairwise_scores

BLOCK_CELLS = 20_000_000
"""Similarities formed at a time (160 MB)."""


class ItemKNN(Recommender):
    r"""Score a film by its similarity to those that a user has rated (Deshpande and Karypis 2004).

    .. math:: s_{ij} = \frac{n_{ij}}{\sqrt{n_i n_j} + \gamma}, \qquad
        \hat y_{ui} = \sum_{j \in R(u)} s_{ij}\, [\,i \in \mathrm{kNN}(j)\,]

    with :math:`n_i` the users with a training rating of film i (of at least `threshold`), :math:`n_{ij}` those with
    both, and each film keeping its k most similar ones; of equal ones the lower code. Ratings are not looked at
    otherwise, so scores order films and say nothing about stars.

    A cold user gets the mean score of all users; a code outside the id maps scores 0.

    Parameters
    ----------
    n_neighbours : int
        k; at most the catalogue less one counts.
    shrinkage : float
        :math:`\gamma`, against similarities that rest on few users.
    threshold : float or None
        Least rating that counts; None counts all.

    Attributes
    ----------
    similarities_ : csr_array, shape (n_items, n_items)
        Row j holds film j's neighbours.
    """

    predicts_ratings = False

    def __init__(self, *, n_neighbours: int = 100, shrinkage: float = 10.0, threshold: float | None = None):
        self.n_neighbours = n_neighbours
        self.shrinkage = shrinkage
        self.threshold = threshold

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        if self.n_neighbours < 1:
            raise ValueError(f"ItemKNN: n_neighbours must be at least 1; got {self.n_neighbours}")
        if not self.shrinkage >= 0:
            raise ValueError(f"ItemKNN: shrinkage must not be negative; got {self.shrinkage}")
        self.history_ = implicit_matrix(train, self.threshold)
        self.similarities_ = self._neighbours(self.history_)
        active = np.diff(self.history_.indptr) > 0
        mean = self.history_[active].mean(axis=0) if active.any() else np.zeros(train.n_items)
        self.mean_scores_ = np.asarray(mean @ self.similarities_).ravel()

    def _neighbours(self, history: sparse.csr_array) -> sparse.csr_array:
        by_item = sparse.csr_array(history.T)
        n_items = by_item.shape[0]
        roots = np.sqrt(np.diff(by_item.indptr))
        k = min(self.n_neighbours, n_items - 1)
        rows, columns, values = [], [], []
        step = max(1, BLOCK_CELLS // n_items)
        for low in range(0, n_items, step):
            block = (by_item[low : low + step] @ history).toarray()
            own = np.arange(len(block))
            block /= np.maximum(roots[low : low + step, None] * roots + self.shrinkage, 1e-12)
            block[own, low + own] = 0.0
            if k == 0:
                continue
            found, similar = best_columns(block, k)
            kept = similar > 0
            rows.append(np.repeat(low + own, kept.sum(axis=1)))
            columns.append(found[kept])
            values.append(similar[kept])
        shape = (n_items, n_items)
        if not rows:
            return sparse.csr_array(shape)
        return sparse.csr_array(
            (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=shape
        )

    def predict(self, users, items) -> np.ndarray:
        """Score pairs: the summed similarity of the user's films to the film."""
        users, items = self._pairs(users, items)
        return pairwise_scores(self, users, items)

    def score(self, users) -> np.ndarray:
        """Score the catalogue by one sparse product."""
        self._check_fitted()
        users = np.asarray(users)
        known = (users >= 0) & (users < self.n_users_)
        rows = self.history_[np.where(known, users, 0)]
        scores = (rows @ self.similarities_).toarray()
        scores[~known | (np.diff(rows.indptr) == 0)] = self.mean_scores_
        return scores

    @property
    def n_parameters_(self) -> int:
        """Similarities kept."""
        self._check_fitted()
        return int(self.similarities_.nnz)

    def _state(self) -> dict[str, np.ndarray]:
        state = super()._state()
        for name in ("history_", "similarities_"):
            del state[name]
            matrix = getattr(self, name)
            state |= {f"{name}{part}_": getattr(matrix, part) for part in ("data", "indices", "indptr")}
        return state

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        parts = {
            name: tuple(state.pop(f"{name}{part}_") for part in ("data", "indices", "indptr"))
            for name in ("history_", "similarities_")
        }
        super()._restore(state)
        self.history_ = sparse.csr_array(parts["history_"], shape=(self.n_users_, self.n_items_))
        self.similarities_ = sparse.csr_array(parts["similarities_"], shape=(self.n_items_, self.n_items_))
