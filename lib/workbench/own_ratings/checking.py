"""From columns to ratings that models can be trained on; what is wrong is an `InvalidRatingsFile`."""

import contextlib
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from lib.data.splits import MIN_RATINGS
from lib.workbench.own_ratings.table_files import UNCLOSED, Table

POLICIES = ("error", "last", "mean")
FINE = 1000
"""Ratings with more distinct values than this are called continuous: no step between them is looked for."""
LARGEST = 1e15
"""Below it every whole number, and every squared error, is exact enough to be measured."""
LEAST = 10
"""Fewer test ratings than this are no test."""
_NO_TEXT = re.compile(r".*<|.*binary|time(32|64)|duration")
"""Arrow's types that hold no id, number or date; the nested ones name their parts."""


def ids_of(source: Table, place: int, kind: str) -> np.ndarray:
    """Return the ids in a column: whole numbers where every one is written as such, else text.

    ``007`` is text, as it is not how 7 is written; ``308.0`` is 308, as tables with gaps write it. Blanks around an id do
    not count; an empty one is an error.
    """
    if pa.types.is_floating(source.columns[place].type):
        values = source.columns[place].to_numpy()
        if (inexact := np.abs(values) >= 2.0 ** (np.finfo(values.dtype).nmant + 1)).any():
            row, fix = int(np.argmax(inexact)), "Write ids as whole numbers or as text, where they come from"
            raise source.wrong(row, f"the {kind}'s id {values[row]:g} is a decimal number too large to be exact", fix)
    # Each distinct id is looked at once: a million ratings have some thousands of them.
    coded = text_of(source, place).dictionary_encode()
    rows, text = coded.indices.to_numpy(zero_copy_only=False), coded.dictionary
    wrong = {"is empty": (r"^$", "Give the id, or take the row out"), "holds a line break": (r"[\r\n]", UNCLOSED)}
    for what, (sign, fix) in wrong.items():
        bad = pc.match_substring_regex(text, sign).to_numpy(zero_copy_only=False)
        if bad.any():
            raise source.wrong(int(np.argmax(bad[rows])), f"the {kind}'s id {what}", fix)
    if pc.all(pc.match_substring_regex(text, r"^-?\d+(\.0+)?$")).as_py():
        text = pc.replace_substring_regex(text, r"\.0+$", "")
    with contextlib.suppress(pa.ArrowInvalid):  # not all are whole
        whole = text.cast(pa.int64())
        if pc.all(pc.equal(whole.cast(pa.string()), text)).as_py():
            return whole.to_numpy(zero_copy_only=False)[rows]
    return text.to_numpy(zero_copy_only=False).astype(object)[rows]


def ratings_of(source: Table, place: int) -> np.ndarray:
    """Return the ratings in a column as float64 (see `_spelled`); an error where one is no number, or `LARGEST` and more."""
    column, fix = text_of(source, place), "Give a number, or name another column: --columns rating=..."
    return finite(_spelled(column), column, source, "rating", f"{fix}, or leave such rows out: --missing VALUE")


def _spelled(column: pa.Array) -> np.ndarray:
    """Return the numbers that text spells, also with decimal commas, or truth as 0 and 1; NaN where it spells none."""
    values = numbers(column)
    if np.isnan(values).any():
        if pc.all(pc.match_substring_regex(column, "(?i)^(true|false)$")).as_py():
            return pc.equal(pc.utf8_lower(column), "true").to_numpy(zero_copy_only=False).astype(np.float64)
        # In 1,234 the comma may part thousands: such a column is left as it is, which is an error.
        if not pc.any(pc.match_substring_regex(column, r"\.|,\d{3}$|,.*,")).as_py():
            values = numbers(pc.replace_substring(column, ",", "."))
    return values


def without_missing(source: Table, place: int, value: str) -> Table:
    """Leave out the rows whose rating is a value, as text or as a number; an error where none or each is."""
    text, value = text_of(source, place), value.strip()
    same, number = pc.equal(text, value).to_numpy(zero_copy_only=False), _spelled(pa.array([value]))[0]
    same |= np.isclose(_spelled(text), number, rtol=1e-7, atol=0)  # 32 bits have 0.1 as 0.10000000149
    if np.isnan(number) and not source.content:  # types have no text for what is missing
        same |= pc.equal(text, "").to_numpy(zero_copy_only=False)
    if not same.any() or same.all():
        fix = "Give the value that stands for 'not rated'"
        raise source.wrong(None, f"--missing {value}: {'each' if same.any() else 'no'} rating is {value!r}", fix)
    return source.kept(~same)


