"""An ensemble that ranks: members' scores joined by weights that were learned on films which no member had seen."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from lib.data.interactions import Interactions
from lib.data.splits import validation_from
from lib.models import model_class
from lib.models.base import Recommender
from lib.models.fitting import fit_model

SEEN = -1e9  # score of a film that is not to be recommended, as the user has rated it


class ListEnsemble(Recommender):
    r"""A listwise blend of models for lists (the loss is that of ListNet, Cao et al. 2007).

    .. math:: s_{ui} = \sum_m w_m z^{(m)}_{ui}, \qquad
        \min_w -\sum_u \frac{1}{|L_u|} \sum_{i \in L_u} \log \frac{e^{s_{ui}}}{\sum_{j \notin R_u} e^{s_{uj}}} + \lambda |w|^2

    z are a member's scores of the films that a user has not rated, brought to mean 0 and deviation 1 for each user. The
    weights are learned from members that were fitted without a tenth of each user's ratings, L being the liked ones
    among these; then the members are fitted on all of train. Scores order films and say nothing about ratings.
    ``weights_`` have shape (n_members,).

    `members` have hyperparameters by registered name; `threshold` is the least rating that counts as liked, `penalty` is
    :math:`\lambda`. The weights are learned from `most_users` users, drawn at random; `seed` is of that draw, of the
    validation ratings and of the members.
    """

    predicts_ratings = False

    def __init__(
        self,
        *,
        members: Mapping[str, Mapping[str, Any]],
        threshold: float = 4.0,
        penalty: float = 1.0,
        most_users: int = 1000,
        seed: int = 0,
    ):
        self._store(locals())

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        inner = validation_from(train, seed=self.seed)
        liked = inner.test.take(inner.test.ratings >= self.threshold)
        if not len(liked):
            raise ValueError(f"ListEnsemble: no held-out rating reaches threshold={self.threshold}; choose a lower one")
        users = np.random.default_rng(self.seed).permutation(np.flatnonzero(liked.user_counts))[: self.most_users]
        self._fit_members(inner.train)
        known = self._standardised(users)
        target = liked.matrix[users].toarray() > 0
        target = target / target.sum(axis=1, keepdims=True)

        def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
            scores = np.where(self._seen[users], SEEN, np.tensordot(weights, known, 1))
            gaps = softmax(scores, axis=1) - target
            slope = np.array([(gaps * of).sum() for of in known]) + 2 * self.penalty * weights
            value = -(target * log_softmax(scores, axis=1)).sum() + self.penalty * weights @ weights
            return float(value), slope

        start = np.full(len(self.members), 1.0 / len(self.members))
        self.weights_ = minimize(loss, start, jac=True, method="L-BFGS-B").x
        self._fit_members(train)

    def _fit_members(self, train: Interactions) -> None:
        self._models = []
        for name, given in self.members.items():
            started = {"seed": self.seed} if "seed" in model_class(name).parameter_names() else {}
            self._models.append(fit_model(name, train, **{**started, **given}))
        self._seen = train.matrix.toarray() > 0

    def _standardised(self, users: np.ndarray) -> np.ndarray:
        """Return z, shape (n_members, len(users), n_items); 0 for rated films."""
        found, open_ = np.empty((len(self._models), len(users), self.n_items_)), ~self._seen[users]
        counts = np.maximum(open_.sum(axis=1, keepdims=True), 1)
        for place, model in enumerate(self._models):
            scores = np.where(open_, model.score(users), 0.0)
            centred = np.where(open_, scores - scores.sum(axis=1, keepdims=True) / counts, 0.0)
            spread = np.sqrt((centred**2).sum(axis=1, keepdims=True) / counts)
            found[place] = centred / np.where(spread > 0, spread, 1.0)
        return found

    def score(self, users) -> np.ndarray:
        """Score the catalogue; what the user has rated has a score of 0."""
        self._check_fitted()
        return np.tensordot(self.weights_, self._standardised(np.asarray(users)), 1)

    def predict(self, users, items, times=None) -> np.ndarray:
        """Score pairs."""
        users, items = self._pairs(users, items, times)
        return self.score(users)[np.arange(len(users)), items]
