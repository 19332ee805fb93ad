"""The report's explorer: the answers for a sample of users and films, as data that the page's script only shows.

A report is passed on, and the data's licence forbids to pass on ratings. So its users have letters instead of ids, and
what they rated is told as liked or not.
"""

from collections.abc import Callable, Sequence
from string import ascii_uppercase

import numpy as np
import pandas as pd

from lib.metrics.rating import rmse
from lib.report.display import EXPLORER_MIME
from lib.workbench.explorer.data import FAVOURITES, MARKS, Explorer
from lib.workbench.explorer.films import FilmSpace

MOST_HELD_OUT = 15  # held-out ratings of a user that are shown, the first in the order of film codes


def sample_users(explorer: Explorer, n: int, *, least: int, most: int, seed: int) -> np.ndarray:
    """Draw n users who have lists, and from `least` to `most` held-out ratings, as `_drawn` does."""
    counts = explorer.test.user_counts[explorer.listed_users]
    fitting = explorer.listed_users[(counts >= least) & (counts <= most)]
    return _drawn(fitting, n, seed, f"user has {least} to {most} held-out ratings and a list")


def sample_films(explorer: Explorer, n: int, *, least: int, seed: int) -> np.ndarray:
    """Draw n films with at least `least` training ratings, as `_drawn` does."""
    fitting = np.flatnonzero(explorer.train.item_counts >= least)
    return _drawn(fitting, n, seed, f"film has {least} training ratings")


def _drawn(codes: np.ndarray, n: int, seed: int, wanted: str) -> np.ndarray:
    """Draw n codes by chance, so that nobody picked the flattering ones; ascending, and all where these are fewer."""
    if not len(codes):
        raise ValueError(f"no {wanted}; lower the least number")
    return np.sort(np.random.default_rng(seed).choice(codes, min(n, len(codes)), replace=False))


def lettered(place: int) -> str:
    """Name the user at a place of the sample: user A, user B, ..., user Z."""
    return f"user {ascii_uppercase[place]}"


def opinions(explorer: Explorer, films: pd.DataFrame) -> list[str]:
    """Say a user's ratings of films without their stars."""
    return ["liked" if rating >= explorer.threshold else "not liked" for rating in films["rating"]]


def reason_table(explorer: Explorer, user: int, n: int) -> pd.DataFrame:
    """Tell what speaks for the n films that most models recommend to a user.

    A row has the film with its mark, how many models list it, and the user's own films that are rated most like it,
    liked or not.
    """
    rows = []
    for item in explorer.recommended(user)[:n]:
        near, genres = explorer.why(user, item)
        said = zip(near["title"], opinions(explorer, near), strict=True)
        (film,) = explorer.titled(explorer.marked(user, [item]))
        nearest = "; ".join(f"{title} ({opinion})" for title, opinion in said)
        rows.append((film, len(explorer.listed_by(user, item)), nearest or "none", ", ".join(genres) or "none"))
    return pd.DataFrame(rows, columns=["film", "models", "nearest", "shared_favourite_genres"])


def payload(
    explorer: Explorer,
    spaces: Sequence[FilmSpace],
    users: Sequence[int],
    films: Sequence[int],
    shown: Sequence[str],
    n_near: int,
) -> dict:
    """Gather what the page shows of the sample of users and films (codes), as plain numbers and texts.

    Models that are `shown` are open at first, the first two compared; `n_near` films are named near a film. In the data
    films are numbers into ``films``, models into ``models``.
    """
    # Films in the order in which they are met: each title stands in the data once.
    numbers: dict[int, int] = {}

    def number(item: int) -> int:
        return numbers.setdefault(int(item), len(numbers))

    names = list(explorer.labels)
    people = [_user(explorer, names, int(user), lettered(place), number) for place, user in enumerate(users)]
    near = [
        {
            "film": number(film),
            "genres": explorer.genres_of(film),
            "ratings": int(explorer.train.item_counts[film]),
            "near": [list(map(number, space.near(film, n_near))) for space in spaces],
        }
        for film in map(int, films)
    ]
    return {
        "models": [explorer.labels[name] for name in names],
        "shown": [names.index(name) for name in shown],
        "marks": MARKS,
        "users": people,
        "near": near,
        "spaces": [space.label for space in spaces],
        "films": [explorer.titles[item] for item in numbers],
    }


def _user(explorer: Explorer, names: list[str], user: int, called: str, number: Callable[[int], int]) -> dict:
    def said(films: pd.DataFrame) -> list[list]:
        return [[number(item), words] for item, words in zip(films["item"], opinions(explorer, films), strict=True)]

    def listed(name: str) -> list[int]:
        return [number(item) for item in explorer.top(user, name)["item"]] if name in explorer.models else []

    lists = list(map(listed, names))
    marks, reasons = {}, {}
    marked = explorer.marked(user, explorer.recommended(user))
    for item, mark in zip(marked["item"], marked["mark"], strict=True):
        near, genres = explorer.why(user, item)
        place = number(item)
        reasons[place] = [said(near), genres]
        if mark != "new":
            marks[place] = mark
    # Not by rating: the order would tell it.
    held = explorer.predictions(user).sort_values("item", kind="stable")
    shown, train = held.head(MOST_HELD_OUT), explorer.ratings_of(user, explorer.train)
    predicting = [name if name in held and len(held) else "" for name in names]
    return {
        "name": explorer.describe(user, called),
        "genres": list(explorer.favourite_genres(user)["genre"][:FAVOURITES]),
        "n_train": len(train),
        "n_test": len(held),
        "best": [number(item) for item in train["item"][:5]],
        "lists": lists,
        "marks": marks,
        "why": reasons,
        "held": said(shown),
        "predicted": [shown[name].astype(float).round(1).tolist() if name else [] for name in predicting],
        "rmse": [round(rmse(*held[["rating", name]].to_numpy().T), 2) if name else None for name in predicting],
    }


def show(data: dict) -> None:
    """Hand a `payload` to the report; in JupyterLab one line says so."""
    from IPython.display import display

    sizes = f"{len(data['users'])} users, {len(data['near'])} films"
    text = f"[explorer: {sizes}; its controls are in the report's page]"
    display({EXPLORER_MIME: data, "text/plain": text}, raw=True)
