"""Finding users and films by typing: by the beginnings of words, whatever their case and accents."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np

from lib.explorer.data import Explorer


class Search:
    """An index of short texts.

    Parameters
    ----------
    texts : sequence of str
    weights : sequence of float, optional
        Of texts that fit a query equally well, the heavier comes first.
    """

    def __init__(self, texts: Sequence[str], weights: Sequence[float] | None = None):
        self.texts = list(texts)
        self._words = [folded(text) for text in self.texts]
        self._weights = np.zeros(len(self.texts)) if weights is None else np.asarray(weights, float)

    def find(self, query: str, n: int = 20) -> list[int]:
        """Return the places of the texts that have every word of the query, best first.

        A text fits a word that one of its own words is, begins with, or at least holds, in this order. An empty query
        finds the heaviest texts.
        """
        asked = folded(query)
        scores = np.array([_score(words, asked) for words in self._words], dtype=float)
        fitting = np.flatnonzero(scores > 0) if asked else np.arange(len(self.texts))
        order = np.lexsort((fitting, -self._weights[fitting], -scores[fitting]))
        return fitting[order][:n].tolist()


def folded(text: str) -> list[str]:
    """Cut a text into words in lower case without accents; letters of every script count."""
    letters = unicodedata.normalize("NFKD", str(text).casefold())
    return "".join(c if c.isalnum() else " " for c in letters if not unicodedata.combining(c)).split()


def _score(words: list[str], asked: list[str]) -> float:
    """Add up how well each asked word fits; zero if one does not fit at all."""
    total = 0.0
    for one in asked:
        worth = max(
            (3 if w == one else 2 if w.startswith(one) else 1 if one in w else 0 for w in words), default=0
        )
        if not worth:
            return 0.0
        total += worth
    return total


def film_search(explorer: Explorer) -> Search:
    """Index films by title and year; places are codes, and films with more training ratings come first."""
    return Search(explorer.titles, explorer.train.item_counts)


def user_search(explorer: Explorer) -> Search:
    """Index users by id and what the data tells of them; places are codes, and lower codes come first."""
    users = range(explorer.train.n_users)
    return Search([explorer.describe(user) for user in users], [-user for user in users])
