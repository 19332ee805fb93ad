"""What a user's other ratings near in time say about one rating: level-one features of the ensemble."""

import numpy as np
from numba import njit

from lib.data.interactions import Interactions

EDGES = (0.0, 1.0, 6.0, 31.0, 61.0, 301.0, 3_601.0, 86_401.0, np.inf)  # seconds apart that tell bins from each other
DECAYS = (1.0, 15.0, 90.0, 1_000.0, np.inf)  # seconds in which a weight falls by e; infinity leaves the time out
POWERS = (4, 10)  # powers of the similarity of two films; the higher, the fewer films count

N_BINS, N_KINDS = len(EDGES) - 1, len(DECAYS) * len(POWERS)
MEANS = [*range(N_BINS), *range(3 * N_BINS + 5, 3 * N_BINS + 5 + N_KINDS)]  # means of residuals, 0 where none is known


def moment_features(
    train: Interactions, residuals: np.ndarray, item_vectors: np.ndarray, asked: Interactions
) -> np.ndarray:
    r"""Describe ratings by the same user's training ratings near in time, and by those of similar films.

    With :math:`e_{uj}` the residuals and :math:`\Delta_j` the seconds between the ratings of film j and of film i,

    .. math:: \frac{\sum_{j \in bin} e_{uj}}{n_{bin} + 2}, \qquad
              \frac{\sum_j e_{uj}\, s_{ij}^p\, e^{-\Delta_j / \tau}}{0.3 + \sum_j s_{ij}^p\, e^{-\Delta_j / \tau}}

    for each bin of `EDGES` and each of `DECAYS` and `POWERS`; :math:`s_{ij}` is the cosine of two films' vectors, 0
    where it is negative. Columns are, for the bins, these means, counts and means of the ratings; the distance to the
    nearest rating, the numbers of earlier ones and of all, seconds since the first and until the last; for each power,
    decay within it, the means, and then their weights; and what train says about user and film: counts, means and
    variances, the film's year; the time. Float64; without training ratings zeros and, for distances in time, NaN.

    Nothing of `asked` is read but users, films and times; it shares the id maps, and holds no rating of `train`.
    `residuals` and `item_vectors`, shape (n_items, d), are of a model that was fitted on `train` and on nothing else; a
    vector of zeros is similar to nothing. ValueError: lengths or id maps do not fit.
    """
    if len(residuals) != len(train) or len(item_vectors) != train.n_items or asked.n_items != train.n_items:
        raise ValueError(
            f"{len(residuals)} residuals for {len(train)} ratings, {len(item_vectors)} vectors for {train.n_items} films, "
            f"{asked.n_items} films asked for: these belong to different data"
        )
    order = np.lexsort((train.timestamps, train.users))
    starts = np.searchsorted(train.users[order], np.arange(train.n_users + 1))
    times, middle = train.timestamps[order].astype(np.float64), float(np.mean(train.scale))
    lengths = np.linalg.norm(item_vectors, axis=1, keepdims=True)
    directions = np.divide(item_vectors, lengths, out=np.zeros_like(item_vectors), where=lengths > 0)
    residuals = np.asarray(residuals, dtype=np.float64)[order]
    ratings = train.ratings[order].astype(np.float64) - middle
    users, asked_times = asked.users.astype(np.int64), asked.timestamps.astype(np.float64)
    bins = _bins(starts, times, residuals, ratings, users, asked_times, np.array(EDGES))
    items, asked_items = train.items[order].astype(np.int64), asked.items.astype(np.int64)
    directions, kinds = directions.astype(np.float64), (np.array(DECAYS), np.array(POWERS))
    similar = _similar(starts, times, items, residuals, directions, users, asked_items, asked_times, *kinds)
    return np.hstack([bins, similar, _of_train(train, asked)])


@njit(cache=True)
def _bins(starts, times, residuals, ratings, users, asked_times, edges):
    n, n_bins = len(users), len(edges) - 1
    found = np.zeros((n, 3 * n_bins + 5))
    for row in range(n):
        low, high, time = starts[users[row]], starts[users[row] + 1], asked_times[row]
        nearest = np.inf
        before = 0
        for place in range(low, high):
            away = abs(times[place] - time)
            nearest = min(nearest, away)
            before += times[place] < time
            for b in range(n_bins):
                if edges[b] <= away < edges[b + 1]:
                    found[row, b] += residuals[place]
                    found[row, n_bins + b] += 1.0
                    found[row, 2 * n_bins + b] += ratings[place]
                    break
        for b in range(n_bins):
            found[row, b] /= found[row, n_bins + b] + 2.0
            found[row, 2 * n_bins + b] /= found[row, n_bins + b] + 2.0
        rest = 3 * n_bins
        found[row, rest + 1], found[row, rest + 2] = before, high - low
        if high > low:
            found[row, rest] = nearest
            found[row, rest + 3], found[row, rest + 4] = time - times[low], times[high - 1] - time
        else:
            found[row, rest] = found[row, rest + 3] = found[row, rest + 4] = np.nan
    return found


@njit(cache=True)
def _similar(starts, times, items, residuals, directions, users, asked_items, asked_times, decays, powers):
    n, n_kinds, n_decays = len(users), len(decays) * len(powers), len(decays)
    found = np.zeros((n, 2 * n_kinds))
    for row in range(n):
        item, time = asked_items[row], asked_times[row]
        for place in range(starts[users[row]], starts[users[row] + 1]):
            cosine = 0.0
            for d in range(directions.shape[1]):
                cosine += directions[items[place], d] * directions[item, d]
            if cosine <= 0.0:
                continue
            away = abs(times[place] - time)
            for t in range(n_decays):
                near = np.exp(-away / decays[t])
                for p in range(len(powers)):
                    weight = near * cosine ** powers[p]
                    found[row, p * n_decays + t] += weight * residuals[place]
                    found[row, n_kinds + p * n_decays + t] += weight
        for kind in range(n_kinds):
            found[row, kind] /= found[row, n_kinds + kind] + 0.3
    return found


def _of_train(train: Interactions, asked: Interactions) -> np.ndarray:
    """Return what train says about the asked users and films by themselves, and the time."""
    columns, ratings = [], train.ratings.astype(np.float64)
    sides = (train.users, train.user_counts, asked.users), (train.items, train.item_counts, asked.items)
    for codes, counts, of in sides:
        known = np.maximum(counts, 1)
        mean = np.bincount(codes, ratings, minlength=len(counts)) / known
        variance = np.bincount(codes, ratings**2, minlength=len(counts)) / known - mean**2
        columns += [values[of].astype(np.float64) for values in (counts, mean, variance)]
    table = train.item_table
    if table is not None and "year" in table:
        columns.append(table["year"].to_numpy(dtype=np.float64, na_value=np.nan)[asked.items])
    return np.column_stack([*columns, asked.timestamps.astype(np.float64)])
