"""Kernels of the neighbourhood terms in full-batch training: sums over a film's neighbours, and their gradients."""

import numpy as np
from numba import njit

MINUS_ONE = -1.0  # what stands in the matrix for a missing rating where it is read as one


@njit(cache=True)
def _fill_row(low, high, train, level, item_bias, read_missing, row, rated):
    """Write one user's ratings less their baseline, over all films; a missing one is -1 less its baseline, or 0."""
    for j in range(len(row)):
        rated[j] = read_missing
        row[j] = MINUS_ONE - level - item_bias[j] if read_missing else 0.0
    for t in range(low, high):
        rated[train[1][t]] = True
        row[train[1][t]] = train[2][t] - level - item_bias[train[1][t]]


@njit(cache=True)
def _share(film, neighbours, weights, rated, root, divide):
    """Return what the sum over a film's neighbours is multiplied by; 0 where it has none."""
    n, total = 0, 0.0
    for t in range(neighbours.shape[1]):
        j = neighbours[film, t]
        if j >= 0 and rated[j]:
            n += 1
            total += abs(weights[film, t])
    if n == 0 or (divide and total == 0.0):
        return 0.0
    if root:
        return 1.0 / np.sqrt(n)
    return 1.0 / total if divide else 1.0


@njit(cache=True)
def add_neighbours(pairs, train, levels, item_bias, neighbours, weights, offsets, read_missing, divide, out):
    r"""Add to each pair :math:`a_{ui} \sum_{j} \big((r_{uj} - b_{uj})\,w_{ij} + c_{ij}\big)` over the film's neighbours.

    `pairs`, in whose order `out` is, and `train`, the training ratings, are compressed rows ``(starts, items,
    ratings)`` by user; `levels` are users' biases plus the mean of all ratings. `neighbours` (films, -1 past the end of
    a list), `weights` w and `offsets` c have shape (n_items, k), or no offsets length 0. A film that the user has not
    rated counts as one rated -1 where `read_missing`, otherwise it is left out. The factor a is one over the root of
    the number of neighbours that count where there are offsets; without, one over the sum of their weights' absolute
    values where `divide`, else 1.
    """
    n_items = len(item_bias)
    row, rated = np.empty(n_items), np.empty(n_items, np.bool_)
    root = len(offsets) > 0
    for u in range(len(levels)):
        if pairs[0][u] == pairs[0][u + 1]:
            continue
        _fill_row(train[0][u], train[0][u + 1], train, levels[u], item_bias, read_missing, row, rated)
        for e in range(pairs[0][u], pairs[0][u + 1]):
            film, total = pairs[1][e], 0.0
            for t in range(neighbours.shape[1]):
                j = neighbours[film, t]
                if j >= 0 and rated[j]:
                    total += row[j] * weights[film, t]
                    if root:
                        total += offsets[film, t]
            out[e] += _share(film, neighbours, weights, rated, root, divide) * total


@njit(cache=True)
def add_neighbour_slopes(
    train, levels, item_bias, neighbours, weights, offsets, read_missing, divide, slopes, gradients
):
    """Add the gradients of the sum that `add_neighbours` gives, times `slopes`, for the training pairs.

    `slopes` are the loss's derivatives by each prediction, in the order of `train`; `gradients`, by users' and items'
    biases, weights and offsets, are added to. Where `divide` is set the weights are constants, and theirs not touched.
    """
    of_users, of_items, of_weights, of_offsets = gradients
    n_items = len(item_bias)
    row, rated, of_row = np.empty(n_items), np.empty(n_items, np.bool_), np.zeros(n_items)
    root = len(offsets) > 0
    for u in range(len(levels)):
        low, high = train[0][u], train[0][u + 1]
        if low == high:
            continue
        _fill_row(low, high, train, levels[u], item_bias, read_missing, row, rated)
        for e in range(low, high):
            film = train[1][e]
            slope = slopes[e] * _share(film, neighbours, weights, rated, root, divide)
            for t in range(neighbours.shape[1]):
                j = neighbours[film, t]
                if j >= 0 and rated[j]:
                    of_row[j] += slope * weights[film, t]
                    if not divide:
                        of_weights[film, t] += slope * row[j]
                    if root:
                        of_offsets[film, t] += slope
        total = 0.0
        for j in range(n_items):
            total += of_row[j]
            of_items[j] -= of_row[j]
            of_row[j] = 0.0
        of_users[u] -= total
