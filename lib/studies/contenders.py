"""The models that stand in the one table: where their hyperparameters come from, and what isn't on their cards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from lib.experiment.fit import Stopping
from lib.experiment.space import Space
from lib.models import cards
from lib.models.card import FAMILIES, Card
from lib.studies import koren_study, neural_study, ranking_study
from lib.studies.side_information_study import ALS
from lib.studies.variants import Variant, magnitudes

THRESHOLD = 3.8
"""Least rating that counts as liked in the searches for lists, as project D has it."""


@dataclass(frozen=True)
class Contender:
    """One row of the table: a `model` by its registered name, called `name` in results and `label` in tables and figures.

    `fixed` are hyperparameters that nothing searches. `source` says where the others come from: the page whose searches
    are kept (``koren``, ``ranking``, ``side_information``), where the model is called `variant`; ``"run <run>"`` for what
    an earlier page chose on validation data and left as its fact ``<model>_tuned``; or ``"fixed"``, `why` having the
    reason in words. `needs` and `most` are given where they differ from the model's card, `space` where a reader's ratings
    may search what the source has not. An empty `model` or `variant` is the same as `name`, an empty `label` the model's;
    the rest is what the `card` says.
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
        found |= {"variant": self.variant or self.name, "model": card.name, "card": card}
        for name, value in found.items():
            object.__setattr__(self, name, value)

    @property
    def facts(self) -> dict[str, Any]:
        """What other pages need to know of it."""
        return {"label": self.label, "family": self.family, "project": self.project, "model": self.model}


def chosen_from(left_out: Iterable[str] = (), only: Iterable[str] = ()) -> dict[str, Contender]:
    """Return the contenders by name, family by family: all, without some of them, or only some.

    A registered model that no row below is about has one with its defaults. A name that is no contender's is a ValueError.
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
    networks = neural_study.variants()

    def of(one: Variant, why: str = "", **differs) -> Contender:
        return Contender(one.name, one.model, one.label, one.fixed, why=why, **differs)

    nothing = partial(Contender, why="nothing to choose")
    searched = partial(of, source="ranking")
    tuned = partial(Contender, source="run imputation")
    sides = partial(Contender, model=ALS, source="side_information")
    machine = partial(Contender, why="10 factors, as its page has it; it samples its penalties")
    validated = partial(of, why="the model's defaults, chosen on validation ratings")
    embedded = partial(of, why="as on the page of embeddings")
    chosen = {"label": "Soft-Impute, baseline chosen too", "space": Space(magnitudes(shrinkage=(3.0, 60.0)))}
    both = {"label": "Side-information ALS, features and implicit sets", "variant": "features_implicit"}
    timed = {**ranked["factorisation_machine"].fixed, "day": True, "gaps": (10, 600)}
    last = {"label": "Bayesian factorisation machine with time, ordinal", "fixed": {**timed, "ordinal": True}}
    return [
        *map(nothing, ("global_mean", "user_mean", "item_mean", "random_order", "most_popular")),
        *map(searched, (ranked["svd"], ranked["soft_impute"])),
        tuned("soft_impute_tuned", "soft_impute", **chosen),
        tuned("hard_impute"),
        embedded(ranked["matrix_factorisation"]),
        sides(f"{ALS}_implicit", label="Side-information ALS, implicit sets", variant="implicit"),
        sides(f"{ALS}_features_implicit", needs="features", most={"ratings": 300_000}, **both),
        Contender("two_tower", source="run two_tower"),
        validated(networks["neural_mf"]),
        validated(networks["autorec"]),
        validated(networks["autorec_user"], most={"ratings": 150_000}),
        *(searched(ranked[name]) for name in ("item_knn", "ease", "implicit_als", "bpr")),
        of(ranked["multi_vae"], "the paper's sizes"),
        embedded(ranked["softmax"]),
        *(of(one, source="koren") for one in koren_study.variants().values()),
        machine("factorisation_machine", fixed=ranked["factorisation_machine"].fixed),
        machine("timed_factorisation_machine", fixed=timed),
        machine("timed_factorisation_machine_ordinal", "timed_factorisation_machine", **last),
    ]
