"""What neighbourhood models share that predict from those of a user's rated films that are most like the asked one."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from lib.data.interactions import Interactions
from lib.models.base import Recommender, lookup
from lib.models.baselines.bias import Bias
from lib.models.explanation import Explanation, explanation
from lib.models.latent.item_similarity import centred_ratings, compressed, similarity_matrix
from lib.models.latent.nonnegative import minimise_quadratic

ASKED_AT_ONCE = 256
"""Films of one user whose similarities to the rated ones are laid side by side."""


class RatedNeighbours(Recommender):
    r"""Baseline plus a weighted sum over the user's most similar rated films.

    .. math:: \hat r_{ui} = b_{ui} + \sum_{j \in S^k(i;u)} \theta_{ij}\,(r_{uj} - b_{uj})

    with b the bias model and :math:`S^k(i;u)` the k films most similar to i (`lib.models.latent.item_similarity`, about b) among those
    that u has rated in train, without i itself, of equally similar ones the lower codes; only films with a positive
    similarity count, so there may be fewer than k. A subclass says what the weights are.

    A cold user or film, and a pair without any such neighbour, gets the baseline, in which a cold user or film has bias
    zero.

    Attributes
    ----------
    mean_, user_bias_, item_bias_
        The baseline.
    similarities_ : ndarray of float32, shape (n_items, n_items)
    user_starts_, user_items_, user_residuals_ : ndarray
        The training ratings less the baseline, in compressed rows.
    moments_ : ndarray of float32, shape (n_items, n_items) or (0, 0)
        Where the weights are solved for: mean products of two films' residuals.
    """

    n_neighbours: int
    shrinkage: float
    user_regularisation: float
    item_regularisation: float
    non_negative = True

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        if self.n_neighbours < 1:
            raise ValueError(
                f"{type(self).__name__}: n_neighbours must be at least 1; got {self.n_neighbours}"
            )
        baseline = Bias(
            user_regularisation=self.user_regularisation, item_regularisation=self.item_regularisation
        ).fit(train)
        self.mean_ = baseline.mean_
        self.user_bias_, self.item_bias_ = baseline.user_bias_, baseline.item_bias_
        residuals = centred_ratings(train, "baseline", baseline)
        self.similarities_ = similarity_matrix(train, shrinkage=self.shrinkage, baseline=baseline)
        self.moments_ = self._moments(train, residuals)
        (_, self.user_residuals_), (_, (self.user_starts_, self.user_items_)) = compressed(train, residuals)

    def _moments(self, train: Interactions, residuals: np.ndarray) -> np.ndarray:
        """Make `moments_`; empty where the similarities are the weights."""
        return np.empty((0, 0), np.float32)

    def predict(self, users, items, times=None) -> np.ndarray:
        """Predict pairs; those of one user are answered together."""
        users, items = self._pairs(users, items, times)
        found = self.mean_ + lookup(self.user_bias_, users) + lookup(self.item_bias_, items)
        known = (users >= 0) & (users < self.n_users_) & (items >= 0) & (items < self.n_items_)
        rows = np.flatnonzero(known)
        rows = rows[np.lexsort((items[rows], users[rows]))]
        asked, starts = np.unique(users[rows], return_index=True)
        starts = np.append(starts, len(rows))
        found[rows] += self._sums(asked, starts, items[rows])
        return found

    def score(self, users) -> np.ndarray:
        """Score the catalogue of each user, without forming pairs."""
        self._check_fitted()
        users = np.asarray(users)
        found = self.mean_ + lookup(self.user_bias_, users)[:, None] + self.item_bias_
        rows = np.flatnonzero((users >= 0) & (users < self.n_users_))
        starts = np.arange(len(rows) + 1) * self.n_items_
        items = np.tile(np.arange(self.n_items_), len(rows))
        found[rows] += self._sums(users[rows], starts, items).reshape(len(rows), self.n_items_)
        return found

    def _sums(self, users, starts, items) -> np.ndarray:
        found = np.empty(len(items))
        add_up(
            users.astype(np.int64),
            starts.astype(np.int64),
            items.astype(np.int32),
            self.user_starts_,
            self.user_items_,
            self.user_residuals_,
            self.similarities_,
            self.moments_,
            self.n_neighbours,
            self.non_negative,
            found,
        )
        return found

    def explain(self, user: int, item: int, n: int | None = 10) -> Explanation:
        r"""Say which of the user's films a prediction rests on; each adds :math:`\theta_{ij} (r_{uj} - b_{uj})`.

        Parameters
        ----------
        user, item : int
            Codes; cold ones have no neighbours.
        n : int or None
            Most films to list; None for all neighbours.

        Returns
        -------
        Explanation
        """
        self._check_fitted()
        baseline = self.mean_ + lookup(self.user_bias_, [user])[0] + lookup(self.item_bias_, [item])[0]
        if not (0 <= user < self.n_users_ and 0 <= item < self.n_items_):
            return explanation(np.empty(0, np.int64), np.empty(0), baseline, n)
        own = slice(self.user_starts_[user], self.user_starts_[user + 1])
        rated = self.user_items_[own]
        similar = self.similarities_[item, rated]
        places, weights = np.empty(len(rated), np.int64), np.empty(len(rated))
        n_chosen = choose(similar, self.n_neighbours, places)
        places, weights = places[:n_chosen], weights[:n_chosen]
        weigh(item, rated, similar, places, self.moments_, self.non_negative, weights)
        return explanation(rated[places], weights * self.user_residuals_[own][places], baseline, n)

    @property
    def n_parameters_(self) -> int:
        """Biases, and similarities of pairs of films; mean products as well where weights are solved for."""
        self._check_fitted()
        pairs = self.n_items_ * (self.n_items_ - 1) // 2
        solved = pairs + self.n_items_ if self.moments_.size else 0
        return 1 + self.n_users_ + self.n_items_ + pairs + solved


@njit(cache=True)
def choose(similar, k, chosen):
    """Write the places of the k largest positive similarities, in rising order; of equal ones the first.

    Returns
    -------
    int
        How many there are, at most k.
    """
    positive = np.empty(len(similar), similar.dtype)
    n_positive = 0
    for t in range(len(similar)):
        if similar[t] > 0:
            positive[n_positive] = similar[t]
            n_positive += 1
    edge, room = similar.dtype.type(0), 0
    if n_positive > k:
        edge = np.partition(positive[:n_positive], n_positive - k)[n_positive - k]
        room = k
        for t in range(n_positive):
            if positive[t] > edge:
                room -= 1
    n = 0
    for t in range(len(similar)):
        if similar[t] > edge:
            chosen[n] = t
            n += 1
        elif similar[t] == edge and room > 0:
            chosen[n] = t
            n += 1
            room -= 1
    return n


@njit(cache=True)
def weigh(item, rated, similar, chosen, moments, non_negative, weights):
    r"""Give the chosen neighbours their weights.

    Without moments :math:`\theta_{ij} = s_{ij} / \sum_{l} s_{il}`; with them the solution of
    :math:`\min_\theta \theta^\top A \theta - 2 b^\top \theta`, A the moments among the neighbours and b theirs with the
    film.

    Parameters
    ----------
    item : int
    rated : int array, shape (n,)
        The user's films.
    similar : float32 array, shape (n,)
        Their similarities to `item`.
    chosen : int array, shape (k,)
        Places in those lists.
    moments : float32 array
    non_negative : bool
    weights : float64 array, shape (k,)
        Overwritten.
    """
    n = len(chosen)
    if len(moments) == 0:
        total = 0.0
        for a in range(n):
            weights[a] = similar[chosen[a]]
            total += weights[a]
        for a in range(n):
            weights[a] /= total
        return
    among, with_item, slope = np.empty((n, n)), np.empty(n), np.empty(n)
    for a in range(n):
        row = moments[rated[chosen[a]]]
        with_item[a] = row[item]
        for b in range(n):
            among[a, b] = row[rated[chosen[b]]]
    minimise_quadratic(among, with_item, non_negative, weights, slope)


@njit(parallel=True, cache=True)
def add_up(
    users, starts, items, user_starts, user_items, residuals, similarities, moments, k, non_negative, out
):
    r"""Add up :math:`\sum_j \theta_{ij} (r_{uj} - b_{uj})` for the films asked of each user.

    Parameters
    ----------
    users : int64 array, shape (n_users,)
    starts : int64 array, shape (n_users + 1,)
        The films asked of ``users[a]`` stand in ``items[starts[a] : starts[a + 1]]``.
    items : int32 array, shape (n,)
    user_starts, user_items, residuals : arrays
        The training ratings less the baseline, in compressed rows.
    similarities, moments : float32 arrays
    k : int
    non_negative : bool
    out : float64 array, shape (n,)
        Overwritten; 0 for a pair without neighbours.
    """
    for a in prange(len(users)):
        low, high = user_starts[users[a]], user_starts[users[a] + 1]
        rated = user_items[low:high]
        n = high - low
        similar = np.empty((ASKED_AT_ONCE, n), np.float32)
        chosen, weights = np.empty(n, np.int64), np.empty(n)
        for first in range(starts[a], starts[a + 1], ASKED_AT_ONCE):
            last = min(first + ASKED_AT_ONCE, starts[a + 1])
            for t in range(
                n
            ):  # along a rated film's row: the matrix is symmetric, and far too large for a cache
                row = similarities[rated[t]]
                for m in range(first, last):
                    similar[m - first, t] = row[items[m]]
            for m in range(first, last):
                alike = similar[m - first]
                n_chosen = choose(alike, k, chosen)
                weigh(items[m], rated, alike, chosen[:n_chosen], moments, non_negative, weights[:n_chosen])
                total = 0.0
                for c in range(n_chosen):
                    total += weights[c] * residuals[low + chosen[c]]
                out[m] = total
