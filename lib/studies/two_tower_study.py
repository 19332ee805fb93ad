"""What project A's two-tower chapter measures: architectures, their figures on both scales, what the inputs are worth."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from lib import ROOT
from lib.data.interactions import Interactions
from lib.data.splits import Split
from lib.experiment.evaluation import Evaluation, evaluate, evaluation_of
from lib.experiment.fit import Fit, Fitted, Parts, Stopping
from lib.metrics import mae, rmse
from lib.metrics.per_user import PerUser, pooled
from lib.metrics.segments import user_bins
from lib.models.base import Recommender
from lib.models.networks.two_tower import TwoTower
from lib.statistics.significance import bootstrap_interval, paired_difference
from lib.studies.target_scaling import target_scaling
from lib.studies.variants import averaged_errors

Records = Sequence[Mapping[str, Any]]

SIZES = ("embedding_size", "user_dense_size", "item_dense_size", "final_size")  # of an architecture, in A's order

UNPENALISED = {"init_scale": 0.05, "l2": 0.0, "averaging": 0.0}
PLAIN: dict[str, Any] = {**UNPENALISED, "learning_rate": 1e-3, "batch_size": 1024, "patience": 5}
"""Training as A's code has it: Keras's own start, no penalty, Adam's default step. (A's batches hold 32 ratings.)"""

APPENDIX = dict(zip(SIZES, (64, 128, 32, 128), strict=True))  # of A's appendix, for 50 epochs; not the one named best

RECIPES: dict[str, dict[str, Any]] = {  # from A's way of training to ours: each step keeps what the one before it has
    "A's training, batches of 1,024": PLAIN,
    "+ small start": {**PLAIN, "init_scale": 0.01},
    "+ penalty on embeddings": {**PLAIN, "init_scale": 0.01, "l2": 2e-3},
    "+ averaged weights": {**PLAIN, "init_scale": 0.01, "l2": 2e-3, "averaging": 0.7},
    "+ batches of 4,096, larger step (ours)": {},
}

VARIANTS: dict[str, dict[str, bool]] = {  # the network with and without the side features
    "two_tower": {},
    "two_tower_no_user_features": {"use_user_features": False},
    "two_tower_no_film_features": {"use_item_features": False},
    "two_tower_ids_only": {"use_user_features": False, "use_item_features": False},
}


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
    *,
    seed: int,
    train: str = "train",
    validation: str = "",
    scaling: str = "linear",
    keep: str = "",
    measure: Mapping[str, Mapping[str, Any]] | None = None,
    **parameters,
) -> Fit:
    """Return one network's training, measured by `both_scales` and `measure`, labelled with what it is given.

    Without a `validation` part the model cuts its own, where it wants any. `scaling` is the targets', by its name in
    `lib.studies.target_scaling`.
    """
    # The model maps the rating scale to [-1, 1] by itself.
    prepare = None if scaling == "linear" else (f"{__name__}:scaled", {"scaling": scaling})
    stopping = Stopping(validation=validation, refit=False) if validation else None
    measure = {f"{__name__}:both_scales": {}, **(measure or {})}
    fit = Fit("two_tower", parameters, seed, train, prepare=prepare, stopping=stopping, measure=measure)
    return replace(fit, keep=keep, labels={"seed": seed, "scaling": scaling, **parameters})


def scaled(parts: Parts, fit: Fit, *, scaling: str) -> dict[str, Interactions]:
    """Return the parts with ratings on the scale -1 to 1, by a scaling learned from the training ratings."""
    scale = target_scaling(scaling, parts[fit.train])
    return {name: scale.transform(part) for name, part in parts.items()}


def both_scales(fitted: Fitted) -> dict[str, Any]:
    """Measure a network on the rating scale, clipped, and on that of its targets (``unit_``), on train, test, validation.

    ``seconds_epoch`` is the training's seconds by epochs run, start of the graph included.
    """
    fit, model = fitted.fit, fitted.model
    scale = target_scaling(fit.prepare[1]["scaling"] if fit.prepare else "linear", fitted.given[fit.train])
    runs = len(model.history_)
    if fit.stopping is None and model.epochs is None and model.refit:
        runs += model.n_epochs_
    found = {"n_epochs": model.n_epochs_, "epochs_run": runs, "seconds_epoch": fitted.seconds_fit / runs}
    validation = fit.stopping.validation if fit.stopping else ""
    for name, part in {"train": fit.train, "validation": validation, "test": fit.test}.items():
        if part:
            found |= _errors(name, model, scale, fitted.given[part], fitted.parts[part])
    return found


def _errors(name: str, model: Recommender, scale, part: Interactions, seen: Interactions) -> dict[str, float]:
    predicted = model.predict(part.users, part.items)
    if scale.name == "linear":  # the model has the rating scale and does this by itself
        ratings, unit = predicted, (predicted - scale.offsets[part.users]) / scale.widths[part.users]
        target = (part.ratings - scale.offsets[part.users]) / scale.widths[part.users]
    else:
        ratings, unit, target = scale.inverse(part.users, predicted), predicted, seen.ratings
    found: dict[str, float] = {}
    for scale_name, *pair in (("", part.ratings, part.scale.clip(ratings)), ("unit_", target, unit)):
        found |= {f"{scale_name}{name}_rmse": rmse(*pair), f"{scale_name}{name}_mae": mae(*pair)}
    return found


def starts_of(n_starts: int, *, repeats: int = 0, parts: Sequence[str] = ("train",), **parameters: Any) -> list[Fit]:
    """Return trainings from several random starts, or on several parts, whose errors by user are measured.

    The first leaves its model; the others are repeats, which the project keeps. With `repeats`, so many permutations tell
    what each input is worth (`importance`).
    """
    measure: dict[str, Mapping[str, Any]] = {"by_user": {}}
    measure |= {f"{__name__}:importance": {"repeats": repeats}} if repeats else {}
    whole, found = {**measure, "fitted_arrays": {}}, []
    for seed in range(n_starts):
        options = {**parameters, "measure": measure if seed else whole, "keep": "two_tower" if seed else ""}
        found.append(training(seed=seed, train=parts[seed % len(parts)], **options))
    return found


def evaluate_starts(
    name: str, first: Recommender, records: Records, split: Split, *, k: int, n_resamples: int
) -> list[Evaluation]:
    """Measure the random starts of a network: the `first` model with lists, intervals and its predictions."""
    whole: dict[str, Any] = {"ks": (k,), "n_resamples": n_resamples, "seconds_fit": records[0]["seconds_fit"]}
    others = [evaluation_of(name, one, split, n_resamples=0, seed=one["seed"]) for one in records[1:]]
    return [evaluate(first, split, name=name, **whole), *others]


def importance(fitted: Fitted, *, repeats: int) -> dict[str, Any]:
    """Measure how much worse predictions get when one input is dealt out anew among users, or films (Breiman 2001).

    An input is an id's embedding, or a feature; nothing is trained again. Two inputs that say the same share their
    importance. ``importance`` is a list of input, number of the permutation, and rise in clipped test RMSE.
    """
    model, data, rows = fitted.model, fitted.test, []

    def error(one: TwoTower) -> float:
        return rmse(data.ratings, data.scale.clip(one.predict(data.users, data.items)))

    rng, before = np.random.default_rng(fitted.fit.seed), error(model)  # type: ignore[arg-type]
    for name, values in model.inputs.items():
        for repeat in range(repeats):
            other = model.replace_features({name: values[rng.permutation(len(values))]})
            rows.append([name, repeat, error(other) - before])
    return {"importance": rows}


def mean_errors(records: Records, test: Interactions, keep: np.ndarray | None = None) -> PerUser:
    """Return squared errors by user (of those to `keep`), averaged over trainings of one model, as one RMSE."""
    found = averaged_errors(records, test)
    inside = slice(None) if keep is None else keep[found.users]
    sums = {name: getattr(found, name)[inside] for name in ("users", "numerators", "denominators")}
    return replace(found, **sums)


def published_tables() -> pd.DataFrame:
    """Read A's figures, on its unit scale, of the architectures that it lists."""
    return pd.read_csv(ROOT / "data" / "published_architectures.csv")


