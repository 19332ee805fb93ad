"""A model's card: what the rest of the project must know about a model, read from its file without importing it."""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

FAMILIES = (
    "means and popularity",
    "neighbourhood",
    "latent factors",
    "implicit feedback lists",
    "networks",
    "side information",
    "Bayesian",
)
"""Kinds of models, in the order in which tables and figures name them."""

CARRIER = re.compile(r"^class (\w+).*?(?=^\S|^    (?:@|(?:async )?def )|\Z)", re.MULTILINE | re.DOTALL)
"""A class up to its first method: what stands before is quick to parse, whole files are not."""

MARK = "\n    card = Card("


@dataclass(frozen=True)
class Card:
    """What stands as ``card = Card(...)`` in a model's class; all arguments are literals, and none acts on a result.

    Parameters
    ----------
    name, label : str
        In results and on the command line; in tables and figures.
    family, cold : str
        One of `FAMILIES`; what a cold user or film gets, in one sentence.
    project, colour : str
        From A to E, or ``"reference"`` for what these should have been compared with; a name of
        `lib.report.figures.PALETTE`, or ``#rrggbb``, empty for one that goes by the name.
    starts, learns_taste : bool
        Whether a fit depends on a random start (a convex model may have a seed and not depend on it); whether it is to
        beat the bias model where users' tastes are few and clear.
    stopping : mapping, optional
        How the number of epochs is found on validation ratings: arguments of `lib.experiment.fit.Stopping`.
    needs : str
        What data must have: ``"tables"`` of users and of films, ``"features"`` of either, ``"counts"`` for ratings,
        ``"many items"``, too many for the model that it stands in for; empty for ratings alone.
    most, most_searched : mapping of str to int
        The largest data (``ratings``, ``items``, ``cells`` of the matrix) on which a reader waits for one fit, and for
        the several that choose hyperparameters; 0 for never.
    films : str
        The fitted attribute in which the explorer looks for films near a film: a vector a film, or, called
        ``weights_``, weights of films on films. Empty: it doesn't.
    small, without_tables : mapping
        Hyperparameters for the small data of the contract's tests; those that differ where there are no side tables.
    place : str
        The class, as ``module:Class``; whoever reads the card notes it.
    """

    name: str
    label: str
    family: str
    cold: str
    project: str = "reference"
    colour: str = ""
    starts: bool = False
    learns_taste: bool = False
    stopping: Mapping[str, Any] | None = None
    needs: str = ""
    most: Mapping[str, int] = field(default_factory=dict)
    most_searched: Mapping[str, int] = field(default_factory=dict)
    films: str = ""
    small: Mapping[str, Any] = field(default_factory=dict)
    without_tables: Mapping[str, Any] = field(default_factory=dict)
    place: str = field(default="", compare=False)


@cache
def read_cards(folders: tuple[str, ...], package: str) -> dict[str, Card]:
    """Read the cards in a package's files by the models' names, in the order of the files; none is imported.

    ValueError: a card is not made of literals, lacks an argument or has one too many, or has another one's name.
    """
    found: dict[str, Card] = {}
    for folder in map(Path, folders):
        for path in sorted(folder.rglob("*.py")):
            module = ".".join([package, *path.relative_to(folder).with_suffix("").parts])
            text = path.read_text(encoding="utf-8")
            for carrier in CARRIER.finditer(text) if MARK in text else ():
                if MARK not in carrier[0]:
                    continue
                card = _read(carrier[0], f"{module}:{carrier[1]}")
                if card.name in found:
                    raise ValueError(f"{card.place} and {found[card.name].place} are both called {card.name!r}")
                found[card.name] = card
    return found


def _read(text: str, place: str) -> Card:
    try:
        node: Any
        (node,) = ast.parse(text).body
        call: Any
        (call,) = (
            statement.value
            for statement in node.body
            if isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", "") == "card"
        )
        given = {one.arg: ast.literal_eval(one.value) for one in call.keywords}
        return Card(*map(ast.literal_eval, call.args), **given | {"place": place})
    except (SyntaxError, TypeError, ValueError) as error:
        raise ValueError(f"the card of {place} can't be read: {error}") from error
