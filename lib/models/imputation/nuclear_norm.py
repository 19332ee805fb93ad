"""Matrix completion with a nuclear-norm penalty: a factored conjugate-gradient solver with a duality certificate."""

from typing import NamedTuple

import numpy as np

from lib.models.imputation.sparse_plus_low_rank import Factors, ObservedEntries, SparsePlusLowRank, compressed, nothing

MOST_DIRECTIONS = 50
"""Added at once. Rows of 64 numbers would all lie in the same few places of a cache, and take five times as long."""

ROUNDS_OF_GROWTH, ROUNDS_AT_REST = 4, 12
"""Conjugate-gradient iterations while directions are still being added, which change the problem anyway, and afterwards."""


class Solution(NamedTuple):
    r"""A low-rank matrix :math:`Z = U \operatorname{diag}(s) V^\top` and how good it is.

    The `objective` is :math:`\tfrac12 \|P_\Omega(X - Z)\|_F^2 + \lambda \|Z\|_*`, its `history` that after each
    iteration, which never rises. The least objective possible is at least ``objective * (1 - duality_gap)``.
    """

    U: np.ndarray
    s: np.ndarray
    V: np.ndarray
    objective: float
    duality_gap: float
    converged: bool
    history: list[float]


def solve(
    observed: ObservedEntries,
    shrinkage: float,
    *,
    start: Factors | None = None,
    tolerance: float = 1e-3,
    max_iterations: int = 500,
    seed: int = 0,
) -> Solution:
    r"""Minimise :math:`\tfrac12 \|P_\Omega(X - Z)\|_F^2 + \lambda \|Z\|_*` over matrices Z (Mazumder, Hastie, Tibshirani 2010).

    With :math:`\|Z\|_* = \min_{Z = AB^\top} \tfrac12 (\|A\|_F^2 + \|B\|_F^2)` the problem is smooth in the factors
    (Hastie, Mazumder, Lee and Zadeh 2015, lemma 1), and a second-order point of it whose rank is large enough is a solution of the
    convex problem. softImpute-ALS takes there a gradient step scaled by :math:`(s_k + \lambda)^{-1}`, as if every
    entry were observed. Here a step is scaled by the curvature of the entries that are, roughly
    :math:`(n_i w_k + \lambda)^{-1}` for a row with :math:`n_i` of them, made conjugate to the last one
    (Polak-Ribiere), and its length minimises the objective exactly, a polynomial of degree four.

    The rank grows from the start by the singular vectors of the residual whose singular value is above
    :math:`\lambda`, which are directions of descent, and shrinks by those that the penalty has emptied. The answer
    comes with a certificate: the residual, scaled to spectral norm :math:`\lambda`, is a feasible point of the
    dual problem :math:`\max_Y \langle Y, X\rangle - \tfrac12\|Y\|_F^2` s.t. :math:`\|Y\|_2 \le \lambda`.

    Time per iteration is O(entries x rank), memory O(entries + (rows + columns) x rank). The `shrinkage`
    :math:`\lambda > 0` is in units of the singular values. From a `start`, such as the solution at a larger one, the
    solver goes on; it stops at a relative duality gap of `tolerance`. The `seed` is of the search for singular vectors.
    """
    U, s, V = start or nothing(observed.shape)
    history: list[float] = []
    while True:
        U, s, V, residual = _prune(observed, U, s, V, shrinkage)
        objective = 0.5 * residual @ residual + shrinkage * s.sum()
        gradient = SparsePlusLowRank(observed, residual)
        steepest = _directions_outside(observed, gradient, residual, U, V, seed, shrinkage)
        # At the solution the directions inside pull with exactly the penalty. Their pull bounds the norm from below;
        # the Lanczos method is asked for the norm itself where that bound would do.
        norm = np.linalg.norm(gradient.times(V), axis=0).max(initial=steepest[1].max(initial=0.0))
        gap = _relative_gap(observed.values, residual, shrinkage, objective, norm)
        if gap <= tolerance:
            norm = gradient.lanczos_triplets(1, tolerance=1e-5, seed=seed)[1].max(initial=norm)
            gap = _relative_gap(observed.values, residual, shrinkage, objective, norm)
        found = Solution(U, s, V, float(objective), float(gap), bool(gap <= tolerance), history)
        before = len(history)
        if found.converged or before >= max_iterations:
            return found
        A, B, residual, grown = _grow(observed, steepest, residual, U, s, V, shrinkage)
        rounds = ROUNDS_OF_GROWTH if grown > 0.1 * len(s) else ROUNDS_AT_REST
        A, B = _descend(observed, A, B, residual, shrinkage, min(rounds, max_iterations - before), history)
        if len(history) == before:  # no direction of descent is left that rounding does not hide
            return found
        U, s, V = compressed(A, B)


