"""One data set, one split and what every model said about it, by user: lists with marks, profiles, held-out ratings."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pandas as pd

from lib.data.feature_groups import genre_matrix
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
    length `k`, and a rating of `threshold` or more is one of a film that the user liked. ``titles``, by film, are not
    escaped. ValueError: there are no lists, or they name a user or film that the split does not have.
    """

    def __init__(self, runs: Sequence[StoredRun], split: Split, *, k: int, threshold: float):
        ratings = rating_table(runs, split)
        lists = list_table(runs, split, k, fold=next(iter(ratings.attrs["folds"].values()), None))
        if lists.empty:
            raise ValueError(f"no model has lists on {split}; make them with: python run_notebooks.py --only one_table")
        self.split, self.train, self.test, self.threshold, self.k = split, split.train, split.test, float(threshold), k
        self.models = list(dict.fromkeys(lists["model"]))
        users, items = self.train.user_codes(lists["user"]), self.train.item_codes(lists["item"])
        if len(unknown := lists[(users < 0) | (items < 0)]):
            raise ValueError("the list of user {user} has film {item}: not both in {}".format(split, **unknown.iloc[0]))
        self._lists = np.full((len(self.models), self.train.n_users, k), -1, dtype=np.int32)
        models = pd.Index(self.models).get_indexer(lists["model"])
        self._lists[models, users, lists["rank"].to_numpy() - 1] = items
        self.predicting = models_of(ratings)
        # The rows are the test ratings in their order.
        self._held = ratings.assign(user=self.test.users, item=self.test.items)
        known = [run.facts.get("contenders", {}) for run in reversed(runs)]
        labels = {name: one.get("label", "") for contenders in known for name, one in contenders.items()}
        self.titles = titles_of(self.train, np.arange(self.train.n_items))
        self.labels = {name: labels.get(name) or label(name) for name in (*self.models, *self.predicting)}

    @cached_property
    def genres(self) -> list[list[str]]:
        """Names of each film's genres, by code; none where the data has no genres."""
        table = self.train.item_table
        if table is None or "genres" not in table:
            return [[]] * self.train.n_items
        names, flags = genre_matrix(table)
        return [[names[place] for place in np.flatnonzero(row)] for row in flags]

    @cached_property
    def similarity(self) -> np.ndarray:
        """Shrunk adjusted cosine of each pair of films over the training ratings."""
        return similarity_matrix(self.train)

    def ratings_of(self, user: int) -> pd.DataFrame:
        """Return a user's training ratings: item, title, rating; best first."""
        rows = np.flatnonzero(self.train.users == user)
        rows = rows[np.lexsort((self.train.items[rows], -self.train.ratings[rows]))]
        return self._films(self.train.items[rows], rating=self.train.ratings[rows].astype(float))

    def describe(self, user: int, called: str) -> str:
        """Say who the user is, under another name and without zip code and age: pages are passed on."""
        table, kept_back = self.train.user_table, ["zip_code", "age"]
        row = pd.Series() if table is None else table.iloc[user].drop(labels=kept_back, errors="ignore").dropna()
        # A number needs its feature's name, a word mostly speaks for itself.
        texts = [one if isinstance(one, str) else f"{name} {one:g}" for name, one in row.items() if one != ""]
        return ", ".join([called, *({"F": "woman", "M": "man"}.get(text, text) for text in texts)])

    def favourite_genres(self, user: int) -> pd.DataFrame:
        """Count genres with a film that the user liked in train: ``genre``, ``liked``, ``rated``, ``mean``; most first."""
        mine = self.ratings_of(user)
        mine["genre"], mine["liked"] = mine["item"].map(self.genres.__getitem__), mine["rating"] >= self.threshold
        by_genre = mine.explode("genre").groupby("genre", as_index=False)
        found = by_genre.agg(liked=("liked", "sum"), rated=("liked", "size"), mean=("rating", "mean"))
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

    def recommended(self, user: int) -> pd.Series:
        """Count by film the models that list it for a user, most first."""
        items, counts = np.unique(self._lists[:, user][self._lists[:, user] >= 0], return_counts=True)
        return pd.Series(counts, items).sort_values(ascending=False, kind="stable")

    def like(self, user: int, item: int, n: int = 3) -> pd.DataFrame:
        """Return the user's n training ratings, as of `ratings_of`, of the films that are rated most like one, if any are."""
        mine = self.ratings_of(user)
        mine = mine[mine["item"] != item]
        near = self.similarity[item, mine["item"].to_numpy()]
        order = np.argsort(-near, kind="stable")[:n]
        return mine.iloc[order[near[order] > 0]]

    @property
    def listed_users(self) -> np.ndarray:
        """Users for whom some model made a list."""
        return np.flatnonzero((self._lists >= 0).any(axis=(0, 2)))

    def predictions(self, user: int) -> pd.DataFrame:
        """Return a user's held-out ratings, by film lest the order tell them, and every model's predictions, a column each."""
        mine = self._held[self._held["user"] == user].sort_values("item", ignore_index=True)
        columns = {name: mine[name].astype(float) for name in ("rating", *self.predicting)}
        return self._films(mine["item"].to_numpy(), **columns)

    def _films(self, items: np.ndarray, **columns) -> pd.DataFrame:
        return pd.DataFrame({"item": items, "title": [self.titles[i] for i in items], **columns})
