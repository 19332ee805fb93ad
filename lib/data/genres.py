"""Genres as features: the names joined by ``|`` in an item table, one 0/1 column each."""

import numpy as np
import pandas as pd


def genre_matrix(item_table: pd.DataFrame | None) -> tuple[list[str], np.ndarray]:
    """Return the genres of an item table, in alphabetical order, and indicators (float32, shape (n_items, n_genres)).

    An empty or missing entry has no genre. ValueError: there is no item table, or it has no column ``genres``.
    """
    if item_table is None or "genres" not in item_table:
        raise ValueError("this data set has no genres: its item_table is missing or lacks a column 'genres'")
    found = listed(item_table["genres"])
    names = sorted({name for genres in found for name in genres})
    column = {name: place for place, name in enumerate(names)}
    indicators = np.zeros((len(found), len(names)), dtype=np.float32)
    for row, genres in enumerate(found):
        for name in genres:
            indicators[row, column[name]] = 1
    return names, indicators


def listed(column: pd.Series) -> list[list[str]]:
    """Part the names that each entry of a column joins by ``|``; none where it is empty or missing."""
    return [text.split("|") if isinstance(text, str) and text else [] for text in column]
