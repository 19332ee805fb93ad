r"""Kernels of alternating least squares: each row of one side solved by itself, all rows in parallel.

A side (users or items) is a compressed list: row r's ratings are ``start[r]`` to ``start[r + 1]``; of each, `partner` names
the other side's row and `ratings` holds the value. While the other side's vectors q stand still, all that a row's ratings
say is in the Gram matrix :math:`\sum_c q_c q_c^\top` and in the slope :math:`\sum_c q_c e_{rc}`, e being the residuals.
`update_factors` sums both in one pass over the ratings, and what is solved after it needs the ratings no more; no residual
is stored. Threads share no row, so that the result has the same bits for any number of them.
"""

import numpy as np
from numba import njit, prange

from lib.models.sparse_kernels import REORDERED

RIDGE_FLOOR = 1e-8  # least ridge of a solve: keeps the system positive definite where a penalty is switched off
CHUNK = 128  # so many partners' vectors are copied side by side, and multiplied by BLAS while they are in the cache


@njit(cache=True, fastmath=REORDERED)
def sum_ratings(low, high, partner, ratings, offsets, effect, others):
    r"""Return a row's Gram matrix :math:`\sum_c q_c q_c^\top` and :math:`\sum_c q_c\,(y_c - o_c - b)`, b being its `effect`."""
    n_columns = others.shape[1]
    gram, slope = np.zeros((n_columns, n_columns)), np.zeros(n_columns)
    design, product = np.empty((CHUNK, n_columns)), np.empty((n_columns, n_columns))
    for first in range(low, high, CHUNK):
        n = min(CHUNK, high - first)
        for m in range(n):
            c = partner[first + m]
            other, copied, target = others[c], design[m], ratings[first + m] - offsets[c] - effect
            for f in range(n_columns):
                copied[f] = other[f]
                slope[f] += target * other[f]
        np.dot(design[:n].T, design[:n], gram if first == low else product)
        for f in range(n_columns if first > low else 0):
            for g in range(n_columns):
                gram[f, g] += product[f, g]
    return gram, slope


@njit(cache=True, fastmath=REORDERED)
def move(gram, change, slope):
    r"""Take a change d of a row's vector into its slope, :math:`s - G d`; last entries of d that are zero may be left out."""
    for f in range(len(change)):
        row, length = gram[f], change[f]
        for g in range(len(slope)):
            slope[g] -= length * row[g]


@njit(cache=True, fastmath=REORDERED)
def solve_bordered(matrix):
    """Solve :math:`A x = b` for a symmetric positive definite A, below which b stands as a last row: x overwrites it.

    The lower triangle becomes the Cholesky factor, its diagonal inverted. Four rows at a time share what they read of
    the rows above; at the end the last one counts repeatedly.
    """
    n = matrix.shape[1]
    for low in range(0, n + 1, 4):
        a, b, c, d = matrix[low], matrix[min(low + 1, n)], matrix[min(low + 2, n)], matrix[min(low + 3, n)]
        for j in range(min(low + 4, n)):
            above, at, bt, ct, dt = matrix[j], a[j], b[j], c[j], d[j]
            for t in range(j):
                at -= a[t] * above[t]
                bt -= b[t] * above[t]
                ct -= c[t] * above[t]
                dt -= d[t] * above[t]
            scale = above[j] if j < low else 1.0 / np.sqrt((at, bt, ct, dt)[j - low])
            a[j], b[j], c[j], d[j] = at * scale, bt * scale, ct * scale, dt * scale
            above[j] = scale
    x = matrix[n]
    for i in range(n - 1, -1, -1):
        row = matrix[i]
        x[i] *= row[i]
        for t in range(i):
            x[t] -= row[t] * x[i]


