"""A graph of similar items: each one's nearest by the cosine of their features."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

import numpy as np
from numba import njit, prange
from scipy import sparse

KEPT_GRAPHS = 4
"""Graphs kept in memory: a search asks for the same one on each of its folds."""

_kept: OrderedDict[str, sparse.csr_array] = OrderedDict()


def cosine_graph(features: sparse.csr_array, *, top_k: int, epsilon: float = 1e-10) -> sparse.csr_array:
    r"""Join each row to the `top_k` others that are most similar to it.

    .. math:: S_{ij} = \frac{x_i^\top x_j}{|x_i|\,|x_j|} \text{ where } j \in N_k(i) \text{ or } i \in N_k(j),
        \text{ else } 0

    Of equally similar rows (films with the same genres) those with lower indices come first. Where there is a single
    column, such as a year, a cosine is only the sign of a product: a year counted from its mean joins every film to
    those on the same side of the mean, all alike.

    Parameters
    ----------
    features : csr_array, shape (n, d)
        A row without features has no neighbours.
    top_k : int
        At least 1; n - 1 or more stands for all other rows.
    epsilon : float
        Similarities below it, and whatever is not positive, are dropped.

    Returns
    -------
    csr_array of float64, shape (n, n)
        Symmetric, in 0 to 1, no diagonal. It is shared with later callers: don't write to it.

    Raises
    ------
    ValueError
        `top_k` is below 1, or `epsilon` negative.
    """
    if top_k < 1:
        raise ValueError(f"top_k, the number of similar rows, must be at least 1; got {top_k}")
    if not epsilon >= 0:
        raise ValueError(f"epsilon must not be negative; got {epsilon}")
    features = sparse.csr_array(features, dtype=np.float64)
    features.sort_indices()
    key = _key(features, top_k, epsilon)
    if key not in _kept:
        _kept[key] = _build(features, min(top_k, max(features.shape[0] - 1, 1)), epsilon)
        while len(_kept) > KEPT_GRAPHS:
            _kept.popitem(last=False)
    _kept.move_to_end(key)
    return _kept[key]


def _key(features: sparse.csr_array, top_k: int, epsilon: float) -> str:
    digest = hashlib.blake2b(repr((features.shape, top_k, epsilon)).encode())
    for array in (features.indptr, features.indices, features.data):
        digest.update(array.tobytes())
    return digest.hexdigest()


def _build(features: sparse.csr_array, top_k: int, epsilon: float) -> sparse.csr_array:
    n = features.shape[0]
    lengths = np.sqrt(np.asarray(features.power(2).sum(axis=1)).ravel())
    unit = sparse.csr_array(sparse.diags_array(1.0 / np.where(lengths > 0, lengths, 1.0)) @ features)
    by_column = sparse.csc_array(unit)
    neighbours, similarities, counts = _nearest(
        unit.indptr,
        unit.indices,
        unit.data,
        by_column.indptr,
        by_column.indices,
        by_column.data,
        top_k,
        epsilon,
    )
    kept = np.arange(top_k) < counts[:, None]
    pointers = np.concatenate(([0], np.cumsum(counts)))
    one_way = sparse.csr_array((similarities[kept].astype(np.float64), neighbours[kept], pointers), (n, n))
    one_way.sort_indices()
    graph = sparse.csr_array(one_way.maximum(one_way.T))
    graph.sort_indices()
    return graph


@njit(parallel=True, cache=True)
def _nearest(indptr, indices, data, column_pointers, column_rows, column_data, top_k, epsilon):
    """Find each row's `top_k` largest products with the others, ties to the lower index."""
    n = len(indptr) - 1
    neighbours = np.zeros((n, top_k), np.int32)
    similarities = np.zeros((n, top_k), np.float32)
    counts = np.zeros(n, np.int64)
    for i in prange(n):
        products = np.zeros(n, np.float32)  # single precision: what differs by rounding only counts as a tie
        for t in range(indptr[i], indptr[i + 1]):
            f = indices[t]
            for s in range(column_pointers[f], column_pointers[f + 1]):
                products[column_rows[s]] += data[t] * column_data[s]
        products[i] = 0.0
        found = 0
        for j in range(n):
            products[j] = np.float32(min(np.round(products[j] * 1e5) / 1e5, 1.0))
            if products[j] >= epsilon and products[j] > 0:
                found += 1
        count = min(found, top_k)
        if count == 0:
            continue
        least = np.partition(products, n - count)[n - count]
        place = 0
        for j in range(n):
            if products[j] > least:
                neighbours[i, place], similarities[i, place] = j, products[j]
                place += 1
        for j in range(n):
            if place == count:
                break
            if products[j] == least:
                neighbours[i, place], similarities[i, place] = j, products[j]
                place += 1
        counts[i] = count
    return neighbours, similarities, counts
