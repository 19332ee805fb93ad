"""How good neighbours are: shared genres, shared audiences, and films that no audience shares (folding)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from lib.embeddings.neighbours import nearest
from lib.interactions import Interactions

BLOCK_ROWS = 512


def genre_agreement(neighbours: np.ndarray, films: np.ndarray, genres: np.ndarray) -> np.ndarray:
    r"""Mean Jaccard index of a film's genres and its neighbours'.

    .. math:: \frac1k \sum_{j \in \mathrm{kNN}(i)} \frac{|G_i \cap G_j|}{|G_i \cup G_j|}

    Parameters
    ----------
    neighbours : int array, shape (n, k)
    films : int array, shape (n,)
        The films whose neighbours they are.
    genres : bool array, shape (n_items, n_genres)

    Returns
    -------
    ndarray, shape (n,)
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
    ones = np.ones(len(train))
    shape = (train.n_items, train.n_users)
    return sparse.csr_array((ones, (train.items, train.users)), shape=shape)


@dataclass(frozen=True)
class Folding:
    """How often neighbours have audiences that keep apart.

    Parameters
    ----------
    rate : float
        Share of the neighbours that fewer users rated together with the film than would if tastes were independent.
    disjoint : float
        Share of the neighbours that no user at all rated together with the film, among those where at least one such
        user would be expected.
    chance_rate, chance_disjoint : float
        The same shares over all pairs of films.
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

    Parameters
    ----------
    neighbours : int array, shape (n, k)
        Codes of films that are all among `films`.
    films : int array, shape (n,)
    train : Interactions
    """
    rated = co_rating_embeddings(train)[films]
    counts = np.asarray(rated.sum(axis=1)).ravel()
    place = np.full(train.n_items, -1)
    place[films] = np.arange(len(films))
    if (place[neighbours] < 0).any():
        raise ValueError("folding: a neighbour is not among the films")
    n_users = int((train.user_counts > 0).sum())
    totals = np.zeros(
        4
    )  # pairs, below independence, pairs with an expectation of one or more, disjoint ones of these
    near = np.zeros(4)
    transposed = sparse.csc_array(rated.T)
    for low in range(0, len(films), BLOCK_ROWS):
        rows = slice(low, min(low + BLOCK_ROWS, len(films)))
        common = (rated[rows] @ transposed).toarray()
        expected = counts[rows, None] * counts / n_users
        below, due, apart = common < expected, expected >= 1, (common == 0) & (expected >= 1)
        own = np.arange(low, rows.stop)
        for sums, inside in (
            (totals, _all_but(own, common.shape)),
            (near, _only(place[neighbours[rows]], common.shape)),
        ):
            sums += [inside.sum(), (below & inside).sum(), (due & inside).sum(), (apart & inside).sum()]
    return Folding(*_shares(near), *_shares(totals))


def neighbour_popularity(neighbours: np.ndarray, counts: np.ndarray) -> float:
    """Mean number of training ratings of the films in a list of neighbours or recommendations; -1 marks no film."""
    return float(counts[neighbours[neighbours >= 0]].mean())


def film_neighbours(embeddings: np.ndarray, films: np.ndarray, k: int, *, kind: str = "cosine") -> np.ndarray:
    """Return the k nearest of some films among themselves, shape (n, k), as codes."""
    among = np.zeros(len(embeddings), bool)
    among[films] = True
    return nearest(embeddings[films], embeddings, k, kind=kind, itself=films, among=among)[0]


def _all_but(own: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    inside = np.ones(shape, bool)
    inside[np.arange(shape[0]), own] = False
    return inside


def _only(columns: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    inside = np.zeros(shape, bool)
    inside[np.arange(shape[0])[:, None], columns] = True
    return inside


def _shares(sums: np.ndarray) -> tuple[float, float]:
    pairs, below, due, apart = sums
    return below / pairs if pairs else np.nan, apart / due if due else np.nan
