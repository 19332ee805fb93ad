"""The models that stand in the one table: what isn't on their cards, and the choice of their hyperparameters.

What can be searched is not searched here: a point is lent by a kept search on another data set, of which the first trials
count, as many for one model as for another. So no rating of the table's own data is in a choice, whatever its splits.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lib.data.feature_groups import IMPLICIT, available_groups
from lib.data.interactions import Interactions
from lib.data.splits import Split, random_holdout, validation_from
from lib.experiment.fit import Fit, Stopping
from lib.experiment.protocol import make_splits
from lib.experiment.search import budget, lent, search
from lib.experiment.selection import Place, rows_digest, selection_row
from lib.experiment.space import PROJECTION, Space
from lib.experiment.stored_runs import load_run
from lib.models import cards
from lib.models.card import FAMILIES, Card
from lib.studies import koren_study, neural_study, ranking_study, side_information_study
from lib.studies.side_information_study import ALS
from lib.studies.two_tower_study import SIZES
from lib.studies.variants import Variant, magnitudes

THRESHOLD = 3.8  # least rating that counts as liked in the searches for lists, as project D has it


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


OTHERS_DATA = ("confidence_als", "frequent_ease", "tf_idf_knn")
"""Models for ratings of other shapes than MovieLens's, such as counts: no rows of the one table, but of own ratings."""


def chosen_from(left_out: Iterable[str] = (), only: Iterable[str] = (), *, others_data=False) -> dict[str, Contender]:
    """Return contenders by name, family by family, models without a row with their defaults; ValueError: unknown name."""
    rows = _rows()
    rows += [Contender(name) for name in cards() if name not in {one.model for one in rows}]
    rows = [one for one in rows if others_data or one.model not in OTHERS_DATA]
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
        Contender("tf_idf_knn", space=Space(magnitudes(n_neighbours=(20, 400)))),
        Contender("confidence_als", space=Space(magnitudes(n_factors=(16, 128), l2=(0.1, 300.0), alpha=(0.3, 30.0)))),
        embedded(ranked["softmax"]),
        *(of(one, source="koren") for one in koren_study.variants().values()),
        machine("factorisation_machine", fixed=ranked["factorisation_machine"].fixed),
        machine(late, fixed=timed),
        ordinal(f"{late}_ordinal", late, fixed={**timed, "ordinal": True}),
    ]


class Study(NamedTuple):
    """How one page searches its models: `fit` tries a variant; `cut` parts train of the place `on` into train and validation."""

    variants: Mapping[str, Variant]
    fit: Callable[[Variant], Fit]
    on: Place
    cut: Callable[[Interactions], Split]
    seed: int = 0

    def inner(self, data) -> Split:
        """Return the split whose test ratings are the validation data, of a `Dataset`."""
        return self.cut(next(iter(make_splits(data, [[self.on.split, self.on.seed]]).values())).train)


def _koren(data, on: str) -> Study:
    cut = partial(random_holdout, test_share=0.1, seed=42)
    fit = partial(koren_study.validation_fit, most_epochs=60, patience=3)
    return Study(koren_study.variants(), fit, Place(on, "random_90_10", seed=42), cut, 42)


def _ranking(data, on: str) -> Study:
    variants = ranking_study.list_variants(THRESHOLD) | ranking_study.rating_variants()
    fit = partial(ranking_study.validation_fit, k=10, threshold=THRESHOLD)
    return Study(variants, fit, Place(on, "random_90_10", seed=10), validation_from)


def _side_information(data, on: str) -> Study:
    folded = on in ("ml-100k", "ml-latest-small")
    place = Place(on, "kfold_5", "1", 42) if folded else Place(on, "random_90_10", seed=42)
    there = set(available_groups(data.interactions)) - set(IMPLICIT)
    # The page names them in this order, and a search is told from another one by it.
    groups = tuple(g for g in ("genres", "year", "age", "gender", "occupation") if g in there)
    variants = side_information_study.further_variants(groups, most_factors=64 if folded else 32)
    return Study(variants, side_information_study.validation_fit, place, validation_from)


STUDIES = {"koren": _koren, "ranking": _ranking, "side_information": _side_information}
"""From a contender's source to the study that searches it, for a `Dataset` and the name of that on which it is searched."""

NOT_SEARCHED = {"n_epochs": None, "trials": None, "validation": np.nan, "metric": "", "chosen_on": ""}


