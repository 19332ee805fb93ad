"""Why a film may stand in a list, and in what two models differ on one user."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.explorer.data import FAVOURITES, Explorer
from lib.metrics.rating import rmse


def why(explorer: Explorer, user: int, item: int, n: int = 3) -> tuple[pd.DataFrame, list[str]]:
    """Find what in a user's training ratings speaks for a film.

    These are facts about the ratings, the same for every model: no model says them of itself.

    Returns
    -------
    neighbours : DataFrame
        ``item``, ``title``, ``rating`` (the user's), ``similarity``: the n of the user's films that are rated most like
        the film, nearest first; only those with a positive similarity.
    genres : list of str
        The film's genres that are among the user's favourites.
    """
    mine = explorer.ratings_of(user, "train")
    mine = mine[mine["item"] != item]
    near = explorer.similarity[item, mine["item"].to_numpy()]
    order = np.argsort(-near, kind="stable")[:n]
    order = order[near[order] > 0]
    neighbours = mine.iloc[order].assign(similarity=near[order].astype(float)).reset_index(drop=True)
    own = explorer.genres_of(item)
    favourites = explorer.favourite_genres(user)["genre"][:FAVOURITES]
    return neighbours, [genre for genre in favourites if genre in own]


@dataclass(frozen=True)
class Comparison:
    """Two models, a and b, on one user.

    Parameters
    ----------
    films : DataFrame
        Every film in either list: the columns of `Explorer.marked`, ``rank_a``, ``rank_b`` (Int64, missing where it is
        not in that list); the common ones first.
    rank_correlation : float
        Spearman's, of the ranks of the common films; NaN for fewer than three.
    held_out : DataFrame
        ``item``, ``title``, ``rating`` and ``a``, ``b``: predictions; NaN for a model that predicts no ratings.
    errors : (float, float)
        RMSE on the user's held-out ratings, predictions as stored; NaN without any.
    """

    films: pd.DataFrame
    rank_correlation: float
    held_out: pd.DataFrame
    errors: tuple[float, float]

    @property
    def parts(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Films in both lists, only in the first, only in the second."""
        a, b = self.films["rank_a"].notna(), self.films["rank_b"].notna()
        return self.films[a & b], self.films[~b], self.films[~a]


def compare(explorer: Explorer, user: int, a: str, b: str) -> Comparison:
    """Compare the lists and the predictions of two models on one user.

    Raises
    ------
    KeyError
        No such model.
    """
    ranks = pd.concat([_ranks(explorer, user, name) for name in (a, b)], axis=1, keys=["rank_a", "rank_b"])
    both, best = ranks.notna().all(axis=1), ranks.min(axis=1)
    order = np.lexsort((best, ranks["rank_a"].isna(), ~both))
    ranks = ranks.iloc[order].astype("Int64")
    films = explorer.marked(user, ranks.index.to_numpy())
    films[["rank_a", "rank_b"]] = ranks.to_numpy()
    films = films.astype({"rank_a": "Int64", "rank_b": "Int64"})
    shared = ranks.dropna().astype(float)
    alike = shared["rank_a"].corr(shared["rank_b"], method="spearman") if len(shared) > 2 else np.nan
    predicted = explorer.predictions(user)
    held = predicted[["item", "title", "rating"]].copy()
    held["a"], held["b"] = predicted.get(a, np.nan), predicted.get(b, np.nan)
    errors = tuple(
        rmse(held["rating"], held[side]) if len(held) and held[side].notna().all() else np.nan
        for side in "ab"
    )
    return Comparison(films, float(alike), held, errors)


def _ranks(explorer: Explorer, user: int, model: str) -> pd.Series:
    if model in explorer.predicting and model not in explorer.models:
        return pd.Series([], index=pd.Index([], dtype=np.int64), dtype=float)  # it predicts, and has no lists
    return explorer.top(user, model).set_index("item")["rank"].astype(float)
