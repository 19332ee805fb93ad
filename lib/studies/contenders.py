"""The models that stand in the one table: what isn't on their cards, and the choice of their hyperparameters.

Nothing is searched here that another page has searched: each study below asks for the very search of its page, so that
its trials are found, and the first of them count, as many for one model as for another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lib.data.feature_groups import IMPLICIT, available_groups
from lib.data.folds import frozen_folds
from lib.data.splits import Split, make_split, random_holdout, validation_from
from lib.experiment.fit import Fit, Stopping
from lib.experiment.search import search
from lib.experiment.space import Space
from lib.experiment.stored_runs import load_run
from lib.models import cards
from lib.models.card import FAMILIES, Card
from lib.studies import koren_study, neural_study, ranking_study, side_information_study
from lib.studies.side_information_study import ALS
from lib.studies.two_tower_study import SIZES
from lib.studies.variants import Variant, magnitudes

THRESHOLD = 3.8
"""Least rating that counts as liked in the searches for lists, as project D has it."""


@dataclass(frozen=True)
class Contender:
    """One row of the table: a `model` by its registered name, called `name` in results and `label` in figures.

    `fixed` are hyperparameters that nothing searches. `source` says where the others come from: the page whose searches
    are kept (``koren``, ``ranking``, ``side_information``), where the model is called `variant`; ``"run <run>"`` for
    what an earlier page chose on validation data and left as its fact ``<model>_tuned``; or ``"fixed"``, `why` having
    the reason in words. `needs` and `most` are given where they differ from the model's card, `space` where a reader's
    ratings may search what the source has not. An empty `model` or `variant` is the same as `name`, an empty `label`
    the model's; the rest is what the `card` says.
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

    A registered model that no row below is about has one with its defaults. An unknown name is a ValueError.
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
    tuned_too = partial(tuned, space=Space(magnitudes(shrinkage=(3.0, 60.0))))
    both = partial(sides, needs="features", most={"ratings": 300_000}, variant="features_implicit")
    late, timed = (
        "timed_factorisation_machine",
        {**ranked["factorisation_machine"].fixed, "day": True, "gaps": (10, 600)},
    )
    ordinal = partial(machine, label="Bayesian factorisation machine with time, ordinal")
    return [
        *map(nothing, ("global_mean", "user_mean", "item_mean", "random_order", "most_popular")),
        *map(searched, (ranked["svd"], ranked["soft_impute"])),
        tuned_too("soft_impute_tuned", "soft_impute", label="Soft-Impute, baseline chosen too"),
        tuned("hard_impute"),
        embedded(ranked["matrix_factorisation"]),
        sides(f"{ALS}_implicit", label="Side-information ALS, implicit sets", variant="implicit"),
        both(f"{ALS}_features_implicit", label="Side-information ALS, features and implicit sets"),
        Contender("two_tower", source="run two_tower"),
        validated(networks["neural_mf"]),
        validated(networks["autorec"]),
        validated(networks["autorec_user"], most={"ratings": 150_000}),
        *(searched(ranked[name]) for name in ("item_knn", "ease", "implicit_als", "bpr")),
        embedded(ranked["softmax"]),
        *(of(one, source="koren") for one in koren_study.variants().values()),
        machine("factorisation_machine", fixed=ranked["factorisation_machine"].fixed),
        machine(late, fixed=timed),
        ordinal(f"{late}_ordinal", late, fixed={**timed, "ordinal": True}),
    ]


class Study(NamedTuple):
    """How one page searches its models: `fit` tries a variant on `inner`, whose test ratings are the validation data.

    `file` is a search's name, with ``{}`` for the variant's; `chosen_on` says in words what the validation data is.
    """

    variants: Mapping[str, Variant]
    fit: Callable[[Variant], Fit]
    inner: Split
    file: str
    seed: int
    chosen_on: str


def _koren(data) -> Study:
    split = make_split(data, "random_90_10", seed=42)
    inner = random_holdout(split.train, test_share=0.1, seed=42)
    fit = partial(koren_study.validation_fit, most_epochs=60, patience=3)
    words = f"a tenth (seed 42) of train of {_words(split)}"
    return Study(koren_study.variants(), fit, inner, f"koren-{data.name}-{{}}", 42, words)


def _ranking(data) -> Study:
    split = make_split(data, "random_90_10", seed=10)
    variants = ranking_study.list_variants(THRESHOLD) | ranking_study.rating_variants()
    fit = partial(ranking_study.validation_fit, k=10, threshold=THRESHOLD)
    words = f"a tenth of each user's train of {_words(split)}"
    return Study(variants, fit, validation_from(split.train), "ranking_{}", 0, words)


