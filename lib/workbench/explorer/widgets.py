"""The explorer in JupyterLab: search boxes for a user and a film, and tabs that answer for the chosen ones."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Mapping, Sequence

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
        people = [explorer.describe(user) for user in range(explorer.train.n_users)]
        by_ratings = np.argsort(-explorer.train.item_counts, kind="stable")
        self.user_text, self.users = _finder("User", "id, occupation, age", people, range(len(people)))
        self.film_text, self.films = _finder("Film", "words of the title", explorer.titles, by_ratings)
        wide = ipywidgets.Layout(width="22em")
        self.models = ipywidgets.SelectMultiple(
            options=options, value=chosen, rows=8, description="Models", layout=wide
        )
        self.answers = {name: ipywidgets.HTML() for name in TABS}
        above = {"Lists": [self.models]}
        pages = [ipywidgets.VBox([*above.get(name, []), self.answers[name]]) for name in TABS]
        finders = ipywidgets.HBox(
            [ipywidgets.VBox([self.user_text, self.users]), ipywidgets.VBox([self.film_text, self.films])],
            layout=ipywidgets.Layout(flex_flow="row wrap"),
        )
        self.view = ipywidgets.VBox([finders, ipywidgets.Tab(children=pages, titles=TABS)])
        for control in (self.users, self.films, self.models):
            control.observe(self._refresh, names="value")
        self._refresh()

    def _refresh(self, _change=None) -> None:
        user, item = self.users.value, self.films.value
        nobody, nothing = _paragraph("No user is chosen."), _paragraph("No film is chosen.")
        self.answers["The user"].value = nobody if user is None else self._profile(user)
        self.answers["Lists"].value = nobody if user is None else self._lists(user)
        no_reason = nobody if user is None else nothing
        self.answers["Why"].value = no_reason if user is None or item is None else self._why(user, item)
        self.answers["Near films"].value = nothing if item is None else self._near(user, item)

    # -- answers -------------------------------------------------------------------------------------------------
    def _profile(self, user: int) -> str:
        train, test = (self.explorer.ratings_of(user, part) for part in ("train", "test"))
        text = f"{self.explorer.describe(user)}: {len(train)} training ratings"
        text += f" with mean {train['rating'].mean():.2f}" if len(train) else ""
        liked = self.explorer.favourite_genres(user).head(8)
        genres = {"Genre": liked["genre"], "Liked": liked["liked"], "Rated": liked["rated"],
                  "Mean rating": liked["mean"].map("{:.2f}".format)}  # fmt: skip
        found = _paragraph(f"{text}; {len(test)} ratings held out.")
        found += _table(genres, "Genres of the films that the user liked") if len(liked) else ""
        for part, words in ((train, "training"), (test, "held out")):
            best = part.head(15)
            columns = {"Film": best["title"], "Rating": best["rating"].map("{:g}".format)}
            found += _table(columns, f"Best-rated films, {words}")
        return found

    def _lists(self, user: int) -> str:
        if not self.models.value:
            return _paragraph("Choose one or more models.")
        tops = {name: self.explorer.top(user, name) for name in self.models.value}
        if not any(map(len, tops.values())):
            return _paragraph("None of these models made a list for this user.")
        columns = {
            self.explorer.labels[n]: self.explorer.titled(top, ratings=True) for n, top in tops.items()
        }
        held = self.explorer.predictions(user)
        rated = {"Film": held["title"], "Rating": held["rating"].map("{:g}".format)}
        for name in [name for name in self.models.value if name in held]:
            rated[self.explorer.labels[name]] = held[name].map("{:.2f}".format)
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
        return found + _table(
            {"The user's films that are rated most like it": near["title"], "The user's rating": near["rating"].map("{:g}".format),
             "Similarity": near["similarity"].map("{:.2f}".format)}
        )  # fmt: skip

    def _near(self, user: int | None, item: int) -> str:
        explorer, columns = self.explorer, {}
        for space in self.spaces:
            items = space.near(item, self.n_near, self.among)
            marked = explorer.titled(explorer.marked(user, items), ratings=True) if user is not None else None
            columns[space.label] = marked or [explorer.titles[i] for i in items]
        genres = ", ".join(explorer.genres_of(item)) or "no genre known"
        return _paragraph(f"{explorer.titles[item]}: {genres}.") + _table(columns, ranked=True)


def _finder(
    description: str, placeholder: str, texts: Sequence[str], order: Sequence[int]
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


def _table(columns: Mapping[str, Sequence], caption: str = "", *, ranked: bool = False) -> str:
    """Set columns as HTML, every text of the data escaped; where one is shorter than others stands a dash."""
    frame = pd.DataFrame({name: pd.Series(list(of), dtype=object) for name, of in columns.items()})
    if ranked:
        frame.insert(0, "Rank", np.arange(1, len(frame) + 1))
    with pd.option_context("display.max_colwidth", None):
        text = frame.to_html(index=False, border=0, justify="left", na_rep="–")
    above = f"<p>{html.escape(caption)}</p>" if caption else ""
    return f"{above}<div style='overflow-x:auto'>{text}</div>"
