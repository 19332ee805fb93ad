"""What our measurements say about each claim: verdicts, their table, and the check that none is missing."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from lib.claims.published import STATEMENT, Claims, InvalidClaims

HOLDS = "holds"
CONDITION = "holds with a condition"
FAILS = "does not hold"
UNTESTED = "could not be tested"
VERDICTS = (HOLDS, CONDITION, FAILS, UNTESTED)
SEVERAL = {HOLDS: "hold", CONDITION: "hold with a condition", FAILS: "do not hold"}

COLUMNS = ("id", "project", "figure", "reported", "ours", "low", "high", "verdict", "reason", "evidence")
"""Columns of the table of verdicts, which the report publishes as ``claims.csv``."""


class MissingVerdicts(ValueError):
    """Claims that no verdict was given on; the report must not be built without."""


@dataclass(frozen=True)
class Verdict:
    """What we found about one figure of a claim, or about its statement.

    Parameters
    ----------
    id : str
        The claim's.
    figure : str
        The figure's name, or ``"statement"``.
    reported, ours, low, high : float
        As published, and ours with its interval; NaN where there is none (a statement; not tested).
    verdict : str
        One of `VERDICTS`.
    reason : str
        One sentence.
    evidence : str
        ``"run:label"`` of the table or figure that shows it; may be empty only for what could not be tested.

    Raises
    ------
    InvalidClaims
        Another verdict, no reason, no evidence, or bounds that do not enclose ours.
    """

    id: str
    figure: str
    reported: float
    ours: float
    low: float
    high: float
    verdict: str
    reason: str
    evidence: str

    def __post_init__(self):
        here = f"the verdict on {self.id}, {self.figure}"
        if self.verdict not in VERDICTS:
            raise InvalidClaims(f"{here}: {self.verdict!r} is none of {', '.join(VERDICTS)}")
        if not self.reason.strip():
            raise InvalidClaims(f"{here}: give the reason in a sentence")
        if not re.fullmatch(r"[\w.-]+:(fig|tbl)-[\w-]+", self.evidence) and not (
            self.verdict == UNTESTED and self.evidence == ""
        ):
            raise InvalidClaims(
                f"{here}: evidence {self.evidence!r} must be run:label, such as 'svd:tbl-svd-scores'"
            )
        if self.low > self.ours or self.ours > self.high or self.low > self.high:
            raise InvalidClaims(f"{here}: ours, {self.ours}, lies outside {self.low} to {self.high}")

    @classmethod
    def on_statement(
        cls,
        claim_id: str,
        verdict: str,
        reason: str,
        evidence: str,
        *,
        ours: float = math.nan,
        low: float = math.nan,
        high: float = math.nan,
    ) -> Verdict:
        """Judge a claim's words; `ours` is the number that decides it, where one does (such as a difference)."""
        return cls(claim_id, STATEMENT, math.nan, ours, low, high, verdict, reason, evidence)

    @classmethod
    def untested(cls, claim_id: str, figure: str, reason: str) -> Verdict:
        """Say that a figure or statement could not be tested, and why."""
        return cls(claim_id, figure, *[math.nan] * 4, UNTESTED, reason, "")


def judge(
    claims: Claims,
    claim_id: str,
    figure: str,
    ours: float,
    low: float | None = None,
    high: float | None = None,
    *,
    evidence: str,
    tolerance: float | None = None,
    condition: str = "",
    reason: str = "",
) -> Verdict:
    """Judge a published figure by ours.

    Parameters
    ----------
    claims : Claims
    claim_id, figure, evidence : str
    ours : float
        Measured under the project's protocol.
    low, high : float, optional
        What we hold possible: an interval over users, or the range over seeds. Both are `ours` by default.
    tolerance : float, optional
        As in `judge_figure`; by default what the figure's last printed digit leaves open.
    condition, reason : str
        On what the figure's holding depends: it then "holds with a condition"; and what replaces the sentence made from
        the numbers.
    """
    published = claims.figure(claim_id, figure)
    low, high = ours if low is None else low, ours if high is None else high
    tolerance = published.rounding if tolerance is None else tolerance
    verdict = judge_figure(published.reported, low, high, tolerance)
    if verdict == HOLDS and condition:
        verdict = CONDITION
    if not reason:
        place = _place(published.reported, low, high, tolerance)
        reason = (
            condition if verdict == CONDITION else f"{place.rstrip('.')}: {condition}" if condition else place
        )
    return Verdict(claim_id, figure, published.reported, ours, low, high, verdict, reason, evidence)