def _side_information(data) -> Study:
    small = data.name == "ml-100k"
    split = make_split(data, "random_90_10", seed=42)
    if small:
        split = frozen_folds(data.interactions, name=data.name)[0]
    there = set(available_groups(data.interactions)) - set(IMPLICIT)
    # The page names them in this order, and a search is told from another one by it.
    groups = tuple(g for g in ("genres", "year", "age", "gender", "occupation") if g in there)
    variants = side_information_study.further_variants(groups, most_factors=64 if small else 32)
    fit, words = side_information_study.validation_fit, f"a tenth of each user's train of {_words(split)}"
    return Study(variants, fit, validation_from(split.train), "{}", 0, words)


STUDIES = {"koren": _koren, "ranking": _ranking, "side_information": _side_information}
"""From a contender's source to the study that searches it."""

NOT_SEARCHED = {"n_epochs": None, "trials": None, "validation": np.nan, "metric": "", "chosen_on": ""}


def choose(
    data,
    contenders: Mapping[str, Contender],
    *,
    n_trials: int,
    fewer: Mapping[str, int] | None = None,
    runs_dir: str | Path = "",
) -> dict[str, dict[str, Any]]:
    """Choose the hyperparameters of contenders, by name, on validation data of one split of a `Dataset`.

    `n_trials` is the budget of each search, of a kept search with more trials the first ones count; `fewer` has smaller
    budgets by study (`STUDIES`), where fewer trials are kept. `runs_dir` is the folder of the runs whose choices are
    read; empty: ``reports/runs``.

    By name: ``parameters``; ``n_epochs`` of the chosen trial, None where epochs were not found by early stopping;
    ``trials``, None where no search was made; ``validation``, the best trial's score on validation data, and
    ``metric``, which one; ``chosen_on`` and ``how``, in words.

    ValueError: `fewer` names no study, or a budget is below 1. MissingRun: a run whose choice is read is not there.
    """
    budgets = {**dict.fromkeys(STUDIES, n_trials), **(fewer or {})}
    if wrong := sorted(set(budgets) - set(STUDIES)):
        raise ValueError(f"fewer: no study is called {', '.join(wrong)}; there are {', '.join(STUDIES)}")
    if min(budgets.values()) < 1:
        raise ValueError(f"a search needs at least one trial; got {budgets}")
    sources = {one.source for one in contenders.values()}
    studies = {name: study(data) for name, study in STUDIES.items() if name in sources}
    found = {}
    for name, one in contenders.items():
        if one.source in studies:
            found[name] = _searched(one, studies[one.source], min(n_trials, budgets[one.source]))
        elif one.source == "fixed":
            found[name] = {"parameters": dict(one.fixed), **NOT_SEARCHED, "how": one.why}
        else:
            found[name] = _from_run(one, runs_dir)
    return found


def _searched(one: Contender, study: Study, n_trials: int) -> dict[str, Any]:
    variant = study.variants[one.variant]
    parts = {"train": study.inner.train, "validation": study.inner.test}
    name = study.file.format(one.variant)
    assert variant.space is not None  # a kept search has one
    found = search(name, variant.space, [study.fit(variant)], parts, n_trials=n_trials, seed=study.seed)
    score = float(found.best["score"])  # lists minimise minus nDCG
    parameters, epochs = variant.parameters(found.chosen), found.n_epochs or None
    scored = {"validation": abs(score), "metric": "nDCG@10" if score < 0 else "RMSE"}
    told = {**scored, "chosen_on": study.chosen_on, "how": "search"}
    return {"parameters": parameters, "n_epochs": epochs, "trials": len(found.trials), **told}


def _from_run(one: Contender, runs_dir: str | Path) -> dict[str, Any]:
    run, name = one.source.removeprefix("run "), f"{one.model}_tuned"
    stored = load_run(run, runs_dir=runs_dir)
    if (fact := stored.facts.get(name)) is None:
        raise KeyError(
            f"run {run!r} left no fact {name!r}; run it again: python run_notebooks.py --only {run} --force"
        )
    if one.model == "two_tower":
        parameters: dict[str, Any] = {size: int(fact[size]) for size in SIZES}
    elif one.model == "soft_impute":
        parameters = {"centre": fact["centre"], "shrinkage": float(fact["setting"])}
    else:
        parameters = {"centre": fact["centre"], "rank": int(fact["setting"])}
    settings, dataset = stored.provenance.get("parameters", {}), stored.provenance.get("dataset", "")
    split = f"{settings.get('split', 'per_user_80_20')}, seed {settings.get('seed', 42)}"
    told = {"trials": stored.facts.get("two_tower_grid", {}).get("size")}
    told |= {"chosen_on": f"a tenth of each user's train of {dataset}, {split}"}
    return {
        "parameters": parameters,
        **NOT_SEARCHED,
        **told,
        "how": f"chosen on the page {run.replace('_', ' ')}",
    }


def _words(split: Split) -> str:
    fold = f", fold {split.fold}" if split.fold else ""
    return f"{split.name}{fold}, seed {split.seed}"
