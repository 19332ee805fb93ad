"""From columns to ratings that models can be trained on; what is wrong is an `InvalidRatingsFile`."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from lib.workbench.own_ratings.table_files import Table

POLICIES = ("error", "last", "mean")
FINE = 1000
"""Ratings with more distinct values than this are called continuous: no step between them is looked for."""


def ids_of(column: pa.ChunkedArray, kind: str, source: Table) -> np.ndarray:
    """Return ids: whole numbers where every one is written as such, else text.

    ``007`` is text, as it is not how 7 is written. Blanks around an id do not count; an empty one is an error.
    """
    # Each distinct id is looked at once: a million ratings have some thousands of them.
    coded = _text(column, source).dictionary_encode()
    rows, text = coded.indices.to_numpy(zero_copy_only=False), coded.dictionary
    empty = pc.equal(pc.utf8_length(text), 0).to_numpy(zero_copy_only=False)
    if empty.any():
        fix = "Give the id, or take the row out"
        raise source.wrong(int(np.argmax(empty[rows])), f"the {kind}'s id is empty", fix)
    try:
        whole = text.cast(pa.int64())
    except pa.ArrowInvalid:
        whole = None
    if whole is not None and pc.all(pc.equal(whole.cast(pa.string()), text)).as_py():
        return whole.to_numpy(zero_copy_only=False)[rows]
    return text.to_numpy(zero_copy_only=False).astype(object)[rows]


def ratings_of(column: pa.ChunkedArray, source: Table) -> np.ndarray:
    """Return ratings as float64, all of them finite."""
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        column = pc.fill_null(column.cast(pa.float64()), np.nan)
        values = column.to_numpy()
    else:
        column = _text(column, source)
        values = _numbers(column)
    fix = "Give a number, take the row out, or name another column: --columns rating=..."
    return _finite(values, column, source, "rating", fix)


def timestamps_of(column: pa.ChunkedArray, source: Table) -> tuple[np.ndarray, str]:
    """Return seconds since 1970, read from numbers or dates, and how they were read, in words."""
    fix = "Write seconds since 1970 or a date such as 2024-05-31 13:45:00, or go without: --columns timestamp=none"
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        values, words = pd.Series(pd.to_datetime(column.to_pandas(), utc=True)), "dates"
    else:
        column = _text(column, source)
        seconds = _numbers(column)
        if not np.isnan(seconds[0]):
            return _seconds(_finite(seconds, column, source, "timestamp", fix))
        words = "dates, in UTC where they name no zone"
        values = pd.to_datetime(column.to_pandas(), format="ISO8601", errors="coerce", utc=True)
    missing = values.isna().to_numpy()
    if missing.any():
        row = int(np.argmax(missing))
        what = f"the timestamp {str(column[row].as_py())[:40]!r} is neither a number nor a date"
        raise source.wrong(row, what, fix)
    return values.dt.as_unit("s").astype("int64").to_numpy(), words


def _finite(values: np.ndarray, column: pa.Array, source: Table, role: str, fix: str) -> np.ndarray:
    """Return the values, all finite; the error shows the first that is not."""
    bad = ~np.isfinite(values)
    if not bad.any():
        return values
    row, more = int(np.argmax(bad)), int(bad.sum()) - 1
    value = str(column[row].as_py())
    what = f"{value[:40]!r} is not a finite number" if value else "is empty"
    many = f"; so it is on {more:,} more" if more else ""
    raise source.wrong(row, f"the {role} {what}{many}", "Write decimals with a point" if "," in value else fix)


def _seconds(values: np.ndarray) -> tuple[np.ndarray, str]:
    largest = np.abs(values).max()
    for limit, divisor, words in ((1e17, 1e9, "nano"), (1e14, 1e6, "micro"), (1e11, 1e3, "milli")):
        if largest >= limit:
            return (values // divisor).astype(np.int64), f"{words}seconds since 1970"
    return values.astype(np.int64), "seconds since 1970"


def check_scale(ratings: np.ndarray, scale: tuple[float, float] | None, source: Table) -> tuple[float, float]:
    """Return the scale: the given one, off which no rating may lie, or the lowest and the highest rating."""
    if scale is None:
        return float(ratings.min()), float(ratings.max())
    low, high = map(float, scale)
    if not (np.isfinite([low, high]).all() and low < high):
        fix = "Give the lowest and the highest rating: --scale 1,5"
        raise source.wrong(None, f"the scale {low:g} to {high:g} has no room", fix)
    outside = (ratings < low) | (ratings > high)
    if outside.any():
        row, ends = int(np.argmax(outside)), (min(low, ratings.min()), max(high, ratings.max()))
        what = f"the rating {ratings[row]:g} lies off the scale {low:g} to {high:g}; {int(outside.sum()):,} do"
        raise source.wrong(row, what, "Mend them, or give the right scale: --scale {:g},{:g}".format(*ends))
    return low, high


def step_of(ratings: np.ndarray) -> float | None:
    """Return the least distance between two ratings; None for one value, or for more values than `FINE`."""
    values = np.unique(ratings)
    return float(np.diff(values).min()) if 1 < len(values) <= FINE else None


def resolve_duplicates(frame: pd.DataFrame, policy: str, source: Table) -> pd.DataFrame:
    """Leave one rating a pair in a table of the file's rows, by one of `POLICIES`.

    ``last``: the latest one, of equal times the one further down; ``mean``: the mean rating at the latest time.
    """
    if policy not in POLICIES:
        raise source.wrong(None, f"--duplicates {policy} is unknown", f"Choose one of {', '.join(POLICIES)}")
    users, items = pd.factorize(frame["user"])[0], pd.factorize(frame["item"])[0]
    pairs = users.astype(np.int64) * (int(items.max()) + 1) + items
    together = np.sort(pairs)
    if not (together[1:] == together[:-1]).any():
        return frame
    again = pd.Series(pairs).duplicated().to_numpy()
    if policy == "error":
        row = int(np.argmax(again))
        first = source.place(int(np.argmax(pairs == pairs[row])))
        user, item = (str(frame[role].iloc[row])[:40] for role in ("user", "item"))
        what = f"user {user!r} rates item {item!r} again, first on {first}; {int(again.sum()):,} rows repeat a pair"
        raise source.wrong(row, what, "Say what counts: --duplicates last or --duplicates mean")
    order = np.lexsort((np.arange(len(frame)), frame["timestamp"].to_numpy(), pairs))
    latest = np.append(np.diff(pairs[order]) != 0, True)
    kept = frame.iloc[np.sort(order[latest])]
    if policy == "mean":
        codes = pd.factorize(pairs)[0]
        means = np.bincount(codes, frame["rating"]) / np.bincount(codes)
        kept = kept.assign(rating=means[codes[kept.index]])
    return kept.reset_index(drop=True)


def _text(column: pa.ChunkedArray, source: Table) -> pa.Array:
    """Return a column as text without blanks around it; what is missing is empty."""
    try:
        text = column.cast(pa.string()).combine_chunks()
    except pa.ArrowNotImplementedError:
        fix = "Give text, numbers or dates, or leave the column out"
        raise source.wrong(None, f"a column of {column.type} can't be read", fix) from None
    return pc.utf8_trim_whitespace(pc.fill_null(text, ""))


def _numbers(text: pa.Array) -> np.ndarray:
    """Return the numbers that text spells, NaN where it spells none."""
    try:
        return text.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return pd.to_numeric(text.to_pandas(), errors="coerce").to_numpy(dtype=np.float64)
