"""One protocol for every contender: fit it on a split's train, predict its test, draw everybody's list, take the costs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from lib.contenders import Contender
from lib.grid import Grid
from lib.interactions import Interactions
from lib.koren_study import answers
from lib.metrics import recommend
from lib.models import REGISTRY, create, model_class
from lib.models.base import Recommender
from lib.peak_memory import PeakMemory
from lib.processes import source_version
from lib.results import runs_folder
from lib.splits import Split, make_split, validation_from

ON_KERAS = ("two_tower", "neural_mf")
"""Models whose backend takes hundreds of MiB by itself; it is loaded before a fit's memory is measured."""


def make_splits(data, wanted: Sequence[Sequence[Any]]) -> dict[str, Split]:
    """Make splits from a notebook's list of [name, seed].

    The first split of a name keeps its fold; further ones of the same name, with other seeds, have their seed as their
    fold, so that results tell them apart.

    Returns
    -------
    dict of str to Split
        By name, with the seed behind it where a name occurs again: ``"per_user_80_20"``, ``"per_user_80_20/1"``.

    Raises
    ------
    ValueError
        An entry is not a name and a seed, or a split occurs twice.
    """
    found: dict[str, Split] = {}
    names: set[str] = set()
    for entry in wanted:
        if isinstance(entry, str) or len(entry) != 2:
            raise ValueError(
                f"a split is given as [name, seed], such as ['per_user_80_20', 42]; got {entry!r}"
            )
        name, seed = str(entry[0]), int(entry[1])
        split = make_split(data, name, seed=seed)
        key = f"{name}/{seed}" if name in names else name
        if key in found or (name in names and split.seed is None):
            raise ValueError(f"split {name!r} with seed {seed} is in the list twice")
        found[key] = replace(split, fold=str(seed)) if name in names else split
        names.add(name)
    return found


