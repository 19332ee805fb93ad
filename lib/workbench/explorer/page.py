"""The report's explorer: the answers for a sample of users and films, as data that the page's script only shows.

A report is passed on, and the data's licence forbids to pass on ratings. So its users have letters instead of ids, and
what they rated is told as liked or not.
"""

from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any

import numpy as np
import pandas as pd

from lib.metrics.rating import rmse
from lib.report.display import EXPLORER_MIME
from lib.workbench.explorer.data import FAVOURITES, MARKS, Explorer
from lib.workbench.explorer.fold_in import packed

MOST_HELD_OUT = 15  # held-out ratings of a user that are shown, the first in the order of film codes


def sample(counts: np.ndarray, n: int, among=slice(None), *, least: int, most: float = np.inf, seed: int) -> np.ndarray:
    """Draw n codes with `least` to `most` ratings by chance, so that nobody picked the flattering ones; rising."""
    codes = np.arange(len(counts))[among]
    codes = codes[(counts[codes] >= least) & (counts[codes] <= most)]
    if not len(codes):
        raise ValueError(f"none with a list has {least} to {most:g} ratings; lower the least number")
    return np.sort(np.random.default_rng(seed).choice(codes, min(n, len(codes)), replace=False))


def payload(
    explorer: Explorer, near: Mapping, users: np.ndarray, films: np.ndarray, shown: Sequence[str], why: pd.DataFrame
) -> dict[str, Any]:
    """Gather what the page shows of the sample of users and films (codes), as plain numbers and texts.

    Models that are `shown` are open at first, the first two compared. `near` has by a space's label the films near each
    film, `why` by user and film a two-tower's base and what each of its inputs adds. In the data films are numbers into
    ``films``, models into ``models``.
    """
    # Films in the order in which they are met: each title stands in the data once.
    numbers: dict[int, int] = {}
    names, inputs = list(explorer.labels), dict(zip(why.index, why.to_numpy().round(2).tolist(), strict=True))

    def number(item: int) -> int:
        return numbers.setdefault(int(item), len(numbers))

    def said(films: pd.DataFrame) -> list[list[int]]:
        return [
            [number(item), int(stars >= explorer.threshold)] for item, stars in films[["item", "rating"]].to_numpy()
        ]

    def person(user: int, called: str) -> dict[str, Any]:
        lists = [
            [number(i) for i in explorer.top(user, one)["item"]] if one in explorer.models else [] for one in names
        ]
        favourites, marks, reasons = list(explorer.favourite_genres(user)["genre"][:FAVOURITES]), {}, {}
        for item, _, mark, _ in explorer.marked(user, explorer.recommended(user).index).itertuples(index=False):
            shared = [genre for genre in favourites if genre in explorer.genres[item]]
            reasons[number(item)] = [said(explorer.like(user, item)), shared, inputs.get((user, item), [])]
            if mark != "new":
                marks[number(item)] = mark
        held, train = explorer.predictions(user), explorer.ratings_of(user)
        shown = held.head(MOST_HELD_OUT)
        predicting = [name if name in held and len(held) else "" for name in names]
        return {
            "name": explorer.describe(user, called),
            "genres": favourites,
            "n_train": len(train),
            "n_test": len(held),
            "n_liked": int((held["rating"] >= explorer.threshold).sum()),
            "best": [number(item) for item in train["item"][:5]],
            "lists": lists,
            "marks": marks,
            "why": reasons,
            "held": said(shown),
            "predicted": [shown[name].round(1).tolist() if name else [] for name in predicting],
            "rmse": [round(rmse(*held[["rating", name]].to_numpy().T), 2) if name else None for name in predicting],
        }

    people = [person(int(user), f"user {letter}") for user, letter in zip(users, ascii_uppercase, strict=False)]
    rows = [
        {
            "film": number(film),
            "genres": explorer.genres[film],
            "ratings": int(explorer.train.item_counts[film]),
            "near": [[number(item) for item in of[place] if item >= 0] for of in near.values()],
        }
        for place, film in enumerate(films)
    ]
    return {
        "models": [explorer.labels[name] for name in names],
        "shown": [names.index(name) for name in shown],
        "marks": MARKS,
        "inputs": list(why.columns[1:]),
        "users": people,
        "near": rows,
        "spaces": list(near),
        "films": [explorer.titles[item] for item in numbers],
    }


def rateable(explorer: Explorer, films: np.ndarray, found: Mapping[str, Mapping], example: Mapping) -> dict[str, Any]:
    """Gather the `films` (codes) that can be rated, of models `found` their `parts`, an `example` of stars by place."""
    if not found:
        raise ValueError("no model that the one table has makes a list for a reader; name others in foldable")
    return {
        "rateable": [explorer.titles[film] for film in films],
        "values": np.unique(explorer.train.ratings).tolist(),
        "example": [[int(place), float(stars)] for place, stars in example.items()],
        "length": explorer.k,
        "folded": [{"model": explorer.labels[name], **packed(one)} for name, one in found.items()],
    }


def show(data: dict) -> None:
    """Hand data to the report; in JupyterLab one line says so."""
    from IPython.display import display

    display({EXPLORER_MIME: data, "text/plain": "[explorer: its controls are in the report's page]"}, raw=True)