def _prune(observed, U, s, V, shrinkage):
    r"""Drop the directions whose loss lowers the objective, and return the residual.

    Without direction k the objective changes by :math:`-s_k (\lambda - u_k^\top R v_k) + \tfrac12 s_k^2 q` with
    :math:`q = \|P_\Omega(u_k v_k^\top)\|^2 \le 1`; for several at once the sum is still a bound.
    Only those well clear of zero go: one dropped too early would be found again a round later.
    """
    residual = observed.values - observed.entries(U * s, V)
    pull = np.einsum("nk,nk->k", U, SparsePlusLowRank(observed, residual).times(V))
    kept = shrinkage - pull < np.maximum(5 * s, 0.01 * shrinkage)
    if kept.all():
        return U, s, V, residual
    U, s, V = U[:, kept], s[kept], V[:, kept]
    return U, s, V, observed.values - observed.entries(U * s, V)


def _directions_outside(observed, gradient, residual, U, V, seed, shrinkage):
    """Leading singular triplets of the residual between what U and V do not span, where the rank may grow."""
    rank = V.shape[1]
    width = min(MOST_DIRECTIONS, min(observed.shape) - rank)
    if width <= 0:
        return U[:, :0], np.zeros(0), V[:, :0]
    moved = gradient.times(V)
    left = np.hstack([U, moved - U @ (U.T @ moved)])
    right = -np.hstack([gradient.transposed_times(U), V])
    outside = SparsePlusLowRank(observed, residual, left, right)
    if rank:  # the rank has settled where even the first of them does not pay
        first = outside.lanczos_triplets(1, tolerance=1e-3, seed=seed)
        if first[1].max(initial=0.0) <= shrinkage:
            return first
    return outside.lanczos_triplets(width, tolerance=1e-2, seed=seed)


def _relative_gap(values, residual, shrinkage, objective, norm) -> float:
    """Objective minus the dual value of the scaled residual, over the objective."""
    scale = min(1.0, shrinkage / norm) if norm > 0 else 1.0
    dual = scale * (residual @ values) - 0.5 * scale**2 * (residual @ residual)
    return max(objective - dual, 0.0) / objective if objective > 0 else 0.0


def _grow(observed, steepest, residual, U, s, V, shrinkage):
    """Add the residual's singular directions above the penalty, as far as the objective falls along them."""
    root = np.sqrt(s)
    A, B = U * root, V * root
    added = int((steepest[1] > shrinkage).sum())
    if added == 0:
        return A, B, residual, 0
    P, excess, Q = (part[..., :added] for part in steepest)
    excess = excess - shrinkage
    change = observed.entries(P * excess, Q)
    step = (residual @ change - shrinkage * excess.sum()) / (change @ change)
    if step <= 0:
        return A, B, residual, 0
    root = np.sqrt(step * excess)
    return np.hstack([A, P * root]), np.hstack([B, Q * root]), residual - step * change, added


def _descend(observed, A, B, residual, shrinkage, n_iterations, history):
    """Preconditioned nonlinear conjugate gradients on the factors, with exact line search."""
    n = len(A)
    factors = np.vstack([A, B])
    scaling = _inverse_curvature(observed, A, B, shrinkage)
    direction, last_gradient, last_product = None, None, None
    for _ in range(n_iterations):
        gradient = shrinkage * factors
        observed.pull(residual, factors[:n], factors[n:], gradient[:n], gradient[n:])
        scaled = scaling * gradient
        product = np.vdot(scaled, gradient)
        if product <= 0:
            break
        if direction is None:
            direction = -scaled
        else:
            conjugacy = max(0.0, (product - np.vdot(scaled, last_gradient)) / last_product)
            direction *= conjugacy
            direction -= scaled
            if np.vdot(direction, gradient) >= 0:
                direction = -scaled
        last_gradient, last_product = gradient, product
        first, second = observed.slopes(factors[:n], factors[n:], direction[:n], direction[n:])
        step = _best_step(residual, first, second, factors, direction, shrinkage)
        factors += step * direction
        residual = residual - step * first - step**2 * second
        history.append(0.5 * residual @ residual + 0.5 * shrinkage * np.vdot(factors, factors))
    return factors[:n], factors[n:]


def _inverse_curvature(observed, A, B, shrinkage):
    """One over the objective's approximate second derivative by each factor, shape (n_rows + n_columns, rank)."""
    mean_right = observed.column_counts @ B**2 / len(observed)
    mean_left = observed.row_counts @ A**2 / len(observed)
    counts = observed.row_counts, observed.column_counts
    curvature = np.vstack([np.outer(counts[0], mean_right), np.outer(counts[1], mean_left)])
    return 1.0 / (curvature + shrinkage)


def _best_step(residual, first, second, factors, direction, shrinkage) -> float:
    """Find the step t > 0 of least objective, whose derivative by t is a cubic with a positive root."""
    slope = -(residual @ first) + shrinkage * np.vdot(factors, direction)
    square = 0.5 * (first @ first) - residual @ second + 0.5 * shrinkage * np.vdot(direction, direction)
    cube, fourth = first @ second, 0.5 * (second @ second)
    roots = np.roots([4 * fourth, 3 * cube, 2 * square, slope])
    steps = roots.real[(np.abs(roots.imag) <= 1e-8 * np.abs(roots)) & (roots.real > 0)]
    if len(steps) == 0:
        return 0.0
    return float(steps[np.argmin(((fourth * steps + cube) * steps + square) * steps**2 + slope * steps)])
