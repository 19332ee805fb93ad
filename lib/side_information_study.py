"""Project B's study: the variants of its model, what is searched for each, and what one fit on one fold measures."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lib.metrics.per_user import PerUser
from lib.metrics.rating import rmse, user_errors
from lib.metrics.segments import item_bins
from lib.models import create
from lib.search_space import Choice, Integer, Real, Space
from lib.splits import Split
from lib.variants import PROJECTION, Variant

POPULARITY_EDGES = (0, 1, 3, 6, 15, 50)
"""Lower ends of the bins of training ratings a film; B's cold bin, at most 2, is the first two, its popular bin, 15 or
more, the last two."""

PENALTY = Real(1e-4, 1e4, log=True)
"""B's range of every penalty."""


def searched(
    groups: tuple[str, ...], *, graph: bool = False, popularity: bool = True, most_factors: int = 150,
    most_neighbours: int = 610,
) -> Space:  # fmt: skip
    """Return B's search space, as far as it touches a model with these groups of features.

    B's ranges are kept: 1 to 150 factors, penalties from 1e-4 to 1e4, a graph strength of 0 to 100 over 1 to 610
    neighbours, projections updated every 1 to 60 iterations.
    """
    dimensions: dict[str, Any] = {
        "n_factors": Integer(1, most_factors),
        "user_penalty": PENALTY,
        "item_penalty": PENALTY,
        "user_bias_penalty": PENALTY,
        "item_bias_penalty": PENALTY,
    }
    if popularity:
        dimensions["popularity_shrinkage"] = Choice((False, True))
    for group in groups:
        dimensions[f"{PROJECTION}{group}"] = PENALTY
    if groups:
        dimensions["update_projections_every"] = Integer(1, 60)
    if graph:
        dimensions["graph_strength"] = Real(0.0, 100.0)
        dimensions["graph_neighbours"] = Integer(1, most_neighbours)
        dimensions["graph_epsilon"] = Real(1e-10, 1e-4, log=True)
    return Space(dimensions)


def ablation_variants(*, most_factors: int = 150, most_neighbours: int = 610) -> dict[str, Variant]:
    """Return project B's seven variants, the full model first, and one more.

    B's variant without features keeps the graph, which is made from genres; the last one goes without that too.

    Parameters
    ----------
    most_factors, most_neighbours : int
        Ends of two ranges of the search, B's by default: smaller ones make a quick look quick.
    """
    both = ("genres", "year")

    def variant(name, label, groups=both, graph="genres", popularity=True) -> Variant:
        fixed: dict[str, Any] = {"groups": groups, "graph_group": graph}
        if not popularity:
            fixed["popularity_shrinkage"] = False
        space = searched(
            groups, graph=graph is not None, popularity=popularity, most_factors=most_factors,
            most_neighbours=most_neighbours,
        )  # fmt: skip
        return Variant(name, label, "side_information_als", fixed, space)

    found = [
        variant("full", "Full model"),
        variant("no_features", "No features", groups=()),
        variant("only_genres", "Only genres", groups=("genres",)),
        variant("only_years", "Only years", groups=("year",)),
        variant("no_graph", "No graph", graph=None),
        variant("graph_feature=year", "Graph from years", graph="year"),
        variant("no_pop_reg", "No popularity shrinkage", popularity=False),
        variant("no_side_information", "No side information at all", groups=(), graph=None),
    ]
    return {v.name: v for v in found}


USUAL = Real(0.1, 1e3, log=True)
"""Range of every penalty outside B's study: the part of B's eight orders of magnitude where a penalty is of use."""


def further_variants(
    groups: tuple[str, ...] = ("genres", "year"), *, most_factors: int = 64
) -> dict[str, Variant]:
    """Return what project B did not try, simplest first: plain factors, feature effects, implicit sets, all of it.

    Searched over `USUAL` penalties, projections updated in each iteration.

    Parameters
    ----------
    groups : tuple of str
        The data's groups of side information.
    most_factors : int
        End of the search of `n_factors`.
    """
    implicit = ("raters", "rated")

    def variant(name, label, groups, feature_biases) -> Variant:
        fixed = {"groups": groups, "feature_biases": feature_biases}
        names = ["user_penalty", "item_penalty", "user_bias_penalty", "item_bias_penalty"]
        names += [f"{PROJECTION}{group}" for group in groups]
        space = Space({"n_factors": Integer(1, most_factors), **dict.fromkeys(names, USUAL)})
        return Variant(name, label, "side_information_als", fixed, space)

    found = [
        variant("plain", "Plain factorisation", (), False),
        variant("features", "Features", groups, False),
        variant("features_biases", "Features with effects of their own", groups, True),
        variant("implicit", "Implicit sets", implicit, True),
        variant("features_implicit", "Features and implicit sets", (*groups, *implicit), True),
    ]
    return {v.name: v for v in found}


def reference_variants(*, most_factors: int = 64) -> dict[str, Variant]:
    """Return the models that side information is measured against, with search spaces of their own."""
    return {
        "bias": Variant("bias", "Bias model", "bias", {}, Space({
            "user_regularisation": Real(0.1, 100.0, log=True), "item_regularisation": Real(0.1, 100.0, log=True),
        })),
        "svd": Variant("svd", "SVD", "svd", {"centre": "none", "estimate_limit": None}, Space({
            "n_factors": Integer(1, most_factors), "n_epochs": Integer(5, 40), "lr_all": Real(1e-3, 3e-2, log=True),
            "reg_all": Real(1e-2, 0.3, log=True),
        })),
    }  # fmt: skip


