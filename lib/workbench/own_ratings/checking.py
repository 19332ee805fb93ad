"""From columns to ratings that models can be trained on; what is wrong stops with the line and the fix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from lib.workbench.own_ratings.table_files import Table

POLICIES = ("error", "last", "mean")
FINE = 1000
"""Ratings with more distinct values than this are called continuous: no step between them is looked for."""


def ids_of(column: Any, kind: str, source: Table) -> np.ndarray:
    """Return ids: whole numbers where every one is written as such, else text.

    ``007`` is text, as it is not how 7 is written. Blanks around an id do not count.

    Raises
    ------
    InvalidRatingsFile
        An id is empty.
    """
    column = _combined(column)
    if pa.types.is_integer(column.type) and column.null_count == 0:
        return column.to_numpy(zero_copy_only=False).astype(np.int64)
    # Each distinct id is looked at once: a million ratings have some thousands of them.
    coded = pc.fill_null(column.cast(pa.string()), "").dictionary_encode()
    rows = coded.indices.to_numpy(zero_copy_only=False)
    text = pc.utf8_trim_whitespace(coded.dictionary)
    empty = pc.equal(pc.utf8_length(text), 0).to_numpy(zero_copy_only=False)
    if empty.any():
        row = int(np.argmax(empty[rows]))
        raise source.wrong(row, f"the {kind} is empty", "Give the id, or take the row out")
    whole = whole_numbers(text)
    return (whole if whole is not None else text.to_numpy(zero_copy_only=False).astype(object))[rows]


def whole_numbers(text: pa.Array) -> np.ndarray | None:
    """Return ids as int64 where all are written as whole numbers are, else None."""
    try:
        numbers = text.cast(pa.int64())
    except pa.ArrowInvalid:
        return None
    if not pc.all(pc.equal(numbers.cast(pa.string()), text)).as_py():
        return None
    return numbers.to_numpy(zero_copy_only=False)


def ratings_of(column: Any, source: Table) -> np.ndarray:
    """Return ratings as float64.

    Raises
    ------
    InvalidRatingsFile
        One is text, empty, NaN or infinite.
    """
    column = _combined(column)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        text = pc.utf8_trim_whitespace(pc.fill_null(column.cast(pa.string()), ""))
        try:
            column = text.cast(pa.float64())
        except pa.ArrowInvalid:
            row = _first_text(text)
            value = text[row].as_py()
            if value == "":
                raise source.wrong(row, "the rating is empty", "Give a number, or take the row out") from None
            other = "Give a number, or name another column: --columns rating=..."
            fix = "Write decimals with a point" if "," in value else other
            raise source.wrong(row, f"the rating {value[:40]!r} is not a number", fix) from None
    values = pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy(zero_copy_only=False)
    bad = ~np.isfinite(values)
    if bad.any():
        row = int(np.argmax(bad))
        what = "not a number (NaN)" if np.isnan(values[row]) else "infinite"
        what = f"the rating is {what}; so are or like it {int(bad.sum()) - 1:,} more"
        raise source.wrong(row, what, "Take such rows out, or mend them")
    return values


def timestamps_of(column: Any, source: Table) -> tuple[np.ndarray, str]:
    """Return seconds since 1970, and how they were read, in words.

    Raises
    ------
    InvalidRatingsFile
        One is neither a number nor a date.
    """
    column = _combined(column)
    fix = "Write seconds since 1970 or a date such as 2024-05-31 13:45:00, or go without: --columns timestamp=none"
    if pa.types.is_temporal(column.type):
        values = pd.Series(pd.to_datetime(column.to_pandas(), utc=True))
        words = "dates"
    else:
        text = pc.utf8_trim_whitespace(pc.fill_null(column.cast(pa.string()), ""))
        try:
            return _seconds(text.cast(pa.float64()).to_numpy(zero_copy_only=False), source, fix)
        except pa.ArrowInvalid:
            if (row := _first_text(text)) > 0:  # the ones before it are numbers
                what = f"the timestamp {text[row].as_py()[:40]!r} is not a number"
                raise source.wrong(row, what, fix) from None
            values = pd.to_datetime(text.to_pandas(), format="ISO8601", errors="coerce", utc=True)
            words = "dates, in UTC where they name no zone"
    missing = values.isna().to_numpy()
    if missing.any():
        row = int(np.argmax(missing))
        what = f"the timestamp {str(column[row].as_py())[:40]!r} is neither a number nor a date"
        raise source.wrong(row, what, fix)
    return values.dt.as_unit("s").astype("int64").to_numpy(), words


def _seconds(values: np.ndarray, source: Table, fix: str) -> tuple[np.ndarray, str]:
    bad = ~np.isfinite(values)
    if bad.any():
        raise source.wrong(int(np.argmax(bad)), "the timestamp is not a finite number", fix)
    largest = np.abs(values).max()
    for limit, divisor, words in ((1e17, 1e9, "nano"), (1e14, 1e6, "micro"), (1e11, 1e3, "milli")):
        if largest >= limit:
            return (values // divisor).astype(np.int64), f"{words}seconds since 1970"
    return values.astype(np.int64), "seconds since 1970"


def check_scale(ratings: np.ndarray, scale: tuple[float, float] | None, source: Table) -> tuple[float, float]:
    """Return the scale: the given one, or the lowest and the highest rating.

    Raises
    ------
    InvalidRatingsFile
        A rating lies off the given scale, or its ends are the wrong way round.
    """
    if scale is None:
        return float(ratings.min()), float(ratings.max())
    low, high = map(float, scale)
    if not (np.isfinite([low, high]).all() and low < high):
        fix = "Give the lowest and the highest rating: --scale 1,5"
        raise source.wrong(None, f"the scale {low:g} to {high:g} has no room", fix)
    outside = (ratings < low) | (ratings > high)
    if outside.any():
        row = int(np.argmax(outside))
        raise source.wrong(
            row, f"the rating {ratings[row]:g} lies off the scale {low:g} to {high:g}; {int(outside.sum()):,} do",
            f"Mend them, or give the right scale: --scale {min(low, ratings.min()):g},{max(high, ratings.max()):g}",
        )  # fmt: skip
    return low, high


def step_of(ratings: np.ndarray) -> float | None:
    """Return the least distance between two ratings; None for one value, or for more values than `FINE`."""
    values = np.unique(ratings)
    return float(np.diff(values).min()) if 1 < len(values) <= FINE else None


def resolve_duplicates(frame: pd.DataFrame, policy: str, source: Table) -> tuple[pd.DataFrame, int]:
    """Leave one rating a pair.

    Parameters
    ----------
    frame : DataFrame
        ``user``, ``item``, ``rating``, ``timestamp``, rows as in the file.
    policy : {"error", "last", "mean"}
        ``last``: the latest one, of equal times the one further down; ``mean``: the mean rating at the latest time.
    source : Table

    Returns
    -------
    (DataFrame, int)
        With the number of rows taken out.

    Raises
    ------
    InvalidRatingsFile
        The policy is ``error`` and a pair stands twice; or the policy is unknown.
    """
    if policy not in POLICIES:
        raise source.wrong(None, f"--duplicates {policy} is unknown", f"Choose one of {', '.join(POLICIES)}")
    users, items = pd.factorize(frame["user"])[0], pd.factorize(frame["item"])[0]
    pairs = users.astype(np.int64) * (int(items.max()) + 1) + items
    together = np.sort(pairs)
    if not (together[1:] == together[:-1]).any():
        return frame, 0
    order = np.lexsort((np.arange(len(frame)), frame["timestamp"].to_numpy(), pairs))
    ends = np.append(np.diff(pairs[order]) != 0, True)
    n = int((~ends).sum())
    if policy == "error":
        again = int(np.argmax(pd.Series(pairs).duplicated().to_numpy()))
        first = int(np.argmax(pairs == pairs[again]))
        user, item = (str(frame[role].iloc[again])[:40] for role in ("user", "item"))
        raise source.wrong(
            again, f"user {user!r} rates item {item!r} again, first on {source.unit} {source.line(first):,}; "
            f"{n:,} rows repeat a pair", "Say what counts: --duplicates last or --duplicates mean",
        )  # fmt: skip
    kept = frame.iloc[np.sort(order[ends])]
    if policy == "mean":
        codes = pd.factorize(pairs)[0]
        means = np.bincount(codes, frame["rating"]) / np.bincount(codes)
        kept = kept.assign(rating=means[codes[kept.index]])
    return kept.reset_index(drop=True), n


def _combined(column: Any) -> pa.Array:
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _first_text(text: pa.Array) -> int:
    """Find the first value that the cast trips over, by halving: the cast itself names no row."""
    low, high = 0, len(text)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            text.slice(low, middle - low).cast(pa.float64())
            low = middle
        except pa.ArrowInvalid:
            high = middle
    return low
