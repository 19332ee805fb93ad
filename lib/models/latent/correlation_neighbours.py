"""Prediction from those of a user's rated films that are most like the asked one; CorNgbr, the classical such model."""

import numpy as np
from numba import njit

from lib.data.interactions import Interactions
from lib.models.base import Recommender, lookup
from lib.models.baselines.bias import Bias
from lib.models.card import Card
from lib.models.latent.item_similarity import compressed, residuals, similarity_matrix
from lib.models.latent.nonnegative import minimise_quadratic
from lib.models.recommendations import Explanation, explanation
from lib.models.selection import kth_largest

ASKED_AT_ONCE = 256  # films of one user whose similarities to the rated ones are laid side by side


class RatedNeighbours(Recommender):
    r"""Baseline plus a weighted sum over the user's most similar rated films.

    .. math:: \hat r_{ui} = b_{ui} + \sum_{j \in S^k(i;u)} \theta_{ij}\,(r_{uj} - b_{uj})

    with b the bias model and :math:`S^k(i;u)` the k films most similar to i (`lib.models.latent.item_similarity`) among
    those that u has rated in train, without i itself, of equally similar ones the lower codes; only films with a
    positive similarity count, so there may be fewer than k. A subclass says what the weights are. A pair without any
    such neighbour gets the baseline, in which a cold user or film has bias zero. ``similarities_`` are float32 of shape
    (n_items, n_items); so are ``moments_`` where the weights are solved for, the mean products of two films' residuals,
    else of shape (0, 0). ``user_starts_``, ``user_items_`` and ``user_residuals_`` are the training ratings less the
    baseline, in compressed rows.
    """

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        if (k := self.n_neighbours) < 1:
            raise ValueError(f"{type(self).__name__}: n_neighbours must be at least 1; got {k}")
        baseline = Bias().fit(train)
        for name in ("mean_", "user_bias_", "item_bias_"):
            setattr(self, name, getattr(baseline, name))
        left = residuals(train, baseline)
        self.similarities_ = similarity_matrix(train, shrinkage=self.shrinkage, baseline=baseline)
        self.moments_ = self._moments(train, left)
        (_, self.user_residuals_), (_, (self.user_starts_, self.user_items_)) = compressed(train, left)

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
        asked = users.astype(np.int64), starts.astype(np.int64), items.astype(np.int32)
        own = self.user_starts_, self.user_items_, self.user_residuals_
        add_up(*asked, *own, self.similarities_, self.moments_, self.n_neighbours, found)
        return found

    def explain(self, user: int, item: int, n: int | None = 10) -> Explanation:
        r"""Say which of the user's films a prediction rests on; each adds :math:`\theta_{ij} (r_{uj} - b_{uj})`.

        Lists at most n films; all neighbours for None. Cold codes have none.
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
        weigh(item, rated, similar, places, self.moments_, weights)
        return explanation(rated[places], weights * self.user_residuals_[own][places], baseline, n)

    @property
    def n_parameters_(self) -> int:
        """Biases, and similarities of pairs of films; mean products as well where weights are solved for."""
        self._check_fitted()
        pairs = self.n_items_ * (self.n_items_ - 1) // 2
        solved = pairs + self.n_items_ if self.moments_.size else 0
        return 1 + self.n_users_ + self.n_items_ + pairs + solved


class CorrelationNeighbours(RatedNeighbours):
    r"""Weighted mean of what a user thinks of similar films (Koren 2008, section 2.2, there CorNgbr).

    .. math:: \hat r_{ui} = b_{ui} + \frac{\sum_{j \in S^k(i;u)} s_{ij}\,(r_{uj} - b_{uj})}
        {\sum_{j \in S^k(i;u)} s_{ij}}

    with :math:`s_{ij}` the shrunk correlation; neighbours and baseline are those of `RatedNeighbours`. Memory is
    O(items^2); a prediction costs O(films that the user has rated). The `shrinkage` is :math:`\lambda` of the
    similarity, in common raters; k is `n_neighbours`.
    """

    card = Card(
        "correlation_neighbours",
        "CorNgbr",
        "neighbourhood",
        "A pair without neighbours, as all cold ones are, gets the bias model's answer.",
        project="E",
        learns_taste=True,
        most={"items": 4_000, "ratings": 300_000},
        most_searched={"ratings": 0},
        small={"n_neighbours": 10, "shrinkage": 10.0},
    )

    def __init__(self, *, n_neighbours: int = 30, shrinkage: float = 100.0):
        self._store(locals())


@njit(cache=True)
def choose(similar, k, chosen):
    """Write the places of the k largest positive similarities, in rising order, of equal ones the first; count them."""
    positive, edge, room, n = 0, similar.dtype.type(0), 0, 0
    for t in range(len(similar)):
        positive += similar[t] > 0
    if positive > k:  # the k largest of all are all positive
        edge, room = kth_largest(similar, k), k
        for t in range(len(similar)):
            room -= similar[t] > edge
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
def weigh(item, rated, similar, chosen, moments, weights):
    r"""Give the chosen neighbours their weights.

    Without moments :math:`\theta_{ij} = s_{ij} / \sum_{l} s_{il}`; with them the solution of
    :math:`\min_{\theta \ge 0} \theta^\top A \theta - 2 b^\top \theta`, A the moments among the neighbours and b theirs
    with the film. `rated` are the user's films, `similar` their similarities to `item`, `chosen` places in those lists;
    `weights`, as long as `chosen`, is overwritten.
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
    minimise_quadratic(among, with_item, weights, slope)


@njit(cache=True)
def add_up(users, starts, items, user_starts, user_items, residuals, similarities, moments, k, out):
    r"""Add up :math:`\sum_j \theta_{ij} (r_{uj} - b_{uj})` for the films asked of each user.

    Those of ``users[a]`` are ``items[starts[a] : starts[a + 1]]``; `user_starts`, `user_items` and `residuals` are the
    training ratings less the baseline. `out`, as long as `items`, is overwritten; 0 for a pair without neighbours.
    """
    for a in range(len(users)):
        low, high = user_starts[users[a]], user_starts[users[a] + 1]
        rated = user_items[low:high]
        n = high - low
        similar = np.empty((ASKED_AT_ONCE, n), np.float32)
        chosen, weights = np.empty(n, np.int64), np.empty(n)
        for first in range(starts[a], starts[a + 1], ASKED_AT_ONCE):
            last = min(first + ASKED_AT_ONCE, starts[a + 1])
            for t in range(n):
                # Along a rated film's row: the matrix is symmetric, and far too large for a cache.
                row = similarities[rated[t]]
                for m in range(first, last):
                    similar[m - first, t] = row[items[m]]
            for m in range(first, last):
                alike = similar[m - first]
                n_chosen = choose(alike, k, chosen)
                weigh(items[m], rated, alike, chosen[:n_chosen], moments, weights[:n_chosen])
                total = 0.0
                for c in range(n_chosen):
                    total += weights[c] * residuals[low + chosen[c]]
                out[m] = total
