"""One look at what was read: what each column was taken for, what can hardly be meant, and what looks odd."""

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from lib.workbench.own_ratings.checking import FINE
from lib.workbench.own_ratings.columns import DATE, KNOWN, plain_name
from lib.workbench.own_ratings.errors import printable
from lib.workbench.own_ratings.table_files import Table
from lib.workbench.own_ratings.times import of_digits

ENOUGH = 20
"""Fewer rows than this show no habit."""
FAR = 5
"""So many times as large as nine tenths of all is the largest count, at least, where a column's name does not tell."""
ONCE = 0.9
"""A file in which so large a share of the items has one rating has them where users are meant."""
_PRODUCT = re.compile(
    r"B0[0-9A-Z]{8}|97[89]\d{10}|\d{9}X|tt\d{7,8}|(?i:item|movie|film|book|product|artist|track|song|game|asin)[-_ ]?\d+"
)
_PERSON = re.compile(r"A[0-9A-Z]{9,40}|(?i:user|reader|customer|reviewer|member|listener|viewer)[-_ ]?\d+")
_DOUBTFUL = re.compile(
    r"(?i)n(an|at|/?a|one|ull|il)|<na>|\\n|[?-]|-1|un(defined|known)|anonymous|\d([.,]\d+)?E\+\d+|(grand )?totals?|sum|average|mean"
)
"""Ids of nobody, what a spreadsheet makes of long ones, and what a last line begins with that sums up."""
EARLY, YEARS = 1e8, (1900, 2100)
"""Ratings from the first on are times, as in seconds it is in 1973; those that all lie within the others are years."""


def check_roles(source: Table, places: Mapping[str, int], ids: pd.DataFrame, told: bool) -> list[str]:
    """Say what is odd about the ids of users and items; `told` says that the reader named both columns, which ends it.

    Where nobody did, and neither did a header, it is an `InvalidRatingsFile` that the first column only counts the rows, or
    that nearly all items have one rating; and even with a header that users look like products, or items like people.
    """
    if told:
        return []
    label = {kind: f"{source.label(places[kind])}, taken for the {kind}," for kind in ("user", "item")}
    ways = places, {**places, "user": places["item"], "item": places["user"]}
    as_it_is, swapped = ("--columns " + ",".join(f"{role}={at + 1}" for role, at in way.items()) for way in ways)
    once, odd = {}, []
    habits = (("user", _PRODUCT, "a product"), ("item", _PERSON, "a person"), ("item", DATE, "a time"))
    for kind, habit, other in habits:
        counts = ids[kind].value_counts()
        once[kind] = float((counts == 1).mean())
        alike = [value for value in map(str, counts.index[:1000]) if habit.fullmatch(value)]
        if len(alike) > min(len(counts), 1000) / 2:
            such = "--columns item=...,timestamp=..." if habit is DATE else swapped
            fix = f"Say which is which, such as {such}; or {as_it_is} if it is meant so"
            raise source.wrong(None, f"{label[kind]} looks like {other}: {alike[0]!r}", fix)
    if len(ids["user"]) >= ENOUGH:
        if ids["user"].is_unique:
            steps = pd.to_numeric(ids["user"], errors="coerce").diff()[1:]
            by_one = bool((steps == 1).all() or (steps == -1).all())
            words = "counts the rows" if by_one else "has a value of its own on each row, as the number of a row does"
            odd.append((f"{label['user']} {words}", "Name the columns" if by_one else ""))
        if once["item"] >= ONCE and once["user"] < once["item"]:
            what = f"{label['item']} has {once['item']:.0%} of its values once, as a column of users often does"
            odd.append((what, f"Exchange the columns ({swapped})"))
    for what, fix in odd:
        if fix and not source.header:
            raise source.wrong(None, what, f"{fix}, or say that it is meant so: {as_it_is}")
    return [what for what, _ in odd]


def check_ratings(source: Table, place: int, values: np.ndarray, told: bool) -> list[str]:
    """Say where points in ratings may part thousands. An error where all look like times, unless `told`."""
    given = values[values > 0]
    low, high = (given.min(), given.max()) if 2 * len(given) > len(values) and not told else (0.0, 0.0)
    year = YEARS[0] <= low and high <= YEARS[1] and not (given % 1).any()
    kind = "time" if low >= EARLY and high < 50 * low else "year" if year else ""
    if kind or (low >= 1e7 and of_digits(given)[0].notna().all()):
        what = f"{sample(source, place)}, taken for the rating, looks like a {kind or 'date'}"
        raise source.wrong(None, what, "Name the column of ratings: --columns rating=..., or none if there is none")
    spelled = source.columns[place].unique()
    pointed = spelled.filter(pc.match_substring(spelled, ".")) if source.content else []
    if not len(pointed) or not pc.all(pc.match_substring_regex(pointed, r"^\s*[1-9]\d{0,2}\.\d{3}\s*$")).as_py():
        return []
    return [f"ratings have three digits behind each point, such as {pointed[0]}; if it parts thousands, leave it out"]


