"""Interactions: the rated pairs, with their id maps, that every part of the study passes around."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

COLUMNS = ("user", "item", "rating")


class InvalidRatings(ValueError):
    """Ratings that no model should be trained on; the message names the offending rows and the fix."""


class RatingScale(NamedTuple):
    """The lowest and the highest rating that the source allows."""

    low: float
    high: float

    def clip(self, values: np.ndarray) -> np.ndarray:
        """Bring predictions back onto the scale; NaN stays NaN."""
        return np.clip(values, self.low, self.high)


@dataclass(frozen=True, eq=False)
class Interactions:
    """Rated (user, item) pairs in coordinate form.

    Subsets share the id maps: a code means the same user or film in train and test, rated in train or not.

    Parameters
    ----------
    users, items : ndarray of int32, shape (n,)
        Codes into `user_ids` and `item_ids`.
    ratings : ndarray of float32, shape (n,)
        On `scale`; never NaN.
    timestamps : ndarray of int64, shape (n,)
        Seconds since 1970; all zero where the source has none.
    user_ids, item_ids : ndarray
        Raw ids by code, unique.
    scale : RatingScale
    user_table, item_table : DataFrame, optional
        Side information, one row a code in code order, indexed by raw id.
    origin : tuple
        How these ratings are made again (`lib.experiment.upkeep.rebuild`): a data set's name, then a step a split;
        empty where nothing is known of it. No part of the content.
    """

    users: np.ndarray
    items: np.ndarray
    ratings: np.ndarray
    timestamps: np.ndarray
    user_ids: np.ndarray
    item_ids: np.ndarray
    scale: RatingScale
    user_table: pd.DataFrame | None = None
    item_table: pd.DataFrame | None = None
    origin: tuple = field(default=(), repr=False, compare=False)

    def __post_init__(self):
        types = {"users": np.int32, "items": np.int32, "ratings": np.float32, "timestamps": np.int64}
        for name, dtype in types.items():
            array = np.ascontiguousarray(getattr(self, name), dtype=dtype).view()
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        lengths = {len(getattr(self, name)) for name in types}
        if len(lengths) != 1:
            raise InvalidRatings(f"users, items, ratings and timestamps differ in length: {sorted(lengths)}")
        for kind in ("user", "item"):
            codes, ids, table = (getattr(self, f"{kind}{part}") for part in ("s", "_ids", "_table"))
            if len(codes) and (codes.min() < 0 or codes.max() >= len(ids)):
                raise InvalidRatings(f"a {kind} code lies outside 0..{len(ids) - 1}, the {kind} id map's range")
            if table is not None and not np.array_equal(table.index.to_numpy(), ids):
                raise InvalidRatings(f"{kind}_table must have one row a {kind} id, in the id map's order")

    # -- making ------------------------------------------------------------------------------------------------
    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        scale: tuple[float, float],
        user_table: pd.DataFrame | None = None,
        item_table: pd.DataFrame | None = None,
        source: str = "the ratings",
    ) -> Interactions:
        """Check a table of ratings and code its ids by their sorted order, keeping the rows' order.

        `frame` has columns ``user``, ``item``, ``rating`` and, where known, ``timestamp``. The tables are indexed by
        raw id: ids that nobody rated are kept at the end of the id map, rated ids that they lack get a row of missing
        values. `source` is what to call the data in an error. InvalidRatings: a column or an id is missing, a rating is
        not a finite number on the scale, or a (user, item) pair stands twice.
        """
        check_ratings(frame, scale, source)
        users, user_ids = _code(frame["user"], user_table)
        items, item_ids = _code(frame["item"], item_table)
        timestamps = frame["timestamp"] if "timestamp" in frame else np.zeros(len(frame))
        tables = _align(user_table, user_ids), _align(item_table, item_ids)
        coded = users, items, frame["rating"].to_numpy(), np.asarray(timestamps)
        return cls(*coded, user_ids, item_ids, RatingScale(*map(float, scale)), *tables)

    def take(self, rows: np.ndarray) -> Interactions:
        """Return the rows (indices or a mask) as Interactions over the same id maps."""
        taken = {name: getattr(self, name)[rows] for name in ("users", "items", "ratings", "timestamps")}
        return replace(self, **taken, origin=())

    def ordered(self) -> Interactions:
        """Return the same ratings by user and then item, which makes what is drawn at random independent of the rows' order."""
        pairs = self.users.astype(np.int64) * self.n_items + self.items
        if (pairs[1:] > pairs[:-1]).all():
            return self
        return replace(self.take(np.argsort(pairs, kind="stable")), origin=self.origin)

    def with_ratings(self, ratings: np.ndarray, scale: tuple[float, float]) -> Interactions:
        """Return the same pairs with other values, such as centred ratings."""
        return replace(self, ratings=ratings, scale=RatingScale(*scale), origin=())

    # -- looking -----------------------------------------------------------------------------------------------
    def __len__(self) -> int:
        return len(self.ratings)

    def __repr__(self) -> str:
        return (
            f"Interactions({len(self):,} ratings, {self.n_users:,} users, {self.n_items:,} items, "
            f"scale {self.scale.low:g} to {self.scale.high:g})"
        )

    @property
    def n_users(self) -> int:
        """Length of the user id map."""
        return len(self.user_ids)

    @property
    def n_items(self) -> int:
        """Length of the item id map."""
        return len(self.item_ids)

    @cached_property
    def user_counts(self) -> np.ndarray:
        """Ratings a user, shape (n_users,)."""
        return np.bincount(self.users, minlength=self.n_users)

    @cached_property
    def item_counts(self) -> np.ndarray:
        """Ratings an item, shape (n_items,)."""
        return np.bincount(self.items, minlength=self.n_items)

    @cached_property
    def matrix(self) -> sparse.csr_array:
        """The ratings as a sparse float64 array of shape (n_users, n_items), rows sorted by item code; zeros are stored."""
        order = np.lexsort((self.items, self.users))
        pointers = np.concatenate(([0], np.cumsum(self.user_counts)))
        stored = self.ratings[order].astype(np.float64), self.items[order], pointers
        return sparse.csr_array(stored, shape=(self.n_users, self.n_items))

    def frame(self) -> pd.DataFrame:
        """Return a table of raw ids: user, item, rating, timestamp."""
        ids = {"user": self.user_ids[self.users], "item": self.item_ids[self.items]}
        return pd.DataFrame({**ids, "rating": self.ratings, "timestamp": self.timestamps})

    def user_codes(self, raw_ids) -> np.ndarray:
        """Codes of raw user ids; -1 for an id that is not in the map."""
        return pd.Index(self.user_ids).get_indexer(np.asarray(raw_ids)).astype(np.int32)

    def item_codes(self, raw_ids) -> np.ndarray:
        """Codes of raw item ids; -1 for an id that is not in the map."""
        return pd.Index(self.item_ids).get_indexer(np.asarray(raw_ids)).astype(np.int32)