def jobs(
    contenders: Mapping[str, Contender], choices: Mapping[str, Mapping[str, Any]], splits: Mapping[str, Split], *,
    listed: Iterable[str], once: Iterable[str] = (), once_on: Iterable[str] = (),
    changes: Mapping[str, Mapping[str, Any]] | None = None, most_epochs: int = 0, seed: int = 0,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return the fits of a table, the slow ones first.

    Parameters
    ----------
    contenders, choices : mapping
        By name; of `lib.contenders` and `lib.choices`.
    splits : mapping
        Of `make_splits`.
    listed : iterable of str
        Splits whose lists are drawn.
    once, once_on : iterable of str
        Contenders that are fitted on some splits only, and these splits.
    changes : mapping, optional
        By contender, hyperparameters that differ from what was chosen.
    most_epochs : int
        No training that stops early lasts longer; 0 leaves each model its own limit.
    seed : int
        Of the random starts.

    Raises
    ------
    ValueError
        A name that no contender or split has.
    """
    listed, once, once_on, changes = set(listed), set(once), set(once_on), dict(changes or {})
    for label, names, known in (
        ("listed", listed, splits), ("once_on", once_on, splits), ("once", once, contenders), ("changes", set(changes), contenders),
    ):  # fmt: skip
        if names - set(known):
            raise ValueError(
                f"{label}: unknown {', '.join(sorted(names - set(known)))}; there are {', '.join(known)}"
            )
    found = []
    for name in sorted(contenders, key=lambda n: (n not in once, list(contenders).index(n))):
        one = contenders[name]
        most = min(one.most, most_epochs) if most_epochs else one.most
        stopping = {
            "limit": one.limit,
            "most": most,
            "patience": one.patience,
            "cuts_itself": one.cuts_itself,
        }
        for key in splits:
            if name in once and key not in once_on:
                continue
            found.append(
                {
                    "contender": name, "split": key, "seed": seed if one.starts else 0, "model": one.model,
                    "parameters": {**choices[name]["parameters"], **changes.get(name, {})},
                    "stopping": stopping if one.limit else {}, "lists": key in listed, "code": code_of(one.model),
                }
            )  # fmt: skip
    return found


def fit_all(
    wanted: Sequence[Mapping[str, Any]], splits: Mapping[str, Split], *, k: int, runs_dir: str | Path = "",
    workers: int | None = None, say=print,
) -> list[dict[str, Any]]:  # fmt: skip
    """Do the jobs of `jobs` in processes of one thread each; what was done before is not done again."""
    context = {"splits": {key: {"train": s.train, "test": s.test} for key, s in splits.items()}, "k": k}
    store = runs_folder(runs_dir) / ".grids" / "one_table"
    version = source_version("lib.common_protocol", "lib.peak_memory", "lib.metrics.lists", "lib.splits")
    with Grid(measure, context=context, store=store, version=version, workers=workers, say=say) as grid:
        return grid.run(wanted)


@cache
def code_of(model: str) -> str:
    """Hash the code that a model's fit depends on, so that a change of one model leaves the fits of others valid."""
    from lib.runner.dependencies import Dependencies

    found = Dependencies().closure({REGISTRY[model].partition(":")[0]})
    # The registry itself grows with every new model.
    return source_version(*sorted(found - {"lib", "lib.models"}))[:16]


def measure(
    context: Mapping[str, Any], *, contender: str, split: str, seed: int, model: str, parameters: Mapping[str, Any],
    stopping: Mapping[str, Any], lists: bool = False, code: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Fit one contender on one split, and take everything that the table needs.

    Parameters
    ----------
    context : mapping
        ``splits``: by key, ``train`` and ``test``; ``k``: length of the lists.
    contender, split : str
        Name of the row, key of the split.
    seed : int
        Of the model, where it has one.
    model : str
        Registered name.
    parameters : mapping
        Hyperparameters.
    stopping : mapping
        As `fit` takes it; empty where no epochs are to be found.
    lists : bool
        Whether to draw everybody's list: the whole catalogue, films rated in train left out.
    code : str
        What else the fit depends on; it tells kept fits apart, and is not read.

    Returns
    -------
    dict
        ``predictions`` (float32, clipped, in the order of the test ratings; none for a model that predicts no ratings),
        ``seconds_fit`` (with the training that finds the number of epochs), ``seconds_predict``, ``n_parameters``,
        ``n_epochs`` (0 where none were found), ``peak_mib`` (growth of the resident set during the fit, NaN where the
        system does not tell) and ``memory_method``; with `lists` also ``items`` (int32, shape (n_users, k)),
        ``scores`` (float32) and ``seconds_rank``.

    Raises
    ------
    ValueError
        A prediction is not finite.
    """
    train, test = context["splits"][split]["train"], context["splits"][split]["test"]
    parameters = dict(parameters)
    if "seed" in model_class(model).parameter_names():
        parameters["seed"] = seed
    if model in ON_KERAS:
        import_module("lib.keras_training")
    with PeakMemory() as memory:
        start = time.perf_counter()
        fitted, n_epochs = fit(model, parameters, stopping, train)
        seconds_fit = time.perf_counter() - start
    found: dict[str, Any] = {
        "seconds_fit": seconds_fit, "seconds_predict": np.nan, "n_parameters": int(fitted.n_parameters_), "n_epochs": n_epochs,
        "peak_mib": memory.mib, "memory_method": memory.method,
    }  # fmt: skip
    if fitted.predicts_ratings:
        start = time.perf_counter()
        predicted = answers(fitted, test)
        found["seconds_predict"] = time.perf_counter() - start
        if not np.isfinite(predicted).all():
            raise ValueError(
                f"{contender} on {split}: predictions that are not finite; change its hyperparameters"
            )
        found["predictions"] = predicted.astype(np.float32)
    if lists:
        start = time.perf_counter()
        top = recommend(fitted, train, context["k"])
        found |= {
            "items": top.items.astype(np.int32), "scores": top.scores.astype(np.float32),
            "seconds_rank": time.perf_counter() - start,
        }  # fmt: skip
    return found


def fit(
    model: str, parameters: Mapping[str, Any], stopping: Mapping[str, Any], train: Interactions
) -> tuple[Recommender, int]:
    """Fit a model on all of `train`, the number of epochs found on a tenth of each user's training ratings.

    Parameters
    ----------
    model : str
        Registered name.
    parameters : mapping
    stopping : mapping
        ``limit``: the hyperparameter that ends training; ``most``: its largest value; ``patience`` or None;
        ``cuts_itself``: the model finds its epochs by itself, on the same validation ratings where its seed is 0. Empty:
        no epochs are found.
    train : Interactions

    Returns
    -------
    model : Recommender
    n_epochs : int
        Found on the validation ratings; 0 where none were to be found.
    """
    if not stopping:
        return create(model, **parameters).fit(train), 0
    limit = {stopping["limit"]: stopping["most"]}
    if stopping["cuts_itself"]:
        # What a page or a quick profile asks for in so many words is not overruled.
        fitted = create(model, **{**limit, **parameters}).fit(train)
        return fitted, int(fitted.n_epochs_)
    if stopping["patience"] is not None:
        limit["patience"] = stopping["patience"]
    cut = validation_from(train)
    if len(cut.test) == 0:
        return create(model, **{**limit, **parameters}).fit(train), 0
    stopped = create(model, **{**limit, **parameters}).fit(cut.train, validation=cut.test)
    n_epochs = int(getattr(stopped, f"{stopping['limit']}_"))
    return create(model, **{**parameters, stopping["limit"]: n_epochs}).fit(train), n_epochs
