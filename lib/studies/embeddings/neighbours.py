"""The films nearest to a query in an embedding, by dot product or by cosine."""

from __future__ import annotations

import numpy as np

from lib.metrics.lists import best_columns

SIMILARITIES = ("dot", "cosine")

BLOCK_CELLS = 20_000_000
"""Largest array of similarities (160 MB) that is formed at a time."""


def similarities(queries: np.ndarray, embeddings: np.ndarray, kind: str = "cosine") -> np.ndarray:
    r"""Compare queries with films.

    .. math:: s_{\text{dot}}(x, y) = \langle x, y \rangle, \qquad
        s_{\text{cosine}}(x, y) = \frac{\langle x, y \rangle}{|x|\,|y|}

    A vector of length zero has cosine 0 with everything. Queries are embeddings of films or of users, shape
    (n_queries, k); the result has shape (n_queries, n_items).

    Raises
    ------
    ValueError
        Another `kind`, or vectors of different lengths.
    """
    if kind not in SIMILARITIES:
        raise ValueError(f"similarity {kind!r} is not one of {', '.join(SIMILARITIES)}")
    if queries.ndim != 2 or embeddings.ndim != 2 or queries.shape[1] != embeddings.shape[1]:
        raise ValueError(
            f"queries and films must be rows of one length, got {queries.shape} and {embeddings.shape}"
        )
    if kind == "cosine":
        queries, embeddings = unit_rows(queries), unit_rows(embeddings)
    return queries @ embeddings.T


def nearest(
    queries: np.ndarray, embeddings: np.ndarray, k: int, *, kind: str = "cosine", itself: np.ndarray | None = None,
    among: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Find the k most similar films of each query, the most similar first: items and values, shape (n_queries, k).

    Parameters
    ----------
    queries, embeddings, k, kind
        As in `similarities`, and how many.
    itself : int array, shape (n_queries,), optional
        Films that the queries are, and that are no neighbours of themselves.
    among : bool array, shape (n_items,), optional
        Films that may be neighbours; all by default.

    Raises
    ------
    ValueError
        k is below 1 or above the number of films that may be neighbours.
    """
    allowed = np.ones(len(embeddings), bool) if among is None else np.asarray(among, bool)
    most = int(allowed.sum()) - (itself is not None)
    if not 1 <= k <= most:
        raise ValueError(f"k must be from 1 to {most}, the films that may be neighbours; got {k}")
    items, values = np.empty((len(queries), k), np.int64), np.empty((len(queries), k))
    step = max(1, BLOCK_CELLS // len(embeddings))
    for low in range(0, len(queries), step):
        block = similarities(queries[low : low + step], embeddings, kind)
        block[:, ~allowed] = -np.inf
        if itself is not None:
            block[np.arange(len(block)), itself[low : low + step]] = -np.inf
        items[low : low + step], values[low : low + step] = best_columns(block, k)
    return items, values


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Scale rows to length one; a row of zeros stays."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1.0)
