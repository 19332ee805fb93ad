"""Side information as numbers: what the two towers know of a user or a film besides its id."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.data.feature_groups import genre_matrix

NUMERIC, CATEGORICAL, MULTI_HOT = "numeric", "categorical", "multi_hot"
MAX_CATEGORIES = 100
"""A text column with more distinct values than this, such as zip codes, says too little of each to be a feature."""


@dataclass(frozen=True)
class Feature:
    """One feature of all users or films, named `name` as the column it comes from.

    A numeric or multi-hot feature goes into a dense layer, a categorical one into an embedding. A missing entry is a
    row of zeros in `values`, float32 of shape (n, width): the mean of a numeric feature, and none of the categories.
    """

    name: str
    kind: str
    values: np.ndarray


def user_features(table: pd.DataFrame | None) -> list[Feature]:
    """Turn a user table into features: numbers standardised, texts of few distinct values one-hot.

    Columns that say nothing (one value only) or too little of each user (more than `MAX_CATEGORIES` texts) are left
    out; None gives no features.
    """
    if table is None:
        return []
    found = [_feature(column, table[column]) for column in table.columns]
    return [feature for feature in found if feature is not None]


def item_features(table: pd.DataFrame | None) -> list[Feature]:
    """Turn an item table into features: the genres, several a film; None, or no genres at all, gives no features."""
    if table is None or "genres" not in table:
        return []
    names, indicators = genre_matrix(table)
    return [Feature("genres", MULTI_HOT, indicators)] if names else []


def _feature(name: str, column: pd.Series) -> Feature | None:
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        known = np.isfinite(values)
        spread = values[known].std() if known.any() else 0.0
        if not spread > 0:
            return None
        scaled = np.where(known, (values - values[known].mean()) / spread, 0.0)
        return Feature(name, NUMERIC, scaled[:, None].astype(np.float32))
    codes, categories = pd.factorize(column, sort=True)
    if not 2 <= len(categories) <= MAX_CATEGORIES:
        return None
    return Feature(name, CATEGORICAL, (codes[:, None] == np.arange(len(categories))).astype(np.float32))
