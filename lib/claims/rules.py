"""The rules of the verdicts, read from ``data/verdicts.toml`` and applied to what the runs found."""

import ast
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from lib import ROOT
from lib.claims import expressions
from lib.claims.expressions import Names, Record, Stored
from lib.claims.published import Claim, Claims, InvalidClaims, check_keys, read_toml
from lib.claims.verdicts import NO, OPEN, RANGE, UNTRIED, WORDS, YES, Verdict, compare, verdict_table
from lib.experiment.stored_runs import MissingRun

PATH = ROOT / "data" / "verdicts.toml"
EXPRESSIONS = ("when", "ours", "range", "tolerance", "reproduced", "stands")
TEXTS = ("cause", "reason", "evidence")
"""Fields of a rule: what is evaluated, and what is filled in."""
CARD_TEXTS = ("theirs", "ours", "why")
NAMES = dict(zip(("yes", "within", "condition", "no", "untried", "open"), WORDS, strict=True))
"""What expressions call the words of a verdict."""
STANDING = {YES: YES, RANGE: YES, NO: NO, UNTRIED: OPEN}
"""How a figure stands, by whether it is reproduced, where its rule does not say."""


@dataclass(frozen=True)
class Rule:
    """How the parts of claims that fit `judges` are judged; the head of the file says what each field means."""

    judges: str
    reason: str
    when: str = "True"
    ours: str = "nan"
    range: str = ""
    tolerance: str = "None"
    reproduced: str = ""
    stands: str = ""
    cause: str = ""
    evidence: str = ""

    def bound(self, claim: str, part: str) -> dict[str, str] | None:
        """Return what the pattern binds where it fits a claim's part, else None."""
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(self.judges))
        found = re.fullmatch(pattern, f"{claim}/{part}")
        return None if found is None else {**found.groupdict(), "figure": part}

    def judge(self, claims: Claims, claim: str, part: str, names: Names) -> Verdict:
        """Judge a part that fits."""
        figure = claims[claim].figures.get(part)
        names["reported"] = figure.reported if figure else math.nan
        ours = names["ours"] = names.value(self.ours)
        bounds = names.value(self.range) if self.range else [ours if figure else math.nan]
        low, high = min(bounds), max(bounds)
        names["reproduced"] = compare(figure, ours, low, high, names.value(self.tolerance)) if figure else UNTRIED
        if self.reproduced:
            names["reproduced"] = names.value(self.reproduced)
        stands = names.value(self.stands) if self.stands else STANDING[names["reproduced"]]
        cause, reason, evidence = map(names.text, (self.cause, self.reason, self.evidence))
        return Verdict(claim, part, names["reproduced"], stands, reason, evidence, ours, low, high, cause)


@dataclass(frozen=True)
class Rules:
    """Thresholds by name, each project's definitions and rules, and the texts of cards by claim."""

    thresholds: Mapping[str, float]
    definitions: Mapping[str, Mapping[str, Any]]
    rules: Mapping[str, list[Rule]]
    cards: Mapping[str, Mapping[str, str]]

    def names(self, claim: Claim, stored: Stored, **bound: Any) -> Names:
        """Return what the expressions on a claim know."""
        figures = Record((name, figure.reported) for name, figure in claim.figures.items())
        known = {**self.thresholds, **NAMES, "nan": math.nan, "figures": figures, **bound}
        return Names(stored, self.definitions[claim.project], **known)

    def judge(self, claims: Claims, stored: Stored) -> pd.DataFrame:
        """Judge every part of every claim by the first rule that fits and applies, as a `verdict_table`.

        Raises InvalidClaims: an expression failed, or no rule applies. MissingRun: a rule needs a run that is not
        there.
        """
        parts = [(claim.id, part) for claim in claims.values() for part in claim.parts]
        found = {"/".join(part): self.verdict(claims, *part, stored) for part in parts}
        if missing := [part for part, verdict in found.items() if verdict is None]:
            fix = "Give each a rule in data/verdicts.toml that judges it, or says why it was not tried."
            raise InvalidClaims(f"{len(missing)} parts of claims lack a verdict: {', '.join(missing)}. {fix}")
        return verdict_table(claims, filter(None, found.values()))

    def verdict(self, claims: Claims, claim: str, part: str, stored: Stored) -> Verdict | None:
        """Judge one part; None where no rule applies. Raises as `judge` does."""
        for rule in self.rules[claims[claim].project]:
            bound = rule.bound(claim, part)
            if bound is None:
                continue
            names = self.names(claims[claim], stored, **bound)
            with named(f"{claim}, {part}: the rule for {rule.judges}"):
                if names.value(rule.when):
                    return rule.judge(claims, claim, part, names)
        return None


@contextmanager
def named(what: str) -> Iterator[None]:
    """Have an expression that fails raise InvalidClaims with `what` it belongs to; a missing run stays one."""
    try:
        yield
    except (InvalidClaims, MissingRun):
        raise
    except Exception as error:
        raise InvalidClaims(f"{what} failed with {type(error).__name__}: {error}") from error


def load_rules(path: Path | str = PATH) -> Rules:
    """Read and check the rules; InvalidClaims, which says where, for what is wrong in them."""
    content = read_toml(path)
    known = {field.name for field in fields(Rule)}
    thresholds = content.pop("thresholds", {})
    for name, threshold in thresholds.items():
        check_keys(f"threshold {name}", threshold, {"value", "why"})
    cards: dict[str, Mapping[str, str]] = {}
    for project, entry in content.items():
        check_keys(f"rules of project {project}", entry, {"define", "rules"}, {"cards"})
        for number, rule in enumerate(entry["rules"], 1):
            here = f"rule {rule.get('judges', number)} of {project}"
            check_keys(here, rule, {"judges", "reason"}, known)
            _check_expressions(here, rule, EXPRESSIONS, TEXTS)
        for claim, card in entry.get("cards", {}).items():
            check_keys(f"card {claim}", card, {"holds", *CARD_TEXTS})
            _check_expressions(f"card {claim}", card, ("holds",), CARD_TEXTS)
            cards[claim] = card
    return Rules(
        {name: threshold["value"] for name, threshold in thresholds.items()},
        {project: entry["define"] for project, entry in content.items()},
        {project: [Rule(**rule) for rule in entry["rules"]] for project, entry in content.items()},
        cards,
    )


def _check_expressions(here: str, entry: Mapping[str, str], evaluated: Sequence[str], filled: Sequence[str]) -> None:
    """Refuse what Python can't parse."""
    inside = [field for name in filled for field in expressions.fields(entry.get(name, ""))]
    for expression in [*(entry[name] for name in evaluated if name in entry), *inside]:
        try:
            ast.parse(f"({expression})", mode="eval")
        except SyntaxError as error:
            raise InvalidClaims(f"{here}: {expression!r} is no expression: {error.msg}") from error
