"""Side information and implicit sets as sparse matrices: one row an item or user, one column a feature."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from lib.data.errors import near_miss
from lib.data.interactions import Interactions


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


ITEM_GROUPS = ("genres", "year", "tags", "raters")
USER_GROUPS = ("age", "gender", "occupation", "rated")
IMPLICIT = ("raters", "rated")
MIN_TAG_FILMS = 3  # a tag on fewer films than this is left out: it says little about any other film


@dataclass(frozen=True, eq=False)
class FeatureGroup:
    """One group of features of all items, or of all users; `features` names the columns of its `matrix`.

    That is float64 of shape (n_items or n_users, n_features), its rows in the order of the codes, columns sorted within
    a row and no zero stored; an item or user of which nothing is known has an empty row.
    """

    name: str
    side: str
    matrix: sparse.csr_array
    features: tuple[str, ...]

    def __repr__(self) -> str:
        return f"FeatureGroup({self.name}: {self.matrix.shape[1]:,} features of each {self.side})"


def available_groups(train: Interactions) -> list[str]:
    """Return the groups that this data can give; the implicit ones it always can."""
    items, users = ((*IMPLICIT, *(() if t is None else t)) for t in (train.item_table, train.user_table))
    return [n for n in ITEM_GROUPS if n in items] + [n for n in USER_GROUPS if n in users]


def feature_groups(train: Interactions, names: Sequence[str]) -> list[FeatureGroup]:
    r"""Build groups of features by name, in the order of the names.

    ``genres``
        0 or 1 a genre, divided so that each film's row sums to 1.
    ``year``, ``age``
        One column, years, brought to mean 0 and standard deviation 1 over all rows of the table; one that never differs
        becomes 0. A missing value is the mean.
    ``tags``
        0 or 1 a tag that stands on at least `MIN_TAG_FILMS` films; rows sum to 1.
    ``raters`` (of items), ``rated`` (of users)
        Who rated the film, and what the user rated, in `train`:
        :math:`1 / \sqrt{n}` in the column of each of the row's n partners (Koren 2008). What the rating was is not
        used, and ratings outside `train` are not known here.
    ``gender``, ``occupation``
        One column a value.

    ValueError: a group is unknown, asked for twice, or not among the data's columns.
    """
    known, have = (*ITEM_GROUPS, *USER_GROUPS), available_groups(train)
    found = []
    for place, name in enumerate(names):
        if name not in known:
            raise ValueError(f"no group of features is called {name!r}{near_miss(name, known)}")
        if name in names[:place]:
            raise ValueError(f"the group {name!r} is asked for twice")
        if name not in have:
            raise ValueError(f"this data has no column {name!r}; its groups are {', '.join(have)}")
        side = "item" if name in ITEM_GROUPS else "user"
        table: Any = train.item_table if side == "item" else train.user_table  # there, unless implicit
        if name in IMPLICIT:
            matrix, features = _implicit(train, side)
        elif name == "genres":
            features, flags = genre_matrix(table)
            matrix = _shares(sparse.csr_array(flags.astype(np.float64)))
        elif name == "tags":
            matrix, features = _tags(table["tags"])
        elif name in ("year", "age"):
            matrix, features = _z_scores(table[name]), [name]
        else:
            matrix, features = _one_hot(table[name])
        matrix = sparse.csr_array(matrix, dtype=np.float64)
        matrix.eliminate_zeros()
        matrix.sort_indices()
        found.append(FeatureGroup(name, side, matrix, tuple(map(str, features))))
    return found


def _implicit(train: Interactions, side: str) -> tuple[sparse.csr_array | np.ndarray, Iterable[Any]]:
    items = train.items, train.item_counts, train.item_ids
    users = train.users, train.user_counts, train.user_ids
    (rows, counts, _), (columns, _, ids) = (items, users) if side == "item" else (users, items)
    return _sparse(1.0 / np.sqrt(counts[rows]), rows, columns, (len(counts), len(ids))), ids


def _tags(column: pd.Series) -> tuple[sparse.csr_array, np.ndarray]:
    lists = listed(column)
    rows = np.repeat(np.arange(len(lists)), [len(tags) for tags in lists])
    codes, names = pd.factorize(np.array([tag for tags in lists for tag in tags], dtype=object), sort=True)
    matrix = _sparse(np.ones(len(rows)), rows, codes, (len(lists), len(names)))
    often = np.bincount(codes, minlength=len(names)) >= MIN_TAG_FILMS
    return _shares(sparse.csr_array(matrix[:, np.flatnonzero(often)])), np.asarray(names)[often]


def _z_scores(column: pd.Series) -> np.ndarray:
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    known = np.isfinite(values)
    filled = np.where(known, values, values[known].mean() if known.any() else 0.0)[:, None]
    spread = filled.std(axis=0)
    differs = spread > 1e-12 * np.maximum(np.abs(filled).max(axis=0, initial=0.0), 1.0)
    return np.where(differs, (filled - filled.mean(axis=0)) / np.where(differs, spread, 1.0), 0.0)


def _one_hot(column: pd.Series) -> tuple[sparse.csr_array, pd.Index]:
    codes, values = pd.factorize(column, sort=True)
    known = np.flatnonzero(codes >= 0)
    return _sparse(np.ones(len(known)), known, codes[known], (len(codes), len(values))), values


def _sparse(values: np.ndarray, rows: np.ndarray, columns: np.ndarray, shape: tuple) -> sparse.csr_array:
    return sparse.csr_array((values, (rows, columns)), shape=shape)


def _shares(matrix: sparse.csr_array) -> sparse.csr_array:
    """Divide each row by its sum."""
    sums = np.asarray(abs(matrix).sum(axis=1)).ravel()
    return sparse.csr_array(sparse.diags_array(1.0 / np.where(sums > 0, sums, 1.0)) @ matrix)
