"""Why a film may stand in a list, and in what two models differ on one user."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.explorer.data import FAVOURITES, Explorer
from lib.metrics.rating import rmse


@dataclass(frozen=True)
class Reasons:
    """What in a user's training ratings speaks for a film.

    Parameters
    ----------
    neighbours : DataFrame
        ``item``, ``title``, ``rating`` (the user's), ``similarity``: the user's films that are rated most like the
        film, nearest first; only those with a positive similarity.
    genres : list of str
        The film's genres that are among the user's favourites.
    """

    neighbours: pd.DataFrame
    genres: list[str]


def why(explorer: Explorer, user: int, item: int, n: int = 3) -> Reasons:
    """Find the n nearest films among those that the user rated in train, and shared genres.

    These are facts about the ratings, the same for every model: no model says them of itself.
    """
    mine = explorer.ratings_of(user, "train")
    mine = mine[mine["item"] != item]
    near = explorer.similarity[item, mine["item"].to_numpy()]
    order = np.argsort(-near, kind="stable")[:n]
    order = order[near[order] > 0]
    neighbours = mine.iloc[order].assign(similarity=near[order].astype(float)).reset_index(drop=True)
    favourites = list(explorer.favourite_genres(user)["genre"][:FAVOURITES])
    own = explorer.genres_of(item)
    return Reasons(neighbours, [genre for genre in favourites if genre in own])


@dataclass(frozen=True)
class Comparison:
    """Two models on one user.

    Parameters
    ----------
    films : DataFrame
        Every film in either list: the columns of `Explorer.marked`, ``rank_a``, ``rank_b`` (Int64, missing where it is
        not in that list); the common ones first.
    rank_correlation : float
        Spearman's, of the ranks of the common films; NaN for fewer than three.
    held_out : DataFrame
        ``item``, ``title``, ``rating`` and ``a``, ``b``: predictions; NaN for a model that predicts no ratings.
    rmse_a, rmse_b : float
        On the user's held-out ratings, predictions as stored; NaN without any.
    """

    films: pd.DataFrame
    rank_correlation: float
    held_out: pd.DataFrame
    rmse_a: float
    rmse_b: float

    @property
    def common(self) -> pd.DataFrame:
        """Films in both lists."""
        return self.films[self.films["rank_a"].notna() & self.films["rank_b"].notna()]

    @property
    def only_a(self) -> pd.DataFrame:
        """Films in the first list only."""
        return self.films[self.films["rank_b"].isna()]

    @property
    def only_b(self) -> pd.DataFrame:
        """Films in the second list only."""
        return self.films[self.films["rank_a"].isna()]


def compare(explorer: Explorer, user: int, a: str, b: str) -> Comparison:
    """Compare the lists and the predictions of two models on one user.

    Raises
    ------
    KeyError
        No such model.
    """
    tops = [_ranks(explorer, user, name) for name in (a, b)]
    ranks = pd.concat(tops, axis=1, keys=["rank_a", "rank_b"]).astype("Int64")
    ranks = ranks.assign(
        both=ranks.notna().all(axis=1), second=ranks["rank_a"].isna(), best=ranks.min(axis=1).astype(float)
    ).sort_values(["both", "second", "best"], ascending=[False, True, True], kind="stable")
    films = explorer.marked(user, ranks.index.to_numpy())
    films = films.assign(rank_a=ranks["rank_a"].to_numpy(), rank_b=ranks["rank_b"].to_numpy())
    films[["rank_a", "rank_b"]] = films[["rank_a", "rank_b"]].astype("Int64")
    shared = ranks[ranks["both"]][["rank_a", "rank_b"]].astype(float)
    correlation = (
        float(shared["rank_a"].corr(shared["rank_b"], method="spearman")) if len(shared) > 2 else np.nan
    )
    predicted = explorer.predictions(user)
    held = predicted[["item", "title", "rating"]].assign(
        **{side: predicted.get(name, np.nan) for side, name in (("a", a), ("b", b))}
    )
    errors = [
        rmse(held["rating"], held[side]) if len(held) and held[side].notna().all() else np.nan
        for side in "ab"
    ]
    return Comparison(films, correlation, held, *errors)


def _ranks(explorer: Explorer, user: int, model: str) -> pd.Series:
    if model in explorer.predicting and model not in explorer.models:
        return pd.Series([], index=pd.Index([], dtype=np.int64), dtype=float)  # it predicts, and has no lists
    top = explorer.top(user, model)
    return pd.Series(top["rank"].to_numpy(), index=top["item"].to_numpy())
