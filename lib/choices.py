"""Hyperparameters of the contenders: from the searches that the project keeps, and from what earlier pages chose.

Nothing is searched here that another page has searched: each study below asks for the very search of its page, so that
its trials are found, and the first of them count, as many for one model as for another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lib import koren_study, ranking_study, side_information_study
from lib.contenders import THRESHOLD, Contender
from lib.experiment.fit import Fit
from lib.experiment.search import search
from lib.feature_groups import IMPLICIT, available_groups
from lib.folds import frozen_folds
from lib.results import load_run
from lib.splits import Split, make_split, random_holdout, validation_from
from lib.variants import Variant


@dataclass(frozen=True)
class Study:
    """How one page searches its models.

    Parameters
    ----------
    variants : mapping
        By name.
    fit : callable
        From a variant to the fit of its search, on the parts ``train`` and ``validation``.
    inner : Split
        Whose ``test`` is the validation data.
    file : str
        Name of a search, with ``{variant}`` in it.
    seed : int
        Of the searches.
    chosen_on : str
        The validation data, in words.
    """

    variants: Mapping[str, Variant]
    fit: Callable[[Variant], Fit] = field(repr=False)
    inner: Split
    file: str
    seed: int
    chosen_on: str


def koren(data) -> Study:
    """Return the study of Koren's family: a tenth of the training ratings of a random split, at random."""
    split = make_split(data, "random_90_10", seed=42)
    return Study(
        koren_study.variants(), partial(koren_study.validation_fit, most_epochs=60, patience=3),
        random_holdout(split.train, test_share=0.1, seed=42), f"koren-{data.name}-{{variant}}", 42,
        f"a tenth (seed 42) of train of {_words(split)}",
    )  # fmt: skip


def ranking(data) -> Study:
    """Return the study of lists: a tenth of each user's training ratings of project D's split."""
    split = make_split(data, "random_90_10", seed=10)
    return Study(
        {**ranking_study.list_variants(THRESHOLD), **ranking_study.rating_variants()},
        partial(ranking_study.validation_fit, k=10, threshold=THRESHOLD), validation_from(split.train),
        "ranking_{variant}", 0, f"a tenth of each user's train of {_words(split)}",
    )  # fmt: skip


def side_information(data) -> Study:
    """Return the study of side information: a tenth of each user's training ratings, of the first fold on ML-100K."""
    small = data.name == "ml-100k"
    if small:
        split = frozen_folds(data.interactions, name=data.name)[0]
    else:
        split = make_split(data, "random_90_10", seed=42)
    there = available_groups(data.interactions)
    # The page names them in this order, and a search is told from another one by it.
    groups = tuple(
        g for g in ("genres", "year", "age", "gender", "occupation") if g in there and g not in IMPLICIT
    )
    return Study(
        side_information_study.further_variants(groups, most_factors=64 if small else 32),
        side_information_study.validation_fit, validation_from(split.train), "{variant}", 0,
        f"a tenth of each user's train of {_words(split)}",
    )  # fmt: skip


STUDY = {"koren": koren, "ranking": ranking, "side_information": side_information}
"""From a contender's source to the study that searches it."""


