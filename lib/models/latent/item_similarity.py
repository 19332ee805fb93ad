"""How alike two films are rated: Pearson correlations over their common raters, shrunk where those are few."""

import numpy as np
from numba import njit

from lib.data.interactions import Interactions
from lib.models.baselines.bias import Bias
from lib.models.fitting import fit_model
from lib.models.normalisation import means_of
from lib.models.selection import kth_largest, sort_falling

MOST_ITEMS = 30_000  # largest catalogue of a full matrix: items x items in single precision then take 3.6 GB

Pair = tuple[np.ndarray, np.ndarray]

BLOCK_ROWS = 1024  # films whose lists are held at once before they are packed


def similarity_matrix(train: Interactions, *, shrinkage: float = 100.0, baseline: Bias | None = None) -> np.ndarray:
    r"""Shrunk correlation of every pair of films.

    .. math:: \rho_{ij} = \frac{\sum_{u \in U(i,j)} x_{ui}\,x_{uj}}
        {\sqrt{\sum_{u \in U(i,j)} x_{ui}^2 \sum_{u \in U(i,j)} x_{uj}^2}}, \qquad
        s_{ij} = \frac{n_{ij}}{n_{ij} + \lambda}\,\rho_{ij}

    with :math:`U(i,j)` the :math:`n_{ij}` users with training ratings of both films and :math:`x_{ui}` the rating less
    the bias model's prediction, so that what is correlated is taste, not who rates high (Koren 2008, "Factorization
    meets the neighborhood", section 2.2, where :math:`\lambda = 100`; Koren 2010, "Factor in the neighbors", writes out
    the sums). Work is the sum of the squared numbers of ratings a user: one pass over the pairs of films that each user
    has rated. Raises ValueError: `shrinkage` is out of range, or there are more than `MOST_ITEMS` films: use
    `neighbour_lists`. Returns float32 of shape (n_items, n_items): in -1 to 1, symmetric to the bit. 0 on the diagonal,
    for pairs without common raters, and where either film's :math:`x_{ui}` are all 0 there. `shrinkage` is
    :math:`\lambda`, in common raters: with as many a correlation keeps half its value. The `baseline`, fitted
    on `train`, is by default one with default penalties that is fitted here.
    """
    if train.n_items > MOST_ITEMS:
        raise ValueError(
            f"similarities of {train.n_items:,} films ask for {4e-9 * train.n_items**2:.0f} GB; a full matrix takes at "
            f"most {MOST_ITEMS:,}, neighbour_lists takes more"
        )
    values, lists = compressed(train, residuals(train, baseline))
    found = np.empty((train.n_items, train.n_items), dtype=np.float32)
    _fill_rows(*lists, values, _checked(shrinkage), found)
    return found


