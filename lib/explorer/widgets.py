"""The explorer in JupyterLab: search boxes for a user and a film, and tabs that answer for the chosen ones."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets
import numpy as np
import pandas as pd

from lib.explorer.data import Explorer
from lib.explorer.films import FilmSpace
from lib.explorer.markup import escaped, film, paragraph, table
from lib.explorer.reasons import compare, why
from lib.explorer.search import Search, film_search, user_search

TABS = ("The user", "Lists", "Why", "Two models", "Near films")
FOUND = 30
"""Results that a search shows."""


class Workbench:
    """Controls and answers; ``workbench.view`` is what a notebook shows.

    Parameters
    ----------
    explorer : Explorer
    spaces : sequence of FilmSpace
    shown : sequence of str
        Models chosen at first; those without lists are skipped.
    n_near : int
        Films named near a film.
    least_ratings : int
        Films with fewer training ratings are nobody's neighbours.
    """

    def __init__(
        self, explorer: Explorer, spaces: Sequence[FilmSpace], *, shown: Sequence[str] = (), n_near: int = 10,
        least_ratings: int = 20,
    ):  # fmt: skip
        self.explorer, self.spaces, self.n_near = explorer, list(spaces), n_near
        self.among = explorer.train.item_counts >= least_ratings
        chosen = [name for name in shown if name in explorer.models] or explorer.models[:4]
        options = [(explorer.labels[name], name) for name in explorer.models]
        comparable = [(explorer.labels[name], name) for name in (*explorer.models, *_extra(explorer))]
        self.user_text, self.users = _finder("User", "id, occupation, age", user_search(explorer))
        self.film_text, self.films = _finder("Film", "words of the title", film_search(explorer))
        wide = ipywidgets.Layout(width="22em")
        self.models = ipywidgets.SelectMultiple(
            options=options, value=chosen, rows=8, description="Models", layout=wide
        )
        self.first = ipywidgets.Dropdown(
            options=comparable, value=chosen[0], description="First", layout=wide
        )
        self.second = ipywidgets.Dropdown(
            options=comparable, value=chosen[-1], description="Second", layout=wide
        )
        self.answers = {name: ipywidgets.HTML() for name in TABS}
        pages = [
            self.answers["The user"],
            ipywidgets.VBox([self.models, self.answers["Lists"]]),
            self.answers["Why"],
            ipywidgets.VBox([ipywidgets.HBox([self.first, self.second]), self.answers["Two models"]]),
            self.answers["Near films"],
        ]
        self.tabs = ipywidgets.Tab(children=pages, titles=TABS)
        finders = ipywidgets.HBox(
            [ipywidgets.VBox([self.user_text, self.users]), ipywidgets.VBox([self.film_text, self.films])],
            layout=ipywidgets.Layout(flex_flow="row wrap"),
        )
        self.view = ipywidgets.VBox([finders, self.tabs])
        for control in (self.users, self.films, self.models, self.first, self.second):
            control.observe(self._refresh, names="value")
        self._refresh()

    def _refresh(self, _change=None) -> None:
        user, item = self.users.value, self.films.value
        nobody, nothing = paragraph("No user is chosen."), paragraph("No film is chosen.")
        self.answers["The user"].value = nobody if user is None else self._profile(user)
        self.answers["Lists"].value = nobody if user is None else self._lists(user)
        self.answers["Two models"].value = nobody if user is None else self._comparison(user)
        self.answers["Why"].value = (
            nobody if user is None else nothing if item is None else self._why(user, item)
        )
        self.answers["Near films"].value = nothing if item is None else self._near(user, item)

    # -- answers -------------------------------------------------------------------------------------------------
    def _profile(self, user: int) -> str:
        train, test = (self.explorer.ratings_of(user, part) for part in ("train", "test"))
        text = f"{self.explorer.describe(user)}: {len(train)} training ratings"
        text += f" with mean {train['rating'].mean():.2f}" if len(train) else ""
        genres = self.explorer.favourite_genres(user)
        liked = table(
            ("Genre", "Liked", "Rated", "Mean rating"),
            [
                (escaped(r.genre), f"{r.liked}", f"{r.rated}", f"{r.mean:.2f}")
                for r in genres.head(8).itertuples()
            ],
            "Genres of the films that the user liked",
        )
        return paragraph(f"{text}; {len(test)} ratings held out.") + (liked if len(genres) else "") + "".join(
            table(("Film", "Rating"), [(escaped(r.title), f"{r.rating:g}") for r in part.head(15).itertuples()], caption)
            for part, caption in ((train, "Best-rated films, training"), (test, "Best-rated films, held out"))
        )  # fmt: skip

    def _lists(self, user: int) -> str:
        if not self.models.value:
            return paragraph("Choose one or more models.")
        tops = [self.explorer.top(user, name) for name in self.models.value]
        if not any(map(len, tops)):
            return paragraph("None of these models made a list for this user.")
        cells = [{r.rank: film(r.title, r.mark, r.rating) for r in top.itertuples()} for top in tops]
        rows = [(str(k), *(of.get(k, "–") for of in cells)) for k in range(1, self.explorer.k + 1)]
        return table(("Rank", *(self.explorer.labels[name] for name in self.models.value)), rows)

    def _why(self, user: int, item: int) -> str:
        explorer, found = self.explorer, why(self.explorer, user, item, 5)
        row = explorer.marked(user, [item]).iloc[0]
        by = [explorer.labels[name] for name in explorer.listed_by(user, item)]
        listed = f"In the list of {', '.join(by)}." if by else "In no model's list for this user."
        shared = f"Genres shared with the user's favourites: {', '.join(found.genres) or 'none'}."
        near = table(
            ("The user's films that are rated most like it", "The user's rating", "Similarity"),
            [
                (escaped(r.title), f"{r.rating:g}", f"{r.similarity:.2f}")
                for r in found.neighbours.itertuples()
            ],
        )
        none = paragraph("No film of the user's is rated like it.")
        head = f"<p><b>{film(row.title, row.mark, row.rating)}</b></p>"
        return head + paragraph(listed) + paragraph(shared) + (near if len(found.neighbours) else none)

    def _comparison(self, user: int) -> str:
        a, b = self.first.value, self.second.value
        found, labels = compare(self.explorer, user, a, b), [self.explorer.labels[name] for name in (a, b)]
        text = f"{len(found.common)} films in both lists, {len(found.only_a)} only in the first, {len(found.only_b)} only in the second. "
        if np.isfinite(found.rank_correlation):
            text += f"Rank correlation of the common films: {found.rank_correlation:.2f}. "
        for name, error in zip(labels, (found.rmse_a, found.rmse_b), strict=True):
            text += (
                f"RMSE on the held-out ratings, {name}: {error:.3f}. "
                if np.isfinite(error)
                else f"{name} predicts no ratings. "
            )
        lists = [
            (
                film(r.title, r.mark, r.rating),
                *("–" if pd.isna(rank) else str(rank) for rank in (r.rank_a, r.rank_b)),
            )
            for r in found.films.itertuples()
        ]
        held = [
            (escaped(r.title), f"{r.rating:g}", *("–" if np.isnan(v) else f"{v:.2f}" for v in (r.a, r.b)))
            for r in found.held_out.itertuples()
        ]
        return (
            paragraph(text)
            + table(("Film", *labels), lists, "Ranks")
            + table(("Film", "Rating", *labels), held, "Held-out ratings and predictions")
        )

    def _near(self, user: int | None, item: int) -> str:
        columns = []
        for space in self.spaces:
            items, _ = space.near(item, self.n_near, self.among)
            if user is None:
                columns.append([escaped(self.explorer.titles[i]) for i in items])
            else:
                columns.append(
                    [film(r.title, r.mark, r.rating) for r in self.explorer.marked(user, items).itertuples()]
                )
        depth = max(map(len, columns), default=0)
        rows = [(str(k + 1), *(c[k] if k < len(c) else "–" for c in columns)) for k in range(depth)]
        genres = ", ".join(self.explorer.genres_of(item)) or "no genre known"
        return paragraph(f"{self.explorer.titles[item]}: {genres}.") + table(
            ("", *(s.label for s in self.spaces)), rows
        )


def _extra(explorer: Explorer) -> list[str]:
    """Models that predict ratings and have no lists."""
    return [name for name in explorer.predicting if name not in explorer.models]


def _finder(description: str, placeholder: str, index: Search) -> tuple[ipywidgets.Text, ipywidgets.Select]:
    """Make a search box and the list of what it finds; typing keeps the choice while it is still found."""
    text = ipywidgets.Text(description=description, placeholder=placeholder)
    results = ipywidgets.Select(
        rows=8, description="Found", layout=ipywidgets.Layout(width="32em", max_width="100%")
    )

    def find(_change=None) -> None:
        places = index.find(text.value, FOUND)
        kept = results.value
        # Of options that are called the same, a widget keeps both, as values differ.
        results.options = [(index.texts[place], place) for place in places]
        results.value = kept if kept in places else places[0] if places else None

    text.observe(find, names="value")
    find()
    return text, results
