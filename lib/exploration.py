"""What the ratings look like before any model: counts, concentration, habits, and who is left cold by a split.

Every function takes `lib.interactions.Interactions` of any data set and returns a tidy table or plain numbers, so that
the notebook only draws and explains.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from lib.interactions import Interactions
from lib.splits import Split


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
    users, items = _rated(interactions.user_counts), _rated(interactions.item_counts)
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
    """Cumulative shares, the largest units first.

    Parameters
    ----------
    counts : array, shape (n,)
        Non-negative, not all zero.

    Returns
    -------
    units, total : ndarray of float64, shape (n + 1,)
        The share of units taken, and the share of the total that they hold; both run from 0 to 1.
    """
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
    places, sizes = [], []
    for counts, codes in (
        (interactions.user_counts, interactions.users),
        (interactions.item_counts, interactions.items),
    ):
        n_rated = np.count_nonzero(counts)
        rank = np.empty(len(counts), dtype=np.int64)
        rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
        edges = np.linspace(0, n_rated, min(n_bins, n_rated) + 1).astype(np.int64)
        places.append(np.searchsorted(edges, rank[codes], side="right") - 1)
        sizes.append(np.diff(edges))
    shape = (len(sizes[0]), len(sizes[1]))
    counted = np.bincount(places[0] * shape[1] + places[1], minlength=shape[0] * shape[1]).reshape(shape)
    return counted / np.outer(*sizes)


# -- habits ------------------------------------------------------------------------------------------------------------
def habits(interactions: Interactions, kind: str = "user") -> pd.DataFrame:
    """Mean and spread of each user's (or item's) ratings.

    Returns
    -------
    DataFrame
        ``code``, ``ratings``, ``mean``, ``deviation`` (sample; NaN for a single rating); only those with a rating.
    """
    codes, counts = (
        (interactions.users, interactions.user_counts)
        if kind == "user"
        else (interactions.items, interactions.item_counts)
    )
    ratings = interactions.ratings.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(codes, ratings, len(counts)) / counts
        squares = np.bincount(codes, (ratings - mean[codes]) ** 2, len(counts))
        deviation = np.where(counts > 1, np.sqrt(squares / (counts - 1)), np.nan)
    frame = pd.DataFrame(
        {"code": np.arange(len(counts)), "ratings": counts, "mean": mean, "deviation": deviation}
    )
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
    rows = []
    for number in np.unique(place):
        inside = table[place == number]
        levels = inside["mean"].quantile([0.05, 0.25, 0.5, 0.75, 0.95]).to_numpy()
        middle = float(np.exp(np.log(inside["ratings"]).mean()))
        rows.append([middle, len(inside), *levels])
    return pd.DataFrame(rows, columns=["ratings", "items", "q05", "q25", "q50", "q75", "q95"])


def grouped_means(
    interactions: Interactions, members: dict[str, np.ndarray], *, side: str = "item", least: int = 10
) -> pd.DataFrame:
    r"""Mean rating of groups of items or of users, with intervals that know that ratings of one of them are alike.

    The standard error treats items (users) as clusters: :math:`\sqrt{\sum_i (S_i - \bar r\, n_i)^2} / n`, where item i
    has :math:`n_i` ratings of sum :math:`S_i`. An interval is 1.96 standard errors to either side.

    Parameters
    ----------
    members : dict of str to bool array of shape (n_items,) or (n_users,)
        Groups may overlap; one without a rating is left out.
    side : {'item', 'user'}
    least : int
        Groups of fewer rated items (users) have no interval (NaN): too few clusters to tell.

    Returns
    -------
    DataFrame
        ``group``, ``items`` or ``users``, ``ratings``, ``mean``, ``low``, ``high``.
    """
    counts = interactions.item_counts if side == "item" else interactions.user_counts
    codes = interactions.items if side == "item" else interactions.users
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
    return pd.DataFrame(rows, columns=["group", f"{side}s", "ratings", "mean", "low", "high"])


AGE_EDGES = (0, 18, 25, 35, 45, 50, 56)
"""Lower ends of the age bands: MovieLens 1M gives no finer ones, and names each by its lower end."""


def user_groups(interactions: Interactions) -> dict[str, dict[str, np.ndarray]]:
    """Sort users into groups by what the user table says of them.

    Returns
    -------
    dict of str to dict of str to bool array, shape (n_users,)
        By attribute (``age`` in bands, ``gender``, ``occupation``), as far as the table has them, the members of each
        group; empty without a table.
    """
    table = interactions.user_table
    found: dict[str, dict[str, np.ndarray]] = {}
    if table is None:
        return found
    if "age" in table:
        place = np.searchsorted(AGE_EDGES, table["age"].to_numpy(), side="right") - 1
        names = [
            f"under {AGE_EDGES[1]}",
            *(f"{low}–{high - 1}" for low, high in pairwise(AGE_EDGES[1:])),
            f"{AGE_EDGES[-1]} and over",
        ]
        found["age"] = {name: place == n for n, name in enumerate(names)}
    words = {"gender": {"F": "women", "M": "men"}, "occupation": {}}
    for column in ("gender", "occupation"):
        if column in table:
            values = table[column].astype(str).to_numpy()
            found[column] = {words[column].get(v, v): values == v for v in np.unique(values)}
    return found


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
        no_user = split.train.user_counts[split.test.users] == 0
        no_item = split.train.item_counts[split.test.items] == 0
        rows.append(
            [split.name, len(split.train), len(split.test), int(np.count_nonzero(split.test.user_counts)),
             no_user.mean(), no_item.mean(), int(no_item.sum())]
        )  # fmt: skip
    columns = ["split", "train", "test", "test_users", "cold_users", "cold_items", "cold_item_ratings"]
    return pd.DataFrame(rows, columns=columns)


def tail_shares(split: Split, edges: Sequence[int] = (0, 1, 6, 21, 51, 101)) -> pd.DataFrame:
    """Weight of rarely rated films in the catalogue and in the test set.

    Parameters
    ----------
    edges : ascending ints
        Smallest training count of each class of films; the last class is open.

    Returns
    -------
    DataFrame
        ``train_ratings`` (such as "1–5"), ``items``, ``catalogue`` (share of all films) and ``test`` (share of the test
        ratings).
    """
    counts = split.train.item_counts
    rows = []
    for low, after in zip(edges, [*edges[1:], None], strict=True):
        inside = (counts >= low) & (counts < after if after else True)
        name = f"{low}+" if not after else str(low) if after == low + 1 else f"{low}–{after - 1}"
        rows.append([name, int(inside.sum()), inside.mean(), inside[split.test.items].mean()])
    return pd.DataFrame(rows, columns=["train_ratings", "items", "catalogue", "test"])


def _rated(counts: np.ndarray) -> np.ndarray:
    return counts[counts > 0]
