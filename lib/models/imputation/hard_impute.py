"""Hard-Impute: matrix completion by iterated truncated singular value decompositions."""

from collections.abc import Iterable, Iterator

import numpy as np
from threadpoolctl import threadpool_limits

from lib.data.interactions import Interactions
from lib.models.card import Card
from lib.models.imputation.low_rank import LowRankCompletion, fit_along
from lib.models.imputation.sparse_plus_low_rank import Factors, ObservedEntries, SparsePlusLowRank, nothing

SPARE = 10  # columns that the subspace iteration carries beyond the rank, so that it converges at the rank's edge too


class HardImpute(LowRankCompletion):
    r"""The matrix of a given rank that is nearest to the ratings, sought by iterated SVD (Mazumder et al. 2010).

    .. math:: \min_Z \; \tfrac12 \|P_\Omega(X - Z)\|_F^2 \quad \text{s.t.} \quad \operatorname{rank}(Z) \le k, \qquad
        Z \leftarrow \mathrm{SVD}_k\big(P_\Omega(X) + P_\Omega^\perp(Z)\big)

    **The problem is not convex.** Each step lowers the objective, but where it ends depends on the start, and for ranks
    beyond the first few the lowest objective predicts badly: what the model predicts comes from its stopping early as
    much as from its rank. The rule for stopping is therefore that of fancyimpute's ``IterativeSVD``, so that both take
    the same path. There is no dense matrix: the filled matrix is sparse plus low rank, and its singular vectors come
    from a subspace iteration that starts at the last step's.

    The baseline, `centre`, and what is fitted are described in `LowRankCompletion`. Raises ValueError from `fit`:
    `rank` (k, from 1 to the lesser side of the matrix), `tolerance`, `max_iterations` or `centre` is out of range.

    With `gradual` it starts at rank 1 and doubles it each iteration until `rank`, as IterativeSVD does by default. It
    stops when the squared change of the unrated entries, over their squared norm, falls below `tolerance`. `seed` is of
    the start of the singular vectors; the fitted matrix depends on it only through rounding.
    """

    card = Card(
        "hard_impute",
        "Hard-Impute",
        "latent factors",
        "The baseline answers: for a cold film the user's mean, for a cold user the mean training rating.",
        project="A",
        colour="amber",
        learns_taste=True,
        most={"cells": 20_000_000},
        small={"rank": 2},
    )

    def __init__(
        self,
        *,
        rank: int = 3,
        centre: str = "user",
        gradual: bool = True,
        tolerance: float = 1e-5,
        max_iterations: int = 100,
        seed: int = 0,
    ):
        self._store(locals())

    def _complete(self, train: Interactions, start: Factors | None) -> None:
        most = min(train.n_users, train.n_items)
        if not 1 <= self.rank <= most:
            raise ValueError(f"HardImpute: rank must lie between 1 and {most}, the lesser side; got {self.rank}")
        if self.tolerance < 0 or self.max_iterations < 1:
            raise ValueError("HardImpute: tolerance must not be negative and max_iterations at least 1")
        settings = {n: value for n, value in self.parameters.items() if n != "centre"}
        observed = self._observe(train)
        with threadpool_limits(1, user_api="blas"):  # the bits must not depend on the machine
            U, s, V, history, self.converged_ = iterative_svd(observed, start=start, **settings)
        self._keep(U, s, V)
        self.objective_, self.objective_history_ = np.float64(history[-1]), np.array(history)
        self.n_iterations_ = len(history)


def iterative_svd(
    observed: ObservedEntries,
    rank: int,
    *,
    start: Factors | None = None,
    gradual: bool = False,
    tolerance: float = 1e-5,
    max_iterations: int = 100,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[float], bool]:
    r"""Replace the unobserved entries by those of the best rank-k approximation, again and again.

    The change of the unobserved entries needs no dense matrix either:
    :math:`\|P_\Omega^\perp(D)\|^2 = \|D\|_F^2 - \|P_\Omega(D)\|^2` for :math:`D = Z' - Z`, both from the factors.
    From a `start`, of at most that rank, `gradual` does not matter. Returns U, s and V, half the squared error of the
    observed entries after each iteration, and whether `tolerance` was met.
    """
    width = min(rank + SPARE, *observed.shape)
    random = np.random.default_rng(seed)
    # A product with the transpose: columns without an entry stay exactly zero.
    _, transposed = observed.sparse(observed.values)
    block = transposed @ random.standard_normal((observed.shape[0], width))
    U, s, V = start or nothing(observed.shape)
    block[:, : len(s)] = V
    fitted = observed.entries(U * s, V)
    history, converged = [], False
    for iteration in range(max_iterations):
        filled = SparsePlusLowRank(observed, observed.values - fitted, U * s, V)
        wide_U, wide_s, block = filled.leading_triplets(block, 2 if iteration else 12)
        k = min(2**iteration, rank) if gradual and start is None else rank
        new_U, new_s, new_V = wide_U[:, :k], wide_s[:k], block[:, :k]
        new_fitted = observed.entries(new_U * new_s, new_V)
        inner = s @ ((U.T @ new_U) * (V.T @ new_V)) @ new_s
        change = s @ s + new_s @ new_s - 2 * inner - np.sum((new_fitted - fitted) ** 2)
        size = s @ s - fitted @ fitted  # of the unobserved entries before the step
        U, s, V, fitted = new_U, new_s, new_V, new_fitted
        history.append(0.5 * np.sum((observed.values - fitted) ** 2))
        converged = bool(size > 0 and change < tolerance * size and k == rank)
        if converged:
            break
    return U, s, V, history, converged


def hard_impute_path(train: Interactions, ranks: Iterable[int], **parameters) -> Iterator[HardImpute]:
    """Fit Hard-Impute along rising ranks, each from the matrix before it, where `gradual` does not matter."""
    return fit_along(train, (HardImpute(rank=rank, **parameters) for rank in sorted(ranks)))
