"""What the ratings look like before any model: counts, concentration, habits, time, and who is left cold by a split."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from lib.data.feature_groups import genre_matrix
from lib.data.interactions import Interactions
from lib.data.splits import Split
from lib.metrics.segments import item_bins


def overview(interactions: Interactions) -> dict[str, float]:
    """Count what there is: users and items with a rating, the ``density`` of their pairs, all items (``catalogue``).

    ``deviation`` is that of a population; ``first`` and ``last`` are seconds since 1970.
    """
    users, items = (c[c > 0] for c in (interactions.user_counts, interactions.item_counts))
    ratings = interactions.ratings.astype(np.float64)
    found: dict[str, float] = {"ratings": len(interactions), "users": len(users), "items": len(items)}
    found |= {"catalogue": interactions.n_items, "density": len(interactions) / (len(users) * len(items))}
    found |= {"mean": ratings.mean(), "deviation": ratings.std(), "user_min": int(users.min())}
    for side, counts in (("user", users), ("item", items)):
        found |= {f"{side}_median": float(np.median(counts)), f"{side}_max": int(counts.max())}
        found[f"{side}_gini"] = gini(counts)
    return found | {"first": int(interactions.timestamps.min()), "last": int(interactions.timestamps.max())}


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


def density_grid(interactions: Interactions, n_bins: int) -> np.ndarray:
    """Share of rated pairs in each tile of the matrix, at most n_bins x n_bins, users and items by falling count."""

    def ranked(side: str) -> tuple[np.ndarray, np.ndarray]:
        codes, counts = getattr(interactions, f"{side}s"), getattr(interactions, f"{side}_counts")
        n_rated = int(np.count_nonzero(counts))
        edges = np.linspace(0, n_rated, min(n_bins, n_rated) + 1).astype(np.int64)
        return np.argsort(np.argsort(-counts, kind="stable"))[codes], edges

    (users, user_edges), (items, item_edges) = map(ranked, ("user", "item"))
    tiles = np.outer(np.diff(user_edges), np.diff(item_edges))
    return np.histogram2d(users, items, bins=(user_edges, item_edges))[0] / tiles


def habits(interactions: Interactions, kind: str = "user") -> pd.DataFrame:
    """Mean and sample deviation (NaN for a single rating) of the ratings of each user, or item, with any, by code."""
    of_each = pd.Series(interactions.ratings.astype(np.float64)).groupby(getattr(interactions, f"{kind}s"))
    return pd.DataFrame(of_each.agg(ratings="size", mean="mean", deviation="std"))


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


def doubled_titles(interactions: Interactions) -> dict[str, int]:
    """Count ``titles`` of rated films under more than one id with one year, their ``films`` (ids) and ``ratings``.

    ``both`` is how often a user rated more than one id of a title.
    """
    table, found = interactions.item_table, {"titles": 0, "films": 0, "ratings": 0, "both": 0}
    if table is None or "title" not in table:
        return found
    titles = table.groupby([name for name in ("title", "year") if name in table], dropna=False).ngroup().to_numpy()
    frame = pd.DataFrame({"title": titles[interactions.items], "item": interactions.items, "user": interactions.users})
    ids = frame.groupby("title")["item"].transform("nunique")
    doubled = frame[ids > 1]
    by_user = doubled.groupby(["title", "user"])["item"].nunique()
    counts = doubled["title"].nunique(), doubled["item"].nunique(), len(doubled), int((by_user > 1).sum())
    return dict(zip(found, counts, strict=True))


def popularity_bands(interactions: Interactions, n_bins: int = 14) -> pd.DataFrame:
    """Quantiles of items' mean ratings by how often they are rated (middle of logarithmic bins); without empty bins."""
    table = habits(interactions, "item")
    edges = np.geomspace(1, table["ratings"].max() + 1, n_bins + 1)
    place = np.clip(np.searchsorted(edges, table["ratings"], side="right") - 1, 0, n_bins - 1)
    rows = []
    for _, inside in table.groupby(place):
        quantiles = inside["mean"].quantile([0.05, 0.25, 0.5, 0.75, 0.95])
        rows.append([np.exp(np.log(inside["ratings"]).mean()), len(inside), *quantiles])
    return pd.DataFrame(rows, columns=["ratings", "items", "q05", "q25", "q50", "q75", "q95"])


def grouped_means(
    interactions: Interactions, members: Mapping[str, np.ndarray], *, side: str = "item", least: int = 10
) -> pd.DataFrame:
    r"""Mean rating of groups of items or of users, with intervals that know that ratings of one of them are alike.

    `members` are bool arrays of shape (n_items,) or (n_users,) by group; groups may overlap, and one without a rating
    is left out. The standard error treats items (users) as clusters: :math:`\sqrt{\sum_i (S_i - \bar r\, n_i)^2} / n`,
    where item i has :math:`n_i` ratings of sum :math:`S_i`. An interval is 1.96 standard errors to either side; groups
    of fewer than `least` rated items (users) have none (NaN). Shares are of all items (users) and of all ratings.
    """
    codes, counts = getattr(interactions, f"{side}s"), getattr(interactions, f"{side}_counts")
    sums = np.bincount(codes, interactions.ratings.astype(np.float64), len(counts))
    rows = []
    for group, inside in members.items():
        n = counts[inside].sum()
        if n == 0:
            continue
        mean, n_clusters = sums[inside].sum() / n, np.count_nonzero(counts[inside])
        error = np.sqrt(((sums[inside] - mean * counts[inside]) ** 2).sum()) / n
        reach = 1.96 * error if n_clusters >= least else np.nan
        rows.append([group, n_clusters, int(n), mean, mean - reach, mean + reach])
    found = pd.DataFrame(rows, columns=["group", f"{side}s", "ratings", "mean", "low", "high"])
    share = {"item": "film_share", "user": "user_share"}[side]
    found[share] = found[f"{side}s"] / np.count_nonzero(counts)
    return found.assign(rating_share=found["ratings"] / len(interactions))