def choose(
    data, contenders: Mapping[str, Contender], *, n_trials: int, fewer: Mapping[str, int] | None = None,
    runs_dir: str | Path = "",
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Choose every contender's hyperparameters, on validation data of one split of `data`.

    Parameters
    ----------
    data : lib.datasets.Dataset
    contenders : mapping
        By name, of `lib.contenders`.
    n_trials : int
        Budget of each search. Of a kept search with more trials the first ones count.
    fewer : mapping of str to int, optional
        By study (`lib.contenders.STUDIES`), smaller budgets, where fewer trials are kept.
    runs_dir : str or Path
        Folder of the runs whose choices are read; empty: ``reports/runs``.

    Returns
    -------
    dict of dict
        By name: ``parameters``; ``n_epochs`` of the chosen trial, None where epochs were not found by early stopping;
        ``trials``, None where no search was made; ``validation``, the best trial's score on validation data, and
        ``metric``, which one; ``chosen_on`` and ``how``, in words.

    Raises
    ------
    ValueError
        `fewer` names no study, or a budget is below 1.
    lib.results.MissingRun
        A run whose choice is read is not there.
    """
    fewer = dict(fewer or {})
    unknown = set(fewer) - set(STUDY)
    if unknown:
        raise ValueError(
            f"fewer: no study is called {', '.join(sorted(unknown))}; there are {', '.join(STUDY)}"
        )
    budgets = {name: min(n_trials, fewer.get(name, n_trials)) for name in STUDY}
    if min(budgets.values()) < 1:
        raise ValueError(f"a search needs at least one trial; got {budgets}")
    studies: dict[str, Study] = {}
    found = {}
    for name, one in contenders.items():
        if one.source in STUDY:
            if one.source not in studies:
                studies[one.source] = STUDY[one.source](data)
            found[name] = _searched(one, studies[one.source], budgets[one.source])
        elif one.source == "fixed":
            found[name] = _choice(one.fixed, how=one.why)
        else:
            found[name] = _from_run(one, runs_dir)
    return found


# -- the three sources ---------------------------------------------------------------------------------------------
def _searched(one: Contender, study: Study, n_trials: int) -> dict[str, Any]:
    variant = study.variants[one.variant]
    parts = {"train": study.inner.train, "validation": study.inner.test}
    name = study.file.format(variant=one.variant)
    found = search(name, variant.space, [study.fit(variant)], parts, n_trials=n_trials, seed=study.seed)
    lists = float(found.best["score"]) < 0  # searches for lists minimise minus nDCG
    return _choice(
        variant.parameters(found.chosen), n_epochs=found.n_epochs or None, trials=len(found.trials),
        validation=abs(float(found.best["score"])), metric="nDCG@10" if lists else "RMSE", chosen_on=study.chosen_on,
        how="search",
    )  # fmt: skip


def _from_run(one: Contender, runs_dir: str | Path) -> dict[str, Any]:
    run = one.source.removeprefix("run ")
    stored = load_run(run, runs_dir=runs_dir)
    fact = stored.facts.get(one.variant)
    if fact is None:
        raise KeyError(
            f"run {run!r} left no fact {one.variant!r}; run it again: python run_notebooks.py --only {run} --force"
        )
    parameters = {**one.fixed, **PARAMETERS_OF_FACT[one.variant](fact)}
    theirs = stored.provenance
    settings = theirs.get("parameters", {})
    split = f"{settings.get('split', 'per_user_80_20')}, seed {settings.get('seed', 42)}"
    grid = stored.facts.get("two_tower_grid", {}).get("size") if one.model == "two_tower" else None
    return _choice(
        parameters, trials=grid,
        chosen_on=f"a tenth of each user's train of {theirs.get('dataset', '')}, {split}",
        how=f"chosen on the page {run.replace('_', ' ')}",
    )  # fmt: skip


def _two_tower(fact: Mapping[str, Any]) -> dict[str, int]:
    return {n: int(fact[n]) for n in ("embedding_size", "user_dense_size", "item_dense_size", "final_size")}


PARAMETERS_OF_FACT: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "two_tower_tuned": _two_tower,
    "soft_impute_tuned": lambda fact: {"centre": fact["centre"], "shrinkage": float(fact["setting"])},
    "hard_impute_tuned": lambda fact: {"centre": fact["centre"], "rank": int(fact["setting"])},
}
"""How a page's fact says what it chose."""


def _choice(
    parameters: Mapping[str, Any], *, n_epochs: int | None = None, trials: int | None = None,
    validation: float = np.nan, metric: str = "", chosen_on: str = "", how: str = "",
) -> dict[str, Any]:  # fmt: skip
    return {
        "parameters": dict(parameters), "n_epochs": n_epochs, "trials": trials, "validation": validation,
        "metric": metric, "chosen_on": chosen_on, "how": how,
    }  # fmt: skip


def _words(split: Split) -> str:
    fold = f", fold {split.fold}" if split.fold else ""
    return f"{split.name}{fold}, seed {split.seed}"
