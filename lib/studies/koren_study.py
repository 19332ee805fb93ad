"""Project E's study of Koren's family: what is searched, what a fit leaves, and scikit-surprise beside it."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from lib.data.interactions import Interactions
from lib.data.splits import Split, k_fold, random_holdout
from lib.experiment.fit import Fit, Fitted, Parts, Stopping
from lib.experiment.protocol import parts_of
from lib.experiment.run import run_fits
from lib.experiment.space import Real
from lib.metrics.ranking import Ranking
from lib.metrics.rating import rmse
from lib.metrics.sampled import SampledRanks, cases_of
from lib.models import label, model_class
from lib.models.base import Recommender
from lib.models.fitting import answers, fit_model
from lib.models.recommendations import titles_of
from lib.studies.variants import Variant, by_name, magnitudes

ORDER = ("biased_svd", "asymmetric_svd", "svdpp", "integrated")  # by error, the largest first, as the papers have it
LATENT = ("biased_svd", "nsvd", "asymmetric_svd", "svdpp", "integrated", "timesvdpp")  # models with factors
EXPLAINED = ("correlation_neighbours", "neighbourhood", "asymmetric_svd", "integrated")  # sums over a user's films
TRANSDUCTIVE = ("svdpp", "asymmetric_svd", "integrated")  # their N(u) has the films of the test pairs in the papers

PUBLISHED = dict(zip(LATENT[:5], ("SVD", "NSVD", "Asymmetric-SVD", "SVD++", "Integrated"), strict=True))
"""How ``claims.toml`` has the models with factors."""

IN_LISTS = {  # columns of the table of lists, by what `list_quality` finds
    "hits_none": "hit_rate: Sampled hits@10",
    "hits_rated": "hit_rate: Sampled hits@10, rated kept out",
    "percentile": "percentile: Sampled mean rank (%)",
    "ndcg": "ndcg: nDCG, full catalogue",
    "precision": "precision: Precision, full catalogue",
}


def variants() -> dict[str, Variant]:
    """Return the models by the name that results use, simplest first, with the space of each one's search.

    Factors are 50 and neighbours 300 while the rest is searched; the number of epochs is found by early stopping.
    """
    factors = magnitudes(factor_learning_rate=(0.004, 0.015), factor_regularisation=(0.03, 0.15))
    implicit = magnitudes(implicit_learning_rate=(0.004, 0.03), implicit_regularisation=(3e-4, 5e-3))
    weights = magnitudes(weight_learning_rate=(1e-3, 2e-2), weight_regularisation=(5e-4, 2e-2))
    biases = magnitudes(bias_regularisation=(3e-3, 6e-2)) | {"learning_rate_decay": Real(0.93, 0.99)}
    moving = magnitudes(time_bias_learning_rate=(1e-4, 3e-3), time_bias_regularisation=(5e-3, 0.2))
    moving |= magnitudes(time_factor_learning_rate=(1e-4, 2e-3), time_factor_regularisation=(5e-3, 0.2))
    constants = magnitudes(user_regularisation=(0.5, 30.0), item_regularisation=(0.5, 30.0))
    correlated = magnitudes(n_neighbours=(10, 100), shrinkage=(10.0, 1000.0))
    interpolated = magnitudes(n_neighbours=(10, 60), moment_shrinkage=(20.0, 1000.0))
    size: dict[str, Any] = {"n_factors": 50, "initial_scale": 0.05}
    near: dict[str, Any] = {"n_neighbours": 300}
    return by_name(
        Variant.of("bias", constants),
        Variant.of("correlation_neighbours", correlated),
        Variant.of("interpolated_neighbours", interpolated),
        Variant.of("nsvd", factors | implicit | biases, **size),
        Variant.of("biased_svd", factors | biases, **size),
        Variant.of("neighbourhood", weights | biases, **near),
        Variant.of("asymmetric_svd", factors | implicit | biases, **size),
        Variant.of("svdpp", factors | implicit | biases, **size),
        Variant.of("integrated", factors | implicit | weights | biases, **size, **near),
        Variant.of("timesvdpp", factors | implicit | moving | biases, **size),
    )


def validation_fit(variant: Variant, *, most_epochs: int, patience: int) -> Fit:
    """Return a search's fit: on ``train``, judged, and stopped where a model has epochs, on ``validation``."""
    stopping = None
    if _has_epochs(variant):
        stopping = Stopping("n_epochs", most_epochs, patience, validation="validation", refit=False)
    return Fit(variant.model, variant.fixed, test="validation", stopping=stopping, measure={"score": {}})


def refitted(
    variant: Variant,
    chosen: Mapping[str, Any],
    *,
    most_epochs: int,
    patience: int,
    seed: int = 0,
    changes: Mapping[str, Any] | None = None,
    measure: Mapping[str, Mapping[str, Any]] | None = None,
) -> Fit:
    """Return a fit at `chosen` with `changes`, on all of ``train``, for the epochs found on ``inner_test``."""
    changes = dict(changes or {})
    found = {"limit": "n_epochs", "most": most_epochs, "patience": patience}
    length: dict[str, Any] = found if _has_epochs(variant) else {}
    stopping = Stopping(**length, train="inner_train", validation="inner_test")
    parameters = {**variant.parameters(chosen), **changes}
    measure = {"errors": {}, **(measure or {}), "validation_error": {}}
    labels = {"variant": variant.name, "changes": changes, "seed": seed}
    return Fit(variant.model, parameters, seed, stopping=stopping, measure=measure, labels=labels)


