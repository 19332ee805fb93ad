"""What the comparison of project A's models asks: errors by segment, correlations, and matrices in another order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.data.interactions import Interactions
from lib.metrics.segments import rating_by_segment
from lib.statistics.agreement import ScoreMatrix


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
    first, second = np.triu_indices(len(models), 1)
    names = np.array(models)
    found = {
        "predictions": np.corrcoef(predictions)[first, second],
        "errors": np.corrcoef(errors)[first, second],
    }
    return pd.DataFrame({"model_a": names[first], "model_b": names[second], **found})


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
