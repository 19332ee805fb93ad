"""The ledger of claims: one row a claim, with the verdict, the part that decides it, the reason and the evidence."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.claims.published import STATEMENT, Claims
from lib.claims.verdicts import CONDITION, FAILS, HOLDS, UNTESTED, overall

DECIDING = {HOLDS: (HOLDS,), CONDITION: (CONDITION, FAILS, HOLDS), FAILS: (FAILS, CONDITION), UNTESTED: (UNTESTED,)}
"""By a claim's verdict: whose part's reason explains it, the first of these that any part has."""


def ledger(verdicts: pd.DataFrame, claims: Claims) -> pd.DataFrame:
    """Sum verdicts on figures and statements up to a row a claim, in the order of the claims.

    A claim's verdict is that of `lib.claims.verdicts.overall`. Its deciding part is, among the parts whose own verdict
    explains it, the statement where there is one, or else the figure that lies farthest outside our range in units of
    its own size, or else the first. `verdicts` are as of `lib.claims.rules.Rules.judge`. A row has the claim; the
    number of its ``parts`` and of those that hold without a condition, ``holding``; ``verdict``, ``decided_by``, and
    the deciding part's ``reported``, ``ours``, ``low``, ``high``, ``reason`` and ``evidence``.
    """
    settled = overall(verdicts)
    rows = []
    for claim in claims.values():
        parts = verdicts[verdicts["id"] == claim.id]
        verdict = str(settled.loc[claim.id, "verdict"])
        decides = _deciding_part(parts, verdict)
        row = {name: getattr(claim, name) for name in ("id", "project", "model", "statement")}
        row |= {"parts": len(parts), "holding": int((parts["verdict"] == HOLDS).sum()), "verdict": verdict}
        row |= {"decided_by": decides["figure"]}
        rows.append(row | dict(decides[["reported", "ours", "low", "high", "reason", "evidence"]]))
    return pd.DataFrame(rows)


def _deciding_part(parts: pd.DataFrame, verdict: str) -> pd.Series:
    """Return the one of a claim's parts that explains the claim's verdict."""
    kind = next(kind for kind in DECIDING[verdict] if kind in set(parts["verdict"]))
    explaining = parts[parts["verdict"] == kind]
    said = explaining[explaining["figure"] == STATEMENT]
    if not said.empty:
        return said.iloc[0]
    reported, low, high = (explaining[column].astype(float) for column in ("reported", "low", "high"))
    outside = (low - reported).clip(lower=0) + (reported - high).clip(lower=0)
    distance = (outside / reported.abs().where(reported != 0, 1.0)).fillna(0.0)
    return explaining.iloc[distance.argmax()]


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
