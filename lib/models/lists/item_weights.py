"""What models share that score a film by weights from the films that a user has rated."""

from abc import abstractmethod
from operator import ge, gt
from typing import Any

import numpy as np
from scipy import sparse

from lib.data.interactions import Interactions
from lib.models.base import Recommender

CELLS = 4_000_000  # scores held at once in `predict` (32 MB)


class ItemWeights(Recommender):
    """Scores :math:`X W` from the users x films matrix X of ones and a films x films matrix W of weights.

    A subclass makes W, dense or sparse, in `_weights`, and has a parameter `threshold`: the least rating that counts.
    Scores order films and say nothing about stars. A cold user gets the mean score of all users, `mean_scores_`; a film
    outside the id map scores 0. `history_` is X, csr_array of shape (n_users, n_items); row j of `weights_`, W, ndarray
    or csr_array, holds what having rated film j adds to each film's score.
    """

    predicts_ratings = False

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        self.history_ = history = implicit_matrix(train, self.threshold)
        self.weights_ = self._weights(history)
        active = np.diff(history.indptr) > 0
        mean = history[active].mean(axis=0) if active.any() else np.zeros(train.n_items)
        self.mean_scores_ = np.asarray(mean @ self.weights_).ravel()

    @abstractmethod
    def _weights(self, history: sparse.csr_array) -> Any:
        """Make W from X."""

    def predict(self, users, items, times=None) -> np.ndarray:
        """Score pairs: the summed weights from the user's films to the film."""
        users, items = self._pairs(users, items, times)
        asked, place = np.unique(users, return_inverse=True)
        known = (items >= 0) & (items < self.n_items_)
        found = np.zeros(len(users))
        step = max(1, CELLS // self.n_items_)
        for low in range(0, len(asked), step):
            scores = self.score(asked[low : low + step])
            rows = known & (place >= low) & (place < low + step)
            found[rows] = scores[place[rows] - low, items[rows]]
        return found

    def score(self, users) -> np.ndarray:
        """Score the catalogue by one product."""
        self._check_fitted()
        users = np.asarray(users)
        known = (users >= 0) & (users < self.n_users_)
        rows = self.history_[np.where(known, users, 0)]
        scores = rows @ self.weights_
        scores = scores.toarray() if sparse.issparse(scores) else np.asarray(scores)
        scores[(np.diff(rows.indptr) == 0) | ~known] = self.mean_scores_
        return scores

    def _state(self) -> dict[str, np.ndarray]:
        matrices = {"history_": self.history_, "weights_": self.weights_}
        state = {name: value for name, value in super()._state().items() if name not in matrices}
        for name, matrix in matrices.items():
            if sparse.issparse(matrix):
                state |= {f"{name}{part}_": getattr(matrix, part) for part in PARTS}
            else:
                state[name] = matrix
        return state

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        n_users, n_items = int(state["n_users_"]), int(state["n_items_"])
        for name, n_rows in (("history_", n_users), ("weights_", n_items)):
            if f"{name}data_" in state:
                parts = tuple(state.pop(f"{name}{part}_") for part in PARTS)
                setattr(self, name, sparse.csr_array(parts, shape=(n_rows, n_items)))
        super()._restore(state)


PARTS = ("data", "indices", "indptr")  # arrays of a sparse matrix in compressed rows


def implicit_matrix(train: Interactions, threshold: float | None = None) -> sparse.csr_array:
    """Return ones where there is a training rating, of at least `threshold` if one is given, shape (n_users, n_items)."""
    kept = slice(None) if threshold is None else train.ratings >= threshold
    users, items = train.users[kept], train.items[kept]
    found = sparse.csr_array((np.ones(len(users)), (users, items)), shape=(train.n_users, train.n_items))
    found.sort_indices()
    return found


def check(model: Recommender, *, counts=(), positive=(), not_negative=()) -> None:
    """Raise a ValueError that names a hyperparameter which is out of its range."""
    for names, words, holds, least in (
        (counts, "be at least 1", ge, 1),
        (positive, "be positive", gt, 0),
        (not_negative, "not be negative", ge, 0),
    ):
        for name in names:
            if not holds(getattr(model, name), least):
                raise ValueError(f"{type(model).__name__}: {name} must {words}; got {getattr(model, name)}")
