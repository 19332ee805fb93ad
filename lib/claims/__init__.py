"""The projects' claims and our verdicts on them."""

from lib.claims.published import (
    InvalidClaims,
    load_claims,
)
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
    "Verdict",
    "check_complete",
    "judge",
    "judge_figure",
    "load_claims",
    "overall",
    "verdict_table",
]
