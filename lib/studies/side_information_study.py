"""Project B's study: the variants of its model, what is searched for each, its fits on every fold, and their tables."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from optuna.distributions import BaseDistribution
from scipy import special

from lib.data.interactions import Interactions
from lib.data.made_up import made_up_ratings
from lib.data.splits import Split
from lib.experiment.fit import Fit, Fitted, Stopping
from lib.experiment.measurements import errors_of
from lib.experiment.run import run_fits
from lib.experiment.search import search
from lib.experiment.search_result import Search
from lib.experiment.space import PROJECTION, Choice, Integer, Real, Space
from lib.metrics.per_user import PerUser, pooled
from lib.metrics.rating import rmse
from lib.models import create
from lib.statistics.significance import adjust, compare_models
from lib.studies.side_information_terms import VARIED
from lib.studies.variants import Variant, averaged_errors, by_name, by_variant, magnitudes, spread

ALS = "side_information_als"
PENALTIES = ("user_penalty", "item_penalty", "user_bias_penalty", "item_bias_penalty")

PENALTY = Real(1e-4, 1e4, log=True)  # B's range of every penalty
USUAL = Real(0.1, 1e3, log=True)  # outside B's study: the part of B's eight orders of magnitude that is of use


def penalties(groups: Sequence[str], searched: Real) -> dict[str, BaseDistribution]:
    """Return the one range for every penalty of a model with these groups of features."""
    return dict.fromkeys((*PENALTIES, *(f"{PROJECTION}{group}" for group in groups)), searched)


def ablation_variants(*, most_factors: int = 150, most_neighbours: int = 610) -> dict[str, Variant]:
    """Return project B's seven variants in B's ranges, the full model first, and one without features and graph."""

    def variant(name, label, groups=("genres", "year"), graph="genres", popularity=True) -> Variant:
        fixed: dict[str, Any] = {"groups": groups, "graph_group": graph}
        space: dict[str, BaseDistribution] = {"n_factors": Integer(1, most_factors), **penalties((), PENALTY)}
        if popularity:
            space["popularity_shrinkage"] = Choice((False, True))
        else:
            fixed["popularity_shrinkage"] = False
        space |= {f"{PROJECTION}{group}": PENALTY for group in groups}
        if groups:
            space["update_projections_every"] = Integer(1, 60)
        if graph is not None:
            space["graph_strength"] = Real(0.0, 100.0)
            space["graph_neighbours"] = Integer(1, most_neighbours)
            space["graph_epsilon"] = Real(1e-10, 1e-4, log=True)
        return Variant(name, label, ALS, fixed, Space(space))

    return by_name(
        variant("full", "Full model"),
        variant("no_features", "No features", groups=()),
        variant("only_genres", "Only genres", groups=("genres",)),
        variant("only_years", "Only years", groups=("year",)),
        variant("no_graph", "No graph", graph=None),
        variant("graph_feature=year", "Graph from years", graph="year"),
        variant("no_pop_reg", "No popularity shrinkage", popularity=False),
        variant("no_side_information", "No side information at all", groups=(), graph=None),
    )


def further_variants(groups: tuple[str, ...], *, most_factors: int = 64) -> dict[str, Variant]:
    """Return what B did not try, simplest first: plain factors, effects of the data's `groups`, implicit sets, all."""

    def variant(name, label, groups, feature_biases) -> Variant:
        fixed = {"groups": groups, "feature_biases": feature_biases}
        space = Space({"n_factors": Integer(1, most_factors), **penalties(groups, USUAL)})
        return Variant(name, label, ALS, fixed, space)

    implicit = ("raters", "rated")
    return by_name(
        variant("plain", "Plain factorisation", (), False),
        variant("features", "Features", groups, False),
        variant("features_biases", "Features with effects of their own", groups, True),
        variant("implicit", "Implicit sets", implicit, True),
        variant("features_implicit", "Features and implicit sets", (*groups, *implicit), True),
    )


def reference_variants(*, most_factors: int = 64) -> dict[str, Variant]:
    """Return the models that side information is measured against, with search spaces of their own."""
    constants = magnitudes(user_regularisation=(0.1, 100.0), item_regularisation=(0.1, 100.0))
    svd = {"n_factors": Integer(1, most_factors), "n_epochs": Integer(5, 40)}
    rates = magnitudes(lr_all=(1e-3, 3e-2), reg_all=(1e-2, 0.3))
    plain = Variant.of("svd", svd | rates, centre="none", estimate_limit=None)
    return by_name(Variant.of("bias", constants), plain)


