"""What Soft-Impute and Hard-Impute share: centring, predictions from singular vectors, cold users and films, paths."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator

import numpy as np
from scipy import sparse

from lib.data.interactions import Interactions
from lib.models.base import Recommender, lookup
from lib.models.baselines.bias import Bias
from lib.models.imputation.sparse_plus_low_rank import Factors, ObservedEntries
from lib.models.normalisation import UserMean

CENTRES = ("none", "global", "user", "bias")


class LowRankCompletion(Recommender):
    r"""A baseline plus a low-rank matrix: :math:`\hat r_{ui} = c_u + d_i + \sum_k U_{uk} s_k V_{ik}`.

    The matrix is fitted to the training ratings minus the baseline, which `centre` names:

    - ``"user"``: :math:`c_u` is the user's mean training rating (project A's), :math:`d_i = 0`;
    - ``"bias"``: :math:`c_u = \mu + b_u` and :math:`d_i = b_i` of the bias model;
    - ``"global"``: :math:`c_u = \mu`, the mean training rating; ``"none"``: no baseline.

    A cold user or film has an empty row in the matrix, so the answer is the baseline's: for a cold film the user's
    mean, for a cold user the global mean. Without a baseline a cold pair gets the global mean.

    ``U_``, ``singular_values_`` and ``V_`` have shapes (n_users, rank_), (rank_,) and (n_items, rank_). The objective,
    ``objective_history_`` after each iteration, never rises; ``converged_`` says whether `tolerance` was met within
    `max_iterations`.
    """

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        self._complete(train, None)

    @abstractmethod
    def _complete(self, train: Interactions, start: Factors | None) -> None:
        """Fit from the matrix U diag(s) V', or from zero."""

    def _observe(self, train: Interactions) -> ObservedEntries:
        """Learn the baseline and return what is left of the ratings."""
        if self.centre not in CENTRES:
            raise ValueError(
                f"{type(self).__name__}: centre must be one of {', '.join(map(repr, CENTRES))}; got {self.centre!r}"
            )
        ratings = train.ratings.astype(np.float64)
        self.mean_ = np.float64(ratings.mean())
        base = 0.0 if self.centre == "none" else self.mean_
        self.user_offset_, self.item_offset_ = np.full(train.n_users, base), np.zeros(train.n_items)
        if self.centre == "user":
            self.user_offset_ = UserMean().fit(train).means_
        elif self.centre == "bias":
            bias = Bias().fit(train)
            self.user_offset_, self.item_offset_ = self.mean_ + bias.user_bias_, bias.item_bias_
        self.warm_users_, self.warm_items_ = train.user_counts > 0, train.item_counts > 0
        values = ratings - self.user_offset_[train.users] - self.item_offset_[train.items]
        shape = train.n_users, train.n_items
        return ObservedEntries(sparse.csr_array((values, (train.users, train.items)), shape=shape))

    def _keep(self, U: np.ndarray, s: np.ndarray, V: np.ndarray) -> None:
        # The solvers leave rounding where a cold user or film has nothing; their answer is to be the baseline's exactly.
        self.U_, self.V_ = U * self.warm_users_[:, None], V * self.warm_items_[:, None]
        self.singular_values_, self.rank_ = s, len(s)

    @property
    def n_parameters_(self) -> int:
        """Numbers in the singular vectors and values, and in the baseline."""
        self._check_fitted()
        baseline = {"none": 0, "global": 1, "user": self.n_users_, "bias": self.n_users_ + self.n_items_ + 1}
        return self.rank_ * (self.n_users_ + self.n_items_ + 1) + baseline[self.centre]

    def predict(self, users, items, times=None) -> np.ndarray:
        """Predict pairs; a cold user or film gets the baseline's answer."""
        users, items = self._pairs(users, items, times)
        found = lookup(self.user_offset_, users, self._cold_offset) + lookup(self.item_offset_, items)
        # Pairs at a time: two blocks of factors stay below 64 MB.
        step = max(1, 4_000_000 // max(len(self.singular_values_), 1))
        for start in range(0, len(users), step):
            rows = slice(start, start + step)
            left = lookup(self.U_, users[rows]) * self.singular_values_
            found[rows] += np.einsum("nk,nk->n", left, lookup(self.V_, items[rows]))
        if self.centre == "none":
            warm = lookup(self.warm_users_, users, False) & lookup(self.warm_items_, items, False)
            found[~warm] = self.mean_
        return found

    def score(self, users) -> np.ndarray:
        """Score the catalogue by one product of factor matrices."""
        self._check_fitted()
        users = np.asarray(users)
        scores = (lookup(self.U_, users) * self.singular_values_) @ self.V_.T
        scores += lookup(self.user_offset_, users, self._cold_offset)[:, None] + self.item_offset_
        if self.centre == "none":
            scores[~lookup(self.warm_users_, users, False)] = self.mean_
            scores[:, ~self.warm_items_] = self.mean_
        return scores

    @property
    def _cold_offset(self) -> float:
        return 0.0 if self.centre == "none" else float(self.mean_)


def fit_along(train: Interactions, models: Iterable[LowRankCompletion]) -> Iterator:
    """Fit models one after the other, each from the matrix of the one before it."""
    start = None
    for model in models:
        model._begin(train)
        model._complete(train, start)
        start = model.U_, model.singular_values_, model.V_
        yield model
