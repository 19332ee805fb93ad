"""A reader's ratings as models see them: on a scale of 1 to 5, with tables in groups of columns that models know.

Learning rates and penalties were chosen for five stars. On a scale of 0 to 100 the same steps would diverge, so models
learn from ratings brought linearly onto 1 to 5, and their predictions are brought back before anything is measured.
"""

from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from lib.data.interactions import Interactions, RatingScale

STARS = RatingScale(1.0, 5.0)
MOST_VALUES = 50
"""A column of text with more distinct values than this says who someone is rather than what they are like."""
PARTS = 5
"""A column of numbers is parted into so many groups of equal size."""


def to_stars(ratings: np.ndarray, scale: RatingScale) -> np.ndarray:
    """Bring ratings from a scale onto 1 to 5; where the scale has one value, it is 5."""
    low, high = scale
    if high == low:
        return np.full(len(ratings), STARS.high)
    return STARS.low + (np.asarray(ratings, dtype=np.float64) - low) * (STARS.high - STARS.low) / (high - low)


def from_stars(stars: np.ndarray, scale: RatingScale) -> np.ndarray:
    """Bring predictions from 1 to 5 back onto a scale."""
    low, high = scale
    return low + (np.asarray(stars, dtype=np.float64) - STARS.low) * (high - low) / (STARS.high - STARS.low)


def for_models(interactions: Interactions) -> Interactions:
    """Return the same pairs under whole numbers as ids, on the scale of `STARS`, with tables that models know."""
    ratings = to_stars(interactions.ratings, interactions.scale)
    changed: dict[str, Any] = {"ratings": ratings, "scale": STARS, "origin": ()}
    for kind in ("user", "item"):
        ids = np.arange(len(getattr(interactions, f"{kind}_ids")))
        known, _ = grouped_columns(getattr(interactions, f"{kind}_table"), kind)
        table = None if known is None else known.set_axis(pd.Index(ids, name=kind))
        changed |= {f"{kind}_ids": ids, f"{kind}_table": table}
    return replace(interactions, **changed)


def grouped_columns(table: pd.DataFrame | None, kind: str) -> tuple[pd.DataFrame | None, pd.DataFrame]:
    """Bring arbitrary columns into the groups of `lib.data.feature_groups`, and tell which went where.

    Items: ``genres`` and ``year`` as they are; every other column of few distinct texts, and numbers parted into
    fifths, become entries of ``tags``. Users: ``age`` is a number; two columns of few distinct values take the places
    of ``gender`` and ``occupation``, those of these names first. Returned are the table, None where no column can be
    used, and a row a column: ``column``, ``use`` in words.
    """
    if table is None:
        return None, pd.DataFrame(columns=["column", "use"])
    found, uses = (_item_groups if kind == "item" else _user_groups)(table)
    frame = pd.DataFrame({"column": list(table), "use": [uses[name] for name in table]})
    return (pd.DataFrame(found, index=table.index) if found else None), frame


def _item_groups(table: pd.DataFrame) -> tuple[dict, dict[Hashable, str]]:
    found, tags = {}, []
    uses: dict[Hashable, str] = {}
    for name, column in table.items():
        if name == "title":
            uses[name] = "shown to readers"
        elif name == "year" and column.notna().any():
            found[name], uses[name] = column, "a number"
        elif name in ("genres", "tags"):
            text = column.fillna("").astype(str)
            given = (text != "").any()
            uses[name] = "each entry a feature" if given else "not used: empty"
            if name == "genres" and given:
                found[name] = text
            elif given:
                tags.append(text)
        else:
            values, uses[name] = _in_words(name, column)
            tags += [] if values is None else [values]
    if tags:
        found["tags"] = pd.concat(tags, axis=1).apply(lambda row: "|".join(filter(None, row)), axis=1)
    return found, uses


def _user_groups(table: pd.DataFrame) -> tuple[dict, dict[Hashable, str]]:
    found, places = {}, ["gender", "occupation"]
    uses: dict[Hashable, str] = {}
    for name in sorted(table, key=lambda name: name not in ("age", "gender", "occupation")):
        column = table[name]
        if name == "age" and pd.api.types.is_numeric_dtype(column) and column.notna().any():
            found["age"], uses[name] = column, "a number"
            continue
        values, uses[name] = _in_words(name, column)
        if values is not None and not places:
            uses[name] = "not used: models know two such columns of users"
        elif values is not None:
            place = name if name in places else places[0]
            places.remove(place)
            found[place] = values.where(values != "")
    return found, uses


def _in_words(name: Hashable, column: pd.Series) -> tuple[pd.Series | None, str]:
    """Write a column as ``name: value``, empty where unknown; None, and why, where that is of no use."""
    distinct = column.nunique()
    if distinct < 2:
        return None, "not used: it has one value"
    if pd.api.types.is_numeric_dtype(column) and distinct > PARTS:
        parts = column.astype(float).rank(pct=True).mul(PARTS).apply(np.ceil)
        text = parts.map(lambda part: "" if pd.isna(part) else f"{name}: part {int(part)} of {PARTS}")
        return text, f"a number, in {PARTS} parts of equal size"
    if distinct > MOST_VALUES:
        return None, f"not used: more than {MOST_VALUES} distinct texts"
    text = column.map(lambda value: "" if pd.isna(value) else f"{name}: {str(value).replace('|', '/')}")
    return text, "each value a feature"