def starts_of(
    variants: Mapping[str, Variant], chosen: Mapping, n_starts: int, *, k: int, sampling: Mapping, **stopping: Any
) -> list[Fit]:
    """Return fits (`refitted`) of every model at its search's choice, once without a random start; `k` is of lists."""
    fits = []
    for name, one in variants.items():
        starts = n_starts if "seed" in model_class(one.model).parameter_names() else 1
        for seed in range(starts):
            measure: dict[str, Mapping[str, Any]] = {"predictions": {}, "curve": {}}
            measure["sampled"] = {"k": k, **sampling}
            if seed == 0 and name in EXPLAINED:
                measure["fitted_arrays"] = {}
            if seed == 0 and name in TRANSDUCTIVE:
                measure[f"{__name__}:transductive"] = {}
            fits.append(refitted(one, chosen[name], seed=seed, measure=measure, **stopping))
    return fits


def refit(fits: Sequence[Fit], parts: Parts, *, keep: str = "") -> list[dict[str, Any]]:
    """Make the fits of `refitted`, or find them in the group `keep`; seconds are those of the fit on all training ratings."""
    return [{**found, "seconds_fit": found["seconds_refit"]} for found in run_fits(fits, parts, keep=keep)]


def with_inner(split: Split, *, seed: int) -> dict[str, Interactions]:
    """Return a split's parts, with a tenth of its training ratings as validation ratings."""
    cut = random_holdout(split.train, test_share=0.1, seed=seed)
    return {"train": split.train, "test": split.test, "inner_train": cut.train, "inner_test": cut.test}


def _has_epochs(variant: Variant) -> bool:
    return "patience" in model_class(variant.model).parameter_names()


def seconds_an_epoch(fitted: Fitted, *, n: int = 4) -> dict[str, float]:
    """Time an epoch (``seconds_epoch``) by what fits of n + 1 epochs take more than fits of one."""
    seconds = []
    for epochs in (1, n + 1):
        start = time.perf_counter()
        fit_model(fitted.fit.model, fitted.train, **{**fitted.model.parameters, "n_epochs": epochs})
        seconds.append(time.perf_counter() - start)
    return {"seconds_epoch": max(seconds[1] - seconds[0], 0.0) / n}


def transductive(fitted: Fitted) -> dict[str, float]:
    """Return ``transductive_rmse``: N(u) holds the films of the test pairs too; for no table beside others."""
    model = type(fitted.model)(**fitted.model.parameters).fit_transductive(fitted.train, fitted.test)
    return {"transductive_rmse": rmse(fitted.test.ratings, answers(model, fitted.test))}


def sampled_of(record: Mapping[str, Any], test: Interactions, exclude: str, *, n_sampled: int) -> SampledRanks:
    """Return the sampled ranks that a fit left (`lib.experiment.measurements.sampled`)."""
    rows = cases_of(test)
    above, level = (np.asarray(record[f"{kind}_{exclude}"], dtype=np.int32) for kind in ("above", "level"))
    return SampledRanks(test.users[rows], test.items[rows], above, level, n_sampled)


def list_quality(ranks: Mapping[str, Sequence[SampledRanks]], lists: Sequence[Ranking]) -> dict[str, float]:
    """Return what the test of lists finds of a model, as `IN_LISTS` has it, means over its random starts.

    `ranks` are by what was kept out of the samples (of the percentile, rated films), `lists` over the full catalogue.
    """
    found = {f"hits_{kept_out}": [one.hit_rate(10).value for one in of] for kept_out, of in ranks.items()}
    found["percentile"] = [one.mean_percentile_rank().value for one in ranks["rated"]]
    found |= {metric: [one.per_user(metric).value for one in lists] for metric in ("ndcg", "precision")}
    return {name: float(np.mean(values)) for name, values in found.items()}


def explained(models: Mapping[str, Recommender], train: Interactions, user: int, item: int, n: int) -> pd.DataFrame:
    """Put what several models' predictions for one pair rest on side by side, a row a film, with titles.

    Each model's `n` largest contributions, in rating units, beside the user's training rating; then a row for the other
    films together and one for what no film answers for.
    """
    own = train.users == user
    given = dict(zip(train.items[own].tolist(), train.ratings[own].tolist(), strict=True))
    rows = []
    for name, model in models.items():
        found = model.explain(user, item, n)
        shown = zip(titles_of(train, found.items), found.items, found.contributions, strict=True)
        rows += [[name, title, given.get(int(j), np.nan), float(share)] for title, j, share in shown]
        rows.append([name, "all other films", np.nan, found.rest])
        rows.append([name, "mean, biases, own factors", np.nan, found.baseline])
    return pd.DataFrame(rows, columns=["model", "film", "rated", "contribution"])