def beside_published(records: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Put our figures, records by architecture, beside A's: rows of `published_tables` with ``train_ours``, ``test_ours``."""
    table = published_tables()
    table = table[table["architecture"].isin(list(records))].copy()
    for part in ("train", "test"):
        places = zip(table["architecture"], table["metric"], strict=True)
        table[f"{part}_ours"] = [records[name][f"unit_{part}_{metric}"] for name, metric in places]
    return table


def starve(train: Interactions, *, levels: Sequence[int], share: float, seed: int) -> tuple[Interactions, np.ndarray]:
    """Leave a `share` of the users, drawn at random, few of their training ratings, as MovieLens 100K has 20 or more.

    Returns what is left, in train's order, and the level by user, -1 for the other users: equally many are at each of
    `levels`, the numbers of ratings left (0 included); a user with fewer keeps them all.
    """
    rng = np.random.default_rng(seed)
    rated = rng.permutation(np.flatnonzero(train.user_counts))
    chosen = rated[: round(share * len(rated))]
    level = np.full(train.n_users, -1, dtype=np.int64)
    level[chosen] = np.asarray(levels)[np.arange(len(chosen)) % len(levels)]
    order = rng.permutation(len(train))
    place = np.empty(len(train), dtype=np.int64)
    place[order] = pd.Series(order).groupby(train.users[order]).cumcount()
    allowed = level[train.users]
    return train.take((allowed < 0) | (place < allowed)), level


def errors_of_starved(
    models: Mapping[str, Records], draws: Collection, test: Interactions, rivals: Sequence, *, n_resamples: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure models, records of a fit a draw of `starve`, by ``ratings`` kept: errors, and the first's gaps to others."""
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
            gaps.append({"ratings": kept, "rival": rival, **vars(gap), "p": gap.p_value})
    return (
        pd.DataFrame(errors, columns=["ratings", "model", "rmse", "low", "high"]),
        pd.DataFrame(gaps, columns=["ratings", "rival", "difference", "low", "high", "p"]),
    )


def errors_by_activity(full: Records, ids_only: Records, split: Split, *, n_resamples: int, least=20) -> pd.DataFrame:
    """Compare the network with the one without side features in bins of `least` users or more by training ratings."""
    rows, bins = [], user_bins(split.train)
    for name in bins.categories:
        inside = (bins == name) & (split.test.user_counts > 0)
        if inside.sum() >= least:
            both = [mean_errors(models, split.test, inside) for models in (full, ids_only)]
            gap = vars(paired_difference(*both, n_resamples=n_resamples))
            rows.append({"training_ratings": name, "users": inside.sum(), **gap})
    columns = ["training_ratings", "users", "first", "second", "difference", "low", "high"]
    return pd.DataFrame(rows, columns=columns).rename(columns={"first": "full", "second": "ids_only"})


def grid_findings(grid: pd.DataFrame, marked: pd.DataFrame) -> dict[str, Any]:
    """Tell what a grid of architectures shows: the best by validation and by test, how both go together, A's ranks, costs.

    `grid` has a row an architecture, with ``unit_`` errors on A's scale; `marked` is A's own row of it, if it is there.
    """
    of_a, parts = next(iter(marked.to_dict("records")), {}), ("train", "validation", "test")
    tested = grid["test_rmse"]
    found: dict[str, Any] = {"size": len(grid), "test_rmse_of_a": of_a.get("test_rmse")}
    found["size_correlations"] = {p: grid["n_parameters"].corr(grid[f"{p}_rmse"], method="spearman") for p in parts}
    for part in ("validation", "test"):
        lowest = grid.nsmallest(1, f"{part}_rmse").iloc[0]
        found |= {f"best_by_{part}": lowest["architecture"], f"best_by_{part}_test_rmse": lowest["test_rmse"]}
        found[f"rank_of_a_by_{part}"] = of_a.get(f"rank_{part}_rmse")
    lowest = grid[["unit_test_rmse", "unit_test_mae", "unit_train_rmse"]].min()
    found |= {"test_rmse_range": [tested.min(), tested.max()], **lowest.add_prefix("lowest_")}
    found |= {"highest_rmse": tested.max(), "fifth_rmse": tested.nsmallest(5).max()}
    found["validation_test_correlation"] = grid["validation_rmse"].corr(tested, method="spearman")
    found |= {"seconds": grid["seconds_fit"].sum()}
    found["seconds_epoch"] = (grid["seconds_fit"] / grid["epochs_run"]).median()
    return found
