"""The projects' published figures, the rules of our verdicts on them, and the ledger that the report prints.

It imports `lib.experiment` for stored runs, `lib.data`, and what computes below.
"""

from lib.claims.expressions import Stored
from lib.claims.published import InvalidClaims, load_claims
from lib.claims.rules import load_rules
from lib.claims.verdicts import (
    COLUMNS,
    CONDITION,
    FAILS,
    HOLDS,
    VERDICTS,
    MissingVerdicts,
    Verdict,
    check_complete,
    judge,
    judge_figure,
    overall,
    verdict_table,
)

__all__ = [
    "COLUMNS",
    "CONDITION",
    "FAILS",
    "HOLDS",
    "VERDICTS",
    "InvalidClaims",
    "MissingVerdicts",
    "Stored",
    "Verdict",
    "check_complete",
    "judge",
    "judge_figure",
    "load_claims",
    "load_rules",
    "overall",
    "verdict_table",
]
