"""How much of the ratings' variance each piece of knowledge explains: ids, and what the side tables say."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.data.genres import genre_matrix
from lib.data.interactions import Interactions

AGE_GROUPS = (0, 18, 25, 35, 45, 55)
"""First year of age of each group."""


def explained_variance(interactions: Interactions) -> pd.DataFrame:
    r"""Explain the ratings by least squares, one source of knowledge at a time.

    The ``share`` is the adjusted :math:`R^2 = 1 - \frac{SSE / (n - 1 - p)}{SST / (n - 1)}`, so that a source with many
    free numbers p, its ``effects``, gains nothing by fitting noise. Missing features count as a category of their own.
    For user and film together the effects are additive, with :math:`p = n_u + n_i - 2`. A row a ``source`` that the
    data set has, of ``kind`` "side table" or "id"; for side tables also the ``chance``: what a meaningless feature with
    as many effects would explain, :math:`p / (n_{units} - 1)` of the id's share. ValueError: all ratings are equal.
    """
    if interactions.ratings.min() == interactions.ratings.max():
        raise ValueError("all ratings are equal: there is no variance to explain")
    rows = []
    for kind, codes, counts, table in (
        ("user", interactions.users, interactions.user_counts, interactions.user_table),
        ("film", interactions.items, interactions.item_counts, interactions.item_table),
    ):
        units, own = _from_effects(interactions, [codes])
        features = {} if table is None else _features(table)
        if len(features) > 1:
            features[f"{kind} table, all of it"] = np.hstack(list(features.values()))
        for source, matrix in features.items():
            effects, share = _from_features(interactions, codes, counts, matrix)
            rows.append([source, "side table", effects, share, own * effects / units if units else np.nan])
        rows.append([f"{kind} id", "id", units, own, np.nan])
    both = _from_effects(interactions, [interactions.users, interactions.items])
    rows.append(["user id and film id", "id", *both, np.nan])
    return pd.DataFrame(rows, columns=["source", "kind", "effects", "share", "chance"])


def _features(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Make indicator columns, shape (rows, categories), of what a user table or an item table says."""
    columns = {name: table[name] for name in ("gender", "occupation") if name in table}
    if "age" in table:
        columns["age group"] = pd.cut(table["age"], [*AGE_GROUPS, np.inf], right=False, labels=False)
    if "year" in table:
        columns["release decade"] = table["year"] // 10 * 10
    found = {"genres": genre_matrix(table)[1].astype(np.float64)} if "genres" in table else {}
    for name, column in columns.items():
        codes, categories = pd.factorize(column, use_na_sentinel=False)
        found[name] = np.eye(len(categories))[codes]
    return found


def _from_features(interactions, codes, counts, matrix) -> tuple[int, float]:
    """Regress on features of one side: ratings enter through each unit's count and mean only."""
    ratings = interactions.ratings.astype(np.float64)
    rated = counts > 0
    means = np.bincount(codes, ratings, len(counts))[rated] / counts[rated]
    weights = np.sqrt(counts[rated])
    design = np.column_stack([np.ones(rated.sum()), matrix[rated]]) * weights[:, None]
    solution, _, rank, _ = np.linalg.lstsq(design, means * weights, rcond=None)
    between = ((design @ solution - means * weights) ** 2).sum()
    unit_means = np.zeros(len(counts))
    unit_means[rated] = means
    within = ((ratings - unit_means[codes]) ** 2).sum()
    return int(rank) - 1, _adjusted(ratings, within + between, int(rank) - 1)


def _from_effects(interactions, sides) -> tuple[int, float]:
    """Fit additive effects by sweeps over the sides until the error stands still."""
    ratings = interactions.ratings.astype(np.float64)
    residual = ratings - ratings.mean()
    counts = [np.bincount(codes) for codes in sides]
    before = np.inf
    for _ in range(500):
        for codes, n in zip(sides, counts, strict=True):
            residual -= (np.bincount(codes, residual) / np.maximum(n, 1))[codes]
        error = (residual**2).sum()
        if before - error <= 1e-10 * error:
            break
        before = error
    effects = int(sum(np.count_nonzero(n) - 1 for n in counts))
    return effects, _adjusted(ratings, error, effects)


def _adjusted(ratings: np.ndarray, error: float, effects: int) -> float:
    left = len(ratings) - 1 - effects
    total = ((ratings - ratings.mean()) ** 2).sum()
    return float(1 - (error / left) / (total / (len(ratings) - 1))) if left > 0 else float("nan")
