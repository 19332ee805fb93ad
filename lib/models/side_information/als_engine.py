"""Alternating least squares over users, items, their biases and the projections of their features."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple, Self

import numpy as np
from scipy import sparse

from lib.data.interactions import Interactions
from lib.models.als_rows import RIDGE_FLOOR, colour_graph, group, sum_residuals, update_factors
from lib.models.side_information.als_projection import Projection


class Ratings(NamedTuple):
    """One side's ratings as compressed lists: int64, int32, float32; see `lib.models.als_rows`."""

    start: np.ndarray
    partner: np.ndarray
    values: np.ndarray


class Side:
    r"""Users or items: what the model holds for them, and the closed-form update of each part.

    A row's latent vector is its own factors plus its projected features, :math:`q_r = v_r + \sum_g x_{rg} W_g`, its
    effect on the rating :math:`b_r + \sum_g x_{rg} w_g`; the column w of a projection is there with `feature_biases`
    only. `latent` and `effect` always hold these sums.

    Each of `features` is a matrix and its projection's penalty, in the order of their updates. `ridges`, shape (n_rows,),
    penalise the rows' factors, which start as given. The `graph` of similarities, symmetric and without diagonal, pulls
    with `strength`. `mean` is taken off all ratings.
    """

    def __init__(
        self,
        ratings: Ratings,
        mean: float,
        factors: np.ndarray,
        *,
        ridges: np.ndarray,
        bias_penalty: float,
        features: Mapping[str, tuple[sparse.csr_array, float]],
        feature_biases: bool,
        graph: sparse.csr_array | None,
        strength: float,
    ):
        self.ratings, self.mean, self.factors, self.ridges = ratings, mean, factors, ridges
        self.bias_penalty, self.feature_biases = bias_penalty, feature_biases
        n_rows, n_columns = len(factors), factors.shape[1] + feature_biases
        self.bias, self.effect, self.latent = np.zeros(n_rows), np.zeros(n_rows), factors.copy()
        self.projections = {
            name: Projection(matrix, n_columns, penalty) for name, (matrix, penalty) in features.items()
        }
        kept = n_rows if features else 0  # only projections read these
        self.grams = np.empty((kept, n_columns * (n_columns + 1) // 2))
        self.slopes = np.empty((kept, n_columns))
        self._graph, self._degrees = sparse.csr_array((0, n_rows)), np.zeros(n_rows)
        self.turns, self._pulling = [np.arange(n_rows)], [self._graph]
        if graph is not None:
            self._graph = sparse.csr_array(strength * graph)
            self._degrees = self._graph.sum(axis=1)
            # Neighbours in the graph pull at each other: they are solved one colour after the other.
            colours = colour_graph(graph.indptr.astype(np.int64), graph.indices.astype(np.int64))
            self.turns = np.split(np.argsort(colours, kind="stable"), np.cumsum(np.bincount(colours))[:-1])
            self._pulling = [self._graph[rows] for rows in self.turns]

    def residuals(self, other: Self) -> tuple[np.ndarray, np.ndarray]:
        """Return each row's sum of residuals, and that of their squares."""
        sums, squares = np.empty(len(self.bias)), np.empty(len(self.bias))
        offsets = other.effect + self.mean
        sum_residuals(*self.ratings, offsets, other.latent, self.effect, self.latent, sums, squares)
        return sums, squares

    def update_bias(self, other: Self, sums: np.ndarray | None = None) -> None:
        r"""Solve biases, :math:`b_r \leftarrow \sum_c (e_{rc} + b_r) / (n_r + \lambda_b)`; `sums` of e, if known."""
        if sums is None:
            sums, _ = self.residuals(other)
        divisors = np.maximum(np.diff(self.ratings.start) + self.bias_penalty, RIDGE_FLOOR)
        change = (sums - self.bias_penalty * self.bias) / divisors
        self.bias += change
        self.effect += change

    def update_factors(self, other: Self) -> None:
        """Solve every row's factors; projections that are updated next rely on the other side's standing still."""
        if self.latent.shape[1] + self.feature_biases == 0:
            return
        others = other.latent
        if self.feature_biases:
            others = np.column_stack([others, np.ones(len(others))])
        ridges = np.maximum(self.ridges + self._degrees, RIDGE_FLOOR)
        told = *self.ratings, other.effect + self.mean, others, ridges
        learned = self.effect, self.factors, self.latent, self.grams, self.slopes
        for rows, pulling in zip(self.turns, self._pulling, strict=True):
            update_factors(rows, *told, pulling @ self.factors, *learned)

    def update_projection(self, group: str) -> None:
        """Solve one group's projection."""
        moved = self.projections[group].update(self.grams, self.slopes)
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
        if self._graph.nnz:  # tr(V'LV)
            apart = self._degrees[:, None] * self.factors - self._graph @ self.factors
            total += float(np.vdot(self.factors, apart))
        return total


class Engine:
    """The two sides; each step lowers `objective` or leaves it."""

    def __init__(self, users: Side, items: Side):
        self.users, self.items = users, items

    def sweep(self, *, projections: bool = True, sums: np.ndarray | None = None) -> None:
        """Update every block once: biases, then users with their projections, then items with theirs.

        `sums` are those of the users' residuals, if nothing has been updated since they were summed.
        """
        for step in self.steps(projections=projections, sums=sums):
            step()

    def steps(self, *, projections: bool = True, sums: np.ndarray | None = None) -> Iterator[Callable[[], None]]:
        """Yield the updates of one sweep."""
        yield partial(self.users.update_bias, self.items, sums)
        yield partial(self.items.update_bias, self.users)
        for side, other in ((self.users, self.items), (self.items, self.users)):
            yield partial(side.update_factors, other)
            for name in side.projections if projections else ():
                yield partial(side.update_projection, name)

    def objective(self) -> float:
        """Sum of squared residuals and all penalties."""
        return self.summed()[0]

    def summed(self) -> tuple[float, np.ndarray]:
        """Return the objective, and what the next sweep needs of the same pass over the ratings: the users' sums."""
        sums, squares = self.users.residuals(self.items)
        return float(squares.sum()) + self.users.penalty() + self.items.penalty(), sums


def rating_lists(train: Interactions) -> tuple[Ratings, Ratings]:
    """Return the lists of users, each in the order of items, and those of items, each in the order of users."""
    # Copies: numba would compile once more for arrays that can't be written to.
    by_item = group(train.items.copy(), train.users.copy(), train.ratings.copy(), train.n_items)
    users = _transposed(Ratings(*by_item), train.n_users)
    del by_item
    return users, _transposed(users, train.n_items)


def _transposed(lists: Ratings, n: int) -> Ratings:
    rows = np.repeat(np.arange(len(lists.start) - 1, dtype=np.int32), np.diff(lists.start))
    return Ratings(*group(lists.partner, rows, lists.values, n))
