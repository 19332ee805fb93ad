"""The models that stand in the one table: what each is called, where it comes from, and what is fixed in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lib.experiment.fit import Stopping
from lib.models import LABELS
from lib.studies import koren_study, neural_study, ranking_study
from lib.studies.side_information_study import MOST_ITERATIONS

FAMILIES = (
    "means and popularity", "neighbourhood", "latent factors", "implicit feedback lists", "networks",
    "side information", "Bayesian",
)  # fmt: skip
"""Kinds of models, in the order in which figures name them."""

THRESHOLD = 3.8
"""Least rating that counts as liked in the searches for lists, as project D has it."""


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
        From A to E, or ``"reference"`` for what these should have been compared with.
    fixed : mapping
        Hyperparameters that nothing searches.
    source : str
        Where the others come from: the page whose searches are kept (``koren``, ``ranking``, ``side_information``),
        ``"run <run>"`` for what an earlier page chose on validation data and left among its facts, or ``"fixed"``.
    variant : str
        The model's name in that study, or the fact's name.
    why : str
        Of a fixed one: where its hyperparameters come from, in words.
    starts : bool
        Whether the fit depends on a random start.
    stopping : Stopping or None
        Where the number of epochs is found on validation ratings.
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
    stopping: Stopping | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """What other pages need to know of it."""
        return {"label": self.label, "family": self.family, "project": self.project, "model": self.model}


def chosen_from(left_out: Iterable[str] = (), only: Iterable[str] = ()) -> dict[str, Contender]:
    """Return the contenders by name, family by family: all, without some of them, or only some.

    Raises
    ------
    ValueError
        A name that is no contender's.
    """
    known = {one.name: one for one in sorted(_all(), key=lambda one: FAMILIES.index(one.family))}
    left_out, only = set(left_out), set(only)
    if unknown := (left_out | only) - set(known):
        raise ValueError(f"no contender is called {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return {n: one for n, one in known.items() if n not in left_out and (not only or n in only)}


def _all() -> list[Contender]:
    means, near, factors, lists, networks, side, bayesian = FAMILIES
    ranked = ranking_study.list_variants(THRESHOLD) | ranking_study.rating_variants()
    nets, machine = neural_study.variants(), ranked["factorisation_machine"].fixed
    timed = {**machine, "day": True, "gaps": (10, 600)}
    epochs = Stopping("max_epochs", 100, by_model=True)
    defaults = {
        "why": "the model's defaults, chosen on validation ratings",
        "starts": True,
        "stopping": epochs,
    }
    sampled = {"why": "10 factors, as its page has it; it samples its penalties", "starts": True}
    as_embeddings = {"why": "as on the page of embeddings", "starts": True}

    def of_ranking(
        name: str, label: str, family: str, project: str, *, searched: bool = True, **options
    ) -> Contender:
        if searched:
            options |= {"source": "ranking", "variant": name}
        return Contender(name, label, ranked[name].model, family, project, ranked[name].fixed, **options)

    def of_sides(variant: str, label: str) -> Contender:
        return Contender(
            f"side_information_als_{variant}", label, "side_information_als", side, "B",
            source="side_information", variant=variant, starts=True, stopping=Stopping("n_iterations", MOST_ITERATIONS),
        )  # fmt: skip

    return [
        *(Contender(n, LABELS[n], n, means, "reference", starts=n == "random_order")
          for n in ("global_mean", "user_mean", "item_mean", "random_order", "most_popular")),
        of_ranking("svd", "SVD (scikit-surprise)", factors, "A", starts=True),
        of_ranking("soft_impute", "Soft-Impute", factors, "A"),
        Contender("soft_impute_tuned", "Soft-Impute, baseline chosen too", "soft_impute", factors, "A",
                  source="run imputation", variant="soft_impute_tuned"),
        Contender("hard_impute", "Hard-Impute", "hard_impute", factors, "A",
                  source="run imputation", variant="hard_impute_tuned"),
        of_ranking("matrix_factorisation", "L2 and gravity", factors, "C", searched=False, **as_embeddings),
        of_sides("implicit", "Side-information ALS, implicit sets"),
        of_sides("features_implicit", "Side-information ALS, features and implicit sets"),
        Contender("two_tower", "Two-tower", "two_tower", networks, "A", source="run two_tower",
                  variant="two_tower_tuned", starts=True, stopping=Stopping("max_epochs", 60, by_model=True)),
        Contender("neural_mf", "NeuralMF", "neural_mf", networks, "D", nets["neural_mf"].fixed, **defaults),
        Contender("autorec", "Item AutoRec", "autorec", networks, "D", nets["autorec"].fixed, **defaults),
        Contender("autorec_user", "User AutoRec", "autorec", networks, "D", nets["autorec_user"].fixed,
                  **defaults),
        of_ranking("item_knn", "Item-kNN", lists, "reference"),
        of_ranking("ease", "EASE", lists, "reference"),
        of_ranking("implicit_als", "Implicit ALS", lists, "reference", starts=True),
        of_ranking("bpr", "BPR", lists, "D", starts=True),
        of_ranking("multi_vae", "Multi-VAE", lists, "reference", searched=False, why="the paper's sizes",
                   starts=True, stopping=Stopping("n_epochs", 100)),
        of_ranking("softmax", "Softmax model", lists, "C", searched=False, **as_embeddings),
        *_koren(means, near, factors),
        of_ranking("factorisation_machine", "Bayesian factorisation machine", bayesian, "reference",
                   searched=False, **sampled),
        Contender("timed_factorisation_machine", "Bayesian factorisation machine with time",
                  "timed_factorisation_machine", bayesian, "reference", timed, **sampled),
        Contender("timed_factorisation_machine_ordinal", "Bayesian factorisation machine with time, ordinal",
                  "timed_factorisation_machine", bayesian, "reference", {**timed, "ordinal": True}, **sampled),
    ]  # fmt: skip


def _koren(means: str, near: str, factors: str) -> Iterable[Contender]:
    neighbours = ("correlation_neighbours", "interpolated_neighbours", "neighbourhood")
    certain = ("bias", "correlation_neighbours", "interpolated_neighbours")
    for name, one in koren_study.variants().items():
        family = means if name == "bias" else near if name in neighbours else factors
        yield Contender(
            name, LABELS[name] if name in ("bias", "biased_svd") else one.label, one.model, family,
            "reference" if name == "bias" else "E", one.fixed, "koren", name, starts=name not in certain,
            stopping=None if name in certain else Stopping("n_epochs", 60, 3),
        )  # fmt: skip