def finite(
    values: np.ndarray, column, source: Table, role: str, fix: str, *, largest=LARGEST, form="number"
) -> np.ndarray:
    """Return the values of a `form`, all finite and below the `largest`; the error shows the first that is not."""
    bad = ~(np.abs(values) < largest)
    if not bad.any():
        return values
    row, more = int(np.argmax(bad)), int(bad.sum()) - 1
    value = str(column[row].as_py() or "")
    size = f"not a finite {form}" if not np.isfinite(values[row]) else f"too large a {form}"
    what = f"{value[:40]!r} is {size}" if value else "is empty"
    many = f"; so it is on {more:,} more" if more else ""
    fix = fix.replace("VALUE", f"'{value[:40]}'") if 2 * more < len(values) else fix.partition(", or leave")[0]
    comma = "Write decimals with a point, and thousands without a comma"
    raise source.wrong(row, f"the {role} {what}{many}", comma if re.search(r"\d,\d", value) else fix)


def check_enough(users: pd.Series, source: Table) -> None:
    """Raise an error where neither a fifth of each user's ratings nor a fifth of all comes to `LEAST` ratings."""
    counts = users.value_counts().to_numpy()
    held_out = max(np.ceil(counts[counts >= MIN_RATINGS] / 5).sum(), np.ceil(len(users) / 5))
    if held_out < LEAST:
        what = f"{len(users):,} ratings are too few for a report, whose tests hold out a fifth: {LEAST} at least"
        raise source.wrong(None, what, f"Give {5 * LEAST} ratings or more")


def check_scale(ratings: np.ndarray, scale: tuple[float, float] | None, source: Table) -> tuple[float, float]:
    """Return the scale: the given one, off which no rating may lie, or the lowest and the highest, that 32 bits must tell apart."""
    if scale is None:
        low, high = float(ratings.min()), float(ratings.max())
        if low < high and np.float32(low) == np.float32(high):
            what = f"ratings of {low:.17g} to {high:.17g} are too near to each other to be told apart"
            raise source.wrong(None, what, "Write how far each lies from the lowest, or check --columns")
        return low, high
    low, high = map(float, scale)
    if not (max(abs(low), abs(high)) < LARGEST and low < high):
        fix = "Give the lowest and the highest rating: --scale 1,5"
        raise source.wrong(None, f"the scale {low:g} to {high:g} has no room", fix)
    outside = (ratings < low) | (ratings > high)
    if outside.any():
        row, ends = int(np.argmax(outside)), (min(low, ratings.min()), max(high, ratings.max()))
        what = f"the rating {ratings[row]:g} lies off the scale {low:g} to {high:g}; {int(outside.sum()):,} do"
        ways = "Mend them, or give the right scale: --scale {:g},{:g}, or leave such rows out: --missing {:.9g}"
        raise source.wrong(row, what, ways.format(*ends, ratings[row]))
    return low, high


def resolve_duplicates(frame: pd.DataFrame, policy: str, source: Table) -> pd.DataFrame:
    """Leave one rating a pair in a table of the file's rows, by one of `POLICIES`.

    ``last``: the latest one, of equal times the one further down; ``mean``: the mean rating at the latest time.
    """
    if policy not in POLICIES:
        raise source.wrong(None, f"--duplicates {policy} is unknown", f"Choose one of {', '.join(POLICIES)}")
    pair = ["user", "item"]
    again = frame.duplicated(pair).to_numpy()
    if not again.any():
        return frame
    if policy == "error":
        row = int(np.argmax(again))
        first = source.place(int(np.argmax((frame[pair] == frame.loc[row, pair]).all(axis=1))))
        user, item = (str(value)[:40] for value in frame.loc[row, pair])
        what = f"user {user!r} rates item {item!r} again, first on {first}; {int(again.sum()):,} rows repeat a pair"
        raise source.wrong(row, what, "Say what counts: --duplicates last or --duplicates mean")
    kept = frame.sort_values("timestamp", kind="stable").drop_duplicates(pair, keep="last").sort_index()
    if policy == "mean":
        kept["rating"] = frame.groupby(pair)["rating"].transform("mean")  # by row
    return kept.reset_index(drop=True)


def text_of(source: Table, place: int) -> pa.Array:
    """Return a column as text without blanks around it; what is missing is empty. An error for types that hold no text."""
    column = source.columns[place]
    if _NO_TEXT.match(str(column.type)):
        fix = "Give text, numbers or dates, or name another column with --columns"
        kind = str(column.type)[:60]
        raise source.wrong(None, f"{source.label(place)} has the type {kind}, which can't be read", fix)
    if pa.types.is_floating(column.type):
        column = column.cast(pa.float64())
        column = pc.if_else(pc.is_nan(column), None, column)
        with contextlib.suppress(pa.ArrowInvalid):  # not all are whole
            column = column.cast(pa.int64())
    return pc.utf8_trim_whitespace(pc.fill_null(column.cast(pa.string()), "")).combine_chunks()


def numbers(text: pa.Array) -> np.ndarray:
    """Return the numbers that text spells, NaN where it spells none."""
    try:
        return text.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return pd.to_numeric(text.to_pandas(), errors="coerce").to_numpy(dtype=np.float64)