def odd_header(source: Table) -> list[str]:
    """Say whether a first line that was taken for a row counts 0, 1, 2 or 1, 2, 3, as nameless columns are numbered."""
    n = len(source.names)
    counts = [list(map(str, range(start, start + n))) for start in (0, 1)]
    if source.header or n < 3 or source.names not in counts:
        return []
    return [f"the first line counts ({', '.join(source.names)}); if it numbers the columns, add --header yes"]


def odd_ratings(values: np.ndarray, counts: np.ndarray) -> list[str]:
    """Say which end of the distinct ratings, in order with their counts, may stand for 'not rated', and why."""
    notes = []
    for name, sign in (("lowest", 1), ("highest", -1)):
        for n in range(1, min(3, len(values) - 1)):  # one value may stand for 'not rated', or two
            ends, rest = (values[:n], values[n:]) if sign > 0 else (values[-n:], values[:-n])
            gap, steps, count = max(rest[0] - ends[-1], ends[0] - rest[-1]), np.diff(rest), counts[::sign][0]
            regular = n == 1 and 2 < len(rest) <= FINE and np.ptp(steps) < 1e-9
            common = count > counts.sum() / 2 or (ends[0] <= 0 and count == counts.max() and len(rest) < FINE)
            signs = {
                f"far off the others, {rest[0]:g} to {rest[-1]:g}": gap > np.ptp(rest) * (1 if len(rest) > 3 else 3),
                "alone below zero": ends[-1] < 0 <= rest[0] and values[0] != -values[-1] and not (ends % 1).any(),
                f"outside the step of {steps[0]:g}": regular and gap > 1.5 * steps[0],
                f"on {count / counts.sum():.0%} of the rows": n == 1 and common,
            }
            if why := next((words for words, holds in signs.items() if holds), ""):
                those = " and ".join(f"{end:.9g}" for end in ends)
                way = f"add --missing {those}" if n == 1 else "take their rows out"
                notes.append(f"the {name} ratings: {those}, {why}; where that means 'not rated', {way}")
                break
    for place in range(1, len(values) - 1) if 3 < len(values) <= FINE else ():
        steps = np.diff(np.delete(values, place))
        if np.ptp(steps) < 1e-9 and counts[place] <= counts.sum() / 100:
            notes.append(
                f"the rating {values[place]:g} ({counts[place]:,} in all) is off the step of {steps[0]:g}: a slip?"
            )
    return notes


def are_counts(values: np.ndarray, counts: np.ndarray, name: str) -> bool:
    """Whether distinct numbers, in order with how often each stands there, count something, such as plays.

    They do in a column of such a `name`, and where whole numbers, two that may mean 'not rated' aside, are on no scale.
    """
    if values[0] < 0 or len(values) < 2:
        return False
    most = values[np.searchsorted(np.cumsum(counts), 0.9 * counts.sum())]
    tail = len(values) >= ENOUGH and min(values[-2], 2 * values[-3]) > FAR * most and not (values % 1).any()
    return plain_name(name) in KNOWN["ratings"]["counts"] or tail


def odd_ids(ids: np.ndarray, kind: str, spelled: pa.ChunkedArray) -> list[str]:
    """Say which distinct id is doubtful, and how many differ from another only in how they are written, or `spelled`."""
    doubt = "may be nobody's, or cut short, or a sum's; if so, mend its rows or take them out"
    notes = [f"the {kind} {one!r} {doubt}" for one in map(str, ids) if _DOUBTFUL.fullmatch(one)][:1]
    if spelled.type == pa.string() and (n := len(spelled.unique()) - len(ids)) > 0:
        notes.append(f"{n:,} {kind}s differ from another only by blanks around them, or .0 behind, and are joined")
    if ids.dtype != object:
        return notes
    same = pc.utf8_lower(pc.utf8_normalize(pa.array([one.casefold() for one in ids], pa.string()), "NFKC"))
    for sign in (r"[\s\p{Z}\p{Cf}]+", r"^\+", r"^0+"):
        same = pc.replace_substring_regex(same, sign, "")
    codes = same.dictionary_encode().indices.to_numpy()
    twins = np.bincount(codes)[codes] > 1
    if twins.any():
        pair = ids[codes == codes[np.argmax(twins)]][:2]
        those = " and ".join(ascii(one) if pair[0].split() == pair[1].split() else repr(one) for one in pair)
        how = "Unicode form, case or spaces, or by leading zeros"
        notes.append(f"{twins.sum():,} {kind}s differ from another only by {how}, such as {those}")
    return notes


def sample(source: Table, place: int, read: object = None) -> str:
    """Return a column's label with its first value, or that as `read`: ``column 1 (B00005N7P0)``, fit for a terminal."""
    value = str(source.columns[place][0].as_py() if read is None else read).strip()[:40]
    return f"{source.label(place)} ({printable(value)})"
