"""The report's explorer: the answers for a sample of users and films, as data that the page's script only shows.

A report is passed on, and the data's licence forbids to pass on ratings. So its users have letters instead of ids, and
what they rated is told as liked or not; JupyterLab, where the data lies anyway, shows all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lib.explorer.data import FAVOURITES, MARKS, Explorer
from lib.explorer.films import FilmSpace
from lib.explorer.reasons import why

EXPLORER_MIME = "application/vnd.filling-the-matrix.explorer+json"
"""What `show` publishes; the report turns it into controls, and leaves it out where there are no scripts."""


def lettered(place: int) -> str:
    """Name the user at a place of the sample: user A, user B, ..., user Z, user AA, ..."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return f"user {letters}"


def opinion(rating: float, threshold: float) -> str:
    """Say a rating without its stars."""
    return "liked" if rating >= threshold else "not liked"


class _Films:
    """Numbers films in the order in which they are met, so that each title stands in the data once."""

    def __init__(self, explorer: Explorer):
        self._explorer, self._numbers = explorer, {}

    def __call__(self, item: int) -> int:
        return self._numbers.setdefault(int(item), len(self._numbers))

    @property
    def titles(self) -> list[str]:
        return [self._explorer.titles[item] for item in self._numbers]


def payload(
    explorer: Explorer, spaces: Sequence[FilmSpace], users: Sequence[int], films: Sequence[int], *,
    shown: Sequence[str] = (), n_near: int = 8, n_reasons: int = 3, least_ratings: int = 20, most_held_out: int = 15,
) -> dict:  # fmt: skip
    """Gather what the page shows, as plain numbers and texts.

    Parameters
    ----------
    explorer : Explorer
    spaces : sequence of FilmSpace
    users, films : sequences of int
        Codes of the sample.
    shown : sequence of str
        Models whose lists are open at first; the first two are compared first. Those that have no lists are skipped.
    n_near : int
        Films named near a film; only ones with `least_ratings` training ratings.
    n_reasons : int
        Of the user's films, named beside a recommended one.
    most_held_out : int
        Held-out ratings of a user with every model's prediction; the first so many in the order of film codes.

    Returns
    -------
    dict
        Films are numbers into ``films``, models into ``models``.
    """
    number = _Films(explorer)
    names = list(dict.fromkeys([*explorer.models, *explorer.predicting]))
    at_first = [names.index(name) for name in shown if name in explorer.models]
    among = explorer.train.item_counts >= least_ratings
    people = [_user(explorer, names, int(user), lettered(place), number, n_reasons, most_held_out) for place, user in enumerate(users)]  # fmt: skip
    near = [
        {
            "film": number(film),
            "genres": explorer.genres_of(int(film)),
            "ratings": int(explorer.train.item_counts[film]),
            "near": [[number(item) for item in space.near(int(film), n_near, among)[0]] for space in spaces],
        }
        for film in films
    ]
    return {
        "models": [explorer.labels[name] for name in names],
        "shown": at_first or list(range(min(4, len(names)))),
        "marks": MARKS,
        "users": people,
        "near": near,
        "spaces": [space.label for space in spaces],
        "films": number.titles,
    }


def _user(
    explorer: Explorer, names: list[str], user: int, called: str, number: _Films, n_reasons: int, most: int
) -> dict:  # fmt: skip
    def said(ratings) -> list[str]:
        return [opinion(rating, explorer.threshold) for rating in ratings]

    lists, marks, reasons = [], {}, {}
    for name in names:
        top = explorer.top(user, name) if name in explorer.models else None
        lists.append([number(item) for item in top["item"]] if top is not None else [])
    for row in explorer.marked(user, explorer.recommended(user)).itertuples():
        found = why(explorer, user, row.item, n_reasons)
        place = number(row.item)
        near = [
            [number(i), words]
            for i, words in zip(found.neighbours["item"], said(found.neighbours["rating"]), strict=True)
        ]
        reasons[place] = [near, found.genres]
        if row.mark != "new":
            marks[place] = row.mark
    held = explorer.predictions(user).sort_values(
        "item", kind="stable"
    )  # not by rating: the order would tell it
    shown = held.head(most)
    train = explorer.ratings_of(user, "train")
    return {
        "name": explorer.describe(user, called),
        "genres": list(explorer.favourite_genres(user)["genre"][:FAVOURITES]),
        "n_train": len(train),
        "n_test": len(held),
        "best": [number(item) for item in train["item"][:5]],
        "lists": lists,
        "marks": marks,
        "why": reasons,
        "held": [[number(i), words] for i, words in zip(shown["item"], said(shown["rating"]), strict=True)],
        "predicted": [np.round(shown[m].to_numpy(float), 1).tolist() if m in shown else [] for m in names],
        "rmse": [
            round(float(np.sqrt(np.mean((held[m] - held["rating"]) ** 2))), 2)
            if m in held and len(held)
            else None
            for m in names
        ],
    }


def show(data: dict) -> None:
    """Hand a `payload` to the report; in JupyterLab one line says where to look instead."""
    from IPython.display import display

    text = f"[explorer: {len(data['users'])} users, {len(data['near'])} films; see the controls at the end of the notebook]"
    display({EXPLORER_MIME: data, "text/plain": text}, raw=True)
