"""Which column is which: found by name among the usual ones, or given as ``user=...,item=...``."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from lib.workbench.own_ratings.errors import problem

ROLES = ("user", "item", "rating", "timestamp")
"""In MovieLens's order, which is that of the columns of a file without a header."""

_USUAL = {
    "user": "user userid usr uid u reader readerid customer customerid client member memberid reviewer reviewerid "
    "listener viewer person username account visitorid rater",
    "item": "item itemid iid i movie movieid film filmid book bookid isbn product productid asin track trackid song "
    "songid artist artistid album anime animeid game gameid article articleid recipe recipeid beer beerid joke jokeid "
    "business businessid sku",
    "rating": "rating ratings score stars star value overall bookrating reviewoverall reviewscore userrating r grade "
    "points preference",
    "timestamp": "timestamp time date datetime unixreviewtime unixtime ts ratedat createdat dateadded reviewtime "
    "ratingdate t",
}
SYNONYMS = {role: names.split() for role, names in _USUAL.items()}
"""Names in small letters without anything between the words: ``User_ID`` and ``userId`` are both ``userid``."""

IGNORED = "none"
"""``timestamp=none`` leaves out a column that would be found by name."""


def plain_name(name: str) -> str:
    """Bring a column's name into the form of `SYNONYMS`: its letters and digits, of whatever alphabet."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", str(name)).casefold())


def has_header(first: Sequence[str]) -> bool:
    """Whether a first line names columns: it does unless a field of it is a number."""
    return not any(map(_is_number, first))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.strip().lower() not in ("nan", "inf", "infinity")


def assign(path: Path, found: Sequence[str], given: Mapping[str, str] | None, *, header: bool) -> dict[str, int]:
    """Return the place of the column, from 0, by role: ``user`` and ``item`` always, the others where there are.

    `found` are the names of the columns, without a `header` the first line's values; `given` has by role a column's
    name (case does not matter), its position from 1, or ``none`` to leave it out. A role or column that is unknown,
    meant twice or not to be found is an `InvalidRatingsFile`.
    """
    given = {role.strip().lower(): str(name).strip() for role, name in (given or {}).items()}
    nameless = f"{len(found)} without names, the first line being {list(found)}"
    listed = ", ".join(map(repr, found)) if header else nameless
    names = [plain_name(name) for name in found] if header else []
    places: dict[str, int] = {}
    for role, name in given.items():
        if role not in ROLES:
            what = f"--columns names {role!r}, which is no role"
            raise problem(path, what, f"The roles are {', '.join(ROLES)}")
        if name.lower() == IGNORED and role in ("rating", "timestamp"):
            continue
        if header and name in found:
            places[role] = list(found).index(name)
        elif plain_name(name) in names:
            places[role] = names.index(plain_name(name))
        elif name.isdigit() and 1 <= int(name) <= len(found):
            places[role] = int(name) - 1
        else:
            what = f"no column {name!r} for the {role}; its columns are {listed}"
            raise problem(path, what, f"Name one of them: --columns {role}=...", place="line 1")
    for role in ROLES if header else ():
        hits = [names.index(name) for name in SYNONYMS[role] if name in names]
        free = [place for place in hits if place not in places.values()]
        if role not in given and free:
            places[role] = free[0]
    if not header and not given:
        if not 3 <= len(found) <= len(ROLES):
            fix = (
                "A file without a header has 3 or 4: user, item, rating and timestamp. Say which is which by position: "
                "--columns user=1,item=2,rating=3"
            )
            raise problem(path, f"no header, and {len(found)} columns", fix, place="line 1")
        places = {role: place for place, role in enumerate(ROLES[: len(found)])}
    if missing := [role for role in ("user", "item") if role not in places]:
        example = ",".join(f"{role}={'NAME' if header else n}" for n, role in enumerate(ROLES[:3], start=1))
        what = f"no column for the {' and the '.join(missing)}; its columns are {listed}"
        raise problem(path, what, f"Name them: --columns {example}", place="line 1")
    if len(set(places.values())) < len(places):
        fix = "Name a column of its own for each role"
        raise problem(path, f"--columns gives one column two roles: {given}", fix)
    return places
