"""Soft-Impute: matrix completion with a nuclear-norm penalty."""

from collections.abc import Iterable, Iterator

import numpy as np
from threadpoolctl import threadpool_limits

from lib.data.interactions import Interactions
from lib.models.card import Card
from lib.models.imputation.low_rank import LowRankCompletion, fit_along
from lib.models.imputation.nuclear_norm import solve
from lib.models.imputation.sparse_plus_low_rank import Factors


class SoftImpute(LowRankCompletion):
    r"""The matrix of least error and nuclear norm (Mazumder, Hastie and Tibshirani 2010).

    .. math:: \min_Z \; \tfrac12 \|P_\Omega(X - Z)\|_F^2 + \lambda \|Z\|_*

    with X the ratings minus the baseline that `centre` names and :math:`P_\Omega` the projection on the rated pairs.
    The problem is convex, so the fitted matrix does not depend on the start or the seed beyond `tolerance`. The
    baseline is described in `LowRankCompletion`, the solver in `lib.models.imputation.nuclear_norm`.

    Project A's description puts the observed ratings back into the completed matrix, and so reports a train error of
    zero. Here a prediction is always the fitted matrix's, on train too. Raises ValueError from `fit`: `shrinkage` is
    not above zero (at zero every matrix through the ratings is a solution), or `tolerance`, `max_iterations` or
    `centre` is out of range.

    `shrinkage` is :math:`\lambda`: every singular value of the completed matrix is lowered by it. It is in rating units
    times the square root of a count; at the spectral norm of X and above, the matrix is zero. `tolerance` is the
    relative duality gap, as certified in ``duality_gap_``, at which the solver stops: the objective is proven to lie
    within this of the optimum, and lies usually some thousand times closer. `seed` is of the search for new singular
    directions.
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
        centre: str = "user",
        tolerance: float = 1e-3,
        max_iterations: int = 500,
        seed: int = 0,
    ):
        self._store(locals())

    def _complete(self, train: Interactions, start: Factors | None) -> None:
        if not self.shrinkage > 0:
            raise ValueError(
                f"SoftImpute: shrinkage must be above zero; got {self.shrinkage}. At zero every matrix through the "
                "ratings is a solution; use a small positive value."
            )
        if not self.tolerance > 0 or self.max_iterations < 1:
            raise ValueError("SoftImpute: tolerance must be above zero and max_iterations at least 1")
        settings = {name: self.parameters[name] for name in ("tolerance", "max_iterations", "seed")}
        observed = self._observe(train)
        with threadpool_limits(1, user_api="blas"):  # the bits must not depend on the machine
            found = solve(observed, float(self.shrinkage), start=start, **settings)
        self._keep(found.U, found.s, found.V)
        self.objective_, self.duality_gap_ = np.float64(found.objective), np.float64(found.duality_gap)
        self.objective_history_ = np.array(found.history)
        self.n_iterations_, self.converged_ = len(found.history), found.converged


def soft_impute_path(train: Interactions, shrinkages: Iterable[float], **parameters) -> Iterator[SoftImpute]:
    """Fit Soft-Impute along penalties, from the largest to the smallest, each from the solution before it."""
    falling = sorted(map(float, shrinkages), reverse=True)
    return fit_along(train, (SoftImpute(shrinkage=shrinkage, **parameters) for shrinkage in falling))
