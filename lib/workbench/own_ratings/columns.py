"""Which column is which: found by name among the usual ones, or given as ``user=...,item=...``."""

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from lib.workbench.own_ratings.errors import problem

ROLES = ("user", "item", "rating", "timestamp")
"""In MovieLens's order, which is that of the columns of a file without a header."""

KNOWN = tomllib.loads(Path(__file__).with_name("column_names.toml").read_text(encoding="utf-8"))
"""Names that columns of ``ratings``, of an ``item`` and of a ``user`` may have, by what they hold."""

IGNORED = "none"
"""``timestamp=none`` leaves out a column that would be found by name."""
_ATOMIC = re.compile(r":(token|float|token_seq|float_seq)$")
"""RecBole's atomic files write a column's type behind its name: ``user_id:token``."""
DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?")
_VALUE = re.compile(rf"[-+]?(\d+[.,]?\d*|[.,]\d+)(e[-+]?\d+)?|{DATE.pattern}", re.IGNORECASE)
WIDE = 8
"""So many columns or more, all of numbers, are taken for a matrix."""


def bare_name(name: str) -> str:
    """Return a column's name without blanks around it and without an atomic file's type."""
    return _ATOMIC.sub("", str(name).strip())


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())


def plain_name(name: str) -> str:
    """Bring a column's name into the form of `KNOWN`: its letters and digits, of whatever alphabet."""
    return "".join(sign for sign in _folded(name) if unicodedata.category(sign)[0] in "LMN")


def matches(found: Sequence[str], name: str) -> list[int]:
    """Return the places of the columns of a name: those equal to it, else but for case, else by `plain_name`.

    A name that reduces to nothing, such as ``★``, has no plain form.
    """
    for form in (str, _folded, plain_name):
        wanted = form(name)
        if hits := [place for place, other in enumerate(found) if wanted and form(other) == wanted]:
            return hits
    return []


def usual_places(found: Sequence[str], role: str) -> list[int]:
    """Return the places of the columns with a usual name of the role; Unix times before dates in words, ratings before counts."""
    names = [plain_name(name) for name in found]
    hits = [place for place, name in enumerate(names) if name in KNOWN["ratings"][role]]
    if role == "rating" and not hits:
        hits = [place for place, name in enumerate(names) if name in KNOWN["ratings"]["counts"]]
    unix = [place for place in hits if names[place].startswith("unix")]
    return unix or hits


def has_header(first: Sequence[str], given: Mapping[str, str] | None = None) -> bool:
    """Whether a first line names columns.

    It does where it has the usual names of two roles, or counts from 0 beside pandas's unnamed index, else not where a field
    is a number or a date, nor where columns are `given` by position, and neither a rating nor a time among them.
    """
    counts = ["", *map(str, range(len(first) - 1))]
    if sum(bool(usual_places(first, role)) for role in ROLES) > 1 or list(first) == counts:
        return True
    if any(_VALUE.fullmatch(text.strip()) for text in first):
        return False
    told = {role: name for role, name in (given or {}).items() if name.strip().lower() != IGNORED}
    by_position = bool(told) and all(name.strip().isdecimal() for name in told.values())
    return not by_position or not {"rating", "timestamp"}.isdisjoint(told)


def assign(path: Path, found: Sequence[str], given: Mapping[str, str] | None, *, header: bool) -> dict[str, int]:
    """Return the place of the column, from 0, by role: ``user`` and ``item`` always, the others where there are.

    `found` are the names of the columns, without a `header` the first line's values; `given` has by role a column's
    name (see `matches`), its position from 1, or ``none`` to leave it out. An `InvalidRatingsFile`: one is unknown or meant twice.
    """
    given = {role.strip().lower(): bare_name(name) for role, name in (given or {}).items()}
    nameless = f"{len(found)} without names, the first line being {list(found)}"
    listed = (", ".join(map(repr, found)) if header else nameless)[:300]
    places: dict[str, int] = {}

    def one_of(hits: Sequence[int], role: str) -> int:
        if len(hits) > 1:
            what = f"{len(hits)} columns may be the {role}: {', '.join(f'{found[p]!r} ({p + 1})' for p in hits)}"
            raise problem(path, what, f"Name the one by its position: --columns {role}={hits[0] + 1}", place="line 1")
        return hits[0]

    for role, name in given.items():
        if role not in ROLES:
            what = f"--columns names {role!r}, which is no role"
            raise problem(path, what, f"The roles are {', '.join(ROLES)}")
        if hits := matches(found, name) if header else []:
            places[role] = one_of(hits, role)
        elif name.isdecimal() and 1 <= int(name) <= len(found):
            places[role] = int(name) - 1
        elif name.lower() != IGNORED or role in ("user", "item"):
            what = f"no column {name!r} for the {role}; its columns are {listed}"
            raise problem(path, what, f"Name one of them: --columns {role}=...", place="line 1")
    for role in ROLES if header else ():
        free = [place for place in usual_places(found, role) if place not in places.values()]
        if role not in given and free:
            places[role] = one_of(free, role)
    if not header and not given:
        if not 3 <= len(found) <= len(ROLES):
            fix = "Without one they are user, item, rating, timestamp: say which is which, --columns user=1,item=2,rating=3"
            raise problem(path, f"no header, and {len(found)} columns", fix, place="line 1")
        places = {role: place for place, role in enumerate(ROLES[: len(found)])}
    if missing := [role for role in ("user", "item") if role not in places]:
        example = ",".join(f"{role}={'NAME' if header else ROLES.index(role) + 1}" for role in missing)
        what = f"no column for the {' and the '.join(missing)}; its columns are {listed}"
        other = "; if the first line is a rating and names nothing, add --header no" if header else ""
        fix = f"Name {'it' if len(missing) == 1 else 'them'}: --columns {example}{other}"
        raise problem(path, what, fix, place="line 1")
    if len(set(places.values())) < len(places):
        fix = "Name a column of its own for each role"
        raise problem(path, f"--columns gives one column two roles: {given}", fix)
    return places
