"""How many users have both of two films: the product that EASE and item-kNN start from."""

import numpy as np
from numba import njit, prange
from scipy import sparse

CHUNK, TILE = 256, 64
"""Films whose rows a thread counts at a time, and the width of the squares in which they are mirrored."""


@njit(parallel=True, cache=True)
def _count(item_start, item_users, user_start, user_items, low, counts):
    """Fill the rows of the films from `low` on; of two films with rows here, only the first one's counts.

    A row of counts fits the fastest cache, and users' sorted lists are read in one go: two to ten times as fast as a
    sparse product, which has to find out first which cells there will be, or a dense one, which multiplies zeros.
    """
    n, n_users = len(counts), len(user_start) - 1
    n_chunks = (n + CHUNK - 1) // CHUNK
    for turn in prange(n_chunks):
        # Early rows are the longer ones: from both ends in turn, so that each thread gets as much.
        chunk = turn // 2 if turn % 2 == 0 else n_chunks - 1 - turn // 2
        top, end = low + chunk * CHUNK, low + min((chunk + 1) * CHUNK, n)
        first, at = np.empty(n_users, np.int64), np.empty(n_users, np.int64)
        for user in range(n_users):
            mine = user_items[user_start[user] : user_start[user + 1]]
            first[user] = user_start[user] + np.searchsorted(mine, low)
            at[user] = user_start[user] + np.searchsorted(mine, top)
        for film in range(top, end):
            row = counts[film - low]
            for place in range(item_start[film], item_start[film + 1]):
                user = item_users[place]
                for other in range(user_start[user], first[user]):
                    row[user_items[other]] += 1.0
                for other in range(at[user], user_start[user + 1]):
                    row[user_items[other]] += 1.0
                at[user] += 1  # where the user's next film stands
    n_tiles = (n + TILE - 1) // TILE
    for tile in prange(n_tiles):
        for right in range(tile, n_tiles):
            for i in range(tile * TILE, min((tile + 1) * TILE, n)):
                for j in range(max(right * TILE, i + 1), min((right + 1) * TILE, n)):
                    counts[j, low + i] = counts[i, low + j]


def co_occurrences(history: sparse.csr_array, low: int = 0, high: int | None = None) -> np.ndarray:
    r"""Return the rows from `low` to `high` of :math:`X^\top X` in float64.

    The stored values of `history`, X, shape (n_users, n_items), count as ones, whatever they are.
    """
    history = history.sorted_indices() if not history.has_sorted_indices else history
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