SURPRISE = "benchmarks.surprise_models:Surprise"

SAME: dict[str, tuple[str, dict[str, Any]]] = {  # scikit-surprise's defaults for a model here, by the end of names
    "svd": ("biased_svd", {"kind": "SVD", "n_factors": 100, "n_epochs": 20, "lr_all": 5e-3, "reg_all": 0.02}),
    "svdpp": ("svdpp", {"kind": "SVDpp", "n_factors": 20, "n_epochs": 20, "lr_all": 7e-3, "reg_all": 0.02}),
}


def compare_on_folds(dataset, n_folds: int, tuned: Mapping[str, Mapping[str, Any]], *, seed: int) -> pd.DataFrame:
    """Fit scikit-surprise's SVD and SVD++, the same ones here, and tuned models on each of some random folds.

    `tuned` has hyperparameters by registered name. ``rmse``, of clipped predictions, and ``seconds`` of a fit are means
    over folds, ``spread`` is the RMSE's standard deviation, and ``gap`` the largest difference to scikit-surprise's
    predictions, NaN at other settings. Empty without folds. The project keeps these fits.
    """
    columns = ["name", "model", "rmse", "spread", "seconds", "gap"]
    if not n_folds:
        return pd.DataFrame(columns=columns)
    folds = {fold.fold: fold for fold in k_fold(dataset.interactions, n_folds=n_folds, seed=seed)}
    measure: dict[str, Any] = {"errors": {"parts": ["test"]}, f"{__name__}:seconds": {}}
    fits = []
    for fold in folds:
        for name, words, model, parameters, options in _rows(tuned):
            labels = {"name": name, "model": words, "fold": fold}
            fit = Fit(model, parameters, train=f"{fold}/train", test=f"{fold}/test", labels=labels)
            fits.append(replace(fit, **{**options, "measure": {**measure, **options.get("measure", {})}}))
    table = pd.DataFrame(run_fits(fits, parts_of(folds), keep="koren"))
    theirs = table.set_index(["name", "fold"])["gap"]
    same = table["name"].str.startswith("same")
    pairs = zip(table["name"].str.replace("same", "surprise"), table["fold"], strict=True)
    table["gap"] = np.where(same, [theirs.get(pair, np.nan) for pair in pairs], np.nan)
    grouped = table.groupby(["name", "model"], sort=False)
    found = grouped.agg(rmse=("test_rmse", "mean"), spread=("test_rmse", "std"), gap=("gap", "max"))
    return found.assign(seconds=grouped["seconds_fit"].mean()).reset_index()[columns]


def seconds(fitted: Fitted) -> dict[str, float]:
    """Leave out, of ``seconds_fit``, what scikit-surprise takes to make its own data structure."""
    return {"seconds_fit": getattr(fitted.model, "seconds_", fitted.seconds_fit)}


def gap(fitted: Fitted, *, model: str, parameters: Mapping[str, Any]) -> dict[str, float]:
    """Fit a model here to the same ratings and return ``gap``, the largest difference of clipped test predictions."""
    ours = fit_model(model, fitted.train, **parameters)
    return {"gap": float(np.abs(answers(ours, fitted.test) - fitted.answers(fitted.fit.test)).max())}


def compiled(parts: Parts, fit: Fit) -> Parts:
    """Fit a few ratings first, so that no compiler runs while the clock does."""
    fit_model(fit.model, parts[fit.train].take(np.arange(1000)), **fit.parameters)
    return {}


def _rows(tuned: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, str, Mapping, dict[str, Any]]]:
    """Yield name, words for readers, model, hyperparameters and further options of each fit on a fold."""
    for name, (ours, theirs) in SAME.items():
        words = f"scikit-surprise, {theirs['kind'].replace('pp', '++')}"
        measure = {f"{__name__}:gap": {"model": ours, "parameters": _same(name)}}
        yield f"surprise_{name}", words, SURPRISE, theirs, {"measure": measure}
    for name, (ours, _) in SAME.items():
        words = f"{label(ours)}, at those settings"
        yield f"same_{name}", words, ours, _same(name), {"prepare": (f"{__name__}:compiled", {})}
    for name, parameters in tuned.items():
        yield name, f"{label(name)}, tuned", name, parameters, {}


def _same(name: str) -> dict[str, Any]:
    """Return the hyperparameters here that are scikit-surprise's, of a row of `SAME`."""
    ours, theirs = SAME[name]
    groups = ("bias", "factor", "implicit") if ours == "svdpp" else ("bias", "factor")
    same = {f"{group}_learning_rate": theirs["lr_all"] for group in groups}
    same |= {f"{group}_regularisation": theirs["reg_all"] for group in groups}
    same |= {"n_factors": theirs["n_factors"], "n_epochs": theirs["n_epochs"], "learning_rate_decay": 1.0}
    return {**same, "initial_scale": 0.1, "shuffle": False, "dtype": "float64"}
