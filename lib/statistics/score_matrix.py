"""A model's scores of every film with the ids they belong to, so that matrices meet by id and never by row order."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd


@dataclass(frozen=True, eq=False)
class ScoreMatrix:
    """A model's scores of every film for some users, with the ids they belong to.

    Parameters
    ----------
    user_ids : ndarray, shape (n_users,)
        Raw ids, unique, one a row.
    item_ids : ndarray, shape (n_items,)
        Raw ids, unique, one a column.
    values : ndarray of float32, shape (n_users, n_items)
        Finite.

    Raises
    ------
    ValueError
        Shapes do not fit, an id occurs twice, or a value is NaN or infinite.
    """

    user_ids: np.ndarray
    item_ids: np.ndarray
    values: np.ndarray

    def __post_init__(self):
        for name in ("user_ids", "item_ids"):
            object.__setattr__(self, name, np.asarray(getattr(self, name)))
        values = np.asarray(self.values, dtype=np.float32)
        object.__setattr__(self, "values", values)
        if values.shape != (len(self.user_ids), len(self.item_ids)):
            raise ValueError(
                f"the scores have shape {values.shape}, but there are {len(self.user_ids)} user ids and "
                f"{len(self.item_ids)} item ids"
            )
        for kind, ids in (("user", self.user_ids), ("item", self.item_ids)):
            if len(np.unique(ids)) != len(ids):
                raise ValueError(f"a {kind} id occurs twice, so rows cannot be matched by id")
        if not np.isfinite(values).all():
            raise ValueError("a score is NaN or infinite; a model must score every film finitely")

    def take(self, user_ids: np.ndarray, item_ids: np.ndarray) -> ScoreMatrix:
        """Return the rows and columns of these raw ids, in this order.

        Raises
        ------
        KeyError
            An id is not in the matrix.
        """
        rows = places_of("user", self.user_ids, user_ids)
        columns = places_of("item", self.item_ids, item_ids)
        return ScoreMatrix(np.asarray(user_ids), np.asarray(item_ids), self.values[np.ix_(rows, columns)])


def align(*matrices: ScoreMatrix) -> list[ScoreMatrix]:
    """Bring matrices into the first one's order of users and items.

    Raises
    ------
    ValueError
        The matrices do not hold the same ids.
    """
    if not matrices:
        raise ValueError("there are no matrices to align")
    kept = []
    for kind in ("user", "item"):
        ids = [pd.Index(getattr(matrix, f"{kind}_ids")) for matrix in matrices]
        common = ids[0]
        for other in ids[1:]:
            common = common[common.isin(other)]
        apart = sum(len(index) - len(common) for index in ids)
        if len(common) == 0:
            raise ValueError(
                f"the matrices have no {kind} id in common; check that all hold raw ids of one type"
            )
        if apart:
            raise ValueError(f"{apart} {kind} ids are not in every matrix; score the same {kind}s")
        kept.append(common.to_numpy())
    return [matrix.take(*kept) for matrix in matrices]


def mislabelled(
    matrix: ScoreMatrix, *, rows: np.ndarray | None = None, columns: np.ndarray | None = None
) -> ScoreMatrix:
    """Put the scores in another order under unchanged ids: the mistake of matching matrices by position.

    Parameters
    ----------
    matrix : ScoreMatrix
    rows, columns : int array, optional
        Row r of the result holds the scores of row ``rows[r]``; likewise the columns.

    Raises
    ------
    ValueError
        The order is not a permutation.
    """
    values = matrix.values
    for axis, order in enumerate((rows, columns)):
        if order is None:
            continue
        if not np.array_equal(np.sort(order), np.arange(values.shape[axis])):
            kind = ("rows", "columns")[axis]
            raise ValueError(f"{kind} must be a permutation of 0..{values.shape[axis] - 1}")
        values = np.take(values, order, axis=axis)
    return replace(matrix, values=values)


def shuffled(matrix: ScoreMatrix, *, seed: int, axis: str = "users") -> ScoreMatrix:
    """Put whole rows, whole columns or both in a random order under unchanged ids.

    Shuffled users keep what all users agree on, such as which films are good; shuffled items lose it.

    Parameters
    ----------
    matrix : ScoreMatrix
    seed : int
    axis : {"users", "items", "both"}
    """
    if axis not in ("users", "items", "both"):
        raise ValueError(f"axis={axis!r}; choose 'users', 'items' or 'both'")
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(matrix.user_ids)) if axis != "items" else None
    columns = rng.permutation(len(matrix.item_ids)) if axis != "users" else None
    return mislabelled(matrix, rows=rows, columns=columns)


def places_of(kind: str, ids: np.ndarray, wanted: np.ndarray, where: str = "the matrix") -> np.ndarray:
    """Positions of raw ids among others; an id that is not there is a KeyError that names it."""
    places = pd.Index(ids).get_indexer(np.asarray(wanted))
    lost = np.asarray(wanted)[places < 0].tolist()
    if lost:
        raise KeyError(
            f"{len(lost)} {kind} ids are not in {where}, such as {lost[0]!r}; check that both use raw ids of the "
            "same type"
        )
    return places
