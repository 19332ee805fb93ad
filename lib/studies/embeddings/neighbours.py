"""The films nearest to a query in an embedding: by dot product, by cosine, or by what lies between them."""

import numpy as np

from lib.metrics.lists import best_columns

SIMILARITIES = ("dot", "cosine")

BLOCK_CELLS = 20_000_000  # largest array of similarities (160 MB) that is formed at a time


def similarities(queries: np.ndarray, embeddings: np.ndarray, kind: str | float = "cosine") -> np.ndarray:
    r"""Compare queries, embeddings of films or of users, with films: shape (n_queries, n_items).

    .. math:: s_{\text{dot}}(x, y) = \langle x, y \rangle, \qquad
        s_{\text{cosine}}(x, y) = \frac{\langle x, y \rangle}{|x|\,|y|}, \qquad
        s_p(x, y) = s_{\text{cosine}}(x, y)\,|y|^p

    A number as `kind` is p, the power of a film's length that counts: 0 for the cosine, 1 for the order of the dot product.
    A vector of length zero has cosine 0 with everything. ValueError: another word, or a number outside 0 to 1.
    """
    if kind == "dot":
        return queries @ embeddings.T
    power = 0.0 if kind == "cosine" else kind
    if isinstance(power, str) or not 0 <= power <= 1:
        raise ValueError(f"a similarity is 'dot', 'cosine' or a power from 0 to 1; got {kind!r}")
    lengths = np.linalg.norm(embeddings, axis=1) ** power if power else 1.0
    return unit_rows(queries) @ unit_rows(embeddings).T * lengths


def nearest(
    queries: np.ndarray,
    embeddings: np.ndarray,
    k: int,
    *,
    kind: str | float = "cosine",
    itself: np.ndarray | None = None,
    among: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the k most similar films of each query, the most similar first: items and values, shape (n_queries, k).

    `itself` has, by query, the film that it is, and that is no neighbour of itself; `among`, a bool array of shape
    (n_items,), the films that may be neighbours, all by default. Another k than from 1 to their number is a ValueError.
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
