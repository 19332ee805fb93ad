"""One look at what was read: what each column was taken for, what can hardly be meant, and what looks odd."""

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from lib.workbench.own_ratings.checking import FINE
from lib.workbench.own_ratings.columns import COUNTS, DATE, plain_name
from lib.workbench.own_ratings.table_files import Table

ENOUGH = 20
"""Fewer rows than this show no habit."""
FAR = 5
"""So many times as large as nine tenths of all is the largest count, at least, where a column's name does not tell."""
ONCE = 0.9
"""A file in which so large a share of the items has one rating has them where users are meant."""
_PRODUCT = re.compile(
    r"B0[0-9A-Z]{8}|97[89]\d{10}|\d{9}X|tt\d{7,8}|(?i:item|movie|film|book|product|artist|track|song|game|asin)[-_ ]?\d+"
)
_PERSON = re.compile(r"A[0-9A-Z]{9,20}|(?i:user|reader|customer|reviewer|member|listener|viewer)[-_ ]?\d+")


def check_roles(source: Table, places: Mapping[str, int], ids: pd.DataFrame, told: bool) -> list[str]:
    """Say what is odd about the ids of users and items; `told` says that the reader named both columns, which ends it.

    Where nobody did, and neither did a header, it is an `InvalidRatingsFile` that the first column only counts the rows, or
    that nearly all items have one rating; and even with a header that users look like products, or items like people.
    """
    if told:
        return []
    label = {kind: f"{source.label(places[kind])}, taken for the {kind}," for kind in ("user", "item")}
    at = {role: place + 1 for role, place in places.items()}
    as_it_is = "--columns " + ",".join(f"{role}={place}" for role, place in at.items())
    at["user"], at["item"] = at["item"], at["user"]
    swapped = "--columns " + ",".join(f"{role}={place}" for role, place in at.items())
    once, odd = {}, []
    habits = (("user", _PRODUCT, "a product"), ("item", _PERSON, "a person"), ("item", DATE, "a time"))
    for kind, habit, other in habits:
        counts = ids[kind].value_counts()
        once[kind] = float((counts == 1).mean())
        alike = [value for value in map(str, counts.index[:1000]) if habit.fullmatch(value)]
        if len(alike) > min(len(counts), 1000) / 2:
            fix = f"Say which is which, such as {swapped}; or {as_it_is} if it is meant so"
            raise source.wrong(None, f"{label[kind]} looks like {other}: {alike[0]!r}", fix)
    if len(ids["user"]) >= ENOUGH:
        if pd.api.types.is_integer_dtype(ids["user"]) and (ids["user"].diff()[1:] == 1).all():
            odd.append((f"{label['user']} counts the rows", "Name the columns"))
        if once["item"] >= ONCE and once["user"] < once["item"]:
            what = f"{label['item']} has {once['item']:.0%} of its values once, as a column of users often does"
            odd.append((what, f"Exchange the columns ({swapped})"))
    if odd and not source.header:
        what, fix = odd[0]
        raise source.wrong(None, what, f"{fix}, or say that it is meant so: {as_it_is}")
    return [what for what, _ in odd]


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
    for name, at, rest, nearest in (("lowest", 0, values[1:], 0), ("highest", -1, values[:-1], -1)):
        value, count = values[at], counts[at]
        if len(values) < 3:
            continue
        gap, steps = abs(value - rest[nearest]), np.diff(rest)
        regular = 2 < len(rest) <= FINE and np.ptp(steps) < 1e-9
        why = ""
        if gap > np.ptp(rest) * (1 if len(rest) > 3 else 3):
            why = f"lies far off the others, {rest[0]:g} to {rest[-1]:g}"
        elif value < 0 <= rest[0]:
            why = "is the only one below zero"
        elif regular and gap > 1.5 * steps[0]:
            why = f"lies outside the step of {steps[0]:g}"
        elif count > counts.sum() / 2 or (value <= 0 and len(values) <= FINE and count == counts.max()):
            why = f"stands on {count / counts.sum():.0%} of the rows"
        if why:
            notes.append(f"the {name} rating, {value:g}, {why}; where it means 'not rated', add --missing {value:g}")
    return notes


def are_counts(values: np.ndarray, counts: np.ndarray, name: str) -> bool:
    """Whether distinct numbers, in order with how often each stands there, count something, such as plays.

    They do in a column of such a `name`, and where whole numbers have a tail so long that they are on no scale.
    """
    if values[0] < 0 or len(values) < 2:
        return False
    most = values[np.searchsorted(np.cumsum(counts), 0.9 * counts.sum())]
    tail = len(values) >= ENOUGH and values[-1] > FAR * most and not (values % 1).any()
    return plain_name(name) in COUNTS or tail


def odd_ids(ids: np.ndarray, kind: str) -> list[str]:
    """Say how many distinct ids, of text, differ from another one only by Unicode form, case or spaces."""
    if ids.dtype != object:
        return []
    text = pa.array(ids, pa.string())
    same = pc.utf8_lower(pc.utf8_normalize(text, "NFKC"))
    codes = pc.replace_substring_regex(same, r"[\s\p{Z}\p{Cf}]+", "").dictionary_encode().indices.to_numpy()
    twins = np.bincount(codes)[codes] > 1
    if not twins.any():
        return []
    pair = ids[codes == codes[np.argmax(twins)]][:2]
    those = " and ".join(ascii(one) if pair[0].split() == pair[1].split() else repr(one) for one in pair)
    return [f"{twins.sum():,} {kind}s differ from another only by Unicode form, case or spaces, such as {those}"]


def sample(source: Table, place: int, read: object = None) -> str:
    """Return a column's label with its first value, or that as `read`: ``column 1 (B00005N7P0)``, fit for a terminal."""
    value = str(source.columns[place][0].as_py() if read is None else read).strip()[:40]
    return f"{source.label(place)} ({value if value.isprintable() else ascii(value)})"
