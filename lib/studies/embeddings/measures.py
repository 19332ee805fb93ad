"""What film embeddings know: norms and popularity, directions used, genres, and how good neighbours are."""

import numpy as np
from scipy import sparse

from lib.data.interactions import Interactions
from lib.studies.embeddings.neighbours import nearest, unit_rows

BLOCK_ROWS = 512


def genre_agreement(neighbours: np.ndarray, films: np.ndarray, genres: np.ndarray) -> np.ndarray:
    r"""Mean Jaccard index of genres of films, shape (n,), and of neighbours, (n, k); 0 for two films without genres.

    .. math:: \frac1k \sum_{j \in \mathrm{kNN}(i)} \frac{|G_i \cap G_j|}{|G_i \cup G_j|}
    """
    mine, theirs = genres[films][:, None, :], genres[neighbours]
    both, either = (mine & theirs).sum(axis=2), (mine | theirs).sum(axis=2)
    return np.divide(both, either, out=np.zeros(both.shape), where=either > 0).mean(axis=1)


def chance_agreement(films: np.ndarray, genres: np.ndarray) -> float:
    """Return what `genre_agreement` is on average when neighbours are drawn from `films` at random."""
    own = genres[films].astype(np.float64)
    sizes, total = own.sum(axis=1), 0.0
    for low in range(0, len(films), BLOCK_ROWS):
        both = own[low : low + BLOCK_ROWS] @ own.T
        either = sizes[low : low + BLOCK_ROWS, None] + sizes - both
        total += np.divide(both, either, out=np.zeros_like(both), where=either > 0).sum()
    return float((total - (sizes > 0).sum()) / (len(films) * (len(films) - 1)))


def co_rating_embeddings(train: Interactions) -> sparse.csr_array:
    """Return each film's raters as a row of ones: the cosine of two rows is that of item-kNN on who rated what."""
    ones, shape = np.ones(len(train)), (train.n_items, train.n_users)
    return sparse.csr_array((ones, (train.items, train.users)), shape=shape)


def folding(neighbours: np.ndarray, films: np.ndarray, train: Interactions) -> tuple[dict, dict]:
    r"""Measure folding: films of separate audiences that an embedding puts side by side.

    With :math:`n_i` raters of film i, :math:`n_{ij}` of both and N users, independent tastes would make it
    :math:`n_i n_j / N`. A model that looks at observed pairs alone is never told that two such films are apart, so they
    may fold onto each other (Xin et al. 2017, "Folding: why good models sometimes make spurious recommendations").

    ``folding`` is the share of the neighbours (codes, shape (n, k), all among `films`, shape (n,)) that fewer users
    rated together with the film than that; ``disjoint`` that of those that nobody rated together with it, among those
    where at least one such user would be expected. The second mapping has the same shares over all pairs of films.
    """
    rated = co_rating_embeddings(train)[films]
    counts = np.asarray(rated.sum(axis=1)).ravel()
    place = np.full(train.n_items, -1)
    place[films] = np.arange(len(films))
    n_users = int((train.user_counts > 0).sum())
    # Of neighbours and of all pairs: fewer than independence gives, one or more expected, none of these there.
    found = np.zeros((2, 3))
    transposed = sparse.csc_array(rated.T)
    for low in range(0, len(films), BLOCK_ROWS):
        rows = slice(low, min(low + BLOCK_ROWS, len(films)))
        common = (rated[rows] @ transposed).toarray()
        expected = counts[rows, None] * counts / n_users
        itself = np.arange(len(common)), np.arange(low, rows.stop)
        for column, inside in enumerate((common < expected, expected >= 1, (common == 0) & (expected >= 1))):
            found[0, column] += np.take_along_axis(inside, place[neighbours[rows]], axis=1).sum()
            found[1, column] += inside.sum() - inside[itself].sum()
    pairs = np.array([neighbours.size, len(films) * (len(films) - 1)])
    with np.errstate(invalid="ignore"):
        shares = zip(found[:, 0] / pairs, found[:, 2] / found[:, 1], strict=True)
    near, chance = ({"folding": float(rate), "disjoint": float(disjoint)} for rate, disjoint in shares)
    return near, chance


def neighbour_popularity(neighbours: np.ndarray, counts: np.ndarray) -> float:
    """Mean number of training ratings of the films in a list of neighbours or recommendations; -1 marks no film."""
    return float(counts[neighbours[neighbours >= 0]].mean())


def film_neighbours(embeddings: np.ndarray, films: np.ndarray, k: int, *, kind: str | float = "cosine") -> np.ndarray:
    """Return the k nearest of some films among themselves, shape (n, k), as codes."""
    among = np.isin(np.arange(len(embeddings)), films)
    return nearest(embeddings[films], embeddings, k, kind=kind, itself=films, among=among)[0]


def norm_popularity(embeddings: np.ndarray, counts: np.ndarray) -> float:
    """Spearman's rank correlation of norm and number of ratings, over rated films; NaN where one does not vary."""
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
    r"""Mean silhouette of groups under cosine distance (Rousseeuw 1987); films with an empty group are left out.

    For each film :math:`(b - a) / \max(a, b)` with a its mean distance to its own group and b that to the nearest other
    one: 1 for groups far apart, 0 for groups that run into each other, below 0 for films among strangers.
    """
    from sklearn.metrics import silhouette_score

    kept = groups != ""
    if len(np.unique(groups[kept])) < 2:
        raise ValueError("a silhouette needs films of at least two groups")
    return float(silhouette_score(embeddings[kept], groups[kept], metric="cosine"))
