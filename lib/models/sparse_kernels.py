"""Kernels of networks with sparse ends: weighted sums of rows, and products at given places.

Compressed lists hold, for row r, the places ``starts[r]`` to ``starts[r + 1]``. Each row writes to its own part of the
output, so that threads never meet and the result has the same bits for any number of them. All floats of a call have one
type, and sums are taken in it.
"""

from numba import njit, prange

REORDERED = {"reassoc", "contract"}
"""Sums may be taken in another order, several at a time: other last bits than a plain loop, the same ones every run."""


@njit(parallel=True, cache=True, fastmath=REORDERED)
def weighted_sums(starts, places, values, weights, out):
    r"""Sum rows of a matrix by compressed lists: :math:`out_r = \sum_e v_e\,W_{c_e}`, for every row of `out`.

    A sparse matrix times a dense one, and, with the transposed lists, the gradient by that dense one. `starts` has shape
    (n_rows + 1,); `places` c, rows of `weights` W of shape (n, width), and `values` v have shape (n_entries,); `out`,
    shape (n_rows, width), is overwritten, four entries at a time, so that it is written a quarter as often.
    """
    width = out.shape[1]
    for r in prange(len(out)):
        sums = out[r]
        sums[:] = 0
        low, high = starts[r], starts[r + 1]
        fours = low + (high - low) // 4 * 4
        for e in range(low, fours, 4):
            a, b, c, d = (weights[places[e]], weights[places[e + 1]], weights[places[e + 2]], weights[places[e + 3]])
            av, bv, cv, dv = values[e], values[e + 1], values[e + 2], values[e + 3]
            for f in range(width):
                sums[f] += av * a[f] + bv * b[f] + cv * c[f] + dv * d[f]
        for e in range(fours, high):
            one, value = weights[places[e]], values[e]
            for f in range(width):
                sums[f] += value * one[f]


@njit(parallel=True, cache=True, fastmath=REORDERED)
def products_at(rows, columns, hidden, weights, offsets, out):
    r"""Multiply two matrices at the listed places only: :math:`out_e = \langle h_{r_e}, W_{c_e} \rangle + b_{c_e}`.

    `rows` r and `columns` c, shape (n_entries,), are rows of `hidden` h, shape (n_rows, width), and of `weights` W, shape
    (n_columns, width); `offsets` b have shape (n_columns,), and `out`, shape (n_entries,), is overwritten. Fastest where
    one row's entries stand side by side.
    """
    width = hidden.shape[1]
    for e in prange(len(rows)):
        row, column = hidden[rows[e]], weights[columns[e]]
        total = offsets[columns[e]]
        for f in range(width):
            total += row[f] * column[f]
        out[e] = total
