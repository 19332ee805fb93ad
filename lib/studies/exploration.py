"""What the ratings look like before any model: counts, concentration, habits, time, and who is left cold by a split."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from lib.data.genres import genre_matrix
from lib.data.interactions import Interactions
from lib.data.splits import Split
from lib.metrics.segments import item_bins


# -- counts and concentration ------------------------------------------------------------------------------------------
def overview(interactions: Interactions) -> dict[str, float]:
    """Count what there is.

    Returns
    -------
    dict
        ``ratings``, ``users``, ``items`` (rated ones), ``catalogue`` (all items), ``density`` (share of the pairs of
        a rating user and a rated item that are rated), ``mean`` and ``deviation`` of the ratings (population),
        medians and extremes of ratings a user and an item, ``user_gini``, ``item_gini``, and ``first`` and ``last``
        (seconds since 1970).
    """
    users, items = (c[c > 0] for c in (interactions.user_counts, interactions.item_counts))
    ratings = interactions.ratings.astype(np.float64)
    return {
        "ratings": len(interactions),
        "users": len(users),
        "items": len(items),
        "catalogue": interactions.n_items,
        "density": len(interactions) / (len(users) * len(items)),
        "mean": ratings.mean(),
        "deviation": ratings.std(),
        "user_median": float(np.median(users)),
        "user_min": int(users.min()),
        "user_max": int(users.max()),
        "item_median": float(np.median(items)),
        "item_max": int(items.max()),
        "user_gini": gini(users),
        "item_gini": gini(items),
        "first": int(interactions.timestamps.min()),
        "last": int(interactions.timestamps.max()),
    }


def rating_shares(interactions: Interactions) -> pd.DataFrame:
    """Share of all ratings that each value of the scale has: columns ``rating``, ``ratings``, ``share``."""
    values, counts = np.unique(interactions.ratings, return_counts=True)
    return pd.DataFrame({"rating": values.astype(float), "ratings": counts, "share": counts / counts.sum()})


def lorenz(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of units taken, the largest first, and of the total that they hold, shape (n + 1,) each."""
    held = np.concatenate(([0], np.cumsum(np.sort(np.asarray(counts, dtype=np.float64))[::-1])))
    return np.linspace(0, 1, len(held)), held / held[-1]


def gini(counts: np.ndarray) -> float:
    r"""Gini coefficient of concentration: 0 when all are equal, towards 1 when one holds everything.

    .. math:: G = \frac{\sum_{k=1}^{n} (2k - n - 1)\, x_{(k)}}{n \sum_k x_{(k)}}, \quad x_{(1)} \le \dots \le x_{(n)}
    """
    ordered = np.sort(np.asarray(counts, dtype=np.float64))
    n = len(ordered)
    return float(((2 * np.arange(1, n + 1) - n - 1) * ordered).sum() / (n * ordered.sum()))


def share_needed(counts: np.ndarray, share: float) -> float:
    """Smallest share of units, the largest first, that hold at least `share` of the total."""
    units, held = lorenz(counts)
    return float(units[np.searchsorted(held, share - 1e-12)])


def density_grid(interactions: Interactions, n_bins: int = 60) -> np.ndarray:
    """Share of rated pairs in each tile of the matrix, users and items in order of falling count.

    Returns
    -------
    ndarray of float64, shape (n_bins, n_bins) or fewer where there are fewer users or items
        Row 0 holds the most active users, column 0 the most rated items.
    """
    ranks, edges = [], []
    for counts, codes in (
        (interactions.user_counts, interactions.users), (interactions.item_counts, interactions.items),
    ):  # fmt: skip
        n_rated = np.count_nonzero(counts)
        ranks.append(np.argsort(np.argsort(-counts, kind="stable"))[codes])
        edges.append(np.linspace(0, n_rated, min(n_bins, n_rated) + 1).astype(np.int64))
    return np.histogram2d(*ranks, bins=edges)[0] / np.outer(*map(np.diff, edges))


