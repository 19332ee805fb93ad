"""What a reader sees of verdicts: a card a claim, and words with marks."""

from typing import Any

import pandas as pd

from lib.claims.expressions import Stored
from lib.claims.published import Claims
from lib.claims.rules import Rules, named
from lib.claims.verdicts import REPRODUCED, STANDS, overall
from lib.experiment.stored_runs import MissingRun

MARKS = {"reproduced": dict(zip(REPRODUCED, "●◐○◌", strict=True)), "stands": dict(zip(STANDS, "●◆■▲", strict=True))}
"""A sign for each word of a verdict's two parts: shapes, so that they are told apart without colour."""
MOST_EVIDENCE = 3
"""Tables and figures that a card leads to."""


def cards(rules: Rules, claims: Claims, stored: Stored, verdicts: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a card for each claim, in their order; `verdicts` are as of `lib.claims.rules.Rules.judge`.

    Each has the claim's ``project``, ``title`` and ``stated_by``; the verdict on the whole, ``reproduced`` and ``stands``;
    the text, ``markdown``, under a heading that gives it `lib.claims.published.Claim.anchor`; and ``as_written``: whether
    the results are those for which the card's words were written, in whose place else the reason of what decides stands.
    Raises InvalidClaims: an expression of a card failed.
    """
    found = []
    for name, whole in overall(verdicts)[list(MARKS)].iterrows():
        claim, card, parts = claims[str(name)], rules.cards[str(name)], verdicts[verdicts["id"] == name]
        alike = parts[parts["stands"] == whole["stands"]]
        decides = (parts if alike.empty else alike).iloc[-1]  # the statement, where there is one
        names = rules.names(claim, stored, **whole)
        why = f"{decides['reason'][0].upper()}{decides['reason'][1:]}."
        with named(f"the card of {name}"):
            try:
                as_written, ours = bool(names.value(card["holds"])), names.text(card["ours"])
            except MissingRun:
                as_written, ours = False, "not measured here"
            theirs, why = names.text(card["theirs"]), names.text(card["why"]) if as_written else why
        facts = {claim.stated_by or f"Project {claim.project}": theirs, "Ours": ours}
        facts |= {part.capitalize(): marked(whole[part], part) for part in MARKS}
        shown = dict.fromkeys(filter(None, [decides["evidence"], *parts["evidence"]]))
        labels = [f"@{label}-{run}" for run, label in (one.split(":") for one in shown)][:MOST_EVIDENCE]
        see = f" See {', '.join(labels)}." if labels else ""
        listed = "\n".join(f"- **{fact}:** {text}" for fact, text in facts.items())
        text = f"### {claim.model}\n\n{claim.says}\n\n{listed}\n\n{why}{see}"
        told = {"project": claim.project, "title": claim.model, "stated_by": claim.stated_by}
        found.append({**told, "as_written": as_written, "markdown": text, **whole})
    return found


def marked(word: str, part: str) -> str:
    """Put its sign before a word of a verdict's part, ``"reproduced"`` or ``"stands"``."""
    return f"{MARKS[part][word]} {word}"
