"""Soft-Impute: matrix completion with a nuclear-norm penalty."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Self

import numpy as np

from lib.data.interactions import Interactions
from lib.models.card import Card
from lib.models.imputation.low_rank import LowRankCompletion
from lib.models.imputation.nuclear_norm import Solution, solve


class SoftImpute(LowRankCompletion):
    r"""The matrix of least error and nuclear norm (Mazumder, Hastie and Tibshirani 2010).

    .. math:: \min_Z \; \tfrac12 \|P_\Omega(X - Z)\|_F^2 + \lambda \|Z\|_*

    with X the ratings minus the baseline that `centre` names and :math:`P_\Omega` the projection on the rated pairs.
    The problem is convex, so the fitted matrix does not depend on the start or the seed beyond `tolerance`. The
    baseline is described in `LowRankCompletion`, the solver in `lib.models.imputation.nuclear_norm`.

    Project A's description puts the observed ratings back into the completed matrix, and so reports a train error of
    zero. Here a prediction is always the fitted matrix's, on train too.

    Parameters
    ----------
    shrinkage : float
        :math:`\lambda > 0`: every singular value of the completed matrix is lowered by it. In rating units times the
        square root of a count; at the spectral norm of X and above, the matrix is zero.
    max_rank : int or None
        Cap on the rank. Where it binds, the problem is no longer convex.
    centre : {'user', 'bias', 'global', 'none'}
    tolerance : float
        Relative duality gap at which the solver stops: the objective is proven to lie within this of the optimum,
        and lies usually some thousand times closer.
    max_iterations : int
    seed : int
        Of the search for new singular directions.

    Attributes
    ----------
    U_, singular_values_, V_ : ndarray, shape (n_users, rank), (rank,), (n_items, rank)
    objective_ : float
    duality_gap_ : float
        Relative, as certified.
    objective_history_ : ndarray
        After each iteration; never rises.
    rank_, n_iterations_ : int
    converged_ : bool

    Raises
    ------
    ValueError
        From `fit`: `shrinkage` is not above zero (at zero every matrix through the ratings is a solution), or
        `max_rank`, `tolerance`, `max_iterations` or `centre` is out of range.
    """

    card = Card(
        "soft_impute",
        "Soft-Impute",
        "latent factors",
        "The baseline answers: for a cold film the user's mean, for a cold user the mean training rating.",
        project="A",
        colour="green",
        learns_taste=True,
        most={"cells": 100_000_000},
        small={"shrinkage": 2.0},
    )

    def __init__(
        self,
        *,
        shrinkage: float = 10.0,
        max_rank: int | None = None,
        centre: str = "user",
        tolerance: float = 1e-3,
        max_iterations: int = 500,
        seed: int = 0,
    ):
        self._store(locals())

    def fit_from(self, train: Interactions, start: Solution | None) -> Self:
        """Fit from another solution, which saves iterations where its penalty was a similar one.

        Parameters
        ----------
        train : Interactions
        start : Solution or None
            Of the same pairs; None starts as ``fit`` does.
        """
        self._begin(train)
        self._complete(train, start)
        return self

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        self._complete(train, None)

    def _complete(self, train: Interactions, start: Solution | None) -> None:
        if not self.shrinkage > 0:
            raise ValueError(
                f"SoftImpute: shrinkage must be above zero; got {self.shrinkage}. At zero every matrix through the "
                "ratings is a solution; use a small positive value."
            )
        if self.max_rank is not None and self.max_rank < 1:
            raise ValueError(f"SoftImpute: max_rank must be at least 1, or None; got {self.max_rank}")
        if not self.tolerance > 0 or self.max_iterations < 1:
            raise ValueError("SoftImpute: tolerance must be above zero and max_iterations at least 1")
        found = solve(
            self._observe(train),
            float(self.shrinkage),
            start=start,
            max_rank=self.max_rank,
            tolerance=self.tolerance,
            max_iterations=self.max_iterations,
            seed=self.seed,
        )
        self._keep(found.U, found.s, found.V)
        self.objective_, self.duality_gap_ = np.float64(found.objective), np.float64(found.duality_gap)
        self.objective_history_ = np.array(found.history)
        self.n_iterations_, self.converged_ = len(found.history), found.converged


def soft_impute_path(train: Interactions, shrinkages: Iterable[float], **parameters) -> Iterator[SoftImpute]:
    """Fit Soft-Impute along falling penalties, each from the solution before it.

    Parameters
    ----------
    train : Interactions
    shrinkages : iterable of float
        In any order; models come back from the largest, whose rank is lowest, to the smallest.
    **parameters
        Further parameters of `SoftImpute`.
    """
    start = None
    for shrinkage in sorted(map(float, shrinkages), reverse=True):
        model = SoftImpute(shrinkage=shrinkage, **parameters).fit_from(train, start)
        start = Solution(model.U_, model.singular_values_, model.V_)
        yield model
