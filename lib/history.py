"""Ratings in time: the site's weeks and months, each user's sessions, and how ratings change along a history."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.interactions import Interactions


def over_time(interactions: Interactions, n_bins: int = 40) -> pd.DataFrame:
    """Ratings, new users and the mean rating in periods of equal length.

    Returns
    -------
    DataFrame
        ``start`` (UTC), ``ratings``, ``new_users`` (whose first rating lies in the period), ``mean`` (NaN: none).
    """
    times = interactions.timestamps
    edges = np.linspace(times.min(), times.max() + 1, n_bins + 1)

    def period(moments):
        return np.clip(np.searchsorted(edges, moments, side="right") - 1, 0, n_bins - 1)

    counts = np.bincount(period(times), minlength=n_bins)
    sums = np.bincount(period(times), interactions.ratings.astype(np.float64), n_bins)
    first = pd.Series(times).groupby(interactions.users).min().to_numpy()
    columns = {
        "start": pd.to_datetime(edges[:-1], unit="s").round("s"),
        "ratings": counts,
        "new_users": np.bincount(period(first), minlength=n_bins),
        "mean": np.divide(sums, counts, out=np.full(n_bins, np.nan), where=counts > 0),
    }
    return pd.DataFrame(columns)


def histories(interactions: Interactions, gap: float = 3600) -> pd.DataFrame:
    """Length of each user's history; a new session begins after `gap` seconds without a rating.

    Returns
    -------
    DataFrame
        A row a user: ``user`` (code), ``ratings``, ``seconds`` from the first to the last, ``sessions``.
    """
    order = np.lexsort((interactions.timestamps, interactions.users))
    users, times = interactions.users[order], interactions.timestamps[order]
    fresh = np.diff(users, prepend=-1) != 0
    pause = np.diff(times, prepend=times[:1]) > gap
    table = pd.DataFrame({"user": users, "time": times, "session": fresh | pause}).groupby("user")
    found = table.agg(ratings=("time", "size"), seconds=("time", np.ptp), sessions=("session", "sum"))
    return found.reset_index()


def by_position(
    interactions: Interactions, edges: Sequence[int] = (1, 6, 11, 21, 51, 101, 201, 501)
) -> pd.DataFrame:
    """How ratings change along a user's history: the first films rated against the later ones.

    Returns
    -------
    DataFrame
        ``positions`` (such as "6–10"; `edges` are the first positions, counted from 1 by time, the last is open), ``ratings``, ``deviation`` (mean rating less the user's own mean), ``low`` and
        ``high`` (95%, users as clusters), ``popularity`` (mean number of ratings of the films rated).
    """
    order = np.lexsort((interactions.timestamps, interactions.users))
    users = interactions.users[order]
    starts = np.flatnonzero(np.diff(users, prepend=-1))
    position = np.arange(len(users)) - np.repeat(starts, np.diff(np.append(starts, len(users)))) + 1
    ratings = interactions.ratings[order].astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        own = np.bincount(users, ratings, interactions.n_users) / interactions.user_counts
    deviation = ratings - own[users]
    popularity = interactions.item_counts[interactions.items[order]]
    rows = []
    for first, after in zip(edges, [*edges[1:], None], strict=True):
        inside = (position >= first) & (position < after if after else True)
        if not inside.any():
            continue
        n, mean = inside.sum(), deviation[inside].mean()
        clusters = np.bincount(users[inside], deviation[inside] - mean)
        error = np.sqrt((clusters**2).sum()) / n
        name = f"{first}+" if not after else str(first) if after == first + 1 else f"{first}–{after - 1}"
        rows.append([name, int(n), mean, mean - 1.96 * error, mean + 1.96 * error, popularity[inside].mean()])
    return pd.DataFrame(rows, columns=["positions", "ratings", "deviation", "low", "high", "popularity"])
