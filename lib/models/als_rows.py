"""Kernels of alternating least squares: each row of one side solved by itself, all rows in parallel.

A side (users or items) is a compressed sparse list: row r's ratings are ``start[r]`` to ``start[r + 1]``, ``partner``
names the other side's row of each, and ``place`` says where in the shared array of residuals the rating stands. Rows
touch disjoint residuals, so threads never meet and the result has the same bits for any number of them.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from lib.models.sparse_kernels import REORDERED

RIDGE_FLOOR = 1e-8
"""Least ridge of a solve: keeps the system positive definite where a penalty is switched off."""


@njit(cache=True, fastmath=REORDERED)
def cholesky_solve(matrix, vector):
    r"""Solve :math:`A x = b` for a symmetric positive definite A by its Cholesky factor; x overwrites b, and is returned."""
    lower = np.linalg.cholesky(matrix)
    n = len(vector)
    for i in range(n):
        total = vector[i]
        for t in range(i):
            total -= lower[i, t] * vector[t]
        vector[i] = total / lower[i, i]
    for i in range(n - 1, -1, -1):
        vector[i] /= lower[i, i]
        for t in range(i):
            vector[t] -= lower[i, t] * vector[i]
    return vector


@njit(cache=True)
def solve_ridge(design, target, ridge, pull):
    r"""Minimise :math:`|t - F v|^2 + \rho |v|^2 - 2 h^\top v` over v.

    The normal equations :math:`(F^\top F + \rho I) v = F^\top t + h` are k x k. With fewer ratings than factors (most
    films have a handful) the same v comes from an n x n system,
    :math:`v = \frac{1}{\rho} (b - F^\top (F F^\top + \rho I)^{-1} F b)` with :math:`b = F^\top t + h`, and, where
    :math:`h = 0`, without the cancellation: :math:`v = F^\top (F F^\top + \rho I)^{-1} t`.

    `design` is F, shape (n, k), `target` t, `ridge` :math:`\rho > 0`, and `pull` h, shape (k,), or empty for zero; all
    are float64.
    """
    n, k = design.shape
    if n < k:
        gram = design @ design.T
        for m in range(n):
            gram[m, m] += ridge
        if len(pull) == 0:
            return design.T @ cholesky_solve(gram, target.copy())
        right = design.T @ target + pull
        return (right - design.T @ cholesky_solve(gram, design @ right)) / ridge
    gram = design.T @ design
    for f in range(k):
        gram[f, f] += ridge
    right = design.T @ target
    if len(pull):
        right += pull
    return cholesky_solve(gram, right)


@njit(cache=True, fastmath=REORDERED)
def add_neighbours(row, start, index, weight, factors, out):
    r"""Add :math:`\sum_s S_{rs} v_s` to `out`, and return :math:`\sum_s S_{rs}`.

    Four neighbours at a time: the graph is the longest list of all, and `out` is then written a quarter as often.
    """
    degree = 0.0
    low, high = start[row], start[row + 1]
    fours = low + (high - low) // 4 * 4
    for t in range(low, fours, 4):
        a, b, c, d = factors[index[t]], factors[index[t + 1]], factors[index[t + 2]], factors[index[t + 3]]
        at, bt, ct, dt = weight[t], weight[t + 1], weight[t + 2], weight[t + 3]
        degree += at + bt + ct + dt
        for f in range(len(out)):
            out[f] += at * a[f] + bt * b[f] + ct * c[f] + dt * d[f]
    for t in range(fours, high):
        neighbour, share = factors[index[t]], weight[t]
        degree += share
        for f in range(len(out)):
            out[f] += share * neighbour[f]
    return degree


@njit(parallel=True, cache=True, fastmath=REORDERED)
def roughness(start, index, weight, factors, out):
    r"""Give each row its part of the graph's penalty, :math:`v_r^\top (D_{rr} v_r - \sum_s S_{rs} v_s)`; in all tr(V'LV)."""
    k = factors.shape[1]
    for r in prange(len(out)):
        pull = np.zeros(k)
        degree = add_neighbours(r, start, index, weight, factors, pull)
        mine, total = factors[r], 0.0
        for f in range(k):
            total += mine[f] * (degree * mine[f] - pull[f])
        out[r] = total


@njit(parallel=True, cache=True, fastmath=REORDERED)
def update_factors(
    rows,
    start,
    partner,
    place,
    residuals,
    others,
    ridges,
    graph_start,
    graph_index,
    graph_weight,
    strength,
    own,
    latent,
):
    r"""Give each listed row the factors that minimise the objective while everything else stands still.

    .. math:: v_r \leftarrow \Big(\sum_c q_c q_c^\top + (\lambda_r + \alpha D_{rr}) I\Big)^{-1}
        \Big(\sum_c q_c\,(e_{rc} + q_c^\top v_r) + \alpha \sum_s S_{rs} v_s\Big)

    with :math:`q_c` the latent vectors of the row's partners, :math:`e` the residuals, S the similarity graph (of
    strength :math:`\alpha`; :math:`D_{rr} = \sum_s S_{rs}`). `rows` must not hold two neighbours of that graph.

    `residuals`, shape (n_ratings,), the side's factors `own` and the latent vectors `latent` that contain them, both of
    shape (n_rows, k), are updated in place. `others`, shape (n_other, k), are the partners' latent vectors, `ridges` the
    :math:`\lambda_r`; the graph is S in compressed rows, `graph_start` empty for none. All floats are float64.
    """
    k = own.shape[1]
    for at in prange(len(rows)):
        r = rows[at]
        low, n = start[r], start[r + 1] - start[r]
        ridge = ridges[r]
        pull = np.zeros(0)
        if len(graph_start):
            pull = np.zeros(k)
            ridge += strength * add_neighbours(r, graph_start, graph_index, graph_weight, own, pull)
            for f in range(k):
                pull[f] *= strength
        ridge = max(ridge, RIDGE_FLOOR)
        design = np.empty((n, k))
        target = np.empty(n)
        mine = own[r]
        for m in range(n):
            other, row = others[partner[low + m]], design[m]
            product = 0.0
            for f in range(k):
                row[f] = other[f]
                product += mine[f] * other[f]
            target[m] = residuals[place[low + m]] + product
        if n == 0:
            fresh = np.zeros(k) if len(pull) == 0 else pull / ridge
        else:
            fresh = solve_ridge(design, target, ridge, pull)
        for f in range(k):
            latent[r, f] += fresh[f] - mine[f]
            mine[f] = fresh[f]
        for m in range(n):
            row = design[m]
            product = 0.0
            for f in range(k):
                product += fresh[f] * row[f]
            residuals[place[low + m]] = target[m] - product


@njit(parallel=True, cache=True, fastmath=REORDERED)
def update_biases(start, place, residuals, penalty, bias):
    r"""Give each row its best bias, :math:`b_r \leftarrow \sum_c (e_{rc} + b_r) / (n_r + \lambda_b)`, in place."""
    for r in prange(len(bias)):
        low, high = start[r], start[r + 1]
        total = 0.0
        for m in range(low, high):
            total += residuals[place[m]]
        fresh = (total + bias[r] * (high - low)) / max(high - low + penalty, RIDGE_FLOOR)
        change = fresh - bias[r]
        bias[r] = fresh
        for m in range(low, high):
            residuals[place[m]] -= change


@njit(parallel=True, cache=True, fastmath=REORDERED)
def sum_weighted(start, partner, place, weights, others, power, out):
    r"""Sum the partners' vectors by row: :math:`out_{rf} = \sum_c w_{rc}\, q_{cf}^{power}`.

    `weights` stands in the order of the residuals; empty stands for ones. `power` is 1 or 2.
    """
    k = out.shape[1]
    for r in prange(len(out)):
        sums = out[r]
        sums[:] = 0.0
        for m in range(start[r], start[r + 1]):
            weight = weights[place[m]] if len(weights) else 1.0
            other = others[partner[m]]
            if power == 1:
                for f in range(k):
                    sums[f] += weight * other[f]
            else:
                for f in range(k):
                    sums[f] += weight * other[f] * other[f]


@njit(parallel=True, cache=True, fastmath=REORDERED)
def apply_grams(start, partner, others, direction, out):
    r"""Multiply each row's Gram matrix with a vector, without forming it.

    .. math:: out_r = \sum_c q_c\,(q_c^\top d_r)
    """
    k = direction.shape[1]
    for r in prange(len(out)):
        sums, along = out[r], direction[r]
        sums[:] = 0.0
        for m in range(start[r], start[r + 1]):
            other = others[partner[m]]
            product = 0.0
            for f in range(k):
                product += other[f] * along[f]
            for f in range(k):
                sums[f] += product * other[f]


@njit(parallel=True, cache=True, fastmath=REORDERED)
def subtract_products(start, partner, place, others, change, residuals):
    r"""Take a change of the latent vectors into the residuals: :math:`e_{rc} \leftarrow e_{rc} - q_c^\top d_r`."""
    k = change.shape[1]
    for r in prange(len(change)):
        moved = change[r]
        for m in range(start[r], start[r + 1]):
            other = others[partner[m]]
            product = 0.0
            for f in range(k):
                product += other[f] * moved[f]
            residuals[place[m]] -= product


@njit(cache=True)
def colour_graph(graph_start, graph_index):
    """Colour the nodes (int64, from 0) greedily, in their order: no two neighbours share a colour.

    Rows of one colour don't pull at each other, so that they can be solved side by side.
    """
    n = len(graph_start) - 1
    colours = np.full(n, -1)
    taken_by = np.full(n + 1, -1)
    for node in range(n):
        for t in range(graph_start[node], graph_start[node + 1]):
            neighbour = graph_index[t]
            if colours[neighbour] >= 0:
                taken_by[colours[neighbour]] = node
        colour = 0
        while taken_by[colour] == node:
            colour += 1
        colours[node] = colour
    return colours
