"""What our measurements say about each claim, in two parts: whether it is reproduced as they did it, whether it stands."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from lib.claims.published import STATEMENT, Claims, Figure, InvalidClaims

WORDS = ("yes", "within a range", "with a condition", "no", "not tried", "open")
YES, RANGE, CONDITION, NO, UNTRIED, OPEN = WORDS
REPRODUCED = (YES, RANGE, NO, UNTRIED)
"""Is the figure, or what a statement says was seen, reproduced as the project did it?"""
STANDS = (YES, CONDITION, NO, OPEN)
"""Does the conclusion stand when it is done properly?"""
CAUSES = ("shown", "conjectured", "")
"""How a cause that the reason states is known; empty where it states none."""

COLUMNS = (
    *("id", "project", "figure", "reported", "ours", "low", "high"),
    *("reproduced", "stands", "cause", "reason", "evidence"),
)
"""Columns of the table of verdicts, which the report publishes as ``claims.csv``."""


@dataclass(frozen=True)
class Verdict:
    """What we found about one part of a claim: the figure of that name, or the ``"statement"``.

    `reproduced`, `stands` and `cause` are of `REPRODUCED`, `STANDS` and `CAUSES`; `reason` says why, in a sentence or two.
    `evidence` is the ``"run:label"`` of the table or figure that shows it, empty only for what was not tried and is
    open. `ours` is our figure, or the number that decides a statement, with its interval; NaN where there is none.
    Raises InvalidClaims: another word, no reason, no evidence, or bounds that do not enclose ours.
    """

    id: str
    figure: str
    reproduced: str
    stands: str
    reason: str
    evidence: str = ""
    ours: float = math.nan
    low: float = math.nan
    high: float = math.nan
    cause: str = ""

    def __post_init__(self) -> None:
        here = f"the verdict on {self.id}, {self.figure}"
        for name, words in (("reproduced", REPRODUCED), ("stands", STANDS), ("cause", CAUSES)):
            if getattr(self, name) not in words:
                raise InvalidClaims(f"{here}: {name}, {getattr(self, name)!r}, is none of {', '.join(words)}")
        if not self.reason.strip():
            raise InvalidClaims(f"{here}: give the reason in a sentence")
        shown = re.fullmatch(r"[\w.-]+:(fig|tbl)-[\w-]+", self.evidence)
        if not shown and (self.evidence or (self.reproduced, self.stands) != (UNTRIED, OPEN)):
            raise InvalidClaims(f"{here}: evidence {self.evidence!r} must be run:label, such as 'svd:tbl-svd-scores'")
        if self.low > self.ours or self.ours > self.high or self.low > self.high:
            raise InvalidClaims(f"{here}: ours, {self.ours}, lies outside {self.low} to {self.high}")


def compare(published: Figure, ours: float, low: float, high: float, tolerance: float | None = None) -> str:
    """Say whether a published figure is reproduced by ours, a word of `REPRODUCED`.

    It is where the two agree to the last digit that was printed, and within a range where ``low - tolerance <= reported
    <= high + tolerance``; `tolerance` is that rounding where none is given. What has a NaN was not tried. Raises
    InvalidClaims: `tolerance` is negative or NaN.
    """
    reported, tolerance = published.reported, published.rounding if tolerance is None else tolerance
    if not tolerance >= 0:
        raise InvalidClaims(f"cannot judge {reported} with tolerance {tolerance}: it must not be negative")
    if math.isnan(ours) or math.isnan(low) or math.isnan(high):
        return UNTRIED
    slack = 1e-9 * max(abs(reported), abs(tolerance))  # 0.92 + 0.005 is not 0.925 in binary
    if abs(ours - reported) <= published.rounding + slack:
        return YES
    return RANGE if low - tolerance - slack <= reported <= high + tolerance + slack else NO


def verdict_table(claims: Claims, verdicts: Iterable[Verdict]) -> pd.DataFrame:
    """Collect verdicts into the published table: `COLUMNS`, a row a verdict; figures that were not tried are quoted too."""
    found = pd.DataFrame([vars(verdict) for verdict in verdicts])
    of = [claims[name] for name in found["id"]]
    figures = [one.figures.get(name) for one, name in zip(of, found["figure"], strict=True)]
    reported = [one.reported if one else math.nan for one in figures]
    return found.assign(project=[one.project for one in of], reported=reported)[list(COLUMNS)]


def told(words: pd.Series) -> str:
    """Say how often each word of `REPRODUCED` or `STANDS` is among these, such as ``"3 *yes*, 1 *within a range*"``."""
    counts = words.value_counts().reindex(WORDS).dropna().astype(int)
    return ", ".join(f"{n} *{word}*" for word, n in counts.items())


def overall(table: pd.DataFrame) -> pd.DataFrame:
    """Sum verdicts up to a row a claim, in the table's order: ``project``, ``reproduced``, ``stands``.

    A claim is reproduced as far as those of its parts are that were tried: *yes* if all are, *no* if at least half are
    not, else *within a range*. It stands as its statement does; without one as its figures do that are not open: *yes*
    if all stand, *no* if at least half do not, else *with a condition*.
    """
    parts = table.groupby("id", sort=False)
    found = parts[["project"]].first()
    found["reproduced"] = [_most(of["reproduced"], UNTRIED, RANGE) for _, of in parts]
    said = table[table["figure"] == STATEMENT].set_index("id")["stands"]
    found["stands"] = [said.get(name) or _most(of["stands"], OPEN, CONDITION) for name, of in parts]
    return found


def _most(words: pd.Series, unknown: str, between: str) -> str:
    """Sum up parts, leaving out those that are `unknown`."""
    known = words[words != unknown]
    if known.empty:
        return unknown
    return YES if (known == YES).all() else NO if 2 * (known == NO).sum() >= len(known) else between
