"""One data set, one split and what every model said about it, by user: lists with marks, profiles, held-out ratings."""

from collections.abc import Hashable, Sequence
from functools import cached_property

import numpy as np
import pandas as pd

from lib.data.genres import genre_matrix
from lib.data.interactions import Interactions
from lib.data.splits import Split
from lib.experiment.stored_runs import StoredRun
from lib.models import label
from lib.models.latent.item_similarity import similarity_matrix
from lib.models.recommendations import titles_of
from lib.report.stored_tables import list_table, models_of, rating_table

MARKS = {"hit": "held-out hit", "low": "held out, not liked", "seen": "seen", "new": ""}
"""Kinds of films from a user's point of view, and what a reader sees: a test rating of at least the threshold, one
below it, a training rating, none."""

FAVOURITES = 3  # genres that count as a user's favourites


class Explorer:
    """What can be asked about users and films, which are codes throughout.

    `runs` hold what models predicted and listed on the `split`, and labels in their fact ``contenders``; lists have
    length `k`, and a rating of `threshold` or more is one of a film that the user liked. ValueError: there are no
    lists, or they name a user or film that the split does not have.
    """

    def __init__(self, runs: Sequence[StoredRun], split: Split, *, k: int, threshold: float):
        ratings = rating_table(runs, split)
        lists = list_table(runs, split, k, fold=next(iter(ratings.attrs["folds"].values()), None))
        if lists.empty:
            raise ValueError(f"no model has lists on {split}; make them with: python run_notebooks.py --only one_table")
        self.split, self.train, self.test, self.threshold = split, split.train, split.test, float(threshold)
        self.models = list(dict.fromkeys(lists["model"]))
        users, items = self.train.user_codes(lists["user"]), self.train.item_codes(lists["item"])
        for kind, codes, column in (("user", users, "user"), ("film", items, "item")):
            if (codes < 0).any():
                unknown = lists[column].to_numpy()[codes < 0][0]
                raise ValueError(f"{kind} {unknown} of a list is not in {split}")
        self._lists = np.full((len(self.models), self.train.n_users, k), -1, dtype=np.int32)
        models = pd.Index(self.models).get_indexer(lists["model"])
        self._lists[models, users, lists["rank"].to_numpy() - 1] = items
        self.predicting = models_of(ratings)
        # The rows are the test ratings in their order.
        self._held = ratings.assign(user=self.test.users, item=self.test.items)
        known = [run.facts.get("contenders", {}) for run in reversed(runs)]
        labels = {name: one.get("label", "") for contenders in known for name, one in contenders.items()}
        self.labels = {name: labels.get(name) or label(name) for name in (*self.models, *self.predicting)}

    @cached_property
    def titles(self) -> list[str]:
        """What readers see for each film, by code; not escaped."""
        return titles_of(self.train, np.arange(self.train.n_items))

    @cached_property
    def genres(self) -> tuple[list[str], np.ndarray]:
        """Names of the genres, and whether each film has each; none where the data has no genres."""
        table = self.train.item_table
        if table is None or "genres" not in table:
            return [], np.zeros((self.train.n_items, 0), bool)
        names, flags = genre_matrix(table)
        return names, flags > 0

    def genres_of(self, item: int) -> list[str]:
        """Names of a film's genres."""
        names, flags = self.genres
        return [names[place] for place in np.flatnonzero(flags[item])]

    @cached_property
    def similarity(self) -> np.ndarray:
        """Shrunk adjusted cosine of each pair of films over the training ratings."""
        return similarity_matrix(self.train)

    def ratings_of(self, user: int, data: Interactions) -> pd.DataFrame:
        """Return a user's ratings in `train` or `test`: item, title, rating; best first."""
        rows = np.flatnonzero(data.users == user)
        rows = rows[np.lexsort((data.items[rows], -data.ratings[rows]))]
        return self._films(data.items[rows], rating=data.ratings[rows].astype(float))

    def describe(self, user: int, called: str) -> str:
        """Say who the user is, under another name and without zip code and age: pages are passed on."""
        parts, table = [called], self.train.user_table
        if table is not None:
            row = table.iloc[user].drop(labels=["zip_code", "age"], errors="ignore")
            parts += [_feature(name, value) for name, value in row.items() if pd.notna(value) and value != ""]
        return ", ".join(parts)

    def favourite_genres(self, user: int) -> pd.DataFrame:
        """Count genres with a film that the user liked in train: ``genre``, ``liked``, ``rated``, ``mean``; most first."""
        names, flags = self.genres
        rows = self.train.users == user
        has, ratings = flags[self.train.items[rows]], self.train.ratings[rows].astype(float)
        rated, liked = has.sum(axis=0), has[ratings >= self.threshold].sum(axis=0)
        mean = ratings @ has / np.maximum(rated, 1)
        found = pd.DataFrame({"genre": names, "liked": liked, "rated": rated, "mean": mean})
        by, rising = ["liked", "mean", "genre"], [False, False, True]
        return found[found["liked"] > 0].sort_values(by, ascending=rising, ignore_index=True)

    def marked(self, user: int, items) -> pd.DataFrame:
        """Say what films are to a user: ``item``, ``title``, ``mark`` (key of `MARKS`), ``rating`` (NaN for none)."""
        items = np.asarray(items, dtype=np.int64)
        parts = ((data, data.users == user) for data in (self.test, self.train))
        held, seen = (pd.Series(data.ratings[own], data.items[own]).reindex(items).to_numpy() for data, own in parts)
        kinds = [held >= self.threshold, ~np.isnan(held), ~np.isnan(seen)]
        mark = np.select(kinds, ["hit", "low", "seen"], "new")
        return self._films(items, mark=mark, rating=np.where(np.isnan(held), seen, held))

    def titled(self, marked: pd.DataFrame) -> list[str]:
        """Return the titles of films of `marked` with their marks in words."""
        shown = zip(marked["title"], marked["mark"], strict=True)
        return [title if mark == "new" else f"{title} [{MARKS[mark]}]" for title, mark in shown]

    def top(self, user: int, model: str) -> pd.DataFrame:
        """Return the list of one of `models` for a user in its order, as of `marked`; empty where it made none."""
        items = self._lists[self.models.index(model), user]
        return self.marked(user, items[items >= 0])

    def recommended(self, user: int) -> np.ndarray:
        """Films that any model lists for a user, those that most models list first."""
        items, counts = np.unique(self._lists[:, user][self._lists[:, user] >= 0], return_counts=True)
        return items[np.argsort(-counts, kind="stable")]

    def why(self, user: int, item: int, n: int = 3) -> tuple[pd.DataFrame, list[str]]:
        """Find what in a user's training ratings speaks for a film: facts that no model says of itself.

        The user's n films rated most like it, with positive similarity, nearest first, and its genres among the
        favourites.
        """
        mine = self.ratings_of(user, self.train)
        mine = mine[mine["item"] != item]
        near = self.similarity[item, mine["item"].to_numpy()]
        order = np.argsort(-near, kind="stable")[:n]
        order = order[near[order] > 0]
        neighbours = mine.iloc[order].assign(similarity=near[order].astype(float)).reset_index(drop=True)
        own, favourites = self.genres_of(item), self.favourite_genres(user)["genre"][:FAVOURITES]
        return neighbours, [genre for genre in favourites if genre in own]

    @property
    def listed_users(self) -> np.ndarray:
        """Users for whom some model made a list."""
        return np.flatnonzero((self._lists >= 0).any(axis=(0, 2)))

    def listed_by(self, user: int, item: int) -> list[str]:
        """Names of the models that list a film for a user."""
        return [name for name, items in zip(self.models, self._lists[:, user], strict=True) if item in items]

    def predictions(self, user: int) -> pd.DataFrame:
        """Return a user's held-out ratings with every model's predictions: item, title, rating, a column a model."""
        mine = self._held[self._held["user"] == user].astype({"rating": float})
        mine = mine.sort_values(["rating", "item"], ascending=[False, True], ignore_index=True)
        others = {name: mine[name] for name in ("rating", *self.predicting)}
        return self._films(mine["item"].to_numpy(), **others)

    def _films(self, items: np.ndarray, **columns) -> pd.DataFrame:
        return pd.DataFrame({"item": items, "title": [self.titles[i] for i in items], **columns})


def _feature(name: Hashable, value) -> str:
    """Write one feature of a user; a number needs its name, a word mostly speaks for itself."""
    if name == "gender":
        return {"F": "woman", "M": "man"}.get(value, str(value))
    return f"{name} {value:g}" if isinstance(value, (int, float, np.number)) else str(value)
