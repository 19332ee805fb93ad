"""What the rebuilt projects report: their figures and statements, read from ``data/claims.toml``."""

import math
import re
import tomllib
from collections.abc import Mapping, Set
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from lib import ROOT
from lib.data.errors import near_miss

PATH = ROOT / "data" / "claims.toml"

STATEMENT = "statement"
"""The figure's name in a verdict on a claim's words."""
OPTIONAL = {"figures", "rows", "statement", "says", "doubt", "stated_by"}
"""What a claim in the file may have besides its id, project and model."""


class InvalidClaims(ValueError):
    """The file of claims, a rule or a verdict contradicts itself, or a verdict is missing; the message says where."""


@dataclass(frozen=True)
class Figure:
    """A figure as published; `rounding` is half a unit of its last printed digit, 0 for a whole number."""

    reported: float
    rounding: float


@dataclass(frozen=True)
class Claim:
    """One claim: figures by name, a statement in words, or both.

    `model` is what a reader knows it by, `says` what the project says, which is the statement where there is one.
    `stated_by` is empty, or names who else states what the project only presents.
    """

    id: str
    project: str
    model: str
    figures: Mapping[str, Figure]
    statement: str
    says: str
    stated_by: str = ""

    @property
    def parts(self) -> list[str]:
        """What wants a verdict: the figures' names, and ``"statement"`` where there is one."""
        return [*self.figures, *([STATEMENT] if self.statement else [])]

    @property
    def anchor(self) -> str:
        """The id of the claim's card on the page of the projects: ``projects.html#svd-with-20-factors``."""
        return re.sub(r"\W+", "-", self.model.lower()).strip("-")


class Claims(dict[str, Claim]):
    """All claims by id."""

    def __missing__(self, claim_id: str) -> Claim:
        raise KeyError(f"no claim is called {claim_id!r}{near_miss(claim_id, self)}")

    def figure(self, claim_id: str, name: str) -> Figure:
        """Return a claim's figure; KeyError, which names the near miss, where there is no such claim or figure."""
        claim = self[claim_id]
        if name not in claim.figures:
            raise KeyError(f"{claim_id} has no figure {name!r}{near_miss(name, claim.figures)}")
        return claim.figures[name]


def load_claims(path: Path | str = PATH) -> Claims:
    """Read and check the file of claims; InvalidClaims, which says where, for what is wrong in it."""
    content = read_toml(path, parse_float=Decimal)
    check_keys(str(path), content, {"projects", "claims"})
    projects = content["projects"]
    for project_id, entry in projects.items():
        check_keys(f"project {project_id}", entry, {"title", "document", "dataset", "protocol"})
    claims = Claims()
    for number, entry in enumerate(content["claims"], start=1):
        here = f"claim {entry.get('id', number)}"
        check_keys(here, entry, {"id", "project", "model"}, OPTIONAL)
        if entry["project"] not in projects:
            raise InvalidClaims(f"{here}: no project {entry['project']!r}; there are {', '.join(projects)}")
        if entry["id"] in claims:
            raise InvalidClaims(f"{here}: the id occurs twice")
        figures, statement = _figures(here, entry), entry.get("statement", "")
        said = statement, entry.get("says", statement), entry.get("stated_by", "")
        claim = Claim(entry["id"], entry["project"], entry["model"], figures, *said)
        if not claim.parts:
            raise InvalidClaims(f"{here}: has neither a figure nor a statement, so nothing to judge")
        claims[claim.id] = claim
    return claims


def _figures(here: str, entry: dict) -> dict[str, Figure]:
    """Collect a claim's figures, those of its rows under ``row/column``."""
    values = dict(entry.get("figures", {}))
    for row in entry.get("rows", []):
        if not isinstance(row.get("name"), str):
            raise InvalidClaims(f"{here}: a row needs a name, got {row}")
        columns = {f"{row['name']}/{column}": value for column, value in row.items() if column != "name"}
        if columns.keys() & values.keys():
            raise InvalidClaims(f"{here}: the row {row['name']!r} occurs twice")
        values |= columns
    figures = {}
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | Decimal) or not math.isfinite(value):
            raise InvalidClaims(f"{here}: the figure {name} must be a finite number, got {value!r}")
        figures[name] = Figure(float(value), 0.0 if isinstance(value, int) else rounding_of(value))
    if STATEMENT in figures:
        raise InvalidClaims(f"{here}: no figure may be called {STATEMENT!r}")
    return figures


def read_toml(path: Path | str, **options) -> dict:
    """Read a TOML file, or raise `InvalidClaims`; with ``parse_float=Decimal`` numbers keep the digits as printed."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"), **options)
    except tomllib.TOMLDecodeError as error:
        raise InvalidClaims(f"{path} is not valid TOML: {error}") from error


def rounding_of(value: int | Decimal) -> float:
    """Return half a unit of a number's last printed digit: 0.910 is a figure to three places."""
    return 0.5 * 10.0 ** (int(value.as_tuple().exponent) if isinstance(value, Decimal) else 0)


def check_keys(here: str, entry: Mapping, required: set[str], optional: Set[str] = frozenset()) -> None:
    """Refuse an entry that lacks a key or has an unknown one; `here` says where it stands."""
    if missing := required - set(entry):
        raise InvalidClaims(f"{here}: lacks {', '.join(sorted(missing))}")
    for key in set(entry) - required - optional:
        raise InvalidClaims(f"{here}: unknown key {key!r}{near_miss(key, required | optional)}")
