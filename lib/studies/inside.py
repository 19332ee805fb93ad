"""The ensemble's members, and the choice of their hyperparameters inside each split, where no other split's ratings are seen."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from lib.data.feature_groups import available_groups
from lib.data.interactions import Interactions
from lib.data.splits import Split, inner_split
from lib.experiment.fit import Fit
from lib.experiment.search import search
from lib.experiment.search_result import Search
from lib.experiment.space import Choice, Real, Space
from lib.studies.koren_study import validation_fit, variants
from lib.studies.variants import Variant, by_name, magnitudes

SHORT = {"n_iterations": 60, "n_samples": 45}  # in searches; shorter ones would favour few factors, which mix faster
GROUPS = ("raters", "rated", "genres", "year", "age", "gender", "occupation")  # no tags: thousands on few films
MORE_FACTORS = (40,)  # what is tried beside the number of factors that a search on a share of the users has found
LARGE = 500_000  # ratings from which chains are shorter and films alone are smoothed over: there is less to average out


def members(train: Interactions) -> dict[str, Variant]:
    """Return what may join the ensemble, slow models first: machines, processes, and Koren's two for sets and for time."""
    groups = [g for g in GROUPS if g in available_groups(train)]
    large = len(train) > LARGE
    chain = {"n_iterations": 80, "n_samples": 60} if large else {"n_iterations": 140, "n_samples": 100}
    machine, smoothing = {"groups": groups, **chain}, {"over_users": not large, "n_rounds": 1 if large else 3}
    drawn = magnitudes(n_factors=(8, 32), user_freedom=(3.0, 100.0), film_freedom=(3.0, 100.0))
    left = magnitudes(scale=(0.04, 0.8), noise=(0.7, 3.0))
    alone = magnitudes(scale=(0.3, 3.0), implicit=(0.1, 1.0), noise=(0.3, 1.5)) | {"signed": Real(0.0, 0.6)}
    alone |= {"features": Real(0.0, 0.3)}
    pauses = {"gaps": Choice(("[0, 120]", "[10, 600]", "[10, 3600]", "[60, 600]"))}
    koren = variants()
    return by_name(
        Variant("timed_machine", "Ordinal machine with time", "timed_factorisation_machine", machine | {"ordinal": True}, Space(drawn | pauses)),
        Variant("machine_process", "Machine and process", "two_way_process", machine | smoothing, Space(drawn | left)),
        Variant("ordinal_machine", "Ordinal machine", "factorisation_machine", machine | {"ordinal": True}, Space(drawn)),
        Variant("process", "Process", "two_way_process", smoothing, Space(alone)),
        koren["svdpp"],
        koren["timesvdpp"],
    )  # fmt: skip


def chosen_inside(
    split: Split, wanted: Mapping[str, Variant], *, n_trials: int, users: float = 1.0, seed: int = 0
) -> dict[str, Search]:
    """Search every member's hyperparameters on validation ratings cut from a split's train (`inner_split`), by name."""
    parts, found = inner_parts(split, users=users, seed=seed), {}
    for name, one in wanted.items():
        assert one.space is not None  # of every member
        fit = validation_fit(one, most_epochs=60, patience=3)
        if "n_iterations" in one.fixed:
            fit = replace(fit, parameters={**fit.parameters, **SHORT})
        found[name] = search(f"inside-{name}", one.space, [fit], parts, n_trials=n_trials, seed=seed)
    return found


def rank_fits(wanted: Mapping[str, Variant], found: Mapping[str, Search]) -> list[Fit]:
    """Return fits that try, on ``train``, judged on ``validation``, more factors than a search on few users has found.

    Few ratings allow few factors; all that a split has allow more. Each member with factors is tried as found and with
    `MORE_FACTORS`, with its whole chain; the project keeps what comes of it.
    """
    fits = []
    for name, one in wanted.items():
        own = found[name].chosen.get("n_factors")
        for n_factors in dict.fromkeys((own, *MORE_FACTORS)) if own else ():
            parameters = {**one.parameters(found[name].chosen), "n_factors": n_factors}
            labels = {"member": name, "n_factors": n_factors}
            fit = Fit(one.model, parameters, test="validation", measure={"score": {}}, labels=labels)
            fits.append(replace(fit, keep="ensemble"))
    return fits


def with_best_ranks(found: Mapping[str, Search], records: Iterable[Mapping] = ()) -> dict[str, dict[str, Any]]:
    """Return the members' points, with the number of factors that had the lowest error of what `rank_fits` tried."""
    points = {name: dict(one.chosen) for name, one in found.items()}
    for one in sorted(records, key=lambda record: -record["score"]):
        points[one["member"]]["n_factors"] = one["n_factors"]
    return points


def inner_parts(split: Split, *, users: float = 1.0, seed: int = 0) -> dict[str, Interactions]:
    """Return the ``train`` and ``validation`` ratings of what is chosen inside a split."""
    inner = inner_split(split.train, by_time=split.name == "chronological", users=users, seed=seed)
    return {"train": inner.train, "validation": inner.test}
