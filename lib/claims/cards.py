"""What a reader sees of verdicts: a card a claim, and words with marks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.claims.expressions import Stored
from lib.claims.published import Claims
from lib.claims.rules import Rules
from lib.claims.verdicts import REPRODUCED, STANDS, overall
from lib.experiment.stored_runs import MissingRun

MARKS = {
    part: dict(zip(words, signs, strict=True))
    for part, words, signs in (("reproduced", REPRODUCED, "●◐○◌"), ("stands", STANDS, "●◆■▲"))
}
"""A sign for each word of a verdict's two parts: shapes, so that they are told apart without colour."""
MOST_EVIDENCE = 3
"""Tables and figures that a card leads to."""


@dataclass(frozen=True)
class Card:
    """One claim as a reader sees it.

    `theirs` and `ours` are what the project has and what we have, `reproduced` and `stands` the verdict on the whole claim, `why`
    a sentence or two, `evidence` labels of tables and figures, with their run. Where `as_written` is false, the results are
    other ones than those that the card's words were written for, and `why` is the reason of a part of the claim.
    """

    id: str
    project: str
    title: str
    says: str
    theirs: str
    ours: str
    reproduced: str
    stands: str
    why: str
    evidence: tuple[str, ...]
    as_written: bool

    @property
    def markdown(self) -> str:
        """The card for a page, under a heading that gives it `lib.claims.published.Claim.anchor`."""
        facts = {f"Project {self.project}": self.theirs, "Ours": self.ours}
        facts |= {"Reproduced": marked(self.reproduced, "reproduced"), "Stands": marked(self.stands, "stands")}
        listed = "\n".join(f"- **{name}:** {text}" for name, text in facts.items())
        shown = f"See {', '.join(f'@{label}' for label in self.evidence)}." if self.evidence else ""
        return f"### {self.title}\n\n{self.says}\n\n{listed}\n\n{self.why} {shown}".rstrip()


def cards(rules: Rules, claims: Claims, stored: Stored, verdicts: pd.DataFrame) -> list[Card]:
    """Return a card for each claim, in their order; `verdicts` are as of `lib.claims.rules.Rules.judge`."""
    made = []
    for claim_id, whole in overall(verdicts).iterrows():
        claim, texts = claims[str(claim_id)], rules.cards[str(claim_id)]
        parts = verdicts[verdicts["id"] == claim_id]
        # What explains the verdict on the whole: the statement, which comes last, or the last part judged like it.
        decides = (
            parts.iloc[::-1].sort_values("stands", key=lambda words: words != whole["stands"], kind="stable").iloc[0]
        )
        names = rules.names(claim, stored, reproduced=whole["reproduced"], stands=whole["stands"])
        try:
            as_written, ours = bool(names.value(texts.holds)), names.text(texts.ours)
        except MissingRun:
            as_written, ours = False, "not measured here"
        why = names.text(texts.why) if as_written else f"{decides['reason'][0].upper()}{decides['reason'][1:]}."
        evidence = dict.fromkeys(filter(None, [decides["evidence"], *parts["evidence"]]))
        labels = tuple("-".join(one.split(":")[::-1]) for one in evidence)[:MOST_EVIDENCE]
        told = (claim.id, claim.project, claim.model, claim.says, names.text(texts.theirs), ours)
        made.append(Card(*told, whole["reproduced"], whole["stands"], why, labels, as_written))
    return made


def marked(word: str, part: str) -> str:
    """Put its sign before a word of a verdict's part, ``"reproduced"`` or ``"stands"``."""
    return f"{MARKS[part][word]} {word}"


def readable(rows: pd.DataFrame, claims: Claims) -> pd.DataFrame:
    """Return rows of `lib.claims.verdicts.verdict_table` as a reader sees them.

    ``part`` names the claim and its figure in words, an architecture by its sizes; ``ours`` has its range, where it is one; the
    two parts of the verdict have their marks; ``evidence`` is a label with its run.
    """
    figures = rows["figure"].str.replace(r"emb(\d+)_user(\d+)_movie(\d+)_final(\d+)", r"\1-\2-\3-\4", regex=True)
    figures = figures.str.replace("[_/]", " ", regex=True).str.replace("rmse", "RMSE").str.replace("mae", "MAE")
    names = [f"{claims[claim].project}: {claims[claim].model}" for claim in rows["id"]]
    ours = ["" if np.isnan(one) else f"{one:.4g}" for one in rows["ours"]]
    wide = rows["low"] < rows["high"]
    bounds = [f" ({low:.4g} to {high:.4g})" for low, high in zip(rows["low"], rows["high"], strict=True)]
    return pd.DataFrame(
        {
            "part": [f"{name}, {figure}" for name, figure in zip(names, figures, strict=True)],
            "reported": rows["reported"],
            "ours": [one + bound * shown for one, bound, shown in zip(ours, bounds, wide, strict=True)],
            **{part: [marked(word, part) for word in rows[part]] for part in MARKS},
            "why": rows["reason"],
            "evidence": rows["evidence"].str.replace(r"(.*):(.*)", r"\2-\1", regex=True),
        }
    )
