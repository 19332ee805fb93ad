"""fancyimpute's SoftImpute and IterativeSVD behind the model contract: the reference for our own solvers.

fancyimpute forms the dense matrix and decomposes it whole at every iteration, so these are for tests, benchmarks and
the reference column of a table, and are not registered as models.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

from lib.data.interactions import Interactions
from lib.models.imputation.low_rank import LowRankCompletion
from lib.models.imputation.sparse_plus_low_rank import Factors


class _Completed(LowRankCompletion):
    """A completed dense matrix; observed entries hold the low-rank fit, which fancyimpute itself writes over.

    The matrix stands in `U_`, with the identity for `V_`; `rank_` is that of the low-rank fit.
    """

    def _completed(self, train: Interactions, solver: type, low_rank: Callable, **settings) -> np.ndarray:
        """Run a solver; `low_rank` says which singular values the fit keeps, and theirs there, which are returned."""
        observed = self._observe(train)
        entries = observed.sparse(observed.values)[0].tocoo()
        data = np.full(entries.shape, np.nan)
        data[entries.coords] = entries.data
        seen = ~np.isnan(data)
        settings |= {"convergence_threshold": self.tolerance, "max_iters": self.max_iterations}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it calls an argument of scikit-learn that is on its way out
            completed = solver(init_fill_method=self.fill, verbose=False, **settings).fit_transform(data)
        U, s, V = np.linalg.svd(completed, full_matrices=False)
        kept, values = low_rank(s)
        fit = (U[:, kept] * values) @ V[kept]
        self._keep(np.where(seen, fit, completed), np.ones(train.n_items), np.eye(train.n_items))
        self.rank_ = len(values)
        self.objective_ = np.float64(0.5 * ((fit - data)[seen] ** 2).sum())
        return values

    @property
    def n_parameters_(self) -> int:
        """Entries of the dense matrix."""
        return self.U_.size


class ReferenceSoftImpute(_Completed):
    r"""fancyimpute's ``SoftImpute``, which minimises :math:`\tfrac12 \|P_\Omega(X - Z)\|_F^2 + \lambda \|Z\|_*` too.

    Predictions of unrated pairs are fancyimpute's own; `objective_` is that of the next iterate. At a `shrinkage` of
    zero fancyimpute takes a fiftieth of the largest singular value instead, without a word. It stops at a change of the
    unrated entries of `tolerance`, relative to their norm; `fill` ('zero', 'mean', 'median', 'min' or 'random') is what
    they start from.
    """

    def __init__(self, *, shrinkage=10.0, centre="user", tolerance=1e-3, max_iterations=100, fill="zero"):
        self._store(locals())

    def _complete(self, train: Interactions, start: Factors | None) -> None:
        from fancyimpute import SoftImpute

        def shrunk(s):
            return s > self.shrinkage, s[s > self.shrinkage] - self.shrinkage

        values = self._completed(train, SoftImpute, shrunk, shrinkage_value=self.shrinkage)
        self.objective_ += self.shrinkage * values.sum()


class ReferenceIterativeSVD(_Completed):
    """fancyimpute's ``IterativeSVD``; `tolerance` is relative to squared norms, and with `gradual` the rank doubles from 1."""

    def __init__(self, *, rank=3, centre="user", gradual=True, tolerance=1e-5, max_iterations=100, fill="zero"):
        self._store(locals())

    def _complete(self, train: Interactions, start: Factors | None) -> None:
        from fancyimpute import IterativeSVD

        def cut(s):
            return slice(self.rank), s[: self.rank]

        self._completed(train, IterativeSVD, cut, rank=self.rank, gradual_rank_increase=self.gradual)
