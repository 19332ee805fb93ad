"""Kernels of networks with sparse ends: weighted sums of rows, and products at given places.

Compressed lists hold, for row r, the places ``starts[r]`` to ``starts[r + 1]``. Each row writes to its own part of the
output, so that threads never meet and the result has the same bits for any number of them. All floats of a call have one
type, and sums are taken in it.
"""

from __future__ import annotations

from numba import njit, prange

REORDERED = {"reassoc", "contract"}
"""Sums may be taken in another order, several at a time: other last bits than a plain loop, the same ones every run."""


@njit(parallel=True, cache=True, fastmath=REORDERED)
def weighted_sums(starts, places, values, weights, out):
    r"""Sum rows of a matrix by compressed lists: :math:`out_r = \sum_e v_e\,W_{c_e}`, for every row of `out`.

    A sparse matrix times a dense one, and, with the transposed lists, the gradient by that dense one. Four rows at a
    time, so that `out` is written a quarter as often.

    Parameters
    ----------
    starts : int array, shape (n_rows + 1,)
    places : int array c, shape (n_entries,)
        Rows of `weights`.
    values : float array v, shape (n_entries,)
    weights : float array W, shape (n, width)
    out : float array, shape (n_rows, width)
        Overwritten.
    """
    width = out.shape[1]
    for r in prange(len(out)):
        sums = out[r]
        sums[:] = 0
        low, high = starts[r], starts[r + 1]
        fours = low + (high - low) // 4 * 4
        for e in range(low, fours, 4):
            a, b, c, d = (
                weights[places[e]],
                weights[places[e + 1]],
                weights[places[e + 2]],
                weights[places[e + 3]],
            )
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

    Parameters
    ----------
    rows, columns : int arrays r, c, shape (n_entries,)
        Rows of `hidden` and of `weights`; fastest where one row's entries stand side by side.
    hidden : float array h, shape (n_rows, width)
    weights : float array W, shape (n_columns, width)
    offsets : float array b, shape (n_columns,)
    out : float array, shape (n_entries,)
        Overwritten.
    """
    width = hidden.shape[1]
    for e in prange(len(rows)):
        row, column = hidden[rows[e]], weights[columns[e]]
        total = offsets[columns[e]]
        for f in range(width):
            total += row[f] * column[f]
        out[e] = total
