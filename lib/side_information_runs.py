"""Project B's study at work: searches with one budget, fits on every fold, and the tables made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lib.grid import Grid
from lib.metrics.rating import rmse
from lib.multiple_testing import adjust
from lib.processes import source_version
from lib.results import runs_folder
from lib.side_information_study import (
    MODULES,
    errors_by_user,
    measure,
    popularity_errors,
    search_context,
    validate,
)
from lib.significance import compare_models
from lib.splits import Split
from lib.stored_searches import STORED, find_search
from lib.tuning import Search
from lib.variants import PROJECTION, Variant

COLD_AT_MOST, POPULAR_FROM = 2, 15
"""B's bins by training ratings of the film."""


def find(
    variant: Variant, folds: Sequence[Split], *, n_trials: int, seed: int = 0, jointly: bool = True,
    runs_dir: str | Path = "", stored: Path | None = STORED, workers: int | None = None,
    say: Callable[[str], None] | None = print,
) -> Search:  # fmt: skip
    """Search a variant's hyperparameters on validation folds, unless that very search was made before.

    Parameters
    ----------
    variant : Variant
    folds : sequence of Split
        Their ``test`` is validation data.
    n_trials : int
    seed, jointly, runs_dir, stored, workers, say
        As in `lib.stored_searches.find_search`.
    """
    return find_search(
        validate, variant.space, context=search_context(variant, list(folds)), name=variant.name.replace("=", "_"),
        n_folds=len(folds), n_trials=n_trials, seed=seed, version=source_version(*MODULES), jointly=jointly,
        runs_dir=runs_dir, stored=stored, workers=workers, say=say,
    )  # fmt: skip


def point(found: Search) -> dict:
    """Return what `fit_all` needs of a search: the chosen hyperparameters, and the mean number of iterations."""
    best = found.best
    iterations = round(float(best["n_iterations"])) if "n_iterations" in best else 0
    return {"chosen": found.chosen, "n_iterations": iterations}


def fit_all(
    variants: Mapping[str, Variant], points: Mapping[str, Mapping], splits: Sequence[Split], *,
    runs_dir: str | Path = "", workers: int | None = None, say: Callable[[str], None] | None = print,
) -> list[dict]:  # fmt: skip
    """Fit every variant at its point on every split, and measure it on the split's test ratings.

    Parameters
    ----------
    variants, points : mappings
        By name; a point is what `point` returns, of this variant's search or of another's.
    splits : sequence of Split

    Returns
    -------
    list of dict
        A fit each, variant by variant, as `lib.side_information_study.measure` gives it, with ``variant`` and ``fold``.
    """
    context = {
        "variants": dict(variants),
        "folds": {str(n): {"train": split.train, "test": split.test} for n, split in enumerate(splits)},
    }
    jobs = [
        {"variant": name, "fold": n, **points[name]} for name in variants for n in range(len(splits))
    ]  # fmt: skip
    store = runs_folder(runs_dir) / ".grids" / "side_information"
    version = source_version(*MODULES, "lib.side_information_study")
    with Grid(measure, context=context, store=store, version=version, workers=workers, say=say) as grid:
        return grid.run(jobs)


def fold_table(fits: Sequence[Mapping], splits: Sequence[Split]) -> pd.DataFrame:
    """Return a row a fit: errors on train, test and B's two bins, and what the fit took.

    Returns
    -------
    DataFrame
        ``variant``, ``fold`` (from 1), ``train_rmse``, ``test_rmse``, ``cold_bin_rmse``, ``popular_bin_rmse`` (NaN for an
        empty bin), ``seconds_fit``, ``n_parameters``, ``own_share``.
    """
    rows = []
    for fit in fits:
        split, predicted = splits[fit["fold"]], fit["predictions"]
        counts = split.train.item_counts[split.test.items]
        bins = {"cold_bin_rmse": counts <= COLD_AT_MOST, "popular_bin_rmse": counts >= POPULAR_FROM}
        rows.append(
            {
                "variant": fit["variant"], "fold": fit["fold"] + 1, "train_rmse": fit["train_rmse"],
                "test_rmse": fit["test_rmse"],
                **{
                    name: rmse(split.test.ratings[inside], predicted[inside]) if inside.any() else np.nan
                    for name, inside in bins.items()
                },
                "seconds_fit": fit["seconds_fit"], "n_parameters": fit["n_parameters"],
                "own_share": fit.get("own_share"),
            }
        )  # fmt: skip
    return pd.DataFrame(rows).astype({"own_share": float})


def popularity_table(fits: Sequence[Mapping], splits: Sequence[Split]) -> pd.DataFrame:
    """Return the RMSE by number of training ratings of the film: ``variant``, ``fold``, ``bin``, ``n_ratings``, ``rmse``."""
    tables = []
    for fit in fits:
        sums = popularity_errors(splits[fit["fold"]], fit["predictions"])
        found = np.sqrt(sums["squared_error"] / sums["n_ratings"].where(sums["n_ratings"] > 0))
        tables.append(
            sums.assign(rmse=found, variant=fit["variant"], fold=fit["fold"] + 1).reset_index()[
                ["variant", "fold", "bin", "n_ratings", "rmse"]
            ]
        )
    return pd.concat(tables, ignore_index=True)


def compare_with(
    reference: str,
    fits: Sequence[Mapping],
    splits: Sequence[Split],
    *,
    n_resamples: int = 2000,
    seed: int = 42,
) -> pd.DataFrame:
    """Compare every variant with one: paired by user, the folds' errors pooled, corrected for false discovery.

    Returns
    -------
    DataFrame
        As of `lib.significance.compare_models` with Benjamini and Hochberg's correction; ``sign_p`` is the p-value of a
        two-sided sign test over the folds, as project B used, and ``sign_p_adjusted`` its correction.
    """
    by_variant: dict[str, list[Mapping]] = {}
    for fit in fits:
        by_variant.setdefault(fit["variant"], []).append(fit)
    errors = {
        name: errors_by_user([splits[f["fold"]] for f in of_variant], [f["predictions"] for f in of_variant])
        for name, of_variant in by_variant.items()
    }
    table = compare_models(errors, reference=reference, correction="bh", n_resamples=n_resamples, seed=seed)
    base = np.array([f["test_rmse"] for f in by_variant[reference]])
    table["sign_p"] = [
        sign_test(np.array([f["test_rmse"] for f in by_variant[name]]) - base) for name in table["model_a"]
    ]
    table["sign_p_adjusted"] = adjust(table["sign_p"].to_numpy(), "bh")
    return table


def sign_test(differences: np.ndarray, *, tolerance: float = 5e-5) -> float:
    """Two-sided sign test; differences that vanish in four decimals are ties and drop out, as in B's table."""
    from scipy.stats import binomtest

    signs = np.asarray(differences)[np.abs(differences) >= tolerance]
    if len(signs) == 0:
        return 1.0
    return float(binomtest(int((signs > 0).sum()), len(signs)).pvalue)


def parameter_label(name: str) -> str:
    """Say a searched hyperparameter in words: ``projection_penalty_genres`` is the penalty of genres."""
    if name.startswith(PROJECTION):
        return f"penalty of {name.removeprefix(PROJECTION)}"
    return name.replace("_", " ")
