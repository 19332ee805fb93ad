"""What a page on a reader's ratings shows: what was read, how much of it there is, and users' lists."""

from collections.abc import Mapping
from math import ceil
from typing import Any

import numpy as np
import pandas as pd

from lib.data.interactions import Interactions
from lib.data.splits import Split
from lib.experiment.evaluation import Evaluation
from lib.models.recommendations import HIT, titles_of
from lib.report.charts.agreement_map import correlation_maps, list_maps
from lib.report.stored_tables import models_of
from lib.statistics.indistinguishable import Standing, standing
from lib.workbench.own_ratings.stars import grouped_columns

WORDS = ["what", "value"]


def reading_table(data) -> pd.DataFrame:
    """Tell what was read and how: ``what``, ``value``; for a data set of the project its source."""
    meta: Mapping[str, Any] = getattr(data, "meta", {})
    if not meta:
        return pd.DataFrame([("data set", data.title), ("source", data.source)], columns=WORDS)
    named = {"\t": "tab", " ": "blanks", "": "none (Parquet or JSON)"}
    found = {
        "file": meta["title"],
        **meta["read"],
        "looks odd": " · ".join(meta["notes"]) or "nothing",
        "rows": f"{meta['counts']['rows']:,}",
        "separator": named.get(meta["separator"], meta["separator"]),
    }
    return pd.DataFrame((found | {"sha256": meta["checksums"]["ratings"]}).items(), columns=WORDS)


def count_table(ratings: Interactions, *, rated: bool = True) -> pd.DataFrame:
    """Count: ``what``, ``value`` in words; without a mean where nothing is `rated`: of counts, and where one value is given."""
    users, items = ratings.user_counts[ratings.user_counts > 0], ratings.item_counts[ratings.item_counts > 0]
    top, values = np.sort(items)[::-1][: max(1, len(items) // 10)].sum(), ratings.ratings.astype(float)
    found = {
        "ratings": f"{len(ratings):,}",
        "users": f"{len(users):,}",
        "items": f"{len(items):,}",
        "share of all pairs that is rated": f"{len(ratings) / (len(users) * len(items)):.2%}",
        "ratings a user, median": f"{np.median(users):g}",
        "ratings an item, median": f"{np.median(items):g}",
        "items with one rating": f"{(items == 1).mean():.1%}",
        "ratings on the most rated tenth of the items": f"{top / len(ratings):.1%}",
    }
    if rated:
        found |= {"mean rating": f"{values.mean():.3f}", "standard deviation": f"{values.std():.3f}"}
    return pd.DataFrame(found.items(), columns=WORDS)


def feature_table(ratings: Interactions) -> pd.DataFrame:
    """Tell how models use the columns of the tables: ``table``, ``column``, ``use``."""
    parts = [
        grouped_columns(table, kind)[1].assign(table=f"{kind}s")
        for kind, table in (("item", ratings.item_table), ("user", ratings.user_table))
    ]
    return pd.concat(parts, ignore_index=True)[["table", "column", "use"]]


def user_lists(lists: pd.DataFrame, split: Split, n: int, threshold: float, labels: Mapping[str, str]) -> pd.DataFrame:
    """Put every model's list for n test users, from a quiet one to an active one, under each other.

    `lists` are of `lib.report.stored_tables.list_table`; a test rating of `threshold` or more is a hit. A row has
    ``user`` (raw id), ``train`` (number of training ratings), ``model``, ``hits`` and ``list``, titles in order, hits
    marked. Of a user first what was rated highest in training, then the lists with most hits first.
    """
    train, test = split.train, split.test
    tested = np.unique(test.users)
    order = tested[np.argsort(train.user_counts[tested], kind="stable")]
    places = np.unique(np.round(np.linspace(0.1, 0.9, n) * (len(order) - 1)).astype(int))
    rows = []
    for user in order[places].tolist():
        liked = set(test.items[(test.users == user) & (test.ratings >= threshold)].tolist())
        mine = np.flatnonzero(train.users == user)
        best = train.items[mine[np.argsort(-train.ratings[mine], kind="stable")[:3]]]
        shown = []
        for name, listed in lists[lists["user"] == train.user_ids[user]].groupby("model", sort=False):
            items = train.item_codes(listed.sort_values("rank")["item"])
            hits = [int(item) in liked for item in items]
            titles = [title + HIT * hit for title, hit in zip(titles_of(train, items), hits, strict=True)]
            shown.append((labels[name], sum(hits), titles))
        shown.sort(key=lambda one: -one[1])
        for model, n_hits, titles in [("rated highest in training", "", titles_of(train, best)), *shown]:
            rows.append((str(train.user_ids[user]), len(mine), model, n_hits, "  ·  ".join(titles)))
    return pd.DataFrame(rows, columns=["user", "train", "model", "hits", "list"])


def skipped_table(candidates, left_out, remarks: Mapping[tuple[str, str], str]) -> pd.DataFrame:
    """Bring together what did not run, or ran otherwise: ``what``, ``reason``; models with one reason in one row."""
    rows = [(f"protocol {name}", reason) for name, reason in left_out]
    rows += [(f"{candidates.contenders[name].label}, {split}", why) for (name, split), why in remarks.items()]
    skipped = candidates.skipped.groupby("reason", sort=False)["model"]
    rows += [("; ".join(models), reason) for reason, models in skipped]
    return pd.DataFrame(rows, columns=["what", "reason"])


def standings(
    evaluations: Mapping[tuple[str, str], Evaluation], key: str, k: int, *, level: float, n_flips: int, **options: Any
) -> dict[str, Standing]:
    """Tell who can be told apart on a split, by metric, RMSE and nDCG; only by those of two models and users or more.

    The options are those of `lib.statistics.indistinguishable.standing`; flips are as many as all pairs need.
    """
    there = {name: one for (name, split), one in evaluations.items() if split == key}
    errors = {name: one.errors.per_user("rmse") for name, one in there.items() if one.errors is not None}
    lists = {name: one.ranking[k].per_user("ndcg") for name, one in there.items() if one.ranking}
    found = {}
    for metric, of in {"RMSE": errors, f"nDCG@{k}": lists}.items():
        if len(of) > 1 and len(next(iter(of.values()))) > 1:
            flips = max(n_flips, ceil(len(of) * (len(of) - 1) / 2 / level))
            found[metric] = standing(of, lower_is_better=metric == "RMSE", level=level, n_flips=flips, **options)
    return found


def alike(ratings: pd.DataFrame, lists: pd.DataFrame, k: int) -> tuple[pd.DataFrame | None, float, str]:
    """Tell how alike models are: correlations of predictions, or, where no model predicts ratings, shared items.

    `ratings` and `lists` are of `lib.report.stored_tables`, on one split. Returned are a square of models x models,
    None for fewer than three, with what it is for equal models, and in words.
    """
    rated, listed = models_of(ratings), list(dict.fromkeys(lists["model"]))
    if not rated:
        square = list_maps(lists, listed)[0] if len(listed) > 2 else None
        return square, float(k), "items that two lists share"
    rated = [name for name in rated if np.ptp(ratings[name]) > 0]
    square = correlation_maps(ratings, rated)[0] if len(rated) > 2 else None
    return square, 1.0, "correlation of predictions"
