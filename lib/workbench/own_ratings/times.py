"""From a column to seconds since 1970: numbers of any unit, ISO dates, dates of eight digits."""

import numpy as np
import pandas as pd
import pyarrow as pa

from lib.workbench.own_ratings.checking import finite, numbers, text_of
from lib.workbench.own_ratings.table_files import Table

UNITS = {"seconds": 1, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9, "days": 1 / 86400, "dates": 0}
"""How many of what ``--time-unit`` names are a second; ``dates`` are numbers such as 20240531."""
_SIZES = (1e11, 1e14, 1e17)
"""From these numbers on times are milliseconds, microseconds, nanoseconds: seconds reach the first in the year 5138."""
_DAY, _YEAR = 86400, 365 * 86400
_FIX = "Write seconds since 1970 or a date such as 2024-05-31 13:45:00, or go without: --columns timestamp=none"


def timestamps_of(source: Table, place: int, unit: str | None = None) -> tuple[np.ndarray, str]:
    """Return seconds since 1970, and how they were read, in words.

    Without a `unit` of `UNITS` numbers are told by their size, which must be one for all (zeros aside), and dates of
    eight digits by all being some. `InvalidRatingsFile`: a time is missing or none, or two units are mixed.
    """
    column, words = source.columns[place], "dates"
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        dates = pd.Series(column.cast(pa.timestamp("s"), safe=False).to_pandas())
    else:
        column, words = text_of(source, place), "dates, in UTC where they name no zone"
        found = numbers(column)
        if unit is not None or not np.isnan(found[0]):
            return _seconds(finite(found, column, source, "timestamp", _FIX), source, unit)
        dates = pd.Series(pd.to_datetime(column.to_pandas(), format="ISO8601", errors="coerce", utc=True))
    missing = dates.isna().to_numpy()
    if missing.any():
        row = int(np.argmax(missing))
        value = str(column[row].as_py() or "")
        what = f"the timestamp {value[:40]!r} is neither a number nor a date" if value else "the timestamp is empty"
        raise source.wrong(row, what, _FIX)
    return dates.dt.as_unit("s").astype("int64").to_numpy(), words


def _seconds(values: np.ndarray, source: Table, unit: str | None) -> tuple[np.ndarray, str]:
    days = _of_eight_digits(values) if unit in (None, "dates") else None
    if days is not None:
        return days, "dates of eight digits"
    if unit == "dates":
        raise source.wrong(None, "its timestamps are not all dates of eight digits", "Give another --time-unit")
    names, sizes, told = list(UNITS), np.digitize(np.abs(values), _SIZES), np.flatnonzero(values)
    first = int(sizes[told[0]]) if len(told) else 0
    other = told[sizes[told] != first]
    if unit is None and len(other):
        row = int(other[0])
        what = f"the timestamp {values[row]:.0f} is in {names[sizes[row]]}, those before it are in {names[first]}"
        raise source.wrong(row, f"{what}; {len(other):,} are of another size", "Bring all to one unit")
    scaled = values / UNITS[unit or names[first]]
    row = int(np.argmax(np.abs(scaled)))
    if np.abs(scaled[row]) > 1e12:
        raise source.wrong(row, f"the timestamp {values[row]:g} is too large to be in {unit or names[first]}", _FIX)
    return np.floor(scaled).astype(np.int64), f"{unit or names[first]} since 1970"


def _of_eight_digits(values: np.ndarray) -> np.ndarray | None:
    if values.min() < 19000101 or values.max() > 21001231 or (values % 1).any():
        return None
    dates = pd.Series(pd.to_datetime(values.astype(np.int64).astype(str), format="%Y%m%d", errors="coerce"))
    return None if dates.isna().any() else dates.dt.as_unit("s").astype("int64").to_numpy()


def odd_times(times: np.ndarray, words: str) -> list[str]:
    """Say what is odd about times, as read in these words: one day of 1970, stray ones, eight digits."""
    low, high, early, notes = int(times.min()), int(times.max()), int((times < _YEAR).sum()), []
    if "eight digits" in words:
        notes.append("the timestamps look like dates of eight digits; if they are not, add --time-unit seconds")
    if low < high and low // _DAY == high // _DAY and 0 <= low < _YEAR:
        notes.append("all times lie in one day of 1970; if they count something else, add --time-unit, such as days")
    elif 0 < early < len(times) / 2 and high > 10 * _YEAR:
        notes.append(f"{early:,} times lie before 1971, as a missing one does that was written as 0")
    if high > 130 * _YEAR:
        notes.append("times reach beyond the year 2099; if their unit is another, add --time-unit")
    return notes
