"""Which column is which: found by name among the usual ones, or given as ``user=...,item=...``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from lib.workbench.own_ratings.errors import problem

ROLES = ("user", "item", "rating", "timestamp")
"""In MovieLens's order, which is that of the columns of a file without a header."""

SYNONYMS: dict[str, tuple[str, ...]] = {
    "user": ("user", "userid", "usr", "uid", "u", "reader", "readerid", "customer", "customerid", "client", "member", "memberid",
             "reviewer", "reviewerid", "listener", "viewer", "person", "username", "account", "visitorid", "rater"),
    "item": ("item", "itemid", "iid", "i", "movie", "movieid", "film", "filmid", "book", "bookid", "isbn", "product", "productid",
             "asin", "track", "trackid", "song", "songid", "artist", "artistid", "album", "anime", "animeid", "game", "gameid",
             "article", "articleid", "recipe", "recipeid", "beer", "beerid", "joke", "jokeid", "business", "businessid", "sku"),
    "rating": ("rating", "ratings", "score", "stars", "star", "value", "overall", "bookrating", "reviewoverall", "reviewscore",
               "userrating", "r", "grade", "points", "preference"),
    "timestamp": ("timestamp", "time", "date", "datetime", "unixreviewtime", "unixtime", "ts", "ratedat", "createdat",
                  "dateadded", "reviewtime", "ratingdate", "t"),
}  # fmt: skip
"""Names in small letters without anything between the words: ``User_ID`` and ``userId`` are both ``userid``."""

IGNORED = "none"
"""``timestamp=none`` leaves out a column that would be found by name."""


def plain_name(name: str) -> str:
    """Bring a column's name into the form of `SYNONYMS`."""
    return re.sub(r"[^a-z0-9]+", "", str(name).lower())


def is_number(text: str) -> bool:
    """Whether a field of a first line is a value rather than a name."""
    try:
        float(text)
    except ValueError:
        return False
    return text.strip().lower() not in ("nan", "inf", "infinity")


def has_header(first: Sequence[str]) -> bool:
    """Whether a first line names columns: it does unless a field of it is a number."""
    return not any(is_number(field.strip()) for field in first)


def assign(
    path: Path, found: Sequence[str], given: Mapping[str, str] | None, *, header: bool = True
) -> dict[str, int]:
    """Tell which column holds what.

    Parameters
    ----------
    path : Path
        For messages.
    found : sequence of str
        Names of the columns; of a file without a header its number of columns counts, and these are its first values.
    given : mapping, optional
        By role, a column's name (case does not matter), its position from 1, or ``none`` to leave it out.
    header : bool

    Returns
    -------
    dict
        Place of the column, from 0, by role: ``user`` and ``item`` always, ``rating`` and ``timestamp`` where there are.

    Raises
    ------
    InvalidRatingsFile
        A role is unknown, a column is not there, meant twice, or not to be found.
    """
    given = {role.strip().lower(): str(name).strip() for role, name in (given or {}).items()}
    nameless = f"{len(found)} without names, the first line being {list(found)}"
    listed = ", ".join(map(repr, found)) if header else nameless
    for role in given:
        if role not in ROLES:
            fix = f"The roles are {', '.join(ROLES)}"
            raise problem(path, f"--columns names {role!r}, which is no role", fix)
    places = {}
    for role, name in given.items():
        if name.lower() == IGNORED and role in ("rating", "timestamp"):
            continue
        places[role] = _place(path, role, name, found, header, listed)
    if header:
        names = [plain_name(name) for name in found]
        for role in (role for role in ROLES if role not in given):
            hits = [names.index(name) for name in SYNONYMS[role] if name in names]
            free = [place for place in hits if place not in places.values()]
            if free:
                places[role] = free[0]
    elif not given:
        if not 3 <= len(found) <= len(ROLES):
            raise problem(
                path, f"no header, and {len(found)} columns",
                "A file without a header has 3 or 4: user, item, rating and timestamp. Say which is which by position: "
                "--columns user=1,item=2,rating=3", line=1,
            )  # fmt: skip
        places = {role: place for place, role in enumerate(ROLES[: len(found)])}
    missing = [role for role in ("user", "item") if role not in places]
    if missing:
        example = ",".join(f"{role}={'NAME' if header else n}" for n, role in enumerate(ROLES[:3], start=1))
        what = f"no column for the {' and the '.join(missing)}; its columns are {listed}"
        raise problem(path, what, f"Name them: --columns {example}", line=1)
    if len(set(places.values())) < len(places):
        fix = "Name a column of its own for each role"
        raise problem(path, f"--columns gives one column two roles: {given}", fix)
    return places


def _place(path: Path, role: str, name: str, found: Sequence[str], header: bool, listed: str) -> int:
    if header:
        exact = [place for place, column in enumerate(found) if column == name]
        loose = [place for place, column in enumerate(found) if plain_name(column) == plain_name(name)]
        if exact or loose:
            return (exact or loose)[0]
    if name.isdigit() and 1 <= int(name) <= len(found):
        return int(name) - 1
    raise problem(path, f"no column {name!r} for the {role}; its columns are {listed}",
                  f"Name one of them: --columns {role}=...", line=1)  # fmt: skip
