"""Alternating least squares over users, items, their biases and the projections of their features."""

from __future__ import annotations

from collections.abc import Mapping

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

    Parameters
    ----------
    ratings, other : Ratings
        This side's lists, and the other's.
    factors : ndarray of float64, shape (n_rows, k)
        Where the factors start.
    ridges : ndarray of float64, shape (n_rows,)
        Penalty on each row's factors.
    bias_penalty : float
    features, penalties : mapping of str to csr_array, and to float
        By group, in the order of their updates.
    feature_biases : bool
    graph : csr_array or None
        Symmetric similarities, without diagonal.
    strength : float
        Of the graph's pull.
    max_steps : int
        See `Projection`.
    """

    def __init__(
        self,
        ratings: Ratings,
        other: Ratings,
        factors: np.ndarray,
        *,
        ridges: np.ndarray,
        bias_penalty: float,
        features: Mapping[str, sparse.csr_array],
        penalties: Mapping[str, float],
        feature_biases: bool = False,
        graph: sparse.csr_array | None = None,
        strength: float = 0.0,
        max_steps: int = 5,
    ):
        self.ratings, self.factors, self.ridges = ratings, factors, ridges
        self.bias_penalty, self.feature_biases = bias_penalty, feature_biases
        self.bias = np.zeros(ratings.n_rows)
        self.latent, self.effect = factors.copy(), np.zeros(ratings.n_rows)
        n_columns = factors.shape[1] + feature_biases
        self.projections = {
            name: Projection(matrix, n_columns, penalties[name], ratings, other, max_steps=max_steps)
            for name, matrix in features.items()
        }
        pulls = graph is not None and strength > 0
        self.graph, self.strength = (graph, strength) if pulls else (None, 0.0)
        self._graph_arrays = (
            (graph.indptr.astype(np.int64), graph.indices.astype(np.int64), graph.data)
            if pulls
            else (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
        )
        # Neighbours in the graph pull at each other: they are solved one colour after the other.
        colours = colour_graph(*self._graph_arrays[:2]) if pulls else np.zeros(ratings.n_rows, np.int64)
        order = np.argsort(colours, kind="stable")
        self.turns = np.split(order, np.cumsum(np.bincount(colours))[:-1]) if len(order) else []

    def update_bias(self, residuals: np.ndarray) -> None:
        """Solve every row's bias."""
        self.effect -= self.bias
        update_biases(self.ratings.start, self.ratings.place, residuals, self.bias_penalty, self.bias)
        self.effect += self.bias

    def update_factors(self, residuals: np.ndarray, others: np.ndarray) -> None:
        """Solve every row's factors, given the other side's latent vectors."""
        if self.factors.shape[1] == 0:
            return
        for rows in self.turns:
            update_factors(
                rows,
                self.ratings.start,
                self.ratings.partner,
                self.ratings.place,
                residuals,
                others,
                self.ridges,
                *self._graph_arrays,
                self.strength,
                self.factors,
                self.latent,
            )

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
        if self.graph is not None:
            parts = np.empty(len(self.factors))
            roughness(*self._graph_arrays, self.factors, parts)
            total += self.strength * float(parts.sum())
        return total


class Engine:
    """Residuals and the two sides; each ``update_*`` lowers `objective` or leaves it."""

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

    def steps(self, *, projections: bool = True):
        """Yield the updates of one sweep, each a function without arguments."""
        yield self.update_user_bias
        yield self.update_item_bias
        for side, other in ((self.users, self.items), (self.items, self.users)):
            yield lambda side=side, other=other: side.update_factors(self.residuals, other.latent)
            for name in side.projections if projections else ():
                yield lambda side=side, other=other, name=name: side.update_projection(
                    name, self.residuals, other.latent
                )

    def update_user_bias(self) -> None:
        """Solve every user's bias."""
        self.users.update_bias(self.residuals)

    def update_item_bias(self) -> None:
        """Solve every item's bias."""
        self.items.update_bias(self.residuals)

    def objective(self) -> float:
        """Sum of squared residuals and all penalties."""
        return float(self.residuals @ self.residuals) + self.users.penalty() + self.items.penalty()


def rating_lists(train: Interactions) -> tuple[np.ndarray, Ratings, Ratings]:
    """Bring ratings into both sides' compressed lists.

    Returns
    -------
    ratings : ndarray of float64, shape (n,)
        Ordered by user, then item: the order of the residuals.
    users, items : Ratings
    """
    order = np.lexsort((train.items, train.users))
    user_of, item_of = train.users[order].astype(np.int64), train.items[order].astype(np.int64)
    by_item = np.argsort(item_of, kind="stable")
    starts = [
        np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        for counts in (train.user_counts, train.item_counts)
    ]
    users = Ratings(starts[0], item_of, np.arange(len(order)))
    items = Ratings(starts[1], user_of[by_item], by_item)
    return train.ratings[order].astype(np.float64), users, items