@njit(cache=True, fastmath=REORDERED)
def update_row(at, rows, start, partner, ratings, offsets, others, ridges, pulls, effect, own, latent, grams, slopes):
    """Do `update_factors` for one row: apart from the loop over rows, in which it would take longer to compile."""
    r, k = rows[at], own.shape[1]
    gram, slope = sum_ratings(start[r], start[r + 1], partner, ratings, offsets, effect[r], others)
    mine, whole = own[r], latent[r]
    move(gram, whole, slope)
    matrix = np.empty((k + 1, k))
    change = matrix[k]
    for f in range(k):
        for g in range(k):
            matrix[f, g] = gram[f, g]
        matrix[f, f] += ridges[r]
        change[f] = slope[f] + (pulls[at, f] if len(pulls) else 0.0) - ridges[r] * mine[f]
    solve_bordered(matrix)
    for f in range(k):
        mine[f] += change[f]
        whole[f] += change[f]
    if len(grams):
        move(gram, change, slope)
        kept, place = grams[r], 0
        for f in range(len(slope)):
            slopes[r, f] = slope[f]
            for g in range(f + 1):
                kept[place + g] = gram[f, g]
            place += f + 1


@njit(parallel=True, cache=True, fastmath=REORDERED)
def update_factors(rows, start, partner, ratings, offsets, others, ridges, pulls, effect, own, latent, grams, slopes):
    r"""Give each listed row the factors that minimise the objective while everything else stands still.

    .. math:: v_r \leftarrow v_r + \Big(\sum_c q_c q_c^\top + \lambda_r I\Big)^{-1}
        \Big(\sum_c q_c e_{rc} + h_r - \lambda_r v_r\Big), \qquad e_{rc} = y_{rc} - o_c - b_r - q_c^\top p_r

    `ratings` y are float32, of shape (n_ratings,). `others`, shape (n_other, n_columns), are the partners' latent vectors
    q, with or without a last column of ones, and `offsets` o whatever else of a prediction the partners account for.
    `ridges` are the :math:`\lambda_r > 0`; `pulls`, shape (len(rows), k), hold h, or are empty for zeros. Of the side
    itself, `effect` is b; its factors `own` and the latent vectors `latent` p that contain them, both of shape (n_rows, k),
    are updated in place. What the ratings say then is kept in `grams`, shape (n_rows, n_columns (n_columns + 1) / 2), lower
    triangles row by row, and `slopes`, shape (n_rows, n_columns), unless these are empty. All floats but the ratings are
    float64.
    """
    for at in prange(len(rows)):
        update_row(
            np.int64(at), rows, start, partner, ratings, offsets, others, ridges, pulls, effect, own, latent, grams, slopes
        )  # fmt: skip


@njit(cache=True, fastmath=REORDERED)
def apply_grams(grams, vectors, out):
    """Multiply each row's Gram matrix, kept as `update_factors` keeps it, with the row's vector."""
    for r in range(len(out)):
        gram, vector, sums = grams[r], vectors[r], out[r]
        at = 0
        for f in range(len(sums)):
            total, length = 0.0, vector[f]
            for g in range(f):
                total += gram[at + g] * vector[g]
                sums[g] += gram[at + g] * length
            sums[f] = total + gram[at + f] * length
            at += f + 1


@njit(parallel=True, cache=True, fastmath=REORDERED)
def sum_residuals(start, partner, ratings, offsets, others, effect, latent, sums, squares):
    """Sum each row's residuals, and their squares; the parameters are those of `update_factors`."""
    for r in prange(len(sums)):
        mine, total, square = latent[r], 0.0, 0.0
        for m in range(start[r], start[r + 1]):
            other = others[partner[m]]
            residual = ratings[m] - offsets[partner[m]] - effect[r]
            for f in range(len(mine)):
                residual -= other[f] * mine[f]
            total += residual
            square += residual * residual
        sums[r], squares[r] = total, square


@njit(cache=True)
def group(keys, partners, ratings, n):
    """Sort ratings by their keys, of which there are n, into compressed lists; those of one key stay in their order."""
    start = np.zeros(n + 1, np.int64)
    for key in keys:
        start[key + 1] += 1
    for key in range(n):
        start[key + 1] += start[key]
    free, partner, values = start.copy(), np.empty_like(partners), np.empty_like(ratings)
    for m in range(len(keys)):
        place = free[keys[m]]
        partner[place], values[place] = partners[m], ratings[m]
        free[keys[m]] += 1
    return start, partner, values


@njit(cache=True)
def colour_graph(graph_start, graph_index):
    """Colour the nodes greedily, in their order: no two neighbours share a colour, and can be solved side by side."""
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
