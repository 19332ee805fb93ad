"""Alternating least squares over users, items, their biases and the projections of their features."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np
from scipy import sparse

from lib.data.interactions import Interactions
from lib.models.als_rows import colour_graph, roughness, update_biases, update_factors
from lib.models.side_information.als_projection import Projection, Ratings


class Side:
    r"""Users or items: what the model holds for them, and the closed-form update of each part.

    A row's latent vector is its own factors plus its projected features, :math:`q_r = v_r + \sum_g x_{rg} W_g`, its
    effect on the rating :math:`b_r + \sum_g x_{rg} w_g`; the column w of a projection is there with `feature_biases`
    only. `latent` and `effect` always hold these sums.

    Each of `features` is a matrix and its projection's penalty, in the order of their updates. `ridges`, shape (n_rows,),
    penalise the rows' factors, which start as given. The `graph` of similarities, symmetric and without diagonal, pulls
    with `strength`.
    """

    def __init__(
        self,
        ratings: Ratings,
        other: Ratings,
        factors: np.ndarray,
        *,
        ridges: np.ndarray,
        bias_penalty: float,
        features: Mapping[str, tuple[sparse.csr_array, float]],
        feature_biases: bool,
        graph: sparse.csr_array | None,
        strength: float,
    ):
        self.ratings, self.factors, self.ridges = ratings, factors, ridges
        self.bias_penalty, self.feature_biases, self.strength = bias_penalty, feature_biases, strength
        self.bias = np.zeros(ratings.n_rows)
        self.latent, self.effect = factors.copy(), np.zeros(ratings.n_rows)
        n_columns = factors.shape[1] + feature_biases
        self.projections = {
            name: Projection(matrix, n_columns, penalty, ratings, other)
            for name, (matrix, penalty) in features.items()
        }
        self._graph = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
        self.turns = [np.arange(ratings.n_rows)]
        if graph is not None:
            self._graph = graph.indptr.astype(np.int64), graph.indices.astype(np.int64), graph.data
            # Neighbours in the graph pull at each other: they are solved one colour after the other.
            colours = colour_graph(*self._graph[:2])
            self.turns = np.split(np.argsort(colours, kind="stable"), np.cumsum(np.bincount(colours))[:-1])

    def update_bias(self, residuals: np.ndarray) -> None:
        """Solve every row's bias."""
        self.effect -= self.bias
        update_biases(self.ratings.start, self.ratings.place, residuals, self.bias_penalty, self.bias)
        self.effect += self.bias

    def update_factors(self, residuals: np.ndarray, others: np.ndarray) -> None:
        """Solve every row's factors, given the other side's latent vectors."""
        if self.factors.shape[1] == 0:
            return
        shared = *self.ratings, residuals, others, self.ridges, *self._graph, self.strength
        for rows in self.turns:
            update_factors(rows, *shared, self.factors, self.latent)

    def update_projection(self, group: str, residuals: np.ndarray, others: np.ndarray) -> None:
        """Solve one group's projection, given the other side's latent vectors."""
        if self.feature_biases:
            others = np.column_stack([others, np.ones(len(others))])
        moved = self.projections[group].update(residuals, others)
        k = self.factors.shape[1]
        self.latent += moved[:, :k]
        if self.feature_biases:
            self.effect += moved[:, k]

    def penalty(self) -> float:
        """Return this side's part of the objective."""
        total = float(self.ridges @ np.einsum("rk,rk->r", self.factors, self.factors))
        total += self.bias_penalty * float(self.bias @ self.bias)
        for projection in self.projections.values():
            total += projection.penalty * float(np.vdot(projection.weights, projection.weights))
        if len(self._graph[0]):
            parts = np.empty(len(self.factors))
            roughness(*self._graph, self.factors, parts)
            total += self.strength * float(parts.sum())
        return total


class Engine:
    """Residuals and the two sides; each step lowers `objective` or leaves it."""

    def __init__(self, residuals: np.ndarray, users: Side, items: Side):
        self.residuals, self.users, self.items = residuals, users, items
        # The start's factors are part of the prediction; residuals came without.
        first = users.ratings
        user_of = np.repeat(np.arange(first.n_rows), np.diff(first.start))
        residuals -= np.einsum("nk,nk->n", users.latent[user_of], items.latent[first.partner])

    def sweep(self, *, projections: bool = True) -> None:
        """Update every block once: biases, then users with their projections, then items with theirs."""
        for step in self.steps(projections=projections):
            step()

    def steps(self, *, projections: bool = True) -> Iterator[Callable[[], None]]:
        """Yield the updates of one sweep."""
        sides = self.users, self.items
        for side in sides:
            yield partial(side.update_bias, self.residuals)
        for side, other in (sides, sides[::-1]):
            yield partial(side.update_factors, self.residuals, other.latent)
            for name in side.projections if projections else ():
                yield partial(side.update_projection, name, self.residuals, other.latent)

    def objective(self) -> float:
        """Sum of squared residuals and all penalties."""
        return float(self.residuals @ self.residuals) + self.users.penalty() + self.items.penalty()


def rating_lists(train: Interactions) -> tuple[np.ndarray, Ratings, Ratings]:
    """Return ratings, float64, by user and then item, as residuals are ordered, and the lists of users and of items."""
    order = np.lexsort((train.items, train.users))
    user_of, item_of = train.users[order].astype(np.int64), train.items[order].astype(np.int64)
    by_item = np.argsort(item_of, kind="stable")
    starts = [np.append(0, np.cumsum(n)).astype(np.int64) for n in (train.user_counts, train.item_counts)]
    users = Ratings(starts[0], item_of, np.arange(len(order)))
    items = Ratings(starts[1], user_of[by_item], by_item)
    return train.ratings[order].astype(np.float64), users, items
