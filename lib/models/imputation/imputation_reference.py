"""fancyimpute's SoftImpute and IterativeSVD behind the model contract: the reference for our own solvers.

fancyimpute forms the dense matrix and decomposes it whole at every iteration, so these are for tests, benchmarks and
the reference column of a table, and are not registered as models.
"""

from __future__ import annotations

import warnings

import numpy as np

from lib.data.interactions import Interactions
from lib.models.base import lookup
from lib.models.imputation.low_rank import LowRankCompletion


class _Completed(LowRankCompletion):
    """A completed dense matrix; observed entries hold the low-rank fit, which fancyimpute itself writes over."""

    matrix_: np.ndarray

    def _complete(self, train: Interactions, solver, low_rank) -> None:
        observed = self._observe(train)
        rows, _ = observed.sparse(observed.values)
        seen, _ = observed.sparse(np.ones(len(observed)))
        seen = seen.toarray() > 0
        data = np.where(seen, rows.toarray(), np.nan)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it calls an argument of scikit-learn that is on its way out
            completed = solver.fit_transform(data)
        U, s, V = low_rank(*np.linalg.svd(completed, full_matrices=False))
        self._keep(U, s, V.T)
        fit = (U * s) @ V
        self.loss_ = np.float64(0.5 * ((fit - rows.toarray())[seen] ** 2).sum())
        self.matrix_ = np.where(seen, fit, completed)

    def predict(self, users, items, times=None) -> np.ndarray:
        """Predict pairs from the completed matrix; cold ids as in `LowRankCompletion`."""
        users, items = self._pairs(users, items, times)
        warm = lookup(self.warm_users_, users, False) & lookup(self.warm_items_, items, False)
        found = lookup(self.user_offset_, users, self._cold_offset) + lookup(self.item_offset_, items)
        found[warm] += self.matrix_[users[warm], items[warm]]
        if self.centre == "none":
            found[~warm] = self.mean_
        return found

    def score(self, users) -> np.ndarray:
        """Score the catalogue pair by pair."""
        return super(LowRankCompletion, self).score(users)

    @property
    def n_parameters_(self) -> int:
        """Entries of the dense matrix."""
        return self.matrix_.size


class ReferenceSoftImpute(_Completed):
    r"""fancyimpute's ``SoftImpute``, which minimises :math:`\tfrac12 \|P_\Omega(X - Z)\|_F^2 + \lambda \|Z\|_*` too.

    Predictions of unrated pairs are fancyimpute's own; `objective_` is that of the next iterate.

    Parameters
    ----------
    shrinkage : float
        :math:`\lambda`. At zero fancyimpute takes a fiftieth of the largest singular value instead, without a word.
    centre : {'user', 'bias', 'global', 'none'}
    tolerance : float
        Stop at this change of the unrated entries, relative to their norm (``convergence_threshold``).
    max_iterations : int
    fill : {'zero', 'mean', 'median', 'min', 'random'}
        What the unrated entries start from.
    """

    def __init__(
        self,
        *,
        shrinkage: float = 10.0,
        centre: str = "user",
        tolerance: float = 1e-3,
        max_iterations: int = 100,
        fill: str = "zero",
    ):
        self._store(locals())

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        from fancyimpute import SoftImpute

        solver = SoftImpute(
            shrinkage_value=self.shrinkage,
            convergence_threshold=self.tolerance,
            max_iters=self.max_iterations,
            init_fill_method=self.fill,
            verbose=False,
        )

        def shrunk(U, s, V):
            kept = s > self.shrinkage
            return U[:, kept], s[kept] - self.shrinkage, V[kept]

        self._complete(train, solver, shrunk)
        self.objective_ = np.float64(self.loss_ + self.shrinkage * self.singular_values_.sum())


class ReferenceIterativeSVD(_Completed):
    """fancyimpute's ``IterativeSVD``.

    Parameters
    ----------
    rank : int
    centre : {'user', 'bias', 'global', 'none'}
    gradual : bool
        Let the rank double from 1 (``gradual_rank_increase``).
    tolerance : float
        Stop at this squared change of the unrated entries, relative to their squared norm.
    max_iterations : int
    fill : {'zero', 'mean', 'median', 'min', 'random'}
        What the unrated entries start from.
    """

    def __init__(
        self,
        *,
        rank: int = 3,
        centre: str = "user",
        gradual: bool = True,
        tolerance: float = 1e-5,
        max_iterations: int = 100,
        fill: str = "zero",
    ):
        self._store(locals())

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        from fancyimpute import IterativeSVD

        solver = IterativeSVD(
            rank=self.rank,
            convergence_threshold=self.tolerance,
            max_iters=self.max_iterations,
            gradual_rank_increase=self.gradual,
            init_fill_method=self.fill,
            verbose=False,
        )
        self._complete(train, solver, lambda U, s, V: (U[:, : self.rank], s[: self.rank], V[: self.rank]))
        self.objective_ = np.float64(self.loss_)
