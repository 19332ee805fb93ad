"""What models would show a user: one list with titles, or the lists of several models beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lib.interactions import Interactions
from lib.metrics.lists import TopK, recommend, top_k

HIT = " *"
"""Stands in `side_by_side` behind a film that the user rated in test."""


def recommend_for_user(
    model,
    train: Interactions,
    user_id,
    n: int = 10,
    *,
    test: Interactions | None = None,
    threshold: float | None = None,
) -> pd.DataFrame:
    """List the n films that a model puts first among those that a user has not rated in train.

    A user of whom nothing is known, whose id is not in the data or who has no rating in train, gets the films with most
    training ratings instead, and the table says so: ``attrs["fallback"]`` is then the reason, otherwise None.

    Parameters
    ----------
    model : Recommender
        Fitted on `train`.
    train : Interactions
        Its item table, where there is one, gives the titles.
    user_id
        Raw id.
    n : int
        Length of the list.
    test : Interactions, optional
        Held-out ratings over the same id maps, to be shown beside the films.
    threshold : float, optional
        Least test rating that is a hit; every test rating is one by default.

    Returns
    -------
    DataFrame
        A row a film, best first: ``rank`` (from 1), ``item`` (raw id), ``title`` (`titles_of`), ``score`` (the model's,
        unclipped; for the fallback the number of training ratings). With `test` also ``test_rating``, NaN for a film
        that the user did not rate there, and ``hit``.

    Raises
    ------
    ValueError
        n is below 1 or above the number of films that the user has not rated in train, or `test` has other id maps.
    """
    _check_maps(train, test)
    code, reason = _known(train, user_id)
    _check_n(train, user_id, code, n)
    top = most_popular(train, n) if reason else recommend(model, train, n, users=np.array([code]))
    items = top.items[0]
    frame = pd.DataFrame(
        {
            "rank": np.arange(1, n + 1),
            "item": train.item_ids[items],
            "title": titles_of(train, items),
            "score": top.scores[0],
        }
    )
    if test is not None:
        frame["test_rating"] = _ratings_of(test, code, items)
        frame["hit"] = (frame["test_rating"] >= (-np.inf if threshold is None else threshold)).to_numpy()
    frame.attrs["fallback"] = reason
    return frame


def side_by_side(
    models: Mapping[str, object],
    train: Interactions,
    user_id,
    n: int = 10,
    *,
    test: Interactions | None = None,
    threshold: float | None = None,
) -> pd.DataFrame:
    """Put the lists of several models for one user beside each other.

    Parameters
    ----------
    models : mapping of str to Recommender
        Fitted on `train`, by the name of their column.
    train, user_id, n, test, threshold
        As in `recommend_for_user`.

    Returns
    -------
    DataFrame
        Titles, a row a rank (from 1) and a column a model; `HIT` stands behind a hit. Of a user of whom nothing is
        known every column holds the most popular films, and ``attrs["fallback"]`` is the reason, otherwise None.

    Raises
    ------
    ValueError
        There are no models, or as `recommend_for_user`.
    """
    if not models:
        raise ValueError("there are no models to put side by side")
    columns, reason = {}, None
    for name, model in models.items():
        found = recommend_for_user(model, train, user_id, n, test=test, threshold=threshold)
        hits = found["hit"] if test is not None else np.zeros(n, bool)
        columns[name] = [title + HIT * bool(hit) for title, hit in zip(found["title"], hits, strict=True)]
        reason = found.attrs["fallback"]
    frame = pd.DataFrame(columns, index=pd.RangeIndex(1, n + 1, name="rank"))
    frame.attrs["fallback"] = reason
    return frame


def titles_of(interactions: Interactions, items: Sequence[int] | np.ndarray) -> list[str]:
    """Return what readers see for films: title and year, as far as the item table has them, else the raw id.

    Titles come as they are in the data; whoever puts them into HTML escapes them there.

    Parameters
    ----------
    interactions : Interactions
    items : int array
        Codes inside the id map.
    """
    items = np.asarray(items)
    table = interactions.item_table
    if table is None or "title" not in table:
        return [str(raw) for raw in interactions.item_ids[items]]
    rows = table.iloc[items]
    years = rows["year"] if "year" in table else [None] * len(rows)
    shown = []
    for raw, title, year in zip(interactions.item_ids[items], rows["title"], years, strict=True):
        if pd.isna(title):
            shown.append(str(raw))
        else:
            shown.append(str(title) if pd.isna(year) else f"{title} ({int(year)})")
    return shown


def most_popular(train: Interactions, n: int) -> TopK:
    """Return one list of the n films with most training ratings; of equal ones those with the lower codes."""
    return top_k(train.item_counts[None, :].astype(np.float64), n)


def _known(train: Interactions, user_id) -> tuple[int, str | None]:
    """Return the user's code (-1 without one) and why nothing is known of the user, None if something is."""
    code = int(train.user_codes([user_id])[0])
    if code < 0:
        return code, f"user {user_id} is not in the data"
    if train.user_counts[code] == 0:
        return code, f"user {user_id} has no rating in train"
    return code, None


def _check_maps(train: Interactions, test: Interactions | None) -> None:
    if test is not None and (test.n_users, test.n_items) != (train.n_users, train.n_items):
        raise ValueError(
            f"train has {train.n_users} users and {train.n_items} films, test {test.n_users} and {test.n_items}; "
            "use the two parts of one split"
        )


def _check_n(train: Interactions, user_id, code: int, n: int) -> None:
    if n < 1:
        raise ValueError(f"n={n} must be at least 1")
    unseen = train.n_items - (int(train.user_counts[code]) if code >= 0 else 0)
    if n > unseen:
        raise ValueError(
            f"n={n}, but there are only {unseen} films that user {user_id} has not rated in train; choose n of at most "
            f"{unseen}"
        )


def _ratings_of(test: Interactions, code: int, items: np.ndarray) -> np.ndarray:
    """Return a user's test ratings of films, NaN where there is none."""
    rows = test.users == code
    ratings = np.full(test.n_items, np.nan)
    ratings[test.items[rows]] = test.ratings[rows]
    return ratings[items]
