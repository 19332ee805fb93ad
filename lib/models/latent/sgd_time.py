"""When a rating was given: the user's drift, the film's bin, the user's day."""

from typing import NamedTuple, Self

import numpy as np

from lib.data.interactions import Interactions
from lib.models.base import lookup
from lib.models.normalisation import means_of

SECONDS_A_DAY = 86_400


class Calendar(NamedTuple):
    r"""What training ratings say about time; made by `Calendar.of`. Days are whole days since 1970 (UTC).

    A user's deviation on day t is :math:`d_u(t) = \operatorname{sign}(t - t_u)\,|t - t_u|^\beta / s`, with :math:`t_u`
    the mean day of the user's training ratings (Koren 2009, section 4.1). The unit s is the root mean square over all
    training ratings, so that one learning rate suits any data set.
    """

    exponent: float  # beta
    unit: float  # s
    edges: np.ndarray  # float64, shape (n_bins - 1,): days on which a film's next bin begins
    user_days: np.ndarray  # t_u, float64, shape (n_users,); NaN for a user without ratings
    user_last: np.ndarray  # int64, shape (n_users,): seconds since 1970 of the user's, else of anybody's, last rating
    last: int  # seconds of the last training rating of all
    day_keys: np.ndarray  # int64: the (user, day) pairs that have ratings, as user * 2**32 + day, in order

    @classmethod
    def of(cls, train: Interactions, *, n_bins: int, exponent: float) -> Self:
        """Read the times of training ratings; bins are of equal length, over the span of these times.

        ValueError: all ratings have the same timestamp, or none has one.
        """
        times = train.timestamps
        if times.min() == times.max():
            raise ValueError("these ratings have no timestamps that differ; a model of time needs them: use SVD++ here")
        days, counts = times // SECONDS_A_DAY, train.user_counts
        user_days = means_of(train.users, days, train.n_users, np.nan)
        latest = np.full(train.n_users, np.iinfo(np.int64).min)
        np.maximum.at(latest, train.users, times)
        user_last = np.where(counts > 0, latest, times.max())
        edges = np.linspace(days.min(), days.max() + 1, n_bins + 1)[1:-1]
        keys = np.unique(train.users.astype(np.int64) << 32 | days)
        calendar = cls(exponent, 1.0, edges, user_days, user_last, int(times.max()), keys)
        spread = np.sqrt(np.mean(calendar.deviations(train.users, times) ** 2))
        return calendar._replace(unit=float(spread) or 1.0)

    def deviations(self, users: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Return :math:`d_u(t)` in float64; 0 for a cold user. `times` are in seconds since 1970."""
        gaps = times // SECONDS_A_DAY - lookup(self.user_days, users, np.nan)
        gaps = np.where(np.isnan(gaps), 0.0, gaps)
        return np.sign(gaps) * np.abs(gaps) ** self.exponent / self.unit

    def bins(self, times: np.ndarray) -> np.ndarray:
        """Return the bins of times; before the first and after the last training rating, those of the ends."""
        return np.searchsorted(self.edges, times // SECONDS_A_DAY, side="right").astype(np.int32)

    def days(self, users: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Return the numbers of (user, day) pairs; -1 for one without a training rating."""
        users = np.asarray(users, dtype=np.int64)
        keys = users << 32 | times // SECONDS_A_DAY
        found = np.minimum(np.searchsorted(self.day_keys, keys), len(self.day_keys) - 1)
        return np.where((users >= 0) & (self.day_keys[found] == keys), found, -1).astype(np.int32)
