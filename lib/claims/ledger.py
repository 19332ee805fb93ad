"""The ledger of claims: one row a claim, with the verdict, the part that decides it, the reason and the evidence."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.claims.published import STATEMENT, Claims
from lib.claims.verdicts import CONDITION, FAILS, HOLDS, UNTESTED, check_complete, overall

LEDGER_COLUMNS = (
    "id",
    "project",
    "model",
    "statement",
    "parts",
    "holding",
    "verdict",
    "decided_by",
    "reported",
    "ours",
    "low",
    "high",
    "reason",
    "evidence",
)

DECIDING = {
    HOLDS: (HOLDS,),
    CONDITION: (CONDITION, FAILS, HOLDS),
    FAILS: (FAILS, CONDITION),
    UNTESTED: (UNTESTED,),
}
"""By a claim's verdict: whose part's reason explains it, the first of these that any part has."""


def ledger(verdicts: pd.DataFrame, claims: Claims) -> pd.DataFrame:
    """Sum verdicts on figures and statements up to a row a claim, in the order of the claims.

    A claim's verdict is that of `lib.claims.verdicts.overall`. Its deciding part is, among the parts whose own verdict explains
    it, the statement where there is one, or else the figure that lies farthest outside our range in units of its own
    size, or else the first.

    Parameters
    ----------
    verdicts : DataFrame
        As of `lib.claims.verdicts.verdict_table`, or read from ``reports/data/claims.csv``.
    claims : Claims
        All of them need a verdict on every part.

    Returns
    -------
    DataFrame
        `LEDGER_COLUMNS`. ``parts`` counts figures and statement, ``holding`` those that hold without a condition;
        ``reported``, ``ours``, ``low``, ``high``, ``reason`` and ``evidence`` are the deciding part's, whose name
        stands in ``decided_by``. Numbers are NaN where the part has none; ``evidence`` is empty where nothing could
        be tested.

    Raises
    ------
    MissingVerdicts
        A claim, or a part of one, has no verdict.
    ValueError
        Verdicts on a claim that is not among the published ones.
    """
    check_complete(claims, verdicts)
    unknown = set(verdicts["id"]) - set(claims.claims)
    if unknown:
        raise ValueError(f"verdicts on claims that nobody published: {', '.join(sorted(unknown))}")
    settled = overall(verdicts)
    rows = []
    for claim in claims.claims.values():
        parts = verdicts[verdicts["id"] == claim.id]
        verdict = settled.loc[claim.id, "verdict"]
        decides = deciding_part(parts, verdict)
        rows.append(
            {
                "id": claim.id,
                "project": claim.project,
                "model": claim.model,
                "statement": claim.statement,
                "parts": len(parts),
                "holding": int((parts["verdict"] == HOLDS).sum()),
                "verdict": verdict,
                "decided_by": decides["figure"],
                **decides[["reported", "ours", "low", "high", "reason"]],
                "evidence": "" if pd.isna(decides["evidence"]) else decides["evidence"],
            }
        )
    return pd.DataFrame(rows, columns=list(LEDGER_COLUMNS))


def deciding_part(parts: pd.DataFrame, verdict: str) -> pd.Series:
    """Return the one of a claim's parts (at least one) that explains the claim's verdict; see `ledger` for the rule."""
    kinds = DECIDING[verdict]
    explaining = next(
        (found for kind in kinds if not (found := parts[parts["verdict"] == kind]).empty), parts
    )
    said = explaining[explaining["figure"] == STATEMENT]
    if not said.empty:
        return said.iloc[0]
    reported, low, high = (explaining[column].astype(float) for column in ("reported", "low", "high"))
    outside = (low - reported).clip(lower=0) + (reported - high).clip(lower=0)
    distance = (outside / reported.abs().where(reported != 0, 1.0)).fillna(0.0)
    return explaining.loc[distance.idxmax()]


def readable(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows of `ledger` or of `lib.claims.verdicts.verdict_table` with what a reader sees beside them.

    ``our_range`` is text, an en dash where it is no range; ``evidence`` is its label alone; the part's name (``figure`` or
    ``decided_by``) is in words; ``id`` is called ``claim``, and ``reason`` ``why``.
    """
    part = "decided_by" if "decided_by" in rows else "figure"
    given = np.isfinite(rows["low"]) & np.isfinite(rows["high"]) & (rows["low"] != rows["high"])
    ranges = [f"{low:.4g} to {high:.4g}" for low, high in zip(rows["low"], rows["high"], strict=True)]
    return rows.assign(
        our_range=np.where(given, ranges, "–"),
        evidence=rows["evidence"].str.partition(":")[2],
        **{part: rows[part].str.replace("_", " ")},
    ).rename(columns={"id": "claim", "reason": "why"})
