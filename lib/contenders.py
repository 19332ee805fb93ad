"""The models that stand in the one table: what each is called, where it comes from, and what is fixed in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lib import koren_study, neural_study, ranking_study
from lib.models import LABELS, REGISTRY
from lib.side_information_study import MOST_ITERATIONS

FAMILIES = (
    "means and popularity", "neighbourhood", "latent factors", "implicit feedback lists", "networks",
    "side information", "Bayesian",
)  # fmt: skip
"""Kinds of models, in the order in which figures name them."""

PROJECTS = {
    "A": "three models of MovieLens 100K", "B": "matrix factorisation with side information",
    "C": "embeddings, gravity and a softmax model", "D": "networks and lists",
    "E": "Koren's family", "reference": "no project: what they should have been compared with",
}  # fmt: skip

STUDIES = ("koren", "ranking", "side_information")
"""Pages whose searches are kept: Koren's family, lists, side information."""


@dataclass(frozen=True)
class Contender:
    """One row of the table.

    Parameters
    ----------
    name, label : str
        In results, and in tables and figures.
    model : str
        Registered name.
    family : str
        One of `FAMILIES`.
    project : str
        One of `PROJECTS`.
    fixed : mapping
        Hyperparameters that nothing searches.
    source : str
        Where the others come from: one of `STUDIES`, ``"run <run>"`` for what an earlier page chose on validation data and
        left among its facts, or ``"fixed"`` where nothing is chosen here.
    variant : str
        The model's name in that study, or the fact's name.
    why : str
        Of a fixed one: where its hyperparameters come from, in words.
    starts : bool
        Whether the fit depends on a random start.
    limit : str
        Hyperparameter that ends training where the number of epochs is found on validation ratings; empty where there
        are no epochs or their number is a hyperparameter like others.
    most : int
        The most epochs.
    patience : int or None
        Handed on where the model has such a hyperparameter and its default is not meant.
    cuts_itself : bool
        The model cuts its own validation ratings from train, and trains again on all of it.
    """

    name: str
    label: str
    model: str
    family: str
    project: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    source: str = "fixed"
    variant: str = ""
    why: str = "nothing to choose"
    starts: bool = False
    limit: str = ""
    most: int = 0
    patience: int | None = None
    cuts_itself: bool = False

    def __post_init__(self):
        if self.family not in FAMILIES:
            raise ValueError(f"{self.name}: no family {self.family!r}; there are {', '.join(FAMILIES)}")
        if self.project not in PROJECTS:
            raise ValueError(f"{self.name}: no project {self.project!r}; there are {', '.join(PROJECTS)}")
        if self.source not in (*STUDIES, "fixed") and not self.source.startswith("run "):
            raise ValueError(f"{self.name}: hyperparameters come from no source {self.source!r}")

    @property
    def facts(self) -> dict[str, Any]:
        """What other pages need to know of it."""
        return {"label": self.label, "family": self.family, "project": self.project, "model": self.model}


def contenders() -> dict[str, Contender]:
    """Return all contenders by name, family by family; those whose model is not registered are left out."""
    found = [
        *_references(),
        *_factors(),
        *_side_information(),
        *_networks(),
        *_lists(),
        *_koren(),
        *_machines(),
    ]
    ordered = sorted(found, key=lambda one: FAMILIES.index(one.family))
    return {one.name: one for one in ordered if one.model in REGISTRY}


