"""How many users have both of two films: the product that EASE and item-kNN start from."""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy import sparse


@njit(cache=True)
def _count(item_start, item_users, user_start, user_items, low, counts):
    """Fill the rows of the films from `low` on.

    A row of counts fits the fastest cache, and users' lists are read in one go: two to ten times as fast as a sparse product,
    which has to find out first which cells there will be, or a dense one, which multiplies zeros.
    """
    for row in range(len(counts)):
        mine = counts[row]
        for place in range(item_start[low + row], item_start[low + row + 1]):
            user = item_users[place]
            for other in range(user_start[user], user_start[user + 1]):
                mine[user_items[other]] += 1.0


def co_occurrences(history: sparse.csr_array, low: int = 0, high: int | None = None) -> np.ndarray:
    r"""Return the rows from `low` to `high` of :math:`X^\top X`, with X the users x films matrix of ones.

    Returns float64 of shape (high - low, n_items).

    Parameters
    ----------
    history : csr_array, shape (n_users, n_items)
        X; whatever its stored values, they count as ones.
    low, high : int
    """
    by_item = history.T.tocsr()
    high = history.shape[1] if high is None else high
    counts = np.zeros((high - low, history.shape[1]))
    _count(by_item.indptr, by_item.indices, history.indptr, history.indices, low, counts)
    return counts


@njit(cache=True)
def weights_of_inverse(inverse):
    r"""Turn the upper triangle of :math:`P = (X^\top X + \lambda I)^{-1}` into :math:`B_{ij} = -P_{ij} / P_{jj}`, 0 on the diagonal, in place."""
    n, step = len(inverse), 64
    scale = np.empty(n)
    for i in range(n):
        scale[i] = -1.0 / inverse[i, i]
    # Both triangles tile by tile, so that neither is walked through across its rows.
    for top in range(0, n, step):
        for left in range(top, n, step):
            for i in range(top, min(top + step, n)):
                for j in range(max(left, i + 1), min(left + step, n)):
                    one = inverse[i, j]
                    inverse[i, j] = one * scale[j]
                    inverse[j, i] = one * scale[i]
    for i in range(n):
        inverse[i, i] = 0.0
