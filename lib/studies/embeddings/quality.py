"""How good neighbours are: shared genres, shared audiences, and films that no audience shares (folding)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from lib.data.interactions import Interactions
from lib.studies.embeddings.neighbours import nearest

BLOCK_ROWS = 512


def genre_agreement(neighbours: np.ndarray, films: np.ndarray, genres: np.ndarray) -> np.ndarray:
    r"""Mean Jaccard index of a film's genres and its neighbours'.

    .. math:: \frac1k \sum_{j \in \mathrm{kNN}(i)} \frac{|G_i \cap G_j|}{|G_i \cup G_j|}

    `neighbours` has shape (n, k), `films`, whose neighbours they are, (n,), and `genres`, of bool, (n_items, n_genres).
    Two films without genres have an index of 0.
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


class Folding(NamedTuple):
    """How often neighbours have audiences that keep apart.

    `rate` is the share of the neighbours that fewer users rated together with the film than would if tastes were
    independent; `disjoint` that of those that nobody rated together with it, among those where at least one such user
    would be expected. The others are the same shares over all pairs of films.
    """

    rate: float
    disjoint: float
    chance_rate: float
    chance_disjoint: float


def folding(neighbours: np.ndarray, films: np.ndarray, train: Interactions) -> Folding:
    r"""Measure folding: films of separate audiences that an embedding puts side by side.

    With :math:`n_i` raters of film i, :math:`n_{ij}` of both and N users, independent tastes would give
    :math:`n_i n_j / N` common raters. A model that looks at observed pairs alone is never told that two such films are
    apart, so they may fold onto each other (Xin et al. 2017, "Folding: why good models sometimes make spurious
    recommendations").

    `neighbours`, shape (n, k), are codes of films that are all among `films`, shape (n,).
    """
    rated = co_rating_embeddings(train)[films]
    counts = np.asarray(rated.sum(axis=1)).ravel()
    place = np.full(train.n_items, -1)
    place[films] = np.arange(len(films))
    n_users = int((train.user_counts > 0).sum())
    # Of all pairs and of neighbours: fewer than independence gives, one or more expected, none of these there.
    found = np.zeros((2, 3))
    transposed = sparse.csc_array(rated.T)
    for low in range(0, len(films), BLOCK_ROWS):
        rows = slice(low, min(low + BLOCK_ROWS, len(films)))
        common = (rated[rows] @ transposed).toarray()
        expected = counts[rows, None] * counts / n_users
        itself = np.arange(len(common)), np.arange(low, rows.stop)
        for column, inside in enumerate((common < expected, expected >= 1, (common == 0) & (expected >= 1))):
            found[0, column] += inside.sum() - inside[itself].sum()
            found[1, column] += np.take_along_axis(inside, place[neighbours[rows]], axis=1).sum()
    pairs = np.array([len(films) * (len(films) - 1), neighbours.size])
    with np.errstate(invalid="ignore"):
        (chance, rate), (chance_disjoint, disjoint) = found[:, 0] / pairs, found[:, 2] / found[:, 1]
    return Folding(float(rate), float(disjoint), float(chance), float(chance_disjoint))


def neighbour_popularity(neighbours: np.ndarray, counts: np.ndarray) -> float:
    """Mean number of training ratings of the films in a list of neighbours or recommendations; -1 marks no film."""
    return float(counts[neighbours[neighbours >= 0]].mean())


def film_neighbours(embeddings: np.ndarray, films: np.ndarray, k: int, *, kind: str = "cosine") -> np.ndarray:
    """Return the k nearest of some films among themselves, shape (n, k), as codes."""
    among = np.isin(np.arange(len(embeddings)), films)
    return nearest(embeddings[films], embeddings, k, kind=kind, itself=films, among=among)[0]