def compared_variants(groups: tuple[str, ...], added: tuple = (), *, most_factors: int = 64) -> dict[str, Variant]:
    """Return the reference and the further variants, and, where groups are `added`, one more with effects of all of them."""
    found = reference_variants(most_factors=most_factors) | further_variants(groups, most_factors=most_factors)
    if added:
        more = further_variants((*groups, *added), most_factors=most_factors)["features_biases"]
        label = f"{more.label} and {', '.join(added)}"
        found["features_further"] = replace(more, name="features_further", label=label)
    return found


def machine_variant(groups: tuple[str, ...], *, n_iterations: int = 200) -> Variant:
    """Return the Bayesian factorisation machine with features and implicit sets, which has nothing to search."""
    length = {"n_iterations": n_iterations, "n_samples": n_iterations * 3 // 4}
    fixed = {"n_factors": 10, "groups": [*groups, "raters", "rated"], **length}
    return Variant("machine", "Bayesian factorisation machine", "factorisation_machine", fixed)


MOST_ITERATIONS = 100  # B's limit; early stopping ends nearly every fit before it


def validation_fit(variant: Variant, fold: str = "") -> Fit:
    """Return the fit of a search, judged, and stopped where the model alternates, on the fold's ``validation``."""
    train, test = f"{fold}train", f"{fold}validation"
    stopping = Stopping("n_iterations", MOST_ITERATIONS, validation=test, refit=False)
    fit = Fit(variant.model, variant.fixed, train=train, test=test, measure={"score": {}})
    return replace(fit, stopping=stopping) if variant.model in (ALS, VARIED) else fit


def find(study: str, variant: Variant, folds: Sequence[Split], *, n_trials: int, seed=0, jointly=True) -> Search:
    """Search a variant on folds whose ``test`` is validation data; `study` begins the search's name."""
    fits = [validation_fit(variant, f"{n}/") for n in range(len(folds))]
    parts = {f"{n}/train": split.train for n, split in enumerate(folds)}
    parts |= {f"{n}/validation": split.test for n, split in enumerate(folds)}
    name, space = f"{study}-{variant.name.replace('=', '_')}", variant.space
    assert space is not None  # of what is searched
    return search(name, space, fits, parts, n_trials=n_trials, seed=seed, jointly=jointly)


def point(found: Search) -> dict:
    """Return what `fold_fits` needs of a search: the chosen hyperparameters, and the mean number of iterations."""
    return {"chosen": found.chosen, "n_iterations": found.n_epochs}


def known_trials(variants: Mapping[str, Variant], known: Mapping[str, Any], fold: Split) -> dict[str, dict]:
    """Try one point of the full model's search with every variant on a fold: a `point` each, and its ``score``."""
    fits = [
        replace(validation_fit(one, "0/"), parameters=one.parameters(known), keep="side_information")
        for one in variants.values()
    ]
    made = run_fits(fits, {"0/train": fold.train, "0/validation": fold.test})
    return {
        name: {"chosen": dict(known), "n_iterations": fit["n_epochs"], "score": fit["score"]}
        for name, fit in zip(variants, made, strict=True)
    }


def better(found: Search, tried: Mapping[str, Any]) -> dict:
    """Return the `point` of a search, or of a trial of `known_trials` whose score is below all of the search's."""
    return point(found) if found.best["score"] <= tried["score"] else dict(tried)


def fold_fits(
    variants: Mapping[str, Variant], points: Mapping[str, Mapping], n_folds: int, *, n_bins=0, search=0
) -> list[Fit]:
    """Return the fits of variants on folds (parts ``0/train`` and so on), labelled ``variant``, ``fold`` and ``search``.

    Those of folds after the first, and of further searches, are kept with the project. `points` are as `point` returns
    them, of a variant's own search or of another's: the test ratings must not stop a model, so that its number of
    iterations is the search's.
    """
    found = []
    for name, one in variants.items():
        length = points[name]["n_iterations"]
        parameters = one.parameters(points[name]["chosen"]) | ({"n_iterations": length} if length else {})
        own: dict[str, Mapping] = {f"{__name__}:own_share": {}} if one.model == ALS else {}
        own |= {f"{__name__}:by_popularity": {"n_bins": n_bins}} if n_bins else {}
        for n in range(n_folds):
            measure, data = {"by_user": {}, "errors": {}, f"{__name__}:bins": {}, **own}, (f"{n}/train", f"{n}/test")
            kept = "side_information" if n or search else ""
            fit = Fit(one.model, parameters, None, *data, measure=measure, keep=kept)
            found.append(replace(fit, labels={"variant": name, "fold": n, "search": search}))
    return found


def bins(fitted: Fitted) -> dict[str, float]:
    """Return the test RMSE in B's two bins, ``cold_bin_rmse`` and ``popular_bin_rmse``; NaN for an empty one."""
    test, predicted = fitted.test, fitted.answers(fitted.fit.test)
    counts, found = fitted.train.item_counts[test.items], {}
    for name, inside in (("cold", counts <= COLD_AT_MOST), ("popular", counts >= POPULAR_FROM)):
        found[f"{name}_bin_rmse"] = rmse(test.ratings[inside], predicted[inside]) if inside.any() else np.nan
    return found


def by_popularity(fitted: Fitted, *, n_bins: int) -> dict[str, np.ndarray]:
    """Return ``bin_rmse`` of bins of about equally many test ratings, by the film's training ratings: from ``bin_from`` on."""
    test, counts = fitted.test, fitted.train.item_counts[fitted.test.items]
    starts = np.unique(np.quantile(counts, np.arange(n_bins) / n_bins, method="higher"))
    places = np.searchsorted(starts, counts, side="right") - 1
    squared = np.bincount(places, (test.ratings - fitted.answers(fitted.fit.test)) ** 2)
    return {"bin_from": starts, "bin_rmse": np.sqrt(squared / np.bincount(places))}


def own_share(fitted: Fitted) -> dict[str, float]:
    """Return ``own_share``: how much of the squared length of rated films' latent vectors q their own factors V have."""
    rated = fitted.train.item_counts > 0
    vectors = fitted.model.item_factors_, fitted.model.item_latent_
    own, whole = (float((of[rated] ** 2).sum()) for of in vectors)
    return {"own_share": own / whole if whole > 0 else np.nan}


def course_fits(parameters: Mapping[str, Any], *, n_iterations: int = 30) -> list[Fit]:
    """Return two fits of so many iterations on ``train``: one alone, and one that is watched on ``validation``."""
    length = {**parameters, "n_iterations": n_iterations}
    alone = Fit(ALS, length, test="", measure={f"{__name__}:course": {}})
    watched = Stopping("n_iterations", validation="validation", refit=False)
    return [alone, replace(alone, parameters={**length, "min_iterations": n_iterations}, stopping=watched)]


def course(fitted: Fitted) -> dict[str, np.ndarray]:
    """Return ``objective`` by iteration, or ``validation_rmse`` where the model was watched on validation ratings."""
    model = fitted.model
    return {"objective": model.objective_, "validation_rmse": model.validation_rmse_}


def iteration_costs(sizes: Sequence[int], *, seed: int = 0) -> pd.DataFrame:
    """Time an iteration with 16 factors, made-up data about as dense as MovieLens 1M, with and without implicit sets."""
    rows = []
    for size in sizes:
        made_up = made_up_ratings(size, int(size**0.5 * 6), int(size**0.5 * 4), seed=seed)
        for label, groups in (("genres and year", ()), ("with implicit sets", ("raters", "rated"))):
            engine = create(ALS, n_factors=16, groups=["genres", "year", *groups]).engine(made_up)
            engine.sweep()  # compiles, and fills what is made once
            start = time.perf_counter()
            engine.sweep()
            rows.append({"groups": label, "ratings": size, "seconds": time.perf_counter() - start})
    return pd.DataFrame(rows, columns=["groups", "ratings", "seconds"])


def parameter_label(name: str) -> str:
    """Say a searched hyperparameter in words: ``projection_penalty_genres`` is the penalty of genres, an item a film."""
    return name.replace(PROJECTION, "penalty_of_").removeprefix("n_").replace("item", "film").replace("_", " ")


COLD_AT_MOST, POPULAR_FROM = 2, 15  # B's bins by training ratings of the film
REFERENCES = {"bias": "bias_tuned", "svd": "svd_tuned", "machine": "factorisation_machine"}  # their names in results


def fold_table(fits: Sequence[Mapping]) -> pd.DataFrame:
    """Return a row a fit: errors on train, test and B's two bins, and what the fit took."""
    errors = ["train_rmse", "test_rmse", "cold_bin_rmse", "popular_bin_rmse"]
    columns = ["variant", "fold", "search", *errors, "seconds_fit", "n_parameters", "own_share"]
    found = pd.DataFrame([dict(fit) for fit in fits]).reindex(columns=columns)
    return found.assign(fold=found["fold"] + 1).astype(dict.fromkeys([*errors, "own_share"], float))


def fold_means(table: pd.DataFrame) -> pd.DataFrame:
    """Average a `fold_table` over folds or searches, a row a variant in its order, with the ``spread`` of the test RMSE."""
    by_variant = table.groupby("variant", sort=False)
    return by_variant.mean(numeric_only=True).assign(spread=by_variant["test_rmse"].std(ddof=1))


def stored_name(variant: str, ending: str = "") -> str:
    """Return the name under which results know a variant's measurements."""
    return REFERENCES.get(variant, f"side_information_als_{variant.replace('=', '_')}{ending}")


def metric_rows(
    table: pd.DataFrame, splits: Sequence[Split], measures: Sequence[str], ending: str = "", **key: Any
) -> Iterator[dict[str, Any]]:
    """Yield columns of a `fold_table` as metrics to keep; `ending` is that of models' names, `key` is in every row."""
    for row in table.to_dict("records"):
        split = splits[row["fold"] - 1]
        where = {"model": stored_name(row["variant"], ending), "split": split.name, "fold": split.fold, **key}
        for name in measures:
            yield {**where, "metric": name.removeprefix("test_"), "value": row[name], "seconds_fit": row["seconds_fit"]}


def errors_by_user(fits: Sequence[Mapping], splits: Sequence[Split]) -> dict[str, PerUser]:
    """Pool the folds' errors by variant: each user once, with all of the user's test ratings over the folds."""
    of_folds = {name: [errors_of(fit, splits[fit["fold"]].test) for fit in of] for name, of in by_variant(fits).items()}
    return {name: pooled([one.per_user("rmse") for one in of]) for name, of in of_folds.items()}  # type: ignore[union-attr]


def compare_with(
    reference: str, fits: Sequence[Mapping], splits: Sequence[Split], *, n_resamples: int = 2000
) -> pd.DataFrame:
    """Compare variants with one, by user over folds, false discovery corrected; ``sign_p`` is B's sign test of folds."""
    errors = errors_by_user(fits, splits)
    table = compare_models(errors, reference=reference, correction="bh", n_resamples=n_resamples, seed=42)
    by_fold = {name: np.array([f["test_rmse"] for f in fits if f["variant"] == name]) for name in errors}
    table["sign_p"] = [sign_test(by_fold[name] - by_fold[reference]) for name in table["model_a"]]
    table["sign_p_adjusted"] = adjust(table["sign_p"].to_numpy(), "bh")
    return table


def compare_searched(reference: str, fits: Sequence[Mapping], test: Interactions, *, n_resamples: int) -> pd.DataFrame:
    r"""Compare variants that were searched several times each with one of them; intervals hold users and searches.

    .. math:: d \pm t_\nu \sqrt{v_u + s_a^2 / n_a + s_b^2 / n_b}

    d, the difference of the test RMSE, is that of squared errors averaged over a variant's searches; :math:`v_u` its variance
    over resampled users, s the standard deviation of the test RMSE over n searches (0 where there is one), and :math:`\nu` the
    degrees of freedom of Welch (1947). P-values are of the same t, corrected for false discovery.
    """
    errors = {name: averaged_errors(of, test) for name, of in by_variant(fits).items()}
    table = compare_models(errors, reference=reference, n_resamples=n_resamples, seed=42)
    n, spreads = pd.Series({name: len(of) for name, of in by_variant(fits).items()}), spread(fits).fillna(0)
    of_searches = spreads**2 / n
    parts = np.array([of_searches[table["model_a"]], np.full(len(table), of_searches[reference])])
    sizes = np.array([n[table["model_a"]], np.full(len(table), n[reference])])
    users = np.maximum((table["high"] - table["low"]) / 3.92, 1e-12) ** 2  # two variants may be one model
    variance = users + parts.sum(axis=0)
    freedom = variance**2 / (users**2 / (table["n_users"] - 1) + (parts**2 / np.maximum(sizes - 1, 1)).sum(axis=0))
    ends = special.stdtrit(freedom, 0.975) * np.sqrt(variance)
    p_values = 2 * special.stdtr(freedom, -table["difference"].abs() / np.sqrt(variance)).clip(5e-5).to_numpy()
    low, high = (table["difference"] + sign * ends for sign in (-1, 1))
    told = {"p_value": p_values, "p_adjusted": adjust(p_values, "bh"), "at_floor": p_values <= 5e-5}
    return table.assign(low=low, high=high, **told, searching=np.sqrt(parts.sum(axis=0)))


def sign_test(differences: np.ndarray) -> float:
    """Two-sided sign test; differences that vanish in four decimals are ties and drop out, as in B's table."""
    from scipy.stats import binomtest

    signs = np.asarray(differences)[np.abs(differences) >= 5e-5]
    return float(binomtest(int((signs > 0).sum()), len(signs)).pvalue) if len(signs) else 1.0