AGE_EDGES = (0, 18, 25, 35, 45, 50, 56)  # lower ends of the age bands, as MovieLens 1M names them; it has no finer ones


def groups_of(table: pd.DataFrame | None) -> dict[str, dict[str, np.ndarray]]:
    """Sort users, or films, by what their table says: by attribute and group, bool arrays of shape (len(table),)."""
    table, found = pd.DataFrame() if table is None else table, {}
    if "age" in table:
        bands = [f"{low}–{high - 1}" for low, high in pairwise(AGE_EDGES[1:])]
        bands = [f"under {AGE_EDGES[1]}", *bands, f"{AGE_EDGES[-1]} and over"]
        found["age"] = pd.get_dummies(pd.cut(table["age"], [*AGE_EDGES, np.inf], right=False, labels=bands))
    words = {"F": "women", "M": "men"}
    for column in ("gender", "occupation"):
        if column in table:
            found[column] = pd.get_dummies(table[column].astype(str)).rename(columns=words)
    if "genres" in table:
        names, flags = genre_matrix(table)
        found["genre"] = pd.DataFrame(flags > 0, columns=names)
    if "year" in table:
        found["decade"] = pd.get_dummies(table["year"] // 10 * 10).rename(columns="{:.0f}s".format)
    return {name: {str(group): of[group].to_numpy() for group in of} for name, of in found.items()}


def described_groups(interactions: Interactions, side: str = "user") -> pd.DataFrame:
    """Weight and mean rating of the groups of users, or of films where `side` is ``"item"``, that `groups_of` finds.

    What `grouped_means` gives, with the ``attribute``; ages and decades rise, other groups stand in order of falling
    size. Empty where the data set says nothing of its users (films).
    """
    table, parts = interactions.user_table if side == "user" else interactions.item_table, []
    for attribute, members in (groups_of(table) or {"": {}}).items():
        part = grouped_means(interactions, members, side=side)
        part.insert(6, "attribute", attribute)
        rising = attribute in ("age", "decade")
        parts.append(part if rising else part.sort_values(f"{side}s", ascending=False))
    return pd.concat(parts, ignore_index=True)


def extremes(groups: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of lowest and of highest mean among groups with an interval; two rows of NaN without any."""
    known = groups[groups["low"].notna()].sort_values("mean", ignore_index=True)
    return known.reindex([0, max(len(known) - 1, 0)])


def over_time(interactions: Interactions, n_bins: int = 40) -> pd.DataFrame:
    """Ratings, and users whose first it is, in equal periods by ``start`` (UTC)."""
    times = interactions.timestamps
    edges = np.linspace(times.min(), times.max() + 1, n_bins + 1)
    period = np.clip(np.searchsorted(edges, times, side="right") - 1, 0, n_bins - 1)
    first = pd.Series(period).groupby(interactions.users).min()
    columns = {
        "start": pd.to_datetime(edges[:-1], unit="s").round("s"),
        "ratings": np.bincount(period, minlength=n_bins),
        "new_users": np.bincount(first, minlength=n_bins),
    }
    return pd.DataFrame(columns)


def histories(interactions: Interactions, gap: float = 3600) -> pd.DataFrame:
    """Ratings, seconds from first to last and sessions, ended by `gap` seconds without one, of each user (code)."""
    table = pd.DataFrame({"user": interactions.users, "time": interactions.timestamps})
    table = table.sort_values(["user", "time"])
    pause = table.groupby("user")["time"].diff()
    of_users = table.assign(session=pause.isna() | (pause > gap)).groupby("user")
    found = of_users.agg(ratings=("time", "size"), seconds=("time", np.ptp), sessions=("session", "sum"))
    return found.reset_index()


def cold_pairs(splits: Sequence[Split]) -> pd.DataFrame:
    """Share of test ratings without a training rating of their user or film; ``cold_item_ratings`` is a number."""
    rows = []
    for split in splits:
        train, test = split.train, split.test
        no_user, no_item = train.user_counts[test.users] == 0, train.item_counts[test.items] == 0
        row = {"split": split.name, "train": len(train), "test": len(test)}
        row |= {"test_users": np.count_nonzero(test.user_counts), "cold_users": no_user.mean()}
        rows.append(row | {"cold_items": no_item.mean(), "cold_item_ratings": no_item.sum()})
    return pd.DataFrame(rows)


def tail_shares(split: Split, edges: Sequence[int] = (0, 1, 6, 21, 51, 101)) -> pd.DataFrame:
    """Share of the catalogue and of the test set by the films' training ratings, in classes from `edges` on."""
    bins = item_bins(split.train, edges)
    items, test = (pd.Series(of).value_counts(sort=False).to_numpy() for of in (bins, bins[split.test.items]))
    table = pd.DataFrame({"train_ratings": bins.categories.str.replace(" or more", "+"), "items": items})
    return table.assign(catalogue=items / len(bins), test=test / len(split.test))
