"""What project A's two-tower chapter measures: architectures, their figures on both scales, what the inputs are worth."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from lib import ROOT
from lib.data.interactions import Interactions
from lib.data.splits import Split
from lib.experiment.evaluation import Evaluation, evaluate
from lib.experiment.fit import Fit, Fitted, Parts, Stopping
from lib.metrics import mae, rmse
from lib.metrics.per_user import PerUser, pooled
from lib.metrics.segments import user_bins
from lib.models.base import Recommender
from lib.models.networks.two_tower import TwoTower
from lib.statistics.significance import bootstrap_interval, paired_difference
from lib.studies.target_scaling import target_scaling

PLAIN = {
    "init_scale": 0.05, "l2": 0.0, "averaging": 0.0, "learning_rate": 1e-3, "batch_size": 1024, "patience": 5,
}  # fmt: skip
"""Training as A's code has it: Keras's own start, no penalty, Adam's default step. (A's batches hold 32 ratings.)"""

APPENDIX = {
    "embedding_size": 64, "user_dense_size": 128, "item_dense_size": 32, "final_size": 128,
}  # fmt: skip
"""The network that A's appendix trains, for 50 epochs; it is not the one that A names as its best."""

RECIPES = {
    "A's training, batches of 1,024": PLAIN,
    "+ small start": {**PLAIN, "init_scale": 0.01},
    "+ penalty on embeddings": {**PLAIN, "init_scale": 0.01, "l2": 2e-3},
    "+ averaged weights": {**PLAIN, "init_scale": 0.01, "l2": 2e-3, "averaging": 0.7},
    "+ batches of 4,096, larger step (ours)": {},
}
"""From A's way of training to ours: each step keeps what the one before it has."""

VARIANTS: dict[str, dict[str, bool]] = {
    "two_tower": {},
    "two_tower_no_user_features": {"use_user_features": False},
    "two_tower_no_film_features": {"use_item_features": False},
    "two_tower_ids_only": {"use_user_features": False, "use_item_features": False},
}
"""The network with and without the side features."""

SIZES = ("embedding_size", "user_dense_size", "item_dense_size", "final_size")
"""Hyperparameters that make an architecture, in the order in which A names them."""


def architectures(*sizes: Sequence[int]) -> list[dict[str, int]]:
    """All combinations of sizes, in the order of `SIZES`, the largest first, so that none is left for last."""
    found = [dict(zip(SIZES, combined, strict=True)) for combined in product(*sizes)]
    return sorted(found, key=lambda one: -np.prod(list(one.values()), dtype=float))


def architecture_name(sizes: Mapping[str, Any]) -> str:
    """Name an architecture as A does, such as ``emb16_user16_movie64_final64``."""
    return "emb{}_user{}_movie{}_final{}".format(*(sizes[name] for name in SIZES))


def architecture_sizes(name: str) -> dict[str, int]:
    """Read an architecture's name back."""
    match = re.fullmatch(r"emb(\d+)_user(\d+)_movie(\d+)_final(\d+)", name)
    if match is None:
        raise ValueError(f"not an architecture's name: {name!r}; one is emb16_user16_movie64_final64")
    return dict(zip(SIZES, map(int, match.groups()), strict=True))


