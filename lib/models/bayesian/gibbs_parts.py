"""Parts of a factorisation machine's chain: the features of users and of films, and one-hot groups of the moment."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse

from lib.models.bayesian import gibbs_kernels as kernels

SPREAD = 0.1  # standard deviation of the random start


class Features(NamedTuple):
    """Features of one side's rows (users, or films), in groups that have priors of their own.

    `codes` are the row of each rating, `matrix` is of shape (n_rows, n_features), in groups of these `sizes` side by
    side.
    """

    codes: np.ndarray
    matrix: sparse.csr_matrix
    sizes: Sequence[int]


class OneHot(NamedTuple):
    """A group of `size` indicators of which a rating has one, its code, or none (-1)."""

    codes: np.ndarray
    size: int


class Part:
    """What each rating has one row of: its user, its film, or its feature of a one-hot group.

    The last row of every array is that of ratings without the part, and always 0. `weights` have shape (n_features,),
    `factors` (n_factors, n_features); `own`, shape (n_factors, n_rows + 1), are sums of the features' factors by row.
    `before`, `gained` and `sums` are of the factor that is being drawn: see
    `lib.models.bayesian.gibbs_kernels.turn_over`.
    """

    def __init__(self, codes, n_rows: int, sizes: Sequence[int], first: int, n_factors: int, rng):
        self.codes = np.where(codes < 0, n_rows, codes).astype(np.uint32)
        self.counts = np.bincount(self.codes, minlength=n_rows + 1).astype(np.float64)
        self.groups = np.repeat(np.arange(first, first + len(sizes)), sizes).astype(np.uint32)
        self.starts = np.concatenate([[0], np.cumsum(sizes)])
        self.weights = rng.normal(0.0, SPREAD, len(self.groups))
        self.factors = rng.normal(0.0, SPREAD, (n_factors, len(self.groups)))
        self.own = np.zeros((n_factors, n_rows + 1))
        self.before, self.gained = np.zeros((2, n_rows + 1))
        self.sums = np.zeros((n_rows + 1, 4))

    def ready(self, factor: int) -> None:
        """Get ready for the draw of a factor."""
        self.before[:] = self.own[factor]
        self.gained[:] = 0.0
        self.sums[:] = 0.0


class Side(Part):
    """Features of users, or of films, drawn one after the other; `inner` are the interactions among a row's own."""

    whole_sums = True

    def __init__(self, features: Features, first: int, n_factors: int, rng):
        matrix = features.matrix
        super().__init__(features.codes, matrix.shape[0], features.sizes, first, n_factors, rng)
        by_feature = sparse.csc_matrix(matrix)
        places = by_feature.indptr.astype(np.uint64), by_feature.indices.astype(np.uint32)
        self.columns = (*places, by_feature.data.astype(np.float64), self.groups, self.counts)
        self.linear = np.append(matrix @ self.weights, 0.0)
        self.own[:, :-1] = (matrix @ self.factors.T).T
        self.inner = np.zeros_like(self.own)
        squares = (matrix.multiply(matrix).tocsr() @ self.factors.T**2).T
        self.inner[:, :-1] = 0.5 * (self.own[:, :-1] ** 2 - squares)

    def draw_weights(self, precisions, means, noise, alpha: float, errors, trust) -> None:
        """Draw the weights, and bring `errors` in step."""
        prior, state = (precisions, means, noise), (errors, trust)
        kernels.draw_side_weights(self.codes, *self.columns, self.weights, self.linear, *prior, alpha, *state)

    def draw_factor(self, factor: int, precisions, means, noise, alpha: float) -> None:
        """Draw one factor from `sums`."""
        drawn = self.factors[factor], self.own[factor], self.gained, self.sums
        kernels.draw_side_factor(*self.columns, *drawn, precisions, means, noise, alpha)
        self.inner[factor] += self.gained

    @property
    def effects(self) -> np.ndarray:
        """What each row adds by itself."""
        return self.linear + self.inner.sum(axis=0)


class Group(Part):
    """A one-hot group, all of which is drawn at once."""

    whole_sums = False

    def __init__(self, one_hot: OneHot, first: int, n_factors: int, rng):
        super().__init__(one_hot.codes, one_hot.size, [one_hot.size], first, n_factors, rng)
        self.own[:, :-1] = self.factors
        self.first = first

    def draw_weights(self, precisions, means, noise, alpha: float, errors, trust) -> None:
        """Draw the weights, and bring `errors` in step."""
        prior = precisions[self.first], means[self.first]
        kernels.draw_group_weights(self.codes, self.counts, self.weights, *prior, noise, alpha, errors, trust)

    def draw_factor(self, factor: int, precisions, means, noise, alpha: float) -> None:
        """Draw one factor from `sums`."""
        prior = precisions[self.first], means[self.first]
        kernels.draw_group_factor(self.factors[factor], self.own[factor], self.sums, *prior, noise, alpha)

    @property
    def effects(self) -> np.ndarray:
        """What each row adds by itself."""
        return np.append(self.weights, 0.0)
