"""Side information and implicit sets as sparse matrices: one row an item or user, one column a feature."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from lib.data.genres import genre_matrix
from lib.data.interactions import Interactions

ITEM_GROUPS = ("genres", "year", "tags", "raters")
USER_GROUPS = ("age", "gender", "occupation", "rated")
IMPLICIT = ("raters", "rated")
NORMALISATIONS = ("row_l1", "column_z_score", "none")
DEFAULTS = {
    "genres": "row_l1", "tags": "row_l1", "year": "column_z_score", "age": "column_z_score", "gender": "none",
    "occupation": "none",
}  # fmt: skip
"""The normalisation of each group unless another is asked for; implicit sets have a scaling of their own."""
MIN_TAG_FILMS = 3
"""A tag on fewer films than this is left out: it says little about any other film."""


@dataclass(frozen=True, eq=False)
class FeatureGroup:
    """One group of features of all items, or of all users.

    `matrix`, float64 of shape (n_items or n_users, n_features), has its rows in the order of the codes, columns sorted within
    a row and no zero stored; an item or user of which nothing is known has an empty row. `features` names its columns.
    """

    name: str
    side: str
    matrix: sparse.csr_array
    features: tuple[str, ...]

    def __repr__(self) -> str:
        return f"FeatureGroup({self.name}: {self.matrix.shape[1]:,} features of each {self.side})"


def available_groups(train: Interactions) -> list[str]:
    """Return the groups that this data can give; the implicit ones it always can."""
    items = set(train.item_table.columns) if train.item_table is not None else set()
    users = set(train.user_table.columns) if train.user_table is not None else set()
    return [
        name for name in (*ITEM_GROUPS, *USER_GROUPS)
        if name in IMPLICIT or name in (items if name in ITEM_GROUPS else users)
    ]  # fmt: skip


def feature_groups(
    train: Interactions, names: Sequence[str], *, normalisations: Mapping[str, str] | None = None
) -> list[FeatureGroup]:
    r"""Build groups of features by name.

    ``genres``
        0 or 1 a genre; by default each film's row then sums to 1.
    ``year``
        One column, the year of release. A missing year is the mean year.
    ``tags``
        0 or 1 a tag that stands on at least `MIN_TAG_FILMS` films; rows sum to 1.
    ``raters`` (of items), ``rated`` (of users)
        Who rated the film, and what the user rated, in `train`:
        :math:`1 / \sqrt{n}` in the column of each of the row's n partners (Koren 2008). What the rating was is not
        used, and ratings outside `train` are not known here.
    ``age``
        One column, in years.
    ``gender``, ``occupation``
        One column a value.

    Parameters
    ----------
    train : Interactions
        Its tables are read; its ratings for the implicit groups only.
    names : sequence of str
        The order is kept.
    normalisations : mapping of str to str, optional
        ``"row_l1"``: a row is divided by the sum of its absolute values (a single column thereby turns into its sign:
        a year says nothing any more). ``"column_z_score"``: a column gets mean 0 and standard deviation 1 over all
        rows of the table; a column that never differs becomes 0. ``"none"``. Groups not named have their default.

    Raises
    ------
    ValueError
        A group is unknown, asked for twice, or not among the data's columns; a normalisation is unknown, or meant for
        a group that is implicit or not asked for.
    """
    normalisations = dict(normalisations or {})
    _check(train, list(names), normalisations)
    found = []
    for name in names:
        side = "item" if name in ITEM_GROUPS else "user"
        if name in IMPLICIT:
            matrix, features = _implicit(train, side)
        else:
            table = train.item_table if side == "item" else train.user_table
            matrix, features = _BUILDERS.get(name, _one_hot)(table, name)
            matrix = _normalise(matrix, normalisations.get(name, DEFAULTS[name]))
        matrix = sparse.csr_array(matrix, dtype=np.float64)
        matrix.eliminate_zeros()
        matrix.sort_indices()
        found.append(FeatureGroup(name, side, matrix, tuple(features)))
    return found


def _check(train: Interactions, names: list[str], normalisations: Mapping[str, str]) -> None:
    known, have = (*ITEM_GROUPS, *USER_GROUPS), available_groups(train)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1) or known
            raise ValueError(f"no group of features is called {name!r}; did you mean {' or '.join(near)}?")
        if names.count(name) > 1:
            raise ValueError(f"the group {name!r} is asked for twice")
        if name not in have:
            raise ValueError(f"this data has no column {name!r}; its groups are {', '.join(have)}")
    for name, normalisation in normalisations.items():
        if name not in names:
            raise ValueError(f"a normalisation is given for {name!r}, which is not among the groups {names}")
        if name in IMPLICIT:
            raise ValueError(f"{name!r} has a scaling of its own; give it no normalisation")
        if normalisation not in NORMALISATIONS:
            raise ValueError(
                f"no normalisation is called {normalisation!r}; there are {', '.join(NORMALISATIONS)}"
            )


def _implicit(train: Interactions, side: str) -> tuple[sparse.csr_array, list[str]]:
    rows, columns, counts, ids = (
        (train.items, train.users, train.item_counts, train.user_ids)
        if side == "item"
        else (train.users, train.items, train.user_counts, train.item_ids)
    )
    shape = (len(counts), len(ids))
    weights = 1.0 / np.sqrt(counts[rows])
    return sparse.csr_array((weights, (rows, columns)), shape=shape), [str(i) for i in ids]


def _genres(table: pd.DataFrame, name: str) -> tuple[sparse.csr_array, list[str]]:
    names, indicators = genre_matrix(table)
    return sparse.csr_array(indicators.astype(np.float64)), names


def _tags(table: pd.DataFrame, name: str) -> tuple[sparse.csr_array, list[str]]:
    lists = [text.split("|") if isinstance(text, str) and text else [] for text in table["tags"]]
    rows = np.repeat(np.arange(len(lists)), [len(tags) for tags in lists])
    codes, names = pd.factorize(np.array([tag for tags in lists for tag in tags], dtype=object), sort=True)
    matrix = sparse.csr_array((np.ones(len(rows)), (rows, codes)), shape=(len(lists), len(names)))
    often = np.bincount(codes, minlength=len(names)) >= MIN_TAG_FILMS
    return sparse.csr_array(matrix[:, np.flatnonzero(often)]), list(np.asarray(names)[often])


def _number(table: pd.DataFrame, name: str) -> tuple[sparse.csr_array, list[str]]:
    values = table[name].to_numpy(dtype=np.float64, na_value=np.nan)
    known = np.isfinite(values)
    mean = values[known].mean() if known.any() else 0.0
    return sparse.csr_array(np.where(known, values, mean)[:, None]), [name]


def _one_hot(table: pd.DataFrame, name: str) -> tuple[sparse.csr_array, list[str]]:
    codes, values = pd.factorize(table[name], sort=True)
    known = np.flatnonzero(codes >= 0)
    shape = (len(codes), len(values))
    return sparse.csr_array((np.ones(len(known)), (known, codes[known])), shape=shape), [
        str(v) for v in values
    ]


_BUILDERS: dict[str, Callable] = {"genres": _genres, "tags": _tags, "year": _number, "age": _number}


def _normalise(matrix: sparse.csr_array, normalisation: str) -> sparse.csr_array:
    if normalisation == "row_l1":
        sums = np.asarray(abs(matrix).sum(axis=1)).ravel()
        return sparse.csr_array(sparse.diags_array(1.0 / np.where(sums > 0, sums, 1.0)) @ matrix)
    if normalisation == "column_z_score":
        dense = matrix.toarray()
        spread = dense.std(axis=0)
        differs = spread > 1e-12 * np.maximum(np.abs(dense).max(axis=0, initial=0.0), 1.0)
        return sparse.csr_array(
            np.where(differs, (dense - dense.mean(axis=0)) / np.where(differs, spread, 1.0), 0.0)
        )
    return matrix
