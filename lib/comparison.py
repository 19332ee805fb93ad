"""Stored results of several models brought together, matched by raw id: errors, segments, blends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from lib.agreement import ScoreMatrix
from lib.interactions import Interactions
from lib.metrics import UserErrors, user_errors
from lib.metrics.segments import rating_by_segment
from lib.results import StoredRun
from lib.splits import Split

KEY = ["user", "item"]


def test_predictions(sources: Mapping[str, StoredRun], split: Split) -> pd.DataFrame:
    """Bring several models' stored test predictions into one table.

    Parameters
    ----------
    sources : mapping of model name to StoredRun
        Where each model's predictions lie; of several seeds the lowest counts.
    split : Split
        Its test ratings give the rows and their order.

    Returns
    -------
    DataFrame, one row a test rating
        ``user``, ``item``, ``rating`` (raw ids) and a column of clipped predictions a model.

    Raises
    ------
    ValueError
        A model lacks a prediction for a test rating, or was measured against another rating.
    """
    table = split.test.frame()[[*KEY, "rating"]]
    for model, run in sources.items():
        rows = run.predictions.query("model == @model and split == @split.name and fold == @split.fold")
        if rows["seed"].notna().any():
            rows = rows[rows["seed"] == rows["seed"].min()]
        merged = table[KEY].merge(
            rows[[*KEY, "rating", "prediction"]], on=KEY, how="left", validate="one_to_one"
        )
        if len(rows) != len(table) or merged["prediction"].isna().any():
            raise ValueError(
                f"{model}: run {run.run!r} does not hold one prediction a test rating of {split.name}; "
                f"run it again with that split: python run_notebooks.py --only {run.run} --force"
            )
        if not np.array_equal(merged["rating"], table["rating"]):
            raise ValueError(
                f"{model}: run {run.run!r} was measured against other ratings than {split.name}'s"
            )
        table[model] = merged["prediction"].to_numpy(dtype=np.float64)
    return table


def errors_by_user(table: pd.DataFrame, models: Sequence[str]) -> dict[str, UserErrors]:
    """Sum each model's errors by user, in the form that paired tests resample."""
    return {model: user_errors(table["user"].to_numpy(), table["rating"], table[model]) for model in models}


def errors_by_segment(table: pd.DataFrame, models: Sequence[str], labels: pd.Categorical) -> pd.DataFrame:
    """RMSE of each model in each segment of the test ratings.

    Returns
    -------
    DataFrame, one row a segment and model
        ``segment``, ``model``, ``n_ratings``, ``share``, ``rmse``, ``mae``; segments without ratings are left out.
    """
    parts = []
    for model in models:
        part = rating_by_segment(labels, table["user"], table["rating"], table[model]).reset_index()
        parts.append(part.assign(model=model))
    together = pd.concat(parts, ignore_index=True)
    together = together[together["n_ratings"] > 0]
    return together[["segment", "model", "n_ratings", "share", "rmse", "mae"]].reset_index(drop=True)


def test_correlations(table: pd.DataFrame, models: Sequence[str]) -> pd.DataFrame:
    r"""Correlate models over the test ratings: their predictions, and their errors :math:`\hat r - r`.

    Errors that correlate leave an average little to gain: of two models with equal error variance
    :math:`\sigma^2` and error correlation :math:`\rho`, the mean has :math:`\sigma^2 (1 + \rho) / 2`.

    Returns
    -------
    DataFrame
        A row a pair: ``model_a``, ``model_b``, ``predictions``, ``errors``.
    """
    predictions = table[list(models)].to_numpy().T
    errors = predictions - table["rating"].to_numpy(dtype=np.float64)
    of_predictions, of_errors = np.corrcoef(predictions), np.corrcoef(errors)
    return pd.DataFrame(
        [
            {
                "model_a": models[i], "model_b": models[j],
                "predictions": of_predictions[i, j], "errors": of_errors[i, j],
            }
            for i, j in combinations(range(len(models)), 2)
        ]
    )  # fmt: skip


def blend(table: pd.DataFrame, models: Sequence[str]) -> np.ndarray:
    """Average models' clipped test predictions with equal weights, so that nothing is fitted to the test ratings."""
    return table[list(models)].mean(axis=1).to_numpy()


def put_back(matrix: ScoreMatrix, train: Interactions) -> ScoreMatrix:
    """Put the training ratings into a score matrix, as an imputer's completed matrix has them.

    Parameters
    ----------
    matrix : ScoreMatrix
        On the rating scale.
    train : Interactions
        All its users and items are in the matrix.

    Raises
    ------
    ValueError
        A training pair has no place in the matrix.
    """
    rows = pd.Index(matrix.user_ids).get_indexer(train.user_ids[train.users])
    columns = pd.Index(matrix.item_ids).get_indexer(train.item_ids[train.items])
    if (rows < 0).any() or (columns < 0).any():
        raise ValueError("a training pair's user or item is not in the score matrix")
    values = matrix.values.copy()
    values[rows, columns] = train.ratings
    return ScoreMatrix(matrix.user_ids, matrix.item_ids, values)


def order_of_appearance(ids: np.ndarray, sequence: np.ndarray) -> np.ndarray:
    """Places of `ids` in the order in which they first appear in `sequence`; ids that never do come last.

    This is the order of rows or columns that a loop over ``pandas.unique`` gives, where `ids` are sorted.
    """
    seen = pd.unique(np.asarray(sequence))
    places = pd.Index(ids).get_indexer(seen)
    rest = np.setdiff1d(np.arange(len(ids)), places)
    return np.concatenate([places, rest])
