"""Koren's top-K test: where a film that the user gave most stars stands among a sample of random films.

Sampled ranks are not ranks over the catalogue: a film first among a thousand may be fifth among all, and models that are
close may change places (Krichene and Rendle 2020, "On sampled metrics for item recommendation"). Every metric here has
``sampled`` in its name; `lib.metrics.ranking` measures lists over the full catalogue.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numba import njit

from lib.data.interactions import Interactions
from lib.metrics.lists import CELLS, check_finite, scores_of
from lib.metrics.per_user import PerUser

EXCLUDED = ("none", "rated")  # what `exclude` may be; see `sampled_ranks`


@dataclass(frozen=True, eq=False)
class SampledRanks:
    r"""Ranks of held-out films among sampled ones; a case is one such film of one user.

    With :math:`a` sampled films scored above the held-out one and :math:`e` equal to it, its rank is uniform on
    :math:`a + 1, \dots, a + e + 1`: every number here is the exact mean over the orders of equal scores.

    `users` and `items` (int32, shape (n,)) are codes, sorted by user, then item; `above` and `level` (int32, shape (n,)) are
    :math:`a` and :math:`e`, `n_sampled` is the number of films in each sample.
    """

    users: np.ndarray
    items: np.ndarray
    above: np.ndarray
    level: np.ndarray
    n_sampled: int

    def __len__(self) -> int:
        return len(self.users)

    def hits(self, k: int) -> np.ndarray:
        """Probability that each case stands among the first k of its n_sampled + 1 films, shape (n,)."""
        if not 1 <= k <= self.n_sampled + 1:
            raise ValueError(f"k={k}: a case is one of {self.n_sampled + 1} films; choose k from 1 to that")
        return np.clip((k - self.above) / (self.level + 1), 0.0, 1.0)

    def hit_rate(self, k: int) -> PerUser:
        """Return the share of cases among the first k, ``sampled_hit_rate@k``, each case weighing alike.

        Where users are resampled, a user's cases stay together. ValueError unless k is between 1 and n_sampled + 1.
        """
        return self._per_user(f"sampled_hit_rate@{k}", self.hits(k))

    @property
    def percentile_ranks(self) -> np.ndarray:
        """Share of the sample that stands before each case, in percent: 0 is best, 100 worst, 50 chance; shape (n,)."""
        return 100.0 * (self.above + self.level / 2) / self.n_sampled

    def mean_percentile_rank(self) -> PerUser:
        """Return the mean percentile rank, ``sampled_percentile_rank``; lower is better."""
        return self._per_user("sampled_percentile_rank", self.percentile_ranks)

    def _per_user(self, metric: str, values: np.ndarray) -> PerUser:
        users, place = np.unique(self.users, return_inverse=True)
        return PerUser(metric, users, np.bincount(place, values), np.bincount(place))

    def curve(self, up_to: float = 100.0) -> pd.DataFrame:
        """Return the cumulative distribution of percentile ranks up to one of them (Koren 2008, figure 5; there 2).

        It has ``sampled_percentile_rank``, in steps of 100 / n_sampled, and ``share`` of the cases at or before it: at
        0 the hit rate at 1; (1 + x n / 100) / (1 + n) for a model that scores at random.
        """
        if not 0 <= up_to <= 100:
            raise ValueError(f"up_to is a percentile rank from 0 to 100; got {up_to}")
        before = np.arange(int(np.floor(up_to / 100 * self.n_sampled + 1e-9)) + 1)
        # Each case adds 1 / (e + 1) to the distribution at a, a + 1, ..., a + e.
        density = np.zeros(self.n_sampled + 2)
        weights = 1.0 / (self.level + 1)
        np.add.at(density, self.above, weights)
        np.add.at(density, self.above + self.level + 1, -weights)
        shares = np.cumsum(np.cumsum(density))[before] / len(self)
        ranks = 100.0 * before / self.n_sampled
        return pd.DataFrame({"sampled_percentile_rank": ranks, "share": np.minimum(shares, 1.0)})


def cases_of(test: Interactions) -> np.ndarray:
    """Return the rows of the test ratings at the top of the scale, sorted by user, then item."""
    rows = np.flatnonzero(test.ratings >= test.scale.high)
    return rows[np.lexsort((test.items[rows], test.users[rows]))]


def sampled_ranks(
    model, train: Interactions, test: Interactions, *, n_sampled: int, exclude: str = "none", seed: int = 0
) -> SampledRanks:
    """Rank each best-rated test film among random films (Koren 2008, "Factorization meets the neighborhood", section 5).

    For each test rating of the scale's top, n other films are drawn without replacement from the catalogue, each as
    likely, and all n + 1 are ordered by the model's score for that user. The paper draws "1000 additional random movies",
    whether the user has rated them or not, and so does the default. On Netflix a user's own films hardly ever come up
    among 17,770; in a small catalogue they do, and a model that has seen their ratings puts the liked ones first, so that
    its hit rate suffers for what it knows: `exclude` keeps them out.

    The samples depend on the test ratings and the seed, not on the model, so that models are compared in pairs. Raises
    ValueError: no test rating is at the top of the scale, a user has fewer than n films to draw from, a score is NaN or
    infinite, a parameter is out of range, or the id maps differ.

    `model` is fitted on `train`, and asked for ``score(users)`` a batch of users at a time. `exclude` names the films
    never drawn for a user, besides the case's own: "none" (the paper), or "rated" in train or test (Cremonesi, Koren
    and Turrin 2010).
    """
    if (train.n_users, train.n_items) != (test.n_users, test.n_items):
        raise ValueError("train and test do not share their id maps; use the two parts of one split")
    if exclude not in EXCLUDED:
        raise ValueError(f"exclude must be one of {', '.join(EXCLUDED)}; got {exclude!r}")
    if n_sampled < 1:
        raise ValueError(f"n_sampled must be at least 1; got {n_sampled}")
    rows = cases_of(test)
    if len(rows) == 0:
        raise ValueError(f"no test rating is {test.scale.high:g}, the top of the scale")
    users, items = test.users[rows], test.items[rows]
    asked, starts = np.unique(users, return_index=True)
    starts = np.append(starts, len(rows))
    hidden, pool = _hidden(train, test, exclude), np.arange(train.n_items)
    rng = np.random.default_rng(seed)
    above, level = np.empty(len(rows), np.int32), np.empty(len(rows), np.int32)
    low = 0
    while low < len(asked):
        # No more cases at once than random numbers fit, but at least those of one user.
        fits = np.searchsorted(starts, starts[low] + max(1, CELLS // n_sampled), side="right") - 1
        high = min(low + max(1, CELLS // train.n_items), max(int(fits), low + 1), len(asked))
        scores = scores_of(model, asked[low:high], train.n_items).astype(np.float64, copy=False)
        check_finite(scores, asked[low:high])
        cases = slice(starts[low], starts[high])
        draws = rng.random((starts[high] - starts[low], n_sampled))
        mask = hidden[asked[low:high]]
        begins, films = mask.indptr.astype(np.int64), mask.indices.astype(np.int64)
        own = starts[low : high + 1] - starts[low]
        short = _rank_cases(scores, own, items[cases], pool, begins, films, draws, above[cases], level[cases])
        if short >= 0:
            raise ValueError(
                f"user {asked[low + short]} has fewer than n_sampled={n_sampled} films to draw from; "
                "lower n_sampled or exclude less"
            )
        low = high
    return SampledRanks(users, items, above, level, n_sampled)


def _hidden(train: Interactions, test: Interactions, exclude: str):
    """Return a sparse array, shape (n_users, n_items), whose stored entries are never drawn."""
    if exclude == "none":
        return train.take(np.empty(0, dtype=np.int64)).matrix
    ones = [data.with_ratings(np.ones(len(data)), (1, 1)).matrix for data in (train, test)]
    return (ones[0] + ones[1]).tocsr()


@njit(cache=True)
def _rank_cases(scores, starts, items, pool, hidden_starts, hidden_items, draws, above, level):
    """Draw each case's sample and count the films above and level with it.

    A sample is the beginning of a shuffle (Fisher and Yates) of the films that may be drawn: in any order that the films
    come in, each subset is as likely, so a user's next case goes on from where the last one left them. Returns the first
    row with too few films to draw from; -1 if there is none.
    """
    n_sampled = draws.shape[1]
    films, kept_out = np.empty(len(pool), np.int64), np.zeros(scores.shape[1], np.bool_)
    for u in range(len(scores)):
        for t in range(hidden_starts[u], hidden_starts[u + 1]):
            kept_out[hidden_items[t]] = True
        n_films = 0
        for film in pool:
            if not kept_out[film]:
                films[n_films] = film
                n_films += 1
        for t in range(hidden_starts[u], hidden_starts[u + 1]):
            kept_out[hidden_items[t]] = False
        for case in range(starts[u], starts[u + 1]):
            size = n_films
            for t in range(n_films):
                if films[t] == items[case]:  # the film itself waits at the end
                    size -= 1
                    films[t], films[size] = films[size], films[t]
                    break
            if size < n_sampled:
                return u
            own, more, same = scores[u, items[case]], 0, 0
            for t in range(n_sampled):
                other = min(t + int(draws[case, t] * (size - t)), size - 1)
                films[t], films[other] = films[other], films[t]
                score = scores[u, films[t]]
                if score > own:
                    more += 1
                elif score == own:
                    same += 1
            above[case], level[case] = more, same
    return -1
