"""Embeddings on a plane, how far the plane can be trusted, and its picture: dots by genre, a few of them named."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lib.studies.embeddings.neighbours import unit_rows

OTHERS = "#BBBBBB"
"""Colour of films of a genre without one of its own."""


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


def draw_map(
    axis, places: np.ndarray, genres: np.ndarray, shades: Mapping, names: Mapping[int, str] | None = None
) -> None:
    """Draw films on a plane without ticks, as an image: a thousand dots are far smaller so.

    `places` has shape (n, 2), `genres` each film's main genre, `shades` the colours of genres that have one, in the
    order of the legend, all others being drawn as "other"; `names`, by row, are written beside their dots.
    """
    for genre in [*shades, None]:
        inside = genres == genre if genre is not None else ~np.isin(genres, list(shades))
        look = {"markersize": 3.5, "color": shades.get(genre, OTHERS), "label": genre or "other"}
        axis.plot(*places[inside].T, ".", rasterized=True, **look)
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.65, "pad": 0.5}
    for row, text in (names or {}).items():
        axis.annotate(text, places[row], fontsize=6.5, xytext=(3, 3), textcoords="offset points", bbox=box)
    axis.set(xticks=[], yticks=[])
    axis.grid(visible=False)


def short_title(title: str, length: int = 24) -> str:
    """Return a title without its year, cut with an ellipsis where it is longer than `length`."""
    name = title.partition(" (")[0]
    return name if len(name) <= length else name[: length - 1] + "…"
