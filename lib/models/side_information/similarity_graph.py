"""A graph of similar items: each one's nearest by the cosine of their features."""

from functools import lru_cache

import numpy as np
from numba import njit
from scipy import sparse

from lib.models.selection import kth_largest


def cosine_graph(features: sparse.csr_array, *, top_k: int, epsilon: float = 1e-10) -> sparse.csr_array:
    r"""Join each row to the `top_k` others that are most similar to it.

    .. math:: S_{ij} = \frac{x_i^\top x_j}{|x_i|\,|x_j|} \text{ where } j \in N_k(i) \text{ or } i \in N_k(j),
        \text{ else } 0

    Of equally similar rows (films with the same genres) those with lower indices come first; a row without features has
    no neighbours, and similarities below `epsilon`, and whatever is not positive, are dropped. Where there is a single
    column, such as a year, a cosine is only the sign of a product: a year counted from its mean joins every film to
    those on the same side of the mean, all alike. Returns a csr_array, float64 of shape (n, n): symmetric, in 0 to 1,
    no diagonal. It is shared with later callers: don't write to it.
    """
    features = sparse.csr_array(features, dtype=np.float64)
    features.sort_indices()
    arrays = features.indptr.astype(np.int64), features.indices.astype(np.int64), features.data
    return _build(*(array.tobytes() for array in arrays), features.shape, top_k, epsilon)


@lru_cache(maxsize=4)  # a search asks for the same graph on each of its folds
def _build(indptr: bytes, indices: bytes, data: bytes, shape: tuple[int, int], top_k: int, epsilon: float):
    arrays = np.frombuffer(data), np.frombuffer(indices, np.int64), np.frombuffer(indptr, np.int64)
    features = sparse.csr_array(arrays, shape)
    top_k = min(top_k, max(shape[0] - 1, 1))
    lengths = np.sqrt(np.asarray(features.power(2).sum(axis=1)).ravel())
    unit = sparse.csr_array(sparse.diags_array(1.0 / np.where(lengths > 0, lengths, 1.0)) @ features)
    # One type of index, whatever scipy chose: each takes seconds to compile.
    both: list[np.ndarray] = []
    for m in (unit, sparse.csc_array(unit)):
        both += [m.indptr.astype(np.int64), m.indices.astype(np.int64), m.data]
    neighbours, similarities, counts = _nearest(*both, top_k, epsilon)  # type: ignore[call-arg]
    kept = np.arange(top_k) < counts[:, None]
    entries = (similarities[kept].astype(np.float64), neighbours[kept], np.concatenate(([0], np.cumsum(counts))))
    one_way = sparse.csr_array(entries, (shape[0], shape[0]))
    one_way.sort_indices()
    graph = sparse.csr_array(one_way.maximum(one_way.T))
    graph.sort_indices()
    return graph


@njit(cache=True)
def _nearest(indptr, indices, data, column_pointers, column_rows, column_data, top_k, epsilon):
    """Find each row's `top_k` largest products with the others, ties to the lower index."""
    n = len(indptr) - 1
    neighbours = np.zeros((n, top_k), np.int32)
    similarities = np.zeros((n, top_k), np.float32)
    counts = np.zeros(n, np.int64)
    for i in range(n):
        products = np.zeros(n, np.float32)  # single precision: what differs by rounding only counts as a tie
        for t in range(indptr[i], indptr[i + 1]):
            f = indices[t]
            for s in range(column_pointers[f], column_pointers[f + 1]):
                products[column_rows[s]] += data[t] * column_data[s]
        products[i] = 0.0
        found = 0
        for j in range(n):
            products[j] = np.float32(min(np.rint(products[j] * 1e5) / 1e5, 1.0))
            if products[j] >= epsilon and products[j] > 0:
                found += 1
        count = min(found, top_k)
        if count == 0:
            continue
        least, place = kth_largest(products, count), 0
        for tied in range(2):  # those above the least first
            for j in range(n):
                if (products[j] == least if tied else products[j] > least) and place < count:
                    neighbours[i, place], similarities[i, place] = j, products[j]
                    place += 1
        counts[i] = count
    return neighbours, similarities, counts
