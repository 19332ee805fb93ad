"""The models that stand in the one table: where their hyperparameters come from, and what isn't on their cards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lib.experiment.fit import Stopping
from lib.experiment.space import Real, Space
from lib.models import cards
from lib.models.card import FAMILIES, Card
from lib.studies import koren_study, neural_study, ranking_study
from lib.studies.variants import Variant

THRESHOLD = 3.8
"""Least rating that counts as liked in the searches for lists, as project D has it."""


@dataclass(frozen=True)
class Contender:
    """One row of the table.

    Parameters
    ----------
    name : str
        In results.
    model : str
        Registered name; empty for the same.
    label : str
        In tables and figures; empty for the model's.
    fixed : mapping
        Hyperparameters that nothing searches.
    source : str
        Where the others come from: the page whose searches are kept (``koren``, ``ranking``, ``side_information``),
        ``"run <run>"`` for what an earlier page chose on validation data and left among its facts, or ``"fixed"``.
    variant : str
        The model's name in that study, or the fact's name.
    why : str
        Of a fixed one: where its hyperparameters come from, in words.
    needs, most : str, mapping
        As on the model's card, where they differ from it.
    space : Space, optional
        What a reader's ratings may search where the source has no search.
    card, family, project, starts, stopping
        The model's card, and what it says.
    """

    name: str
    model: str = ""
    label: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    source: str = "fixed"
    variant: str = ""
    why: str = "the model's defaults"
    needs: str = ""
    most: Mapping[str, int] = field(default_factory=dict)
    space: Space | None = None
    card: Card = field(init=False, repr=False)
    family: str = field(init=False)
    project: str = field(init=False)
    starts: bool = field(init=False)
    stopping: Stopping | None = field(init=False)

    def __post_init__(self) -> None:
        card = cards()[self.model or self.name]
        found = {name: getattr(self, name) or getattr(card, name) for name in ("label", "needs", "most")}
        found |= {name: getattr(card, name) for name in ("family", "project", "starts")}
        found |= {"stopping": Stopping(**card.stopping) if card.stopping else None}
        for name, value in {**found, "model": card.name, "card": card}.items():
            object.__setattr__(self, name, value)

    @property
    def facts(self) -> dict[str, Any]:
        """What other pages need to know of it."""
        return {"label": self.label, "family": self.family, "project": self.project, "model": self.model}


def chosen_from(left_out: Iterable[str] = (), only: Iterable[str] = ()) -> dict[str, Contender]:
    """Return the contenders by name, family by family: all, without some of them, or only some.

    A registered model that no row below is about has one with its defaults.

    Raises
    ------
    ValueError
        A name that is no contender's.
    """
    rows = _rows()
    rows += [Contender(name) for name in cards() if name not in {one.model for one in rows}]
    known = {one.name: one for one in sorted(rows, key=lambda one: FAMILIES.index(one.family))}
    left_out, only = set(left_out), set(only)
    if unknown := (left_out | only) - set(known):
        raise ValueError(f"no contender is called {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return {n: one for n, one in known.items() if n not in left_out and (not only or n in only)}


def _rows() -> list[Contender]:
    ranked = ranking_study.list_variants(THRESHOLD) | ranking_study.rating_variants()
    koren, networks = koren_study.variants(), neural_study.variants()
    timed = {**ranked["factorisation_machine"].fixed, "day": True, "gaps": (10, 600)}
    validated = "the model's defaults, chosen on validation ratings"
    embedded, sampled = (
        "as on the page of embeddings",
        "10 factors, as its page has it; it samples its penalties",
    )
    sides, shrinkage = "side_information_als", Space({"shrinkage": Real(3.0, 60.0, log=True)})

    def of(one: Variant, why: str = "", **differs) -> Contender:
        return Contender(one.name, one.model, one.label, one.fixed, why=why, **differs)

    def searched(source: str, *variants: Variant) -> list[Contender]:
        return [of(one, source=source, variant=one.name) for one in variants]

    means = ("global_mean", "user_mean", "item_mean", "random_order", "most_popular")
    return [
        *(Contender(name, why="nothing to choose") for name in means),
        *searched("ranking", ranked["svd"], ranked["soft_impute"]),
        Contender(
            "soft_impute_tuned",
            "soft_impute",
            "Soft-Impute, baseline chosen too",
            source="run imputation",
            variant="soft_impute_tuned",
            space=shrinkage,
        ),
        Contender("hard_impute", source="run imputation", variant="hard_impute_tuned"),
        of(ranked["matrix_factorisation"], embedded),
        Contender(
            f"{sides}_implicit",
            sides,
            "Side-information ALS, implicit sets",
            source="side_information",
            variant="implicit",
        ),
        Contender(
            f"{sides}_features_implicit",
            sides,
            "Side-information ALS, features and implicit sets",
            source="side_information",
            variant="features_implicit",
            needs="features",
            most={"ratings": 300_000},
        ),
        Contender("two_tower", source="run two_tower", variant="two_tower_tuned"),
        of(networks["neural_mf"], validated),
        of(networks["autorec"], validated),
        of(networks["autorec_user"], validated, most={"ratings": 150_000}),
        *searched("ranking", *(ranked[name] for name in ("item_knn", "ease", "implicit_als", "bpr"))),
        of(ranked["multi_vae"], "the paper's sizes"),
        of(ranked["softmax"], embedded),
        *searched("koren", *koren.values()),
        of(ranked["factorisation_machine"], sampled),
        Contender("timed_factorisation_machine", fixed=timed, why=sampled),
        Contender(
            "timed_factorisation_machine_ordinal",
            "timed_factorisation_machine",
            "Bayesian factorisation machine with time, ordinal",
            {**timed, "ordinal": True},
            why=sampled,
        ),
    ]