def _side(interactions: Interactions, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the code of each rating's user or item, and the counts by code."""
    if kind == "user":
        return interactions.users, interactions.user_counts
    return interactions.items, interactions.item_counts


# -- habits ------------------------------------------------------------------------------------------------------------
def habits(interactions: Interactions, kind: str = "user") -> pd.DataFrame:
    """Mean and spread of each user's (or item's) ratings.

    Returns
    -------
    DataFrame
        ``code``, ``ratings``, ``mean``, ``deviation`` (sample; NaN for a single rating); only those with a rating.
    """
    codes, counts = _side(interactions, kind)
    ratings = interactions.ratings.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(codes, ratings, len(counts)) / counts
        squares = np.bincount(codes, (ratings - mean[codes]) ** 2, len(counts))
        deviation = np.where(counts > 1, np.sqrt(squares / (counts - 1)), np.nan)
    columns = {"code": np.arange(len(counts)), "ratings": counts, "mean": mean, "deviation": deviation}
    frame = pd.DataFrame(columns)
    return frame[frame["ratings"] > 0].reset_index(drop=True)


def true_spread(table: pd.DataFrame) -> float:
    r"""Estimate the standard deviation of the means of `habits` beyond what few ratings would give by chance.

    .. math:: \sqrt{\max(0, \operatorname{var}(\bar r) - \overline{s^2 / n})}

    Units with a single rating are left out: they say nothing about their own spread. NaN where all have just one.
    """
    several = table[table["ratings"] > 1]
    if len(several) < 2:
        return float("nan")
    noise = (several["deviation"] ** 2 / several["ratings"]).mean()
    return float(np.sqrt(max(0.0, several["mean"].var() - noise)))


def popularity_bands(interactions: Interactions, n_bins: int = 14) -> pd.DataFrame:
    """Spread of the items' mean ratings by how often they are rated, in bins of equal width on a logarithmic scale.

    Returns
    -------
    DataFrame
        ``ratings`` (geometric middle of the bin), ``items`` and the quantiles ``q05``, ``q25``, ``q50``, ``q75``,
        ``q95`` of their means; empty bins are left out.
    """
    table = habits(interactions, "item")
    edges = np.geomspace(1, table["ratings"].max() + 1, n_bins + 1)
    place = np.clip(np.searchsorted(edges, table["ratings"], side="right") - 1, 0, n_bins - 1)
    rows = [
        [
            np.exp(np.log(inside["ratings"]).mean()),
            len(inside),
            *inside["mean"].quantile([0.05, 0.25, 0.5, 0.75, 0.95]),
        ]
        for _, inside in table.groupby(place)
    ]
    return pd.DataFrame(rows, columns=["ratings", "items", "q05", "q25", "q50", "q75", "q95"])


def grouped_means(
    interactions: Interactions, members: dict[str, np.ndarray], *, side: str = "item", least: int = 10
) -> pd.DataFrame:
    r"""Mean rating of groups of items or of users, with intervals that know that ratings of one of them are alike.

    The standard error treats items (users) as clusters: :math:`\sqrt{\sum_i (S_i - \bar r\, n_i)^2} / n`, where item i
    has :math:`n_i` ratings of sum :math:`S_i`. An interval is 1.96 standard errors to either side.

    `members` are bool arrays of shape (n_items,) or (n_users,) by group; groups may overlap, and one without a rating
    is left out. Groups of fewer than `least` rated items (users) have no interval (NaN): too few clusters to tell.

    Returns
    -------
    DataFrame
        ``group``, ``items`` or ``users``, ``ratings``, ``mean``, ``low``, ``high``, ``film_share`` or ``user_share`` (of
        all that are rated, or rate) and ``rating_share`` (of all ratings).
    """
    codes, counts = _side(interactions, side)
    sums = np.bincount(codes, interactions.ratings.astype(np.float64), len(counts))
    rows = []
    for group, inside in members.items():
        n = counts[inside].sum()
        if n == 0:
            continue
        mean = sums[inside].sum() / n
        n_clusters = int((counts[inside] > 0).sum())
        error = np.sqrt(((sums[inside] - mean * counts[inside]) ** 2).sum()) / n
        reach = 1.96 * error if n_clusters >= least else np.nan
        rows.append([group, n_clusters, int(n), mean, mean - reach, mean + reach])
    found = pd.DataFrame(rows, columns=["group", f"{side}s", "ratings", "mean", "low", "high"])
    share = {"item": "film_share", "user": "user_share"}[side]
    found[share] = found[f"{side}s"] / np.count_nonzero(counts)
    return found.assign(rating_share=found["ratings"] / len(interactions))


AGE_EDGES = (0, 18, 25, 35, 45, 50, 56)
"""Lower ends of the age bands: MovieLens 1M gives no finer ones, and names each by its lower end."""


def user_groups(interactions: Interactions) -> dict[str, dict[str, np.ndarray]]:
    """Sort users into groups by what the user table says of them; empty without one.

    Returns
    -------
    dict of str to dict of str to bool array, shape (n_users,)
        By attribute (``age`` in bands, ``gender``, ``occupation``), as far as the table has them, the members of each
        group.
    """
    table, found = interactions.user_table, {}
    if table is None:
        return found
    if "age" in table:
        place = np.searchsorted(AGE_EDGES, table["age"].to_numpy(), side="right") - 1
        names = [f"{low}–{high - 1}" for low, high in pairwise(AGE_EDGES[1:])]
        names = [f"under {AGE_EDGES[1]}", *names, f"{AGE_EDGES[-1]} and over"]
        found["age"] = {name: place == n for n, name in enumerate(names)}
    words = {"F": "women", "M": "men"}
    for column in ("gender", "occupation"):
        if column in table:
            values = table[column].astype(str).to_numpy()
            found[column] = {
                words.get(v, v) if column == "gender" else v: values == v for v in np.unique(values)
            }
    return found


def film_groups(interactions: Interactions) -> dict[str, dict[str, np.ndarray]]:
    """Sort films by what the item table says of them, as `user_groups` does users: by ``genre`` and ``decade``."""
    table, found = interactions.item_table, {}
    if table is not None and "genres" in table:
        names, flags = genre_matrix(table)
        found["genre"] = {name: flags[:, place] > 0 for place, name in enumerate(names)}
    if table is not None and "year" in table:
        decades = (table["year"] // 10 * 10).astype("Float64").to_numpy(dtype=float, na_value=np.nan)
        known = np.unique(decades[~np.isnan(decades)])
        found["decade"] = {f"{start:.0f}s": decades == start for start in known}
    return found


def described_groups(interactions: Interactions, side: str = "user") -> pd.DataFrame:
    """Weight and mean rating of the groups of `user_groups`, or of `film_groups` where `side` is ``"item"``.

    Returns
    -------
    DataFrame
        What `grouped_means` gives, with the ``attribute``; ages and decades rise, other groups stand in order of
        falling size. Empty where the data set says nothing of its users (films).
    """
    groups = user_groups(interactions) if side == "user" else film_groups(interactions)
    parts = []
    for attribute, members in (groups or {"": {}}).items():
        part = grouped_means(interactions, members, side=side)
        part.insert(6, "attribute", attribute)
        rising = attribute in ("age", "decade")
        parts.append(part if rising else part.sort_values(f"{side}s", ascending=False))
    return pd.concat(parts, ignore_index=True)


def extremes(groups: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of lowest and of highest mean among groups with an interval; two rows of NaN where none has one."""
    known = groups[groups["low"].notna()].sort_values("mean", ignore_index=True)
    return known.reindex([0, max(len(known) - 1, 0)])


# -- time --------------------------------------------------------------------------------------------------------------
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
        ``positions`` (such as "6–10"; `edges` are the first positions, counted from 1 by time, the last is open),
        ``ratings``, ``deviation`` (mean rating less the user's own mean), ``low`` and ``high`` (95%, users as
        clusters), ``popularity`` (mean number of ratings of the films rated).
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


# -- splits ------------------------------------------------------------------------------------------------------------
def cold_pairs(splits: Sequence[Split]) -> pd.DataFrame:
    """Test ratings that a split leaves without a training rating of their user or film.

    Returns
    -------
    DataFrame
        ``split``, ``train``, ``test``, ``test_users``, ``cold_users`` (share of test ratings whose user has no training
        rating), ``cold_items`` (likewise for films) and ``cold_item_ratings`` (their number).
    """
    rows = []
    for split in splits:
        train, test = split.train, split.test
        no_user, no_item = train.user_counts[test.users] == 0, train.item_counts[test.items] == 0
        n_users = np.count_nonzero(test.user_counts)
        rows.append(
            [split.name, len(train), len(test), n_users, no_user.mean(), no_item.mean(), no_item.sum()]
        )
    columns = ["split", "train", "test", "test_users", "cold_users", "cold_items", "cold_item_ratings"]
    return pd.DataFrame(rows, columns=columns)


def tail_shares(split: Split, edges: Sequence[int] = (0, 1, 6, 21, 51, 101)) -> pd.DataFrame:
    """Weight of rarely rated films in the catalogue and in the test set.

    Returns
    -------
    DataFrame
        ``train_ratings`` (such as "1–5"; `edges` are the classes' lower ends, the last is open), ``items``,
        ``catalogue`` (share of all films) and ``test`` (share of the test ratings).
    """
    bins = item_bins(split.train, edges)
    names = [name.replace(" or more", "+") for name in bins.categories]
    items, test = (
        np.bincount(codes, minlength=len(names)) for codes in (bins.codes, bins.codes[split.test.items])
    )
    columns = {
        "train_ratings": names,
        "items": items,
        "catalogue": items / len(bins),
        "test": test / len(split.test),
    }
    return pd.DataFrame(columns)
