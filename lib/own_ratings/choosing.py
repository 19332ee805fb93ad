"""A small choice of hyperparameters on a reader's ratings: the report's own against a few drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lib import koren_study, ranking_study, side_information_study
from lib.feature_groups import IMPLICIT
from lib.grid import Grid
from lib.own_ratings.candidates import MIXED, Candidates
from lib.own_ratings.defaults import chosen_on
from lib.processes import source_version
from lib.results import runs_folder
from lib.search_space import Choice, Integer, Real, Space
from lib.splits import Split, validation_from
from lib.variants import PROJECTION, Variant

STEPS = 30
"""Most epochs of a fit that only chooses."""
KOREN = ("bias", "biased_svd", "nsvd", "svdpp", "asymmetric_svd")
BY_ITEMS = ("ease", "item_knn")
"""Contenders whose fit takes time with the square of the items, or more."""
MOST_ITEMS = 5_000
"""Beyond so many items these keep the report's choice: trying others would take longer than all else together."""
LISTS = ("svd", "soft_impute", "item_knn", "ease", "implicit_als", "bpr")


def searched(groups: Sequence[str] = ()) -> dict[str, tuple[str, Variant]]:
    """Return the contenders quick enough to be fitted several times: the study that tries them, and the variant.

    Parameters
    ----------
    groups : sequence of str
        Of features, implicit ones left out.
    """
    koren = koren_study.variants()
    lists = {**ranking_study.rating_variants(), **ranking_study.list_variants(4.0)}
    side = side_information_study.further_variants(tuple(groups), most_factors=32)
    tuned = Variant("soft_impute_tuned", "Soft-Impute", "soft_impute", {"centre": "bias"},
                    Space({"shrinkage": Real(3.0, 60.0, log=True)}))  # fmt: skip
    found = {name: ("koren", koren[name]) for name in KOREN} | {
        name: ("lists", lists[name]) for name in LISTS
    }
    found["soft_impute_tuned"] = ("lists", tuned)
    found["side_information_als_implicit"] = ("side", side["implicit"])
    if groups:
        found[MIXED] = ("side", side["features_implicit"])
    return found


def draw(space: Space, n: int, seed: int) -> list[dict[str, Any]]:
    """Draw points of a space at random; the same seed gives the same points."""
    rng = np.random.default_rng(seed)

    def one(dimension: Real | Integer | Choice) -> Any:
        if isinstance(dimension, Choice):
            return dimension.values[rng.integers(len(dimension.values))]
        ends = np.array([dimension.low, dimension.high], dtype=np.float64)
        value = float(np.exp(rng.uniform(*np.log(ends))) if dimension.log else rng.uniform(*ends))
        value = min(max(value, dimension.low), dimension.high)  # exp(log(x)) may be past x by a rounding
        return round(value) if isinstance(dimension, Integer) else value

    return [{name: one(dimension) for name, dimension in space.items()} for _ in range(n)]


def as_point(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Bring hyperparameters into the form of a search's point: one number a name."""
    found = {name: value for name, value in parameters.items() if name != "projection_penalties"}
    penalties = parameters.get("projection_penalties", {})
    return {**found, **{f"{PROJECTION}{group}": value for group, value in penalties.items()}}


def try_point(context: Mapping[str, Any], *, contender: str, point: Mapping[str, Any]) -> dict[str, Any]:
    """Fit a point on the inner training ratings; the score is RMSE, or minus nDCG, on the validation ratings."""
    study, variant = searched(context["groups"])[contender]
    given = {"train": context["train"], "validation": context["validation"]}
    try:
        if study == "koren":
            settings = {"most_epochs": STEPS, "patience": 2}
            score = koren_study.validate({"variant": variant, "settings": settings, **given}, point, 0)[
                "score"
            ]
        elif study == "side":
            folds = {"variant": variant, "folds": {"0": given}}
            score = side_information_study.validate(folds, point, 0)["score"]
        else:
            settings = {"k": context["k"], "threshold": context["threshold"]}
            score = ranking_study.validate({"variant": variant, "settings": settings, **given}, point, 0)[
                "score"
            ]
    except Exception as error:  # hyperparameters that do not work are not chosen
        return {"score": None, "reason": f"{type(error).__name__}: {error}"[:200]}
    return {"score": float(score), "reason": ""}


def choose(
    found: Candidates, split: Split, *, n_trials: int, k: int, threshold: float, seed: int, runs_dir: str | Path = "",
    workers: int | None = None, say: Callable[[str], None] | None = print,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Choose hyperparameters on a tenth of each user's training ratings.

    For each model of `searched` the report's own choice competes with points drawn at random; the others, and with more
    than `MOST_ITEMS` items those of `BY_ITEMS`, keep the report's choice.

    Parameters
    ----------
    found : Candidates
    split : Split
        As models see it.
    n_trials : int
        Points for each model, the report's own among them; below 2 nothing is tried.
    k : int
        Length of the lists.
    threshold : float
        Least rating that is relevant, of 1 to 5.
    seed : int
        Of the points drawn.

    Returns
    -------
    dict
        By contender what `lib.choices.choose` returns.
    """
    inner = validation_from(split.train)
    groups = [g for g in found.parameters.get(MIXED, {}).get("groups", ()) if g not in IMPLICIT]
    variants = {name: one for name, one in searched(groups).items() if name in found.contenders}
    wanted = []
    if n_trials > 1 and len(inner.test):
        for name, (_, variant) in variants.items():
            if name in BY_ITEMS and split.train.n_items > MOST_ITEMS:
                continue
            points = [as_point(found.parameters[name]), *draw(variant.space, n_trials - 1, seed)]
            wanted += [{"contender": name, "point": point} for point in points]
    context = {
        "train": inner.train,
        "validation": inner.test,
        "k": k,
        "threshold": threshold,
        "groups": groups,
    }
    tried = work(try_point, context, wanted, runs_dir, workers, say)
    choices = {}
    for name in found.contenders:
        mine = [t for t in tried if t["contender"] == name]
        scores = [np.inf if t["score"] is None else t["score"] for t in mine]
        best = int(np.argmin(scores)) if mine else 0
        there = bool(mine) and bool(np.isfinite(scores[best]))
        parameters = found.parameters[name]
        if there and best:
            parameters = {**variants[name][1].parameters(mine[best]["point"]), **found.contenders[name].fixed}
        usual = f"as chosen on {chosen_on()}" if parameters else "nothing to choose"
        choices[name] = {
            "parameters": parameters, "n_epochs": None, "trials": len(mine) or None,
            "validation": abs(scores[best]) if there else np.nan,
            "metric": "" if not there else "RMSE, 1 to 5" if scores[best] > 0 else f"nDCG@{k}",
            "chosen_on": "a tenth of each user's training ratings" if there else "",
            "how": "drawn at random" if there and best else usual,
        }  # fmt: skip
    return choices


def work(
    of, context: Mapping[str, Any], wanted: Sequence[Mapping[str, Any]], runs_dir, workers, say
) -> list[dict[str, Any]]:
    """Do jobs in processes of one thread each; what was done before on the same ratings is not done again."""
    modules = ("lib.own_ratings.choosing", "lib.own_ratings.measuring", "lib.own_ratings.stars")
    version = source_version(
        *modules, *koren_study.MODULES, *ranking_study.MODULES, *side_information_study.MODULES
    )
    store = runs_folder(runs_dir) / ".grids" / "own_ratings"
    with Grid(of, context=context, store=store, version=version, workers=workers, say=say) as grid:
        return grid.run(wanted)
