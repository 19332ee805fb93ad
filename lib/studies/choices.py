"""Hyperparameters of the contenders: from the searches that the project keeps, and from what earlier pages chose.

Nothing is searched here that another page has searched: each study below asks for the very search of its page, so that
its trials are found, and the first of them count, as many for one model as for another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lib.data.feature_groups import IMPLICIT, available_groups
from lib.data.folds import frozen_folds
from lib.data.splits import Split, make_split, random_holdout, validation_from
from lib.experiment.fit import Fit
from lib.experiment.search import search
from lib.experiment.stored_runs import load_run
from lib.studies import koren_study, ranking_study, side_information_study, two_tower_study
from lib.studies.contenders import THRESHOLD, Contender
from lib.studies.variants import Variant


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
    if unknown := set(budgets) - set(STUDIES):
        raise ValueError(
            f"fewer: no study is called {', '.join(sorted(unknown))}; there are {', '.join(STUDIES)}"
        )
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
    found = search(name, variant.space, [study.fit(variant)], parts, n_trials=n_trials, seed=study.seed)
    score = float(found.best["score"])
    return {
        "parameters": variant.parameters(found.chosen),
        "n_epochs": found.n_epochs or None,
        "trials": len(found.trials),
        "validation": abs(score),
        "metric": "nDCG@10" if score < 0 else "RMSE",  # lists minimise minus nDCG
        "chosen_on": study.chosen_on,
        "how": "search",
    }


def _from_run(one: Contender, runs_dir: str | Path) -> dict[str, Any]:
    run, name = one.source.removeprefix("run "), f"{one.model}_tuned"
    stored = load_run(run, runs_dir=runs_dir)
    if (fact := stored.facts.get(name)) is None:
        raise KeyError(
            f"run {run!r} left no fact {name!r}; run it again: python run_notebooks.py --only {run} --force"
        )
    if one.model == "two_tower":
        parameters = {size: int(fact[size]) for size in two_tower_study.SIZES}
    elif one.model == "soft_impute":
        parameters = {"centre": fact["centre"], "shrinkage": float(fact["setting"])}
    else:
        parameters = {"centre": fact["centre"], "rank": int(fact["setting"])}
    settings, dataset = stored.provenance.get("parameters", {}), stored.provenance.get("dataset", "")
    split = f"{settings.get('split', 'per_user_80_20')}, seed {settings.get('seed', 42)}"
    return {
        "parameters": parameters,
        **NOT_SEARCHED,
        "trials": stored.facts.get("two_tower_grid", {}).get("size"),
        "chosen_on": f"a tenth of each user's train of {dataset}, {split}",
        "how": f"chosen on the page {run.replace('_', ' ')}",
    }


def _words(split: Split) -> str:
    fold = f", fold {split.fold}" if split.fold else ""
    return f"{split.name}{fold}, seed {split.seed}"
