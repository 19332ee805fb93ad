"""How much of the ratings' variance each piece of knowledge explains: ids, and what the side tables say."""

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.linalg import lsqr

from lib.data.interactions import Interactions
from lib.studies.exploration import groups_of

WORDS = {"age": "age group", "genre": "genres", "decade": "release decade"}


def explained_variance(interactions: Interactions) -> pd.DataFrame:
    r"""Explain the ratings by least squares, one source of knowledge at a time.

    The ``share`` is the adjusted :math:`R^2 = 1 - \frac{SSE / (n - 1 - p)}{SST / (n - 1)}`, so that a source with many
    free numbers p, its ``effects``, gains nothing by fitting noise. Missing features count as a category of their own.
    For user and film together the effects are additive, with :math:`p = n_u + n_i - 2`. A row a ``source`` that the
    data set has, of ``kind`` "side table" or "id"; for side tables also the ``chance``: what a meaningless feature with
    as many effects would explain, :math:`p / (n_{units} - 1)` of the id's share. ValueError: all ratings are equal.
    """
    ratings, rows = interactions.ratings.astype(np.float64), []
    if ratings.min() == ratings.max():
        raise ValueError("all ratings are equal: there is no variance to explain")
    users, films = interactions.users, interactions.items
    for kind, codes, table in (("user", users, interactions.user_table), ("film", films, interactions.item_table)):
        units, own = _by_ids(ratings, codes)
        known = {WORDS.get(name, name): np.column_stack([*of.values()]) for name, of in groups_of(table).items()}
        if len(known) > 1:
            known[f"{kind} table, all of it"] = np.hstack([*known.values()])
        for source, features in known.items():
            effects, share = _by_features(ratings, codes, features)
            rows.append([source, "side table", effects, share, own * effects / units if units else np.nan])
        rows.append([f"{kind} id", "id", units, own, np.nan])
    rows.append(["user id and film id", "id", *_by_ids(ratings, users, films), np.nan])
    return pd.DataFrame(rows, columns=["source", "kind", "effects", "share", "chance"])


def _by_features(ratings: np.ndarray, codes: np.ndarray, features: np.ndarray) -> tuple[int, float]:
    """Regress on features of users, or films, of which each counts by the number and the mean of its ratings."""
    counts, sums = np.bincount(codes, minlength=len(features)), np.bincount(codes, ratings, len(features))
    design, weights = np.column_stack([np.ones(len(features)), features]), np.sqrt(counts)
    solution, _, rank, _ = np.linalg.lstsq(design * weights[:, None], sums / np.maximum(weights, 1), rcond=None)
    return int(rank) - 1, _adjusted(ratings, ratings - (design @ solution)[codes], int(rank) - 1)


def _by_ids(ratings: np.ndarray, *sides: np.ndarray) -> tuple[int, float]:
    """Regress on additive effects of users, of films, or of both."""
    places, counts = np.arange(len(ratings)), [np.bincount(codes) for codes in sides]
    # Columns of length one, as counts differ by orders of magnitude.
    entries = [(1 / np.sqrt(n[codes]), (places, codes)) for codes, n in zip(sides, counts, strict=True)]
    design = sparse.hstack([sparse.csr_array(of) for of in entries])
    effects = sum(int(np.count_nonzero(n)) - 1 for n in counts)
    left = ratings - design @ lsqr(design, ratings, atol=1e-10, btol=1e-10)[0]
    return effects, _adjusted(ratings, left, effects)


def _adjusted(ratings: np.ndarray, left: np.ndarray, effects: int) -> float:
    n = len(ratings) - 1
    return float(1 - (left @ left / (n - effects)) / ratings.var(ddof=1)) if n > effects else float("nan")