def judge_figure(reported: float, low: float, high: float, tolerance: float = 0.0) -> str:
    """Judge a published figure by our interval.

    It holds if ``low - tolerance <= reported <= high + tolerance``. The rule is blind to direction: a figure that is
    worse than ours does not hold either.
    `tolerance` is what the published figure leaves open (its rounding) or the protocol does (another seed), in its own units.
    What has a NaN bound could not be tested.

    Raises
    ------
    InvalidClaims
        `low` is above `high`, `tolerance` is negative, or `reported` is not finite.
    """
    if not math.isfinite(reported) or low > high or not tolerance >= 0:
        raise InvalidClaims(
            f"cannot judge {reported} by {low} to {high} with tolerance {tolerance}: the figure must be finite, the "
            "lower bound not above the upper, the tolerance not negative"
        )
    if math.isnan(low) or math.isnan(high):
        return UNTESTED
    slack = tolerance + 1e-9 * max(abs(reported), abs(tolerance))  # 0.92 + 0.005 is not 0.925 in binary
    return HOLDS if low - slack <= reported <= high + slack else FAILS


def verdict_table(claims: Claims, verdicts: Iterable[Verdict]) -> pd.DataFrame:
    """Collect verdicts into the published table: `COLUMNS`, a row a verdict; untested figures are quoted too."""
    rows = []
    for verdict in verdicts:
        claim = claims[verdict.id]
        published = claim.figures.get(verdict.figure)
        reported = published.reported if published else math.nan
        rows.append({**vars(verdict), "project": claim.project, "reported": reported})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def check_complete(claims: Claims, table: pd.DataFrame) -> None:
    """Raise `MissingVerdicts`, which names them, unless each claim's every figure and statement has a verdict."""
    judged = set(zip(table["id"], table["figure"], strict=True))
    missing = []
    for claim in claims.claims.values():
        open_parts = [part for part in claim.parts if (claim.id, part) not in judged]
        if open_parts:
            missing.append(f"{claim.id} ({', '.join(open_parts)})")
    if missing:
        raise MissingVerdicts(
            f"{len(missing)} claims lack a verdict: {'; '.join(missing)}. Give each a rule in data/verdicts.toml that "
            "judges it, or says why it could not be tested."
        )


def told(verdicts: pd.Series) -> str:
    """Say how many verdicts there are of each kind, such as ``"3 *hold*, 1 *does not hold*"``."""
    counts = verdicts.value_counts().reindex(VERDICTS).dropna().astype(int)
    return ", ".join(f"{n} *{SEVERAL.get(one, one) if n > 1 else one}*" for one, n in counts.items())


def overall(table: pd.DataFrame) -> pd.DataFrame:
    """Sum verdicts up to one a claim.

    What could not be tested does not count while anything else was tested. All parts hold: the claim holds. The
    statement fails, or at least half of the parts do: it does not hold, however many side figures agree. Otherwise it
    holds with a condition.

    Returns
    -------
    DataFrame
        Indexed by claim id, in the table's order: ``project``, ``verdict`` and a count for each of `VERDICTS`.
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


def _place(reported: float, low: float, high: float, tolerance: float) -> str:
    """Say where the published figure lies."""
    verdict = judge_figure(reported, low, high, tolerance)
    if verdict == UNTESTED:
        return "We have no figure to compare with."
    if verdict == HOLDS:
        return "The published figure agrees with ours."
    return f"The published figure lies {'below' if reported < low else 'above'} ours."