def neighbour_lists(
    train: Interactions, *, k: int, shrinkage: float = 100.0, common_mean: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each film's k most similar films.

    Raises ValueError: a parameter is out of range.

    Film i's list is ``indices[indptr[i] : indptr[i + 1]]``: `indptr` is int64 of shape (n_items + 1,), `indices` are
    int32, and `similarities`, the last that is returned, float32. It has at most k films with a common rater, most
    similar first, of equally similar ones (in single precision) the lower code; never the film itself; negative
    similarities come last, but they are not left out. `common_mean` correlates ratings less each film's mean over the
    two films' common raters, the textbook's Pearson correlation, in place of ratings less the bias model. It is 0 where
    either film's do not vary, as with one common rater. The rest is as in `similarity_matrix`.
    """
    if k < 1:
        raise ValueError(f"neighbour_lists: k must be at least 1; got {k}")
    k = min(k, max(train.n_items - 1, 1))
    values, lists = compressed(train, about_film_means(train) if common_mean else residuals(train))
    counts, indices, similarities = [np.zeros(1, np.int64)], [], []
    for low in range(0, train.n_items, BLOCK_ROWS):
        rows = min(BLOCK_ROWS, train.n_items - low)
        nearest, similar = np.empty((rows, k), np.int32), np.empty((rows, k), np.float32)
        lengths = np.empty(rows, np.int64)
        _fill_lists(*lists, values, low, _checked(shrinkage), common_mean, nearest, similar, lengths)
        kept = np.arange(k) < lengths[:, None]
        counts.append(lengths)
        indices.append(nearest[kept])
        similarities.append(similar[kept])
    return np.cumsum(np.concatenate(counts)), np.concatenate(indices), np.concatenate(similarities)


def residuals(train: Interactions, baseline: Bias | None = None) -> np.ndarray:
    """Return the training ratings less the bias model's predictions, float64, shape (n,)."""
    fitted = fit_model(Bias, train) if baseline is None else baseline
    return train.ratings.astype(np.float64) - fitted.predict(train.users, train.items)


def about_film_means(train: Interactions) -> np.ndarray:
    """Return the ratings less their film's mean: the sums about other means that follow then lose no digits."""
    means = means_of(train.items, train.ratings, train.n_items, 0.0)
    return train.ratings.astype(np.float64) - means[train.items]


def compressed(train: Interactions, values: np.ndarray) -> tuple[Pair, tuple[Pair, Pair]]:
    """Order one value a rating by film and by user, and return those with the lists ``(starts, partners)`` of both."""
    by_item = np.lexsort((train.users, train.items))
    by_user = np.lexsort((train.items, train.users))
    item_starts = np.concatenate(([0], np.cumsum(train.item_counts)))
    user_starts = np.concatenate(([0], np.cumsum(train.user_counts)))
    lists = (item_starts, train.users[by_item]), (user_starts, train.items[by_user])
    return (values[by_item], values[by_user]), lists


def _checked(shrinkage: float) -> float:
    if not 0 <= shrinkage < np.inf:
        raise ValueError(f"shrinkage must be finite and not negative; got {shrinkage}")
    return float(shrinkage)


FLAT = 1e-10  # share of a sum of squares below which a variance is rounding, so that the ratings do not vary


@njit(cache=True)
def add_common(film, by_item, by_user, values, sums, touched):
    """Add up, over the raters of one film, what its correlation with every other film needs.

    `by_item`, `by_user` and `values` are of `compressed`; `sums`, float64 of shape (n_items, 6), is zero on entry and holds
    for each film, over the common raters, n, xy, xx, yy, x, y, with x of `film`. `touched`, shape (n_items,), begins with
    the films with common raters, `film` itself among them; how many those are is returned.
    """
    n_touched = 0
    for a in range(by_item[0][film], by_item[0][film + 1]):
        user, x = by_item[1][a], values[0][a]
        for b in range(by_user[0][user], by_user[0][user + 1]):
            other, y = by_user[1][b], values[1][b]
            row = sums[other]
            if row[0] == 0.0:
                touched[n_touched] = other
                n_touched += 1
            row[0] += 1.0
            row[1] += x * y
            row[2] += x * x
            row[3] += y * y
            row[4] += x
            row[5] += y
    return n_touched


@njit(cache=True)
def correlation(row, common_mean):
    """Turn one row of `add_common` into a correlation; 0 where either side does not vary."""
    n, xy, xx, yy = row[0], row[1], row[2], row[3]
    if common_mean:
        variance_x, variance_y = xx - row[4] * row[4] / n, yy - row[5] * row[5] / n
        if variance_x <= FLAT * xx or variance_y <= FLAT * yy:
            return 0.0
        xy, xx, yy = xy - row[4] * row[5] / n, variance_x, variance_y
    if xx == 0.0 or yy == 0.0:
        return 0.0
    return min(1.0, max(-1.0, xy / np.sqrt(xx * yy)))


@njit(cache=True)
def similarities_of(film, by_item, by_user, values, shrinkage, common_mean, sums, touched, similar):
    """Fill the beginning of `similar` with the shrunk correlations of the films in `touched`; `sums` is zero again."""
    n_touched = add_common(film, by_item, by_user, values, sums, touched)
    for t in range(n_touched):
        row = sums[touched[t]]
        similar[t] = row[0] / (row[0] + shrinkage) * correlation(row, common_mean)
        row[:] = 0.0
    return n_touched


@njit(cache=True)
def _fill_rows(by_item, by_user, values, shrinkage, out):
    n_items = len(by_item[0]) - 1
    sums = np.zeros((n_items, 6))
    touched, similar = np.empty(n_items, np.int32), np.empty(n_items, np.float32)
    for film in range(n_items):
        row = out[film]
        row[:] = 0.0
        n = similarities_of(film, by_item, by_user, values, shrinkage, False, sums, touched, similar)
        for t in range(n):
            row[touched[t]] = similar[t]
        row[film] = 0.0


@njit(cache=True)
def _fill_lists(by_item, by_user, values, low, shrinkage, common_mean, nearest, similar_out, lengths):
    n_items, k = len(by_item[0]) - 1, nearest.shape[1]
    sums = np.zeros((n_items, 6))
    touched, similar = np.empty(n_items, np.int32), np.empty(n_items, np.float32)
    for row in range(len(lengths)):
        n = similarities_of(low + row, by_item, by_user, values, shrinkage, common_mean, sums, touched, similar)
        for t in range(n):
            if touched[t] == low + row:  # the film itself gives its place to the last
                n -= 1
                touched[t], similar[t] = touched[n], similar[n]
                break
        lengths[row] = take_best(touched[:n], similar[:n], k, nearest[row], similar_out[row])


@njit(cache=True)
def take_best(codes, values, k, best_codes, best_values):
    """Write the k largest values and their codes in falling order, equal ones by code; return how many there are."""
    n = len(codes)
    size = min(k, n)
    if size == 0:
        return 0
    edge, found = kth_largest(values, size), 0
    above, of = np.empty(n, values.dtype), np.empty(n, codes.dtype)
    for t in range(n):
        if values[t] >= edge:
            above[found], of[found] = values[t], codes[t]
            found += 1
    sort_falling(above, of, found)
    for t in range(size):
        best_values[t], best_codes[t] = above[t], of[t]
    return size
