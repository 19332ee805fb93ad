"""What our measurements say about each claim: a verdict on each of its parts, and one on the whole."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import pandas as pd

from lib.claims.published import STATEMENT, Claims, Figure, InvalidClaims

HOLDS = "holds"
CONDITION = "holds with a condition"
FAILS = "does not hold"
UNTESTED = "could not be tested"
VERDICTS = (HOLDS, CONDITION, FAILS, UNTESTED)
SEVERAL: dict[Hashable, str] = {HOLDS: "hold", CONDITION: "hold with a condition", FAILS: "do not hold"}

COLUMNS = ("id", "project", "figure", "reported", "ours", "low", "high", "verdict", "reason", "evidence")
"""Columns of the table of verdicts, which the report publishes as ``claims.csv``."""


@dataclass(frozen=True)
class Verdict:
    """What we found about one part of a claim: the figure of that name, or the ``"statement"``.

    `verdict` is one of `VERDICTS`, `reason` one sentence, `evidence` the ``"run:label"`` of the table or figure that shows it,
    empty only for what could not be tested. `ours` is our figure, or the number that decides a statement, with its interval;
    NaN where there is none. Raises InvalidClaims: another verdict, no reason, no evidence, or bounds that do not
    enclose ours.
    """

    id: str
    figure: str
    verdict: str
    reason: str
    evidence: str = ""
    ours: float = math.nan
    low: float = math.nan
    high: float = math.nan

    def __post_init__(self) -> None:
        here = f"the verdict on {self.id}, {self.figure}"
        if self.verdict not in VERDICTS:
            raise InvalidClaims(f"{here}: {self.verdict!r} is none of {', '.join(VERDICTS)}")
        if not self.reason.strip():
            raise InvalidClaims(f"{here}: give the reason in a sentence")
        shown = re.fullmatch(r"[\w.-]+:(fig|tbl)-[\w-]+", self.evidence)
        if not shown and (self.verdict != UNTESTED or self.evidence):
            raise InvalidClaims(f"{here}: evidence {self.evidence!r} must be run:label, such as 'svd:tbl-svd-scores'")
        if self.low > self.ours or self.ours > self.high or self.low > self.high:
            raise InvalidClaims(f"{here}: ours, {self.ours}, lies outside {self.low} to {self.high}")


def judge_figure(published: Figure, low: float, high: float, tolerance: float | None) -> tuple[str, str]:
    """Judge a published figure by our interval; return the verdict and where the figure lies, in a sentence.

    It holds if ``low - tolerance <= reported <= high + tolerance``. The rule is blind to direction: a figure that is
    worse than ours does not hold either. `tolerance` is what the figure leaves open, in its own units: its rounding, or
    what a rule says. What has a NaN bound could not be tested. Raises InvalidClaims: `tolerance` is negative or NaN.
    """
    reported, tolerance = published.reported, published.rounding if tolerance is None else tolerance
    if not tolerance >= 0:
        raise InvalidClaims(f"cannot judge {reported} with tolerance {tolerance}: it must not be negative")
    if math.isnan(low) or math.isnan(high):
        return UNTESTED, "We have no figure to compare with."
    slack = tolerance + 1e-9 * max(abs(reported), abs(tolerance))  # 0.92 + 0.005 is not 0.925 in binary
    if low - slack <= reported <= high + slack:
        return HOLDS, "The published figure agrees with ours."
    return FAILS, f"The published figure lies {'below' if reported < low else 'above'} ours."


def verdict_table(claims: Claims, verdicts: Iterable[Verdict]) -> pd.DataFrame:
    """Collect verdicts into the published table: `COLUMNS`, a row a verdict; untested figures are quoted too."""
    rows = []
    for verdict in verdicts:
        claim = claims[verdict.id]
        published = claim.figures.get(verdict.figure)
        reported = published.reported if published else math.nan
        rows.append({**vars(verdict), "project": claim.project, "reported": reported})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def told(verdicts: pd.Series) -> str:
    """Say how many verdicts there are of each kind, such as ``"3 *hold*, 1 *does not hold*"``."""
    counts = verdicts.value_counts().reindex(VERDICTS).dropna().astype(int)
    return ", ".join(f"{n} *{SEVERAL.get(one, one) if n > 1 else one}*" for one, n in counts.items())


def overall(table: pd.DataFrame) -> pd.DataFrame:
    """Sum verdicts up to one a claim, in the table's order: ``project``, ``verdict``, and a count of each of `VERDICTS`.

    What could not be tested does not count while anything else was tested. All parts hold: the claim holds. The
    statement fails, or at least half of the parts do: it does not hold, however many side figures agree. Otherwise it
    holds with a condition.
    """
    counts = pd.crosstab(table["id"], table["verdict"]).reindex(columns=list(VERDICTS), fill_value=0)
    counts = counts.reindex(table["id"].unique())
    tested = counts[[HOLDS, CONDITION, FAILS]].sum(axis=1)
    verdict = pd.Series(CONDITION, index=counts.index)
    verdict[counts[HOLDS] == tested] = HOLDS
    refuted = table.loc[(table["figure"] == STATEMENT) & (table["verdict"] == FAILS), "id"]
    verdict[(2 * counts[FAILS] >= tested) | counts.index.isin(refuted)] = FAILS
    verdict[tested == 0] = UNTESTED
    counts.insert(0, "verdict", verdict)
    counts.insert(0, "project", table.drop_duplicates("id").set_index("id")["project"])
    counts.columns.name = None
    return counts
