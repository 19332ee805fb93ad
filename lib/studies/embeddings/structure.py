"""How an embedding is built: norms and popularity, how many directions it uses, whether genres lie apart."""

from __future__ import annotations

import numpy as np

from lib.studies.embeddings.neighbours import unit_rows


def norm_popularity(embeddings: np.ndarray, counts: np.ndarray) -> float:
    r"""Spearman's rank correlation of embedding norm and number of ratings, over films with a rating.

    From -1 to 1; NaN where one of the two does not vary.
    """
    rated = counts > 0
    norms = np.linalg.norm(embeddings[rated], axis=1)
    if rated.sum() < 2 or np.ptp(norms) == 0 or np.ptp(counts[rated]) == 0:
        return float("nan")
    from scipy import stats  # slow to import

    return float(stats.spearmanr(norms, counts[rated]).statistic)


def rare_to_popular_norm(embeddings: np.ndarray, counts: np.ndarray) -> float:
    """Mean norm of films with 1 to 5 ratings over that of films with 100 or more; NaN without either."""
    norms = np.linalg.norm(embeddings, axis=1)
    few, many = (counts > 0) & (counts <= 5), counts >= 100
    if not few.any() or not many.any() or norms[many].mean() == 0:
        return float("nan")
    return float(norms[few].mean() / norms[many].mean())


def effective_rank(embeddings: np.ndarray) -> float:
    r"""Count the directions that an embedding really uses (Roy and Vetterli 2007).

    .. math:: \exp\Big(-\sum_j p_j \log p_j\Big), \qquad p_j = \sigma_j / \sum_l \sigma_l

    with the singular values :math:`\sigma` of the embeddings, each scaled to length one (else the few popular films
    with long vectors decide). From 1 to k.
    """
    values = np.linalg.svd(unit_rows(embeddings), compute_uv=False)
    shares = values[values > 0] / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def main_genres(genres: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Name each film's main genre: the rarest of its genres, which says most about it; empty for a film without."""
    sizes = genres.sum(axis=0)
    cost = np.where(genres, sizes, np.iinfo(np.int64).max)
    found = np.array(names, dtype=object)[cost.argmin(axis=1)]
    found[~genres.any(axis=1)] = ""
    return found.astype(str)


def silhouette(embeddings: np.ndarray, groups: np.ndarray) -> float:
    r"""Mean silhouette of groups under cosine distance (Rousseeuw 1987).

    For each film :math:`(b - a) / \max(a, b)` with a its mean distance to its own group and b that to the nearest other
    one: 1 for groups far apart, 0 for groups that run into each other, below 0 for films among strangers.

    Films with an empty group are left out; fewer than two groups are a ValueError.
    """
    from sklearn.metrics import silhouette_score

    kept = groups != ""
    if len(np.unique(groups[kept])) < 2:
        raise ValueError("a silhouette needs films of at least two groups")
    return float(silhouette_score(embeddings[kept], groups[kept], metric="cosine"))