# -- one fit -------------------------------------------------------------------------------------------------------
MODULES = (
    "lib.feature_groups", "lib.similarity_graph", "lib.models.als_rows", "lib.models.als_projection",
    "lib.models.als_engine", "lib.models.side_information_als",
)  # fmt: skip
"""What a search's scores depend on, for its ``version``."""

MOST_ITERATIONS = 100
"""B's limit; early stopping ends nearly every fit before it."""


def search_context(variant: Variant, folds: list[Split]) -> dict[str, Any]:
    """Bring a variant and the folds to validate it on into the form that `lib.tuning.search` hands to `validate`."""
    return {
        "variant": variant,
        "folds": {str(n): {"train": split.train, "validation": split.test} for n, split in enumerate(folds)},
    }


def validate(context: Mapping[str, Any], parameters: Mapping[str, Any], fold: int) -> dict[str, float]:
    """Fit one point of a search on one fold; the score is the clipped RMSE on its validation ratings.

    An alternating model stops early on these ratings, and says after how many iterations.
    """
    variant, data = context["variant"], context["folds"][str(fold)]
    chosen = variant.parameters(parameters)
    iterates = variant.model == "side_information_als"
    model = create(variant.model, **chosen, **({"n_iterations": MOST_ITERATIONS} if iterates else {}))
    model.fit(data["train"], validation=data["validation"])
    held_out = data["validation"]
    predicted = held_out.scale.clip(model.predict(held_out.users, held_out.items))
    found = {"score": rmse(held_out.ratings, predicted)}
    if iterates:
        found["n_iterations"] = int(model.n_iterations_)
    return found


def measure(
    context: Mapping[str, Any], *, variant: str, fold: int, chosen: Mapping[str, Any], n_iterations: int = 0
) -> dict[str, Any]:
    """Fit a variant on a fold's training ratings, and measure it on its test ratings.

    Parameters
    ----------
    context : mapping
        ``variants`` by name, and ``folds``: by number, ``train`` and ``test``.
    chosen : mapping
        A point of a search, this variant's or another's.
    n_iterations : int
        Of an alternating model: found in the search, as the test ratings must not stop it. 0 for other models.

    Returns
    -------
    dict
        ``predictions`` (float32, clipped, in the order of the test ratings), ``train_rmse``, ``test_rmse``,
        ``seconds_fit``, ``n_parameters``; for an alternating model also the mean squared length of the factors V and
        of the latent vectors q that contain them, ``own_share`` being their quotient over rated films.
    """
    one, data = context["variants"][variant], context["folds"][str(fold)]
    train, test = data["train"], data["test"]
    iterations = {"n_iterations": n_iterations} if n_iterations else {}
    model = create(one.model, **one.parameters(chosen), **iterations)
    start = time.perf_counter()
    model.fit(train)
    seconds = time.perf_counter() - start
    predicted = test.scale.clip(model.predict(test.users, test.items))
    on_train = train.scale.clip(model.predict(train.users, train.items))
    found = {
        "predictions": predicted.astype(np.float32), "seconds_fit": seconds, "n_parameters": model.n_parameters_,
        "test_rmse": rmse(test.ratings, predicted), "train_rmse": rmse(train.ratings, on_train),
    }  # fmt: skip
    if one.model == "side_information_als":
        rated = train.item_counts > 0
        own, whole = (
            float((getattr(model, name)[rated] ** 2).sum()) for name in ("item_factors_", "item_latent_")
        )
        found["own_share"] = own / whole if whole > 0 else np.nan
    return found


# -- what the fits say ---------------------------------------------------------------------------------------------
def popularity_errors(split: Split, predictions: np.ndarray, edges=POPULARITY_EDGES) -> pd.DataFrame:
    """Sum squared errors by the number of training ratings of the film.

    Returns
    -------
    DataFrame
        Indexed by bin, every bin: ``n_ratings`` and ``squared_error``, sums that add up over folds.
    """
    bins = item_bins(split.train, edges)[split.test.items]
    squared = (split.test.ratings.astype(np.float64) - predictions) ** 2
    sums = np.bincount(bins.codes, squared, minlength=len(bins.categories))
    counts = np.bincount(bins.codes, minlength=len(bins.categories))
    return pd.DataFrame(
        {"n_ratings": counts, "squared_error": sums}, index=pd.Index(bins.categories, name="bin")
    )


def errors_by_user(splits: list[Split], predictions: list[np.ndarray]) -> PerUser:
    """Pool the folds' errors: each user once, with all of the user's test ratings over the folds."""
    n_users = splits[0].train.n_users
    sums, counts = np.zeros(n_users), np.zeros(n_users)
    for split, predicted in zip(splits, predictions, strict=True):
        of_fold = user_errors(split.test.users, split.test.ratings, predicted).per_user("rmse")
        sums[of_fold.users] += of_fold.numerators
        counts[of_fold.users] += of_fold.denominators
    users = np.flatnonzero(counts)
    return PerUser("rmse", users, sums[users], counts[users], root=True)


def least_sign_test_p(n: int) -> float:
    """Return the smallest p-value that a two-sided sign test on n pairs can give: all on one side, twice 2**-n."""
    if n < 1:
        raise ValueError(f"a sign test needs at least one pair, got {n}")
    return min(1.0, 2.0 ** (1 - n))
