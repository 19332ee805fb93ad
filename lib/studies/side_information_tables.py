"""What the fits of project B's study say: errors by fold and bin, means, and tests against one variant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lib.data.splits import Split
from lib.metrics.per_user import PerUser, pooled
from lib.metrics.rating import rmse, user_errors
from lib.statistics.multiple_testing import adjust
from lib.statistics.significance import compare_models

COLD_AT_MOST, POPULAR_FROM = 2, 15
"""B's bins by training ratings of the film."""

REFERENCES = {"bias": "bias_tuned", "svd": "svd_tuned", "machine": "factorisation_machine"}
"""Under which name results know a variant that is no alternating model."""


def fold_table(fits: Sequence[Mapping], splits: Sequence[Split]) -> pd.DataFrame:
    """Return a row a fit: errors on train, test and B's two bins, and what the fit took.

    Columns: ``variant``, ``fold`` (from 1), ``train_rmse``, ``test_rmse``, ``cold_bin_rmse``, ``popular_bin_rmse``
    (NaN for an empty bin), ``seconds_fit``, ``n_parameters``, ``own_share``.
    """
    rows = []
    for fit in fits:
        split, predicted = splits[fit["fold"]], fit["predictions"]
        counts = split.train.item_counts[split.test.items]
        row = {"variant": fit["variant"], "fold": fit["fold"] + 1}
        row |= {name: fit[name] for name in ("train_rmse", "test_rmse", "seconds_fit", "n_parameters")}
        for name, inside in (("cold", counts <= COLD_AT_MOST), ("popular", counts >= POPULAR_FROM)):
            error = rmse(split.test.ratings[inside], predicted[inside]) if inside.any() else np.nan
            row[f"{name}_bin_rmse"] = error
        rows.append({**row, "own_share": fit.get("own_share", np.nan)})
    return pd.DataFrame(rows)


def fold_means(table: pd.DataFrame) -> pd.DataFrame:
    """Average a `fold_table` over the folds, a row a variant in its order, with the ``spread`` of the test RMSE."""
    by_variant = table.groupby("variant", sort=False)
    return by_variant.mean(numeric_only=True).assign(spread=by_variant["test_rmse"].std(ddof=1))


def stored_name(variant: str, ending: str = "") -> str:
    """Return the name under which results know a variant's measurements."""
    return REFERENCES.get(variant, f"side_information_als_{variant.replace('=', '_')}{ending}")


def metric_rows(
    table: pd.DataFrame, splits: Sequence[Split], measures: Sequence[str], ending: str = "", **key: Any
) -> Iterator[dict[str, Any]]:
    """Yield what to keep of a `fold_table`: for each fit and each of some columns a model, metric, value, split and fold.

    `ending` is that of the models' names, `key` stands in every row.
    """
    for row in table.to_dict("records"):
        split = splits[row["fold"] - 1]
        where = {"model": stored_name(row["variant"], ending), "split": split.name, "fold": split.fold, **key}
        for name in measures:
            metric = {"metric": name.removeprefix("test_"), "value": row[name]}
            yield {**where, **metric, "seconds_fit": row["seconds_fit"]}


def errors_by_user(fits: Sequence[Mapping], splits: Sequence[Split]) -> dict[str, PerUser]:
    """Pool the folds' errors by variant: each user once, with all of the user's test ratings over the folds."""
    of_folds: dict[str, list[PerUser]] = {}
    for fit in fits:
        test = splits[fit["fold"]].test
        errors = user_errors(test.users, test.ratings, fit["predictions"])
        of_folds.setdefault(fit["variant"], []).append(errors.per_user("rmse"))
    return {name: pooled(samples) for name, samples in of_folds.items()}


def compare_with(
    reference: str, fits: Sequence[Mapping], splits: Sequence[Split], *, n_resamples: int = 2000
) -> pd.DataFrame:
    """Compare every variant with one: paired by user, the folds' errors pooled, corrected for false discovery.

    As of `lib.statistics.significance.compare_models` with Benjamini and Hochberg's correction; ``sign_p`` is the
    p-value of a two-sided sign test over the folds, as project B used, and ``sign_p_adjusted`` its correction.
    """
    errors = errors_by_user(fits, splits)
    table = compare_models(errors, reference=reference, correction="bh", n_resamples=n_resamples, seed=42)
    by_fold = {name: np.array([f["test_rmse"] for f in fits if f["variant"] == name]) for name in errors}
    table["sign_p"] = [sign_test(by_fold[name] - by_fold[reference]) for name in table["model_a"]]
    table["sign_p_adjusted"] = adjust(table["sign_p"].to_numpy(), "bh")
    return table


def least_sign_test_p(n: int) -> float:
    """Return the smallest p-value that a two-sided sign test on n pairs can give: all on one side, twice 2**-n."""
    return 2.0 ** (1 - n)


def sign_test(differences: np.ndarray) -> float:
    """Two-sided sign test; differences that vanish in four decimals are ties and drop out, as in B's table."""
    from scipy.stats import binomtest

    signs = np.asarray(differences)[np.abs(differences) >= 5e-5]
    return float(binomtest(int((signs > 0).sum()), len(signs)).pvalue) if len(signs) else 1.0
