"""What readers see of recommendations: titles, the mark of a hit, and which of the user's films a prediction rests on."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from lib.data.interactions import Interactions

HIT = " *"  # stands behind a film in a list that the user rated in test


def titles_of(interactions: Interactions, items: Sequence[int] | np.ndarray) -> list[str]:
    """Return what readers see for films (codes): title and year, as far as the item table has them, else the raw id.

    Titles come as they are in the data; whoever puts them into HTML escapes them there.
    """
    items = np.asarray(items)
    table = interactions.item_table
    if table is None or "title" not in table:
        return [str(raw) for raw in interactions.item_ids[items]]
    rows = table.iloc[items]
    years = rows["year"] if "year" in table else [None] * len(rows)
    shown = []
    for raw, title, year in zip(interactions.item_ids[items], rows["title"], years, strict=True):
        name = str(raw if pd.isna(title) else title)
        shown.append(name if pd.isna(title) or pd.isna(year) else f"{name} ({int(year)})")
    return shown


class Explanation(NamedTuple):
    """A prediction taken apart: `baseline`, the `contributions` and `rest` add up to it, in units of the rating scale.

    `items` are codes of the user's films that weigh most, by the size of their contribution, largest first. The
    `baseline` has the terms that no single film answers for: mean, biases and, where the model has them, the user's own
    factors; `rest` is the sum of the contributions of the films that are not listed.
    """

    items: np.ndarray
    contributions: np.ndarray
    baseline: float
    rest: float


def explanation(items: np.ndarray, contributions: np.ndarray, baseline: float, n: int | None) -> Explanation:
    """Sort contributions by size, and list the n largest that are not zero; None lists them all."""
    if n is not None and n < 1:
        raise ValueError(f"n={n}: list at least 1 film, or None for all")
    order = np.argsort(-np.abs(contributions), kind="stable")[:n]
    order = order[contributions[order] != 0]
    rest = float(contributions.sum() - contributions[order].sum())
    return Explanation(items[order], contributions[order], float(baseline), rest)