def grid_table(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Put the records of a grid into a table, by validation error: names, figures, and ranks (``rank_test_rmse``)."""
    table = pd.DataFrame([{"architecture": architecture_name(row), **row} for row in records])
    table = table.drop(columns=["scaling", "seconds_refit"]).sort_values("validation_rmse", ignore_index=True)
    for metric in ("validation_rmse", "test_rmse", "train_rmse", "test_mae", "train_mae"):
        table[f"rank_{metric}"] = table[metric].rank(method="min").astype(int)
    return table


def training(
    *, seed: int, train: str = "train", validation: str = "", scaling: str = "linear", keep: str = "",
    measure: Mapping[str, Mapping[str, Any]] | None = None, **parameters,
) -> Fit:  # fmt: skip
    """Return one network's training, measured by `both_scales` and `measure`.

    Without a `validation` part the model cuts its own, where it wants any. `scaling` is the targets', by its name in
    `lib.studies.target_scaling`; `parameters` are of `TwoTower`; they, `seed` and `scaling` are the labels.
    """
    return Fit(
        "two_tower", parameters, seed=seed, train=train,
        # The model maps the rating scale to [-1, 1] by itself.
        prepare=None if scaling == "linear" else (f"{__name__}:scaled", {"scaling": scaling}),
        stopping=Stopping(validation=validation, refit=False) if validation else None,
        measure={f"{__name__}:both_scales": {}, **(measure or {})}, keep=keep,
        labels={"seed": seed, "scaling": scaling, **parameters},
    )  # fmt: skip


def scaled(parts: Parts, fit: Fit, *, scaling: str) -> dict[str, Interactions]:
    """Return the parts with ratings on the scale -1 to 1, by a scaling learned from the training ratings."""
    scale = target_scaling(scaling, parts[fit.train])
    return {name: scale.transform(part) for name, part in parts.items()}


def both_scales(fitted: Fitted) -> dict[str, Any]:
    """Measure a network on the rating scale and on the scale of its targets.

    Returns
    -------
    dict
        ``<part>_rmse`` and ``<part>_mae`` on the rating scale, clipped, and ``unit_<part>_rmse`` and so on of the
        scaled ratings, for the parts train, validation (where given) and test; ``n_epochs``, ``epochs_run`` and
        ``seconds_epoch`` (the training's seconds by epochs run, start of the graph included).
    """
    fit, model = fitted.fit, fitted.model
    scale = target_scaling(fit.prepare[1]["scaling"] if fit.prepare else "linear", fitted.given[fit.train])
    runs = len(model.history_)
    if fit.stopping is None and model.epochs is None and model.refit:
        runs += model.n_epochs_
    found = {"n_epochs": model.n_epochs_, "epochs_run": runs, "seconds_epoch": fitted.seconds_fit / runs}
    parts = {
        "train": fit.train,
        "validation": fit.stopping.validation if fit.stopping else "",
        "test": fit.test,
    }
    for name, part in parts.items():
        if part:
            found |= _errors(name, model, scale, fitted.given[part], fitted.parts[part])
    return found


def _errors(name: str, model: TwoTower, scale, part: Interactions, seen: Interactions) -> dict[str, float]:
    predicted = model.predict(part.users, part.items)
    if scale.name == "linear":  # the model has the rating scale and does this by itself
        ratings, unit = predicted, (predicted - scale.offsets[part.users]) / scale.widths[part.users]
        target = (part.ratings - scale.offsets[part.users]) / scale.widths[part.users]
    else:
        ratings, unit, target = scale.inverse(part.users, predicted), predicted, seen.ratings
    ratings = part.scale.clip(ratings)
    return {
        f"{name}_rmse": rmse(part.ratings, ratings),
        f"{name}_mae": mae(part.ratings, ratings),
        f"unit_{name}_rmse": rmse(target, unit),
        f"unit_{name}_mae": mae(target, unit),
    }


def evaluate_starts(
    name: str,
    models: Sequence[TwoTower],
    records: Sequence[Mapping[str, Any]],
    split: Split,
    *,
    k: int,
    n_resamples: int,
) -> list[Evaluation]:
    """Measure the random starts of a network; the first with lists, intervals and its predictions."""
    return [
        evaluate(
            model,
            split,
            name=name,
            fitted=True,
            seconds_fit=record["seconds_fit"],
            keep=start == 0,
            ks=(k,) if start == 0 else (),
            n_resamples=n_resamples if start == 0 else 0,
        )
        for start, (model, record) in enumerate(zip(models, records, strict=True))
    ]


def permutation_importance(
    models: Sequence[TwoTower], data: Interactions, *, repeats: int = 5
) -> pd.DataFrame:
    """Measure how much worse the predictions get when one input is dealt out anew among the users, or the films.

    An input is what a tower knows of an entity: its id's embedding, or one of its features (Breiman 2001, applied to
    inputs of a fitted model; nothing is trained again). Two inputs that say the same share their importance.

    Returns
    -------
    DataFrame
        A row an input, repeat and model: ``input`` (such as ``user/age``), ``repeat``, ``increase`` of the clipped RMSE,
        ``start``, the model's place and the seed of its permutations.
    """
    clip = data.scale.clip
    rows = []
    for start, model in enumerate(models):
        rng = np.random.default_rng(start)
        before = rmse(data.ratings, clip(model.predict(data.users, data.items)))
        for name, values in model.inputs.items():
            for repeat in range(repeats):
                other = model.replace_features({name: values[rng.permutation(len(values))]})
                after = rmse(data.ratings, clip(other.predict(data.users, data.items)))
                rows.append([name, repeat, after - before, start])
    return pd.DataFrame(rows, columns=["input", "repeat", "increase", "start"])


def mean_errors(models: Sequence[Recommender], data: Interactions, keep: np.ndarray | None = None) -> PerUser:
    """Squared errors by user (of those to `keep`), averaged over models that differ by their seed only, as one RMSE."""
    errors = [(data.scale.clip(m.predict(data.users, data.items)) - data.ratings) ** 2 for m in models]
    sums = np.bincount(data.users, np.mean(errors, axis=0), minlength=data.n_users)
    users = np.flatnonzero((data.user_counts > 0) & (True if keep is None else keep))
    return PerUser("rmse", users, sums[users], data.user_counts[users], root=True)


def published_tables() -> pd.DataFrame:
    """Read the architectures that A lists, best by train and by test error, with the figures that A gives for them.

    Returns
    -------
    DataFrame
        ``architecture``, ``metric`` (``rmse`` or ``mae``), ``train``, ``test``: on A's unit scale, one training each.
    """
    return pd.read_csv(ROOT / "data" / "published_architectures.csv")


def beside_published(records: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Put our figures, records by architecture, beside A's: rows of `published_tables` with ``train_ours``, ``test_ours``."""
    table = published_tables()
    table = table[table["architecture"].isin(list(records))].copy()
    for part in ("train", "test"):
        places = zip(table["architecture"], table["metric"], strict=True)
        table[f"{part}_ours"] = [records[name][f"unit_{part}_{metric}"] for name, metric in places]
    return table


def starve(
    train: Interactions, *, levels: Sequence[int], share: float, seed: int
) -> tuple[Interactions, np.ndarray]:
    """Leave some users only a few of their training ratings, drawn evenly.

    Every user of MovieLens 100K has at least 20 ratings, so how a model treats users with fewer has to be tried on
    users from whom the rest was taken: a `share` of all users, drawn at random, equally many at each of `levels`, the
    numbers of ratings left (0 included).

    Returns
    -------
    starved : Interactions
        Rows in train's order.
    level : ndarray of int64, shape (n_users,)
        Ratings left to each starved user, -1 for the others. A user with fewer ratings than the level keeps them all.
    """
    rng = np.random.default_rng(seed)
    rated = rng.permutation(np.flatnonzero(train.user_counts))
    chosen = rated[: round(share * len(rated))]
    level = np.full(train.n_users, -1, dtype=np.int64)
    level[chosen] = np.asarray(levels)[np.arange(len(chosen)) % len(levels)]
    order = rng.permutation(len(train))
    order = order[np.argsort(train.users[order], kind="stable")]
    starts = np.cumsum(train.user_counts) - train.user_counts
    place = np.empty(len(train), dtype=np.int64)
    place[order] = np.arange(len(train)) - starts[train.users[order]]
    allowed = level[train.users]
    return train.take((allowed < 0) | (place < allowed)), level


def errors_of_starved(
    models: Mapping[str, Sequence[Recommender]],
    draws: Collection[tuple[Interactions, np.ndarray]],
    test: Interactions,
    rivals: Sequence[str],
    *,
    n_resamples: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure models, one a draw of `starve`, on the users who kept few ratings.

    Returns
    -------
    errors : DataFrame
        ``ratings`` kept, ``model``, ``rmse``, ``low``, ``high``.
    gaps : DataFrame
        ``ratings`` kept, ``rival``, ``difference`` of the first model minus it, ``low``, ``high``, ``p``.
    """
    errors, gaps = [], []
    first, levels = next(iter(models)), [level for _, level in draws]
    for kept in sorted({int(level) for level in np.concatenate(levels) if level >= 0}):
        found = {}
        for name, group in models.items():
            each = zip(group, levels, strict=True)
            found[name] = pooled([mean_errors([model], test, level == kept) for model, level in each])
            one = bootstrap_interval(found[name], n_resamples=n_resamples)
            errors.append([kept, name, one.value, one.low, one.high])
        for rival in rivals:
            gap = paired_difference(found[first], found[rival], n_resamples=n_resamples)
            gaps.append([kept, rival, gap.difference, gap.low, gap.high, gap.p_value])
    return (
        pd.DataFrame(errors, columns=["ratings", "model", "rmse", "low", "high"]),
        pd.DataFrame(gaps, columns=["ratings", "rival", "difference", "low", "high", "p"]),
    )


def errors_by_activity(
    full: Sequence[Recommender],
    ids_only: Sequence[Recommender],
    split: Split,
    *,
    n_resamples: int,
    least: int = 20,
) -> pd.DataFrame:
    """Compare the network with the one without side features among users with equally many training ratings.

    Returns
    -------
    DataFrame
        A row a bin with `least` users or more: ``training_ratings``, ``users``, RMSE ``full`` and ``ids_only``,
        ``difference``, ``low``, ``high``.
    """
    rows, bins = [], user_bins(split.train)
    for code, name in enumerate(bins.categories):
        inside = (bins.codes == code) & (split.test.user_counts > 0)
        if inside.sum() >= least:
            both = [mean_errors(models, split.test, inside) for models in (full, ids_only)]
            gap = paired_difference(*both, n_resamples=n_resamples)
            rows.append([name, inside.sum(), gap.first, gap.second, gap.difference, gap.low, gap.high])
    columns = ["training_ratings", "users", "full", "ids_only", "difference", "low", "high"]
    return pd.DataFrame(rows, columns=columns)
