"""Sittings: ratings that a user gave one shortly after another, as when a page of films is rated at once."""

from typing import NamedTuple, Self

import numpy as np

from lib.data.interactions import Interactions

_SPAN = 1 << 33  # above any seconds since 1970 up to 2242; a user and a second make one sortable number


class Sittings(NamedTuple):
    r"""The sittings of some ratings; made by `Sittings.of`.

    A sitting is a longest run of one user's ratings, in order of time, in which each follows the one before within
    `gap` seconds: their errors under a model without time correlate. A rating asked for belongs to a sitting if it was
    given within `gap` seconds of the sitting's span, before or after. Arrays, int64 of shape (n,), have whose sitting
    it is, in ascending order, and its first and last second, ascending within a user.
    """

    gap: int
    users: np.ndarray
    starts: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, train: Interactions, gap: int) -> Self:
        """Find the sittings of all users; a negative gap, or a time before 1970 or beyond 2242, is a ValueError."""
        if gap < 0:
            raise ValueError(f"gap must be a number of seconds, 0 or more; got {gap}")
        times = train.timestamps
        if len(times) and not (times.min() >= 0 and times.max() < _SPAN):
            raise ValueError("timestamps must be seconds since 1970, between 0 and 2**33")
        order = np.lexsort((times, train.users))
        users, times = train.users[order].astype(np.int64), times[order]
        first = np.ones(len(order), dtype=bool)
        first[1:] = (users[1:] != users[:-1]) | (np.diff(times) > gap)
        starts = np.flatnonzero(first)
        last = np.append(starts[1:], len(order))[: len(starts)] - 1
        return cls(gap, users[starts], times[starts], times[last])

    def __len__(self) -> int:
        return len(self.users)

    def find(self, users: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Return the number of the sitting that each rating belongs to, -1 where there is none, shape (n,).

        Of two sittings that are near enough the nearer one counts, of equally near ones the earlier.
        """
        users, times = np.asarray(users, dtype=np.int64), np.asarray(times, dtype=np.int64)
        found = np.full(len(users), -1, dtype=np.int64)
        if not len(self):
            return found
        # The last sitting that starts no later, and the one after it.
        before = np.searchsorted(self.users * _SPAN + self.starts, users * _SPAN + times, side="right") - 1
        nearest = np.full(len(users), self.gap + 1, dtype=np.int64)
        for place in (before, before + 1):
            held = np.clip(place, 0, len(self) - 1)
            away = np.maximum(np.maximum(self.starts[held] - times, times - self.ends[held]), 0)
            better = (place >= 0) & (place < len(self)) & (self.users[held] == users) & (away < nearest)
            found[better], nearest[better] = held[better], away[better]
        return found
