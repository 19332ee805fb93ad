"""WgtNgbr: a neighbourhood model whose weights are derived jointly, by least squares."""

import numpy as np
from numba import njit

from lib.data.interactions import Interactions
from lib.models.card import Card
from lib.models.latent.correlation_neighbours import RatedNeighbours
from lib.models.latent.item_similarity import add_common, compressed


class InterpolatedNeighbours(RatedNeighbours):
    r"""Jointly derived interpolation weights: for each user and film the solution of a small least squares problem.

    From Bell and Koren 2007, "Scalable collaborative filtering with jointly derived neighborhood interpolation weights";
    in Koren 2008, section 2.2, it is WgtNgbr.

    .. math:: \hat r_{ui} = b_{ui} + \sum_{j \in S^k(i;u)} \theta^u_{ij}\,x_{uj}, \qquad x_{uj} = r_{uj} - b_{uj}

    The weights are those that would predict the ratings of film i best from those of the neighbours, had all users rated
    all of them:

    .. math:: \min_{\theta \ge 0} \theta^\top \hat A\,\theta - 2\,\hat b^\top \theta, \qquad
        \hat A_{jl} = \frac{\sum_{v \in U(j,l)} x_{vj} x_{vl} + \beta\,\bar a}{n_{jl} + \beta}, \qquad
        \hat b_j = \hat A_{ij}

    with :math:`U(j,l)` the :math:`n_{jl}` users who rated both and :math:`\bar a` the mean of the unshrunk entries, one
    mean for the diagonal and one for the pairs with common raters. Weights need not sum to one: where no neighbour says
    anything about the film they are near zero. The problem is solved to its minimum by coordinate descent in place of the
    paper's projected steepest descent; where pairwise estimates make :math:`\hat A` so indefinite that this does not
    settle, a ridge is added (`lib.models.latent.nonnegative`). Neighbours and baseline: see
    `lib.models.latent.correlation_neighbours.RatedNeighbours`.

    Memory is O(items^2). Each pair asked costs a problem of its own, O(k^2) a sweep, several times what CorNgbr takes:
    whole catalogues take minutes where pairs take seconds. k is `n_neighbours`; `shrinkage`, in common raters, is
    :math:`\lambda` of the similarity that chooses neighbours, `moment_shrinkage` :math:`\beta`, also in common raters:
    the paper takes 500 on Netflix, and smaller data want less.
    """

    card = Card(
        "interpolated_neighbours",
        "WgtNgbr",
        "neighbourhood",
        "A pair without neighbours, as all cold ones are, gets the bias model's answer.",
        project="E",
        learns_taste=True,
        most={"items": 4_000, "ratings": 200_000},
        most_searched={"ratings": 0},
        small={"n_neighbours": 10, "shrinkage": 10.0, "moment_shrinkage": 5.0},
    )

    def __init__(self, *, n_neighbours: int = 30, shrinkage: float = 100.0, moment_shrinkage: float = 200.0):
        self._store(locals())

    def _moments(self, train: Interactions, residuals: np.ndarray) -> np.ndarray:
        if not 0 < (shrinkage := self.moment_shrinkage) < np.inf:
            raise ValueError(f"InterpolatedNeighbours: moment_shrinkage must be positive; got {shrinkage}")
        return shrunk_moments(train, residuals, shrinkage)


def shrunk_moments(train: Interactions, values: np.ndarray, shrinkage: float) -> np.ndarray:
    r"""Mean products of two films' values over their common raters, drawn towards the mean of all such.

    `values` (float64) are one a rating, `shrinkage` is :math:`\beta > 0`; it is :math:`\hat A` of
    `InterpolatedNeighbours`, float32, symmetric to the bit, with a positive diagonal.
    """
    by, lists = compressed(train, np.asarray(values, dtype=np.float64))
    shape = train.n_items, train.n_items
    sums, counts = np.empty(shape, np.float32), np.empty(shape, np.float32)
    n_pairs, totals = np.zeros(train.n_items), np.zeros(train.n_items)
    _fill_moments(*lists, by, sums, counts, n_pairs, totals)
    own, n_own = np.diag(sums).astype(np.float64), np.diag(counts).astype(np.float64)
    rated = n_own > 0
    of_pairs = totals.sum() / max(n_pairs.sum(), 1)
    of_own = (own[rated] / n_own[rated]).mean()
    floor = 1e-9 * max(of_own, 1e-9)  # values that are all zero leave a diagonal to divide by
    sums += np.float32(shrinkage * of_pairs)
    counts += np.float32(shrinkage)
    sums /= counts
    np.fill_diagonal(sums, np.maximum((own + shrinkage * of_own) / (n_own + shrinkage), floor))
    return sums


@njit(cache=True)
def _fill_moments(by_item, by_user, values, sums, counts, n_pairs, totals):
    """Fill the sums of products and the numbers of common raters; by film, how many others share one, and their means."""
    n_items = len(by_item[0]) - 1
    work, touched = np.zeros((n_items, 6)), np.empty(n_items, np.int32)
    for film in range(n_items):
        sums[film], counts[film] = 0.0, 0.0
        n_touched = add_common(film, by_item, by_user, values, work, touched)
        for t in range(n_touched):
            row = work[touched[t]]
            sums[film, touched[t]], counts[film, touched[t]] = row[1], row[0]
            if touched[t] != film:
                n_pairs[film] += 1
                totals[film] += row[1] / row[0]
            row[:] = 0.0
