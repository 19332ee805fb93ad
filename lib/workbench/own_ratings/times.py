"""From a column to seconds since 1970: numbers of any unit, ISO dates, dates of eight digits or more."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from lib.workbench.own_ratings.checking import finite, numbers, text_of
from lib.workbench.own_ratings.table_files import Table

UNITS = {"seconds": 1, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9, "days": 1 / 86400, "dates": 0}
"""How many of what ``--time-unit`` names are a second; ``dates`` are numbers such as 20240531."""
_SIZES = (1e11, 1e14, 1e17)
"""From these numbers on times are milliseconds, microseconds, nanoseconds: seconds reach the first in the year 5138."""
_DIGITS = ("eight", "ten", "twelve", "fourteen")
"""So many digits has a date that is written as a number, from the year on, down to the second."""
_DAY, _YEAR = 86400, 365 * 86400
_EARLY, _OLD, _LATE = 20 * _YEAR, 26 * _YEAR, 2**31
"""Nobody rates anything before 1990, or after 2037; and ratings that all are from before 1996 are few."""
_FIX = "Write seconds since 1970 or a date such as 2024-05-31 13:45:00, or go without: --columns timestamp=none"


def timestamps_of(source: Table, place: int, unit: str | None = None) -> tuple[np.ndarray, str]:
    """Return seconds since 1970, and how they were read, in words.

    Without a `unit` of `UNITS`, which is about numbers only, these are told by their size, one for all (0 and -1 aside),
    and dates written as numbers by all being some. `InvalidRatingsFile`: a time is missing or none, or two units are mixed.
    """
    column, words = source.columns[place], "dates"
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        dates = pd.Series(column.cast(pa.timestamp("s"), safe=False).to_pandas())
    else:
        column, words = text_of(source, place), "dates, in UTC where they name no zone"
        found = numbers(column)
        if not np.isnan(found[0]):
            return _seconds(finite(found, column, source, "timestamp", _FIX, largest=1e20), source, unit)
        dates = pd.Series(pd.to_datetime(column.to_pandas(), format="ISO8601", errors="coerce", utc=True))
    seconds = np.where(dates.isna(), np.nan, dates.dt.as_unit("s").astype("int64"))
    return finite(seconds, column, source, "timestamp", _FIX, form="number or date").astype(np.int64), words


def _seconds(values: np.ndarray, source: Table, unit: str | None) -> tuple[np.ndarray, str]:
    told = np.flatnonzero(~np.isin(values, (0, -1)))  # which stand for a time that is missing, whatever the unit
    if unit in (None, "dates") and len(told):
        dates, words = of_digits(values[told])
        if dates.notna().all():
            values = values.astype(np.int64)
            values[told] = dates.dt.as_unit("s").astype("int64")
            return values, f"dates of {words} digits"
        if unit == "dates":
            row = int(told[np.argmax(dates.isna())])
            fix = "Mend it, or give another --time-unit"
            raise source.wrong(row, f"the timestamp {values[row]:.15g} is no date of {words} digits", fix)
    names, sizes = list(UNITS), np.digitize(np.abs(values), _SIZES)
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


def of_digits(values: np.ndarray) -> tuple[pd.Series, str]:
    """Return the dates that numbers of as many digits as the first spell, NaT for others, and that number in words."""
    for place, words in enumerate(_DIGITS):
        low, high = 19000101 * 100**place, 21010101 * 100**place
        inside = (low <= values) & (values < high) & (values % 1 == 0)
        if inside[0]:
            text, form = np.where(inside, values, 0).astype(np.int64).astype(str), "%Y%m%d%H%M%S"[: 6 + 2 * place]
            return pd.Series(pd.to_datetime(text, format=form, errors="coerce")), words
    return pd.Series(pd.NaT, range(len(values))), _DIGITS[0]


def odd_times(times: np.ndarray, words: str, spelled: pa.ChunkedArray) -> list[str]:
    """Say what is odd about times, as read in these words: early or late ones, dates as numbers, numbers cut short."""
    low, high, early, notes = int(times.min()), int(times.max()), int((times < _EARLY).sum()), []
    if "digits" in words:
        notes.append(f"the timestamps look like {words}; if they are not, add --time-unit seconds")
    if 0 <= low < high < _YEAR:
        day = "one day of " * (low // _DAY == high // _DAY)
        notes.append(f"all times lie in {day}1970; if they count something else, add --time-unit, such as days")
    elif 0 <= low < high < _OLD and "since" in words:
        other = ".NET's ticks do from the year 1, Apple's seconds from 2001"
        notes.append(f"all times lie before 1996; if they count from another day ({other}), count them from 1970")
    elif early and low < high:
        notes.append(f"{early:,} of {len(times):,} times lie before 1990, as where one is missing, or in another unit")
    if high > _LATE:
        notes.append("times reach beyond the year 2037; if their unit is another, add --time-unit")
    if spelled.type == pa.string() and pc.any(pc.match_substring_regex(spelled[:1000], r"(?i)\de\+?\d")).as_py():
        notes.append(f"times are written such as {spelled[0]}; if a spreadsheet has cut off digits, get them whole")
    return notes
