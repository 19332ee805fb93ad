"""What readers see of films and of lists: titles, and the mark of a hit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.data.interactions import Interactions

HIT = " *"
"""Stands behind a film in a list that the user rated in test."""


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
