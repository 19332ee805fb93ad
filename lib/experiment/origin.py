"""How ratings came about, so that they can be made again: a data set and a step a split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lib.data import folds, splits
from lib.data.dataset import Dataset, load
from lib.data.interactions import Interactions


class UnknownOrigin(ValueError):
    """Ratings of which nothing tells how they came about: a reader's own, or changed since they were split."""


def rebuild(origin: Sequence[Any]) -> Interactions:
    """Make ratings again from `Interactions.origin`, as it is or as JSON has kept it.

    Raises
    ------
    UnknownOrigin
        The origin is empty.
    lib.data.dataset.DatasetUnavailable
        No source serves its data set.
    """
    if not origin:
        raise UnknownOrigin("nothing tells how these ratings came about")
    data = load(origin[0])
    found = data.interactions
    for name, arguments, options, fold, side in origin[1:]:
        function = getattr(splits, name, None) or getattr(folds, name)
        parted = function(_source(name, data, found), *arguments, **options)
        one = next(s for s in parted if s.fold == fold) if isinstance(parted, list) else parted
        found = getattr(one, side)
    return found


def _source(name: str, data: Dataset, found: Interactions) -> Dataset | Interactions:
    return data if name == "published" else found


def rows_of(part: Interactions, whole: Interactions) -> np.ndarray:
    """Return the rows of a data set that a part of it holds, in the part's order.

    Raises
    ------
    ValueError
        The part has a pair that the data set lacks.
    """
    code = part.users.astype(np.int64) * whole.n_items + part.items
    known = whole.users.astype(np.int64) * whole.n_items + whole.items
    order = np.argsort(known)
    places = np.searchsorted(known[order], code)
    rows = order[np.minimum(places, len(order) - 1)]
    if not np.array_equal(known[rows], code):
        raise ValueError("the part holds ratings that the data set does not have")
    return rows