def check_ratings(frame: pd.DataFrame, scale: tuple[float, float], source: str) -> None:
    """Raise `InvalidRatings`, naming the first offending rows, unless `frame` can be trained on."""
    missing = [column for column in COLUMNS if column not in frame]
    if missing:
        raise InvalidRatings(
            f"{source}: no column {', '.join(map(repr, missing))}; found {', '.join(map(repr, frame.columns))}. "
            "Rename the columns to user, item, rating and, where known, timestamp."
        )
    if frame.empty:
        raise InvalidRatings(f"{source}: holds no ratings.")
    if not pd.api.types.is_numeric_dtype(frame["rating"]):
        text = pd.to_numeric(frame["rating"], errors="coerce").isna()
        raise InvalidRatings(f"{source}: a rating is not a number {_rows(frame, text)}.")
    ratings, (low, high) = frame["rating"].to_numpy(dtype=np.float64), scale
    outside, twice = (ratings < low) | (ratings > high), frame.duplicated(["user", "item"], keep=False)
    off = f"{outside.sum():,} ratings lie off the scale {low:g} to {high:g}"
    for mask, what, fix in (
        (frame["user"].isna(), "a user id is missing", ""),
        (frame["item"].isna(), "an item id is missing", ""),
        (~np.isfinite(ratings), "a rating is NaN or infinite", " Drop or mend the rows."),
        (outside, off, " Mend the rows or give the right scale."),
        (twice, f"{twice.sum():,} rows repeat a (user, item) pair", " Keep one, such as the last or the mean."),
    ):
        if mask.any():
            raise InvalidRatings(f"{source}: {what} {_rows(frame, mask)}.{fix}")


def _rows(frame: pd.DataFrame, mask, most: int = 3) -> str:
    """Name the first few offending rows."""
    places = np.flatnonzero(np.asarray(mask))[:most]
    shown = "; ".join(
        f"row {place + 1}: " + ", ".join(f"{column}={frame[column].iloc[place]!s}" for column in COLUMNS)
        for place in places
    )
    return f"({shown}{'; ...' if np.count_nonzero(mask) > most else ''})"


def _code(column: pd.Series, table: pd.DataFrame | None) -> tuple[np.ndarray, np.ndarray]:
    """Code raw ids; ids that only the side table knows come after the rated ones."""
    codes, ids = pd.factorize(column.to_numpy(), sort=True)
    ids = np.asarray(ids)
    if table is not None:
        unrated = table.index.difference(pd.Index(ids)).to_numpy()
        ids = np.concatenate([ids, unrated.astype(ids.dtype)]) if len(unrated) else ids
    return codes.astype(np.int32), ids


def _align(table: pd.DataFrame | None, ids: np.ndarray) -> pd.DataFrame | None:
    return None if table is None else table.reindex(pd.Index(ids, name=table.index.name))
