"""Embeddings on a plane, how far the plane can be trusted, and the films' short names on it."""

import numpy as np

from lib.studies.embeddings.neighbours import unit_rows


def project(embeddings: np.ndarray, *, seed: int = 0, n_neighbours: int = 15) -> np.ndarray:
    """Lay films out on a plane by cosine distances: shape (n, 2), centred, the longer axis in standard deviations.

    By t-SNE (van der Maaten and Hinton 2008), from principal components; its perplexity is twice `n_neighbours`, and more
    films than that it takes, or ValueError.
    """
    if len(embeddings) <= 2 * n_neighbours:
        raise ValueError(
            f"a projection with {n_neighbours} neighbours needs more than {2 * n_neighbours} films, got {len(embeddings)}"
        )
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    # Of unit vectors the squared Euclidean distance is twice the cosine distance, and the fast path applies.
    rows = unit_rows(embeddings)
    start = PCA(2, random_state=seed).fit_transform(rows)
    start *= 1e-4 / max(start[:, 0].std(), 1e-12)
    layout = TSNE(perplexity=2.0 * n_neighbours, init=start, random_state=seed, n_jobs=1)
    found = np.asarray(layout.fit_transform(rows), dtype=np.float64)
    found -= found.mean(axis=0)
    return found / found.std(axis=0).max()


def trust(embeddings: np.ndarray, places: np.ndarray, *, n_neighbours: int = 15) -> float:
    r"""Trustworthiness of a projection (Venna and Kaski 2001): 1 when no film is near on the plane that isn't in the embedding.

    .. math:: 1 - \frac{2}{n k (2n - 3k - 1)} \sum_i \sum_{j \in N_i^k} \max(0,\, r(i, j) - k)

    with :math:`N_i^k` the k nearest on the plane and :math:`r(i, j)` the rank of j by cosine distance in the embedding.
    """
    from sklearn.manifold import trustworthiness

    return float(trustworthiness(unit_rows(embeddings), places, n_neighbors=n_neighbours))


def short_title(title: str, length: int = 24) -> str:
    """Return a title without its year, cut with an ellipsis where it is longer than `length`."""
    name = title.partition(" (")[0]
    return name if len(name) <= length else name[: length - 1] + "…"