def choose(
    data, contenders: Mapping[str, Contender], *, n_trials: int, choices_from: str = "", runs_dir: str | Path = ""
) -> dict[str, dict[str, Any]]:
    """Choose the hyperparameters of contenders for a `Dataset`, by name.

    `n_trials` is the `lib.experiment.search.budget` of each search, of a longer kept one the first trials count. `choices_from`
    names the data set whose kept searches lend their points; empty: the data's own are searched, or found. `runs_dir` is the
    folder of the runs whose choices are read; empty: ``reports/runs``.

    By name: ``parameters``; ``n_epochs`` of the chosen trial, None where epochs were not found by early stopping;
    ``trials``, None where no search was made; ``validation``, the best trial's score on validation data, and ``metric``,
    which one; ``chosen_on`` and ``how``, in words; and, where anything was chosen, ``on``, a `Place`, and ``told`` for
    `lib.experiment.selection.selection_row`.

    ValueError: a budget below 1. KeyError: a search is not kept. MissingRun: a run whose choice is read is not there.
    """
    if n_trials < 1:
        raise ValueError(f"a search needs at least one trial; got {n_trials}")
    found = {}
    for name, one in contenders.items():
        if one.source in STUDIES:
            found[name] = searched(one.source, one.variant, data, n_trials=n_trials, choices_from=choices_from)
        elif one.source == "fixed":
            found[name] = {"parameters": dict(one.fixed), **NOT_SEARCHED, "how": one.why}
        else:
            found[name] = _from_run(one, runs_dir)
    return found


def searched(source: str, name: str, data, *, n_trials: int, choices_from: str = "") -> dict[str, Any]:
    """Return what `choose` tells of a variant of one of the `STUDIES`, and the ``point`` of its search."""
    on = choices_from or data.name
    study = STUDIES[source](data, on)
    variant, name = study.variants[name], f"{source}-{on}-{name}"
    n_trials = budget(variant.space or Space({}), n_trials)
    if choices_from and choices_from != data.name:
        found, rows = lent(name)
        found = found.first(n_trials)
        if groups := variant.fixed.get("groups"):  # those that the lender has, too
            shared = tuple(g for g in groups if f"{PROJECTION}{g}" in found.parameters)
            variant = replace(variant, fixed={**variant.fixed, "groups": shared})
    else:
        assert variant.space is not None  # of what is searched
        inner = study.inner(data)
        parts, rows = {"train": inner.train, "validation": inner.test}, rows_digest(inner.train, inner.test)
        found = search(name, variant.space, [study.fit(variant)], parts, n_trials=n_trials, seed=study.seed)
    score = float(found.best["score"])  # lists minimise minus nDCG
    known = {name: of for name, of in (variant.space or {}).items() if name in found.parameters}
    told = {"trials": len(found.trials), "seconds": float(found.trials["seconds"].sum()), "rows": rows}
    told["share"] = found.share(known)
    chosen = {"parameters": variant.parameters(found.chosen), "point": found.chosen, "n_epochs": found.n_epochs or None}
    judged = {"trials": told["trials"], "validation": abs(score), "metric": "nDCG@10" if score < 0 else "RMSE"}
    words = {"chosen_on": f"cut from train of {study.on}", "how": "search"}
    return {**chosen, **judged, **words, "on": study.on, "told": told}


def _from_run(one: Contender, runs_dir: str | Path) -> dict[str, Any]:
    run, name = one.source.removeprefix("run "), f"{one.model}_tuned"
    stored = load_run(run, runs_dir=runs_dir)
    if (fact := stored.facts.get(name)) is None:
        raise KeyError(f"run {run!r} left no fact {name!r}; run it again: python run_notebooks.py --only {run} --force")
    if one.model == "two_tower":
        parameters: dict[str, Any] = {size: int(fact[size]) for size in SIZES}
    elif one.model == "soft_impute":
        parameters = {"centre": fact["centre"], "shrinkage": float(fact["setting"])}
    else:
        parameters = {"centre": fact["centre"], "rank": int(fact["setting"])}
    settings, dataset = stored.provenance.get("parameters", {}), stored.provenance.get("dataset", "")
    on = Place(dataset, settings.get("split", "per_user_80_20"), seed=settings.get("seed", 42))
    trials = stored.facts.get("two_tower_grid", {}).get("size")
    words = {"chosen_on": f"cut from train of {on}", "how": "chosen on its own page"}
    told = {"trials": trials, **words, "on": on, "told": {"trials": trials}}
    return {"parameters": parameters, **NOT_SEARCHED, **told}


def clean_places(choices: Mapping[str, Mapping], dataset: str, splits: Mapping[str, Split]) -> dict[str, list[str]]:
    """Return, of contenders that were chosen on one of a data set's splits, the splits where that is honest: it alone."""
    places = {key: Place.of(dataset, split) for key, split in splits.items()}
    own = {name: one["on"] for name, one in choices.items() if "on" in one and one["on"].dataset == dataset}
    return {name: [key for key, place in places.items() if place == on] for name, on in own.items()}


def selection_rows(
    choices: Mapping[str, Mapping[str, Any]],
    dataset: str,
    splits: Mapping[str, Split],
    fitted: Iterable[tuple[str, str]],
) -> list[dict[str, Any]]:
    """Tell of the contenders and splits that were `fitted` what was chosen on what, as `lib.experiment.selection` does."""
    digests: dict[str, str] = {}
    rows = []
    for name, key in fitted:
        if "on" in choices[name]:
            used, told = Place.of(dataset, splits[key]), dict(choices[name]["told"])
            if used == choices[name]["on"] and not told.get("rows"):
                told["rows"] = digests.setdefault(key, rows_digest(splits[key].train))
            rows.append(selection_row(name, used, choices[name]["on"], **told))
    return rows
