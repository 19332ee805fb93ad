"""The explorer in JupyterLab: search boxes for a user and a film, and tabs that answer for the chosen ones."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

import ipywidgets
import numpy as np
import pandas as pd

from lib.workbench.explorer.data import Explorer
from lib.workbench.explorer.films import FilmSpace

TABS = ("The user", "Lists", "Why", "Near films")
FOUND = 30
"""Results that a search shows."""


class Workbench:
    """Controls and answers; ``workbench.view`` is what a notebook shows.

    `shown` are the models chosen at first; `n_near` films are named near a film.
    """

    def __init__(self, explorer: Explorer, spaces: Sequence[FilmSpace], shown: Sequence[str], n_near: int):
        self.explorer, self.spaces, self.n_near = explorer, list(spaces), n_near
        people = [explorer.describe(user) for user in range(explorer.train.n_users)]
        by_ratings = np.argsort(-explorer.train.item_counts, kind="stable")
        self.user_text, self.users = _finder("User", "id, occupation, age", people, range(len(people)))
        self.film_text, self.films = _finder("Film", "words of the title", explorer.titles, by_ratings)
        options = [(explorer.labels[name], name) for name in explorer.models]
        wide = ipywidgets.Layout(width="22em")
        self.models = ipywidgets.SelectMultiple(
            options=options, value=shown, rows=8, description="Models", layout=wide
        )
        self.answers = {name: ipywidgets.HTML() for name in TABS}
        pages = [
            ipywidgets.VBox([self.models, one] if n == "Lists" else [one]) for n, one in self.answers.items()
        ]
        finders = ((self.user_text, self.users), (self.film_text, self.films))
        top = ipywidgets.HBox([ipywidgets.VBox(one) for one in finders])
        self.view = ipywidgets.VBox([top, ipywidgets.Tab(children=pages, titles=TABS)])
        for control in (self.users, self.films, self.models):
            control.observe(self._refresh, names="value")
        self._refresh()

    def _refresh(self, _change=None) -> None:
        user, item = self.users.value, self.films.value
        nobody = "" if user is not None else _paragraph("No user is chosen.")
        nothing = "" if item is not None else _paragraph("No film is chosen.")
        self.answers["The user"].value = nobody or self._profile(user)
        self.answers["Lists"].value = nobody or self._lists(user)
        self.answers["Why"].value = nobody or nothing or self._why(user, item)
        self.answers["Near films"].value = nothing or self._near(user, item)

    # -- answers -------------------------------------------------------------------------------------------------
    def _profile(self, user: int) -> str:
        explorer = self.explorer
        train, test = explorer.ratings_of(user, explorer.train), explorer.ratings_of(user, explorer.test)
        mean = f" with mean {train['rating'].mean():.2f}" if len(train) else ""
        text = (
            f"{explorer.describe(user)}: {len(train)} training ratings{mean}; {len(test)} ratings held out."
        )
        liked = explorer.favourite_genres(user).head(8)
        genres = {"Genre": liked["genre"], "Liked": liked["liked"], "Rated": liked["rated"]}
        genres |= {"Mean rating": liked["mean"].map("{:.2f}".format)}
        found = _paragraph(text) + _table(genres, "Genres of the films that the user liked")
        best = train.head(15)
        columns: dict[str, Iterable] = {"Film": best["title"], "Rating": _numbers(best["rating"], "g")}
        return found + _table(columns, "Best-rated films, training")

    def _lists(self, user: int) -> str:
        if not self.models.value:
            return _paragraph("Choose one or more models.")
        tops = {name: self.explorer.top(user, name) for name in self.models.value}
        if not any(map(len, tops.values())):
            return _paragraph("None of these models made a list for this user.")
        labels, held = self.explorer.labels, self.explorer.predictions(user)
        columns = {labels[name]: self.explorer.titled(top, ratings=True) for name, top in tops.items()}
        rated: dict[str, Iterable] = {"Film": held["title"], "Rating": _numbers(held["rating"], "g")}
        rated |= {labels[name]: _numbers(held[name]) for name in tops if name in held}
        return _table(columns, ranked=True) + _table(rated, "Held-out ratings and predictions")

    def _why(self, user: int, item: int) -> str:
        explorer = self.explorer
        near, genres = explorer.why(user, item, 5)
        by = [explorer.labels[name] for name in explorer.listed_by(user, item)]
        (title,) = explorer.titled(explorer.marked(user, [item]), ratings=True)
        found = f"<p><b>{html.escape(title)}</b></p>"
        found += _paragraph(f"In the list of {', '.join(by)}." if by else "In no model's list for this user.")
        found += _paragraph(f"Genres shared with the user's favourites: {', '.join(genres) or 'none'}.")
        if near.empty:
            return found + _paragraph("No film of the user's is rated like it.")
        columns: dict[str, Iterable] = {"The user's films that are rated most like it": near["title"]}
        columns["The user's rating"] = _numbers(near["rating"], "g")
        return found + _table({**columns, "Similarity": _numbers(near["similarity"])})

    def _near(self, user: int | None, item: int) -> str:
        explorer, columns = self.explorer, {}
        for space in self.spaces:
            items = space.near(item, self.n_near)
            marked = explorer.titled(explorer.marked(user, items), ratings=True) if user is not None else None
            columns[space.label] = marked or [explorer.titles[i] for i in items]
        genres = ", ".join(explorer.genres_of(item)) or "no genre known"
        return _paragraph(f"{explorer.titles[item]}: {genres}.") + _table(columns, ranked=True)


def _finder(
    description: str, placeholder: str, texts: Sequence[str], order: Iterable[int]
) -> tuple[ipywidgets.Text, ipywidgets.Select]:
    """Make a search box and the list of what it finds; typing keeps the choice while it is still found.

    A text is found that holds every word typed, whatever case and accents; the first ones in `order` are shown.
    """
    text = ipywidgets.Text(description=description, placeholder=placeholder)
    wide = ipywidgets.Layout(width="32em", max_width="100%")
    results = ipywidgets.Select(rows=8, description="Found", layout=wide)
    searched = [_folded(one) for one in texts]

    def find(_change=None) -> None:
        asked = _folded(text.value).split()
        places = [int(p) for p in order if all(word in searched[p] for word in asked)][:FOUND]
        kept = results.value
        # Of options that are called the same, a widget keeps both, as values differ.
        results.options = [(texts[place], place) for place in places]
        results.value = kept if kept in places else places[0] if places else None

    text.observe(find, names="value")
    find()
    return text, results


def _folded(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in letters if not unicodedata.combining(c))


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"


def _numbers(column: pd.Series, form: str = ".2f") -> list[str]:
    return [format(value, form) for value in column]


def _table(columns: Mapping[str, Iterable], caption: str = "", *, ranked: bool = False) -> str:
    """Set columns as HTML, every text of the data escaped; where one is shorter than others stands a dash."""
    frame = pd.DataFrame({name: pd.Series(list(of), dtype=object) for name, of in columns.items()})
    if ranked:
        frame.insert(0, "Rank", np.arange(1, len(frame) + 1))
    with pd.option_context("display.max_colwidth", None):
        text = frame.to_html(index=False, border=0, justify="left", na_rep="–")
    above = _paragraph(caption) if caption else ""
    return f"{above}<div style='overflow-x:auto'>{text}</div>"
