"""Stored ratings and lists of many models on one split, picked by what they were measured on, never by a label alone.

A run may hold a model on several splits of one name (other seeds), several folds and several random starts. What
belongs to a split is told by its test pairs: they are the split's own or they are not.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lib.data.splits import Split
from lib.experiment.stored_runs import MissingRun, StoredRun
from lib.metrics import TopK
from lib.metrics.per_user import PerUser, pooled
from lib.metrics.ranking import Ranking, evaluate_ranking
from lib.metrics.rating import UserErrors, user_errors

KEY = ["user", "item"]


def rating_table(runs: Iterable[StoredRun], split: Split, *, models: Sequence[str] | None = None) -> pd.DataFrame:
    """Bring the stored test predictions of all models that predicted exactly a split's test pairs into one table.

    A row a test rating, in their order, has ``user``, ``item``, ``rating`` (raw ids) and a column of predictions a model, or
    for each of `models`. A model that stands in two `runs` is taken from the first, of several random starts the one with the
    lowest seed; ``attrs["folds"]`` names each model's stored fold. Raises ValueError: a model was measured against other
    ratings, or one of `models` is not there.
    """
    table = split.test.frame()[[*KEY, "rating"]].reset_index(drop=True)
    wanted = pd.MultiIndex.from_frame(table[KEY])
    found: dict[Any, np.ndarray] = {}
    folds: dict[Any, Any] = {}
    for run in runs:
        stored = _stored(run, "predictions")
        stored = stored[stored["split"] == split.name]
        stored = stored.assign(seed=stored["seed"].fillna(-1), fold=stored["fold"].fillna(""))
        # Sorted by seed, so that the lowest of several starts is met first.
        for (_, fold, model), rows in stored.groupby(["seed", "fold", "model"], sort=True):
            if model in found or len(rows) != len(table):
                continue
            places = pd.MultiIndex.from_frame(rows[KEY]).get_indexer(wanted)
            if (places < 0).any():
                continue
            if not np.allclose(rows["rating"].to_numpy()[places], table["rating"]):
                raise ValueError(
                    f"{model}: run {run.run!r} was measured against other ratings than {split}'s; "
                    f"run it again: python run_notebooks.py --only {run.run} --force"
                )
            found[model] = rows["prediction"].to_numpy(dtype=np.float64)[places]
            folds[model] = fold
    if missing := [model for model in models or () if model not in found]:
        raise ValueError(f"no run predicts every test rating of {split} for {', '.join(missing)}; run theirs with it")
    found = found if models is None else {model: found[model] for model in models}
    table = pd.concat([table, pd.DataFrame(found, index=table.index)], axis=1)
    table.attrs["folds"] = folds
    return table


def models_of(table: pd.DataFrame) -> list[str]:
    """Names of the models in a `rating_table`."""
    return [column for column in table.columns if column not in (*KEY, "rating")]


def pooled_errors(runs: Sequence[StoredRun], splits: Sequence[Split]) -> dict[str, PerUser]:
    """Pool the squared errors, stored by rating or by user, of the models measured on all splits: each user once, by raw id."""
    of_splits = []
    for split in splits:
        found = {m: one.per_user("rmse") for m, one in errors_of(rating_table(runs, split)).items()}
        rated = np.flatnonzero(split.test.user_counts)
        for run in runs:
            stored = _stored(run, "errors")
            stored = stored[(stored["split"] == split.name) & (stored["fold"].fillna("") == split.fold)]
            for model, rows in stored.groupby("model", sort=False):
                if np.array_equal(rows["counts"], split.test.user_counts[rated]):
                    users, sums, counts = (rows[name].to_numpy() for name in ("user", "squared", "counts"))
                    found.setdefault(str(model), PerUser("rmse", users, sums, counts, root=True))
        of_splits.append(found)
    shared = [name for name in of_splits[0] if all(name in other for other in of_splits)]
    return {name: pooled([of[name] for of in of_splits]) for name in shared}


def errors_of(table: pd.DataFrame) -> dict[str, UserErrors]:
    """Sum each model's errors by user, over all rows: pooled folds add up a user's squared errors."""
    users, ratings = table["user"].to_numpy(), table["rating"].to_numpy()
    return {model: user_errors(users, ratings, table[model].to_numpy()) for model in models_of(table)}


def list_table(runs: Iterable[StoredRun], split: Split, k: int, *, fold: str | None = None) -> pd.DataFrame:
    """Bring the stored lists of all models on a split into one table: ``model``, ``user``, ``rank`` (1 to k), ``item``; raw ids.

    Of several `runs` and random starts one is taken as by `rating_table`. `fold` is the stored one that belongs to the split
    where a run has several under its name, by default the split's own: lists cannot tell it themselves, as ratings can.
    """
    parts, known = [pd.DataFrame({"model": [], "user": [], "rank": [], "item": []})], set[str]()
    for run in runs:
        stored = _stored(run, "top_k")
        stored = stored[(stored["split"] == split.name) & (stored["rank"] <= k)]
        belongs = stored["fold"].fillna("") == (split.fold if fold is None else fold)
        stored = stored[belongs & ~stored["model"].isin(known)]
        known |= set(stored["model"])
        seeds = stored["seed"].fillna(-1)
        first = seeds == seeds.groupby(stored["model"]).transform("min")
        parts.append(stored.loc[first, ["model", "user", "rank", "item"]])
    return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)


def rankings_of(lists: pd.DataFrame, split: Split, k: int, *, threshold: float = 4.0) -> dict[str, Ranking]:
    """Measure each model's lists, of `list_table` and all for the same users, by test ratings of `threshold` or more."""
    found: dict[Any, Ranking] = {}
    users = np.unique(lists["user"].to_numpy())
    codes = split.test.user_codes(users).astype(np.int32)
    for model, rows in lists.groupby("model", sort=False):
        if (served := rows["user"].nunique()) < len(users):
            raise ValueError(f"{model} has lists for {served} users, other models for {len(users)}; draw them alike")
        items = np.full((len(users), k), -1, dtype=np.int32)
        places = np.searchsorted(users, rows["user"])
        items[places, rows["rank"].to_numpy() - 1] = split.test.item_codes(rows["item"])
        top = TopK(codes, items, np.zeros(items.shape), split.test.n_items)
        found[model] = evaluate_ranking(top, split.test, k=k, threshold=threshold)
    return found


def parameter_counts(runs: Iterable[StoredRun], split: str) -> dict[str, float]:
    """Mean number of learned parameters of each model that a run measured on a split; models without one are absent."""
    counts: dict[Any, float] = {}
    for run in runs:
        rows = run.metrics.query("metric == 'n_parameters' and split == @split").dropna(subset="value")
        counts = {**rows.groupby("model")["value"].mean().to_dict(), **counts}
    return counts


def _stored(run: StoredRun, kind: str) -> pd.DataFrame:
    try:
        return getattr(run, kind)
    except MissingRun:  # the run has none of this kind
        return pd.DataFrame(columns=["model", "split", "fold", "seed", "user", "item", "rating", "rank"])