def chosen_from(left_out: Iterable[str] = (), only: Iterable[str] = ()) -> dict[str, Contender]:
    """Return the contenders without some of them, or only some.

    Raises
    ------
    ValueError
        A name that is no contender's.
    """
    known, left_out, only = contenders(), set(left_out), list(only)
    unknown = (left_out | set(only)) - set(known)
    if unknown:
        raise ValueError(f"no contender is called {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return {n: one for n, one in known.items() if n not in left_out and (not only or n in only)}


# -- the lists -----------------------------------------------------------------------------------------------------
def _references() -> list[Contender]:
    plain = ("global_mean", "user_mean", "item_mean", "random_order", "most_popular")
    return [
        Contender(n, LABELS[n], n, "means and popularity", "reference", starts=n == "random_order")
        for n in plain
    ]


def _factors() -> list[Contender]:
    def ranked(name: str) -> Mapping[str, Any]:
        return ranking_study.rating_variants()[name].fixed

    return [
        Contender("svd", "SVD (scikit-surprise)", "svd", "latent factors", "A", ranked("svd"), "ranking", "svd", starts=True),
        Contender("soft_impute", "Soft-Impute", "soft_impute", "latent factors", "A", ranked("soft_impute"), "ranking", "soft_impute"),
        Contender("soft_impute_tuned", "Soft-Impute, baseline chosen too", "soft_impute", "latent factors", "A",
                  source="run imputation", variant="soft_impute_tuned"),
        Contender("hard_impute", "Hard-Impute", "hard_impute", "latent factors", "A", source="run imputation",
                  variant="hard_impute_tuned"),
        Contender("matrix_factorisation", "L2 and gravity", "matrix_factorisation", "latent factors", "C",
                  ranked("matrix_factorisation"), why="as on the page of embeddings", starts=True),
    ]  # fmt: skip


def _side_information() -> list[Contender]:
    return [
        Contender(f"side_information_als_{variant}", label, "side_information_als", "side information", "B",
                  source="side_information", variant=variant, starts=True, limit="n_iterations", most=MOST_ITERATIONS)
        for variant, label in (
            ("implicit", "Side-information ALS, implicit sets"),
            ("features_implicit", "Side-information ALS, features and implicit sets"),
        )
    ]  # fmt: skip


def _networks() -> list[Contender]:
    own = {"starts": True, "limit": "max_epochs", "cuts_itself": True}
    why = "the model's defaults, chosen on validation ratings"
    fixed = {n: one.fixed for n, one in neural_study.variants().items()}
    return [
        Contender("two_tower", "Two-tower", "two_tower", "networks", "A", source="run two_tower",
                  variant="two_tower_tuned", most=60, **own),
        Contender("neural_mf", "NeuralMF", "neural_mf", "networks", "D", fixed["neural_mf"], why=why, most=100, **own),
        Contender("autorec", "Item AutoRec", "autorec", "networks", "D", fixed["autorec"], why=why, most=100, **own),
        Contender("autorec_user", "User AutoRec", "autorec", "networks", "D", fixed["autorec_user"], why=why, most=100, **own),
    ]  # fmt: skip


def _lists() -> list[Contender]:
    family, lists = "implicit feedback lists", ranking_study.list_variants(THRESHOLD)
    searched = (("item_knn", False, "reference"), ("ease", False, "reference"), ("implicit_als", True, "reference"), ("bpr", True, "D"))  # fmt: skip
    found = [
        Contender(n, lists[n].label, n, family, project, lists[n].fixed, "ranking", n, starts=starts)
        for n, starts, project in searched
    ]
    softmax = ranking_study.rating_variants()["softmax"].fixed
    return [
        *found,
        Contender("multi_vae", "Multi-VAE", "multi_vae", family, "reference", lists["multi_vae"].fixed,
                  why="the paper's sizes", starts=True, limit="n_epochs", most=100),
        Contender("softmax", "Softmax model", "softmax", family, "C", softmax, why="as on the page of embeddings",
                  starts=True),
    ]  # fmt: skip


THRESHOLD = 3.8
"""Least rating that counts as liked in the searches for lists, as project D has it; 4 and more, where ratings are whole."""


def _koren() -> list[Contender]:
    near = ("correlation_neighbours", "interpolated_neighbours", "neighbourhood")
    found = []
    for name, one in koren_study.variants().items():
        family = (
            "means and popularity"
            if name == "bias"
            else "neighbourhood"
            if name in near
            else "latent factors"
        )
        trained = name not in ("bias", "correlation_neighbours", "interpolated_neighbours")
        label = {"bias": LABELS["bias"], "biased_svd": LABELS["biased_svd"]}.get(name, one.label)
        found.append(
            Contender(
                name, label, one.model, family, "reference" if name == "bias" else "E", one.fixed, "koren", name,
                starts=trained, **({"limit": "n_epochs", "most": 60, "patience": 3} if trained else {}),
            )
        )  # fmt: skip
    return found


def _machines() -> list[Contender]:
    plain = ranking_study.rating_variants()["factorisation_machine"].fixed
    why = "10 factors, as its page has it; it samples its penalties"
    timed = {**plain, "day": True, "gaps": (10, 600)}
    return [
        Contender("factorisation_machine", "Bayesian factorisation machine", "factorisation_machine", "Bayesian",
                  "reference", plain, why=why, starts=True),
        Contender("timed_factorisation_machine", "Bayesian factorisation machine with time",
                  "timed_factorisation_machine", "Bayesian", "reference", timed, why=why, starts=True),
        Contender("timed_factorisation_machine_ordinal", "Bayesian factorisation machine with time, ordinal",
                  "timed_factorisation_machine", "Bayesian", "reference", {**timed, "ordinal": True}, why=why, starts=True),
    ]  # fmt: skip
