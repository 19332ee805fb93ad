"""Project E's study: what is searched, what a fit leaves, and folds beside scikit-surprise."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.surprise_models import Surprise
from lib.data.splits import per_user_holdout, random_holdout
from lib.experiment.evaluation import top_of
from lib.experiment.fit import fit_and_measure
from lib.metrics import evaluate_ranking, recommend, rmse
from lib.metrics.sampled import sampled_ranks
from lib.models import create, model_class
from lib.models.fitting import answers, fit_model
from lib.studies.koren_study import (
    EXPLAINED,
    IN_LISTS,
    ORDER,
    SAME,
    TRANSDUCTIVE,
    compare_on_folds,
    explained,
    list_quality,
    refit,
    refitted,
    sampled_of,
    starts_of,
    validation_fit,
    variants,
    with_inner,
)

STOPPING = {"most_epochs": 30, "patience": 2}
SAMPLING = {"n_sampled": 20, "seed": 3}
SAMPLED = {"sampled": {"k": 5, **SAMPLING}}
CHOSEN = {
    "factor_learning_rate": 0.02, "factor_regularisation": 0.03, "implicit_learning_rate": 0.01,
    "implicit_regularisation": 0.005, "bias_regularisation": 0.01, "learning_rate_decay": 0.98,
}  # fmt: skip


@pytest.fixture(scope="module")
def split(planted):
    return per_user_holdout(planted)


@pytest.fixture(scope="module")
def parts(split):
    return with_inner(split, seed=0)


def measured(parts, name, chosen, **options):
    return fit_and_measure(parts, refitted(variants()[name], chosen, **STOPPING, **options))


def test_every_variant_makes_its_model_and_searches_what_it_has():
    for name, one in variants().items():
        assert one.name == name
        model = create(one.model, **one.parameters({}))
        assert set(one.space) <= set(model.parameter_names())
    assert set(ORDER) <= set(variants())


def test_a_search_scores_the_best_epoch_on_validation_ratings(split):
    inner = random_holdout(split.train, test_share=0.1, seed=0)
    one = variants()["svdpp"]
    point = CHOSEN | {"factor_learning_rate": 0.08, "factor_regularisation": 0.001}
    fit = replace(validation_fit(one, **STOPPING), parameters=one.parameters(point))
    found = fit_and_measure({"train": inner.train, "validation": inner.test}, fit)
    model = fit_model("svdpp", inner.train, validation=inner.test, **one.parameters(point), n_epochs=30, patience=2)
    assert found["n_epochs"] == model.n_epochs_ < 30
    assert found["score"] == rmse(inner.test.ratings, answers(model, inner.test))


def test_a_search_needs_no_epochs(split):
    inner = random_holdout(split.train, test_share=0.1, seed=0)
    fit = validation_fit(variants()["bias"], **STOPPING)
    found = fit_and_measure({"train": inner.train, "validation": inner.test}, fit)
    assert found["n_epochs"] == 0
    assert found["score"] == rmse(inner.test.ratings, answers(fit_model("bias", inner.train), inner.test))


def test_a_fit_takes_its_epochs_from_validation_ratings_and_learns_from_all(parts, split):
    found = measured(
        parts, "svdpp", CHOSEN, changes={"n_factors": 3}, seed=1,
        measure={"predictions": {}, "curve": {}, **SAMPLED, "lib.studies.koren_study:seconds_an_epoch": {}},
    )  # fmt: skip
    parameters = {**variants()["svdpp"].parameters(CHOSEN), "n_factors": 3, "seed": 1}
    model = fit_model("svdpp", split.train, **parameters, n_epochs=found["n_epochs"])
    np.testing.assert_array_equal(found["predictions"], answers(model, split.test).astype(np.float32))
    assert found["test_rmse"] == rmse(split.test.ratings, answers(model, split.test))
    assert found["n_epochs"] == int(np.argmin(found["curve"])) + 1
    inner = parts["inner_test"]
    stopped = fit_model("svdpp", parts["inner_train"], validation=inner, **parameters, n_epochs=30, patience=2)
    assert found["validation_rmse"] == rmse(inner.ratings, answers(stopped, inner)), "clipped, not the curve's"
    assert found["seconds_epoch"] >= 0
    top = recommend(model, split.train, 5)
    assert (found["items"] == top.items).mean() > 0.99
    for exclude in ("none", "rated"):
        expected = sampled_ranks(model, split.train, split.test, n_sampled=20, exclude=exclude, seed=3)
        ranks = sampled_of(found, split.test, exclude, n_sampled=20)
        np.testing.assert_array_equal(ranks.users, expected.users)
        assert np.abs(ranks.above - expected.above).mean() < 0.05  # scores are kept in single precision


def test_models_without_epochs_are_fitted_all_the_same(parts, split):
    chosen = {"n_neighbours": 8, "shrinkage": 5.0}
    found = measured(parts, "correlation_neighbours", chosen, measure={"curve": {}})
    model = fit_model("correlation_neighbours", split.train, **chosen)
    assert found["test_rmse"] == rmse(split.test.ratings, answers(model, split.test))
    assert found["n_epochs"] == 0 and len(found["curve"]) == 0
    inner = parts["inner_test"]
    stopped = fit_model("correlation_neighbours", parts["inner_train"], **chosen)
    assert found["validation_rmse"] == rmse(inner.ratings, answers(stopped, inner))


def test_models_without_a_random_start_are_fitted_once():
    chosen = {name: {} for name in variants()}
    fits = starts_of(variants(), chosen, 2, k=5, sampling=SAMPLING, **STOPPING)
    starts = Counter(fit.labels["variant"] for fit in fits)
    assert {n for n, count in starts.items() if count == 1} == {
        "bias",
        "correlation_neighbours",
        "interpolated_neighbours",
    }
    assert set(starts) == set(variants())
    for fit in fits:
        name, seed = fit.labels["variant"], fit.labels["seed"]
        assert fit.measure["sampled"] == {"k": 5, **SAMPLING}
        assert ("fitted_arrays" in fit.measure) == (seed == 0 and name in EXPLAINED)
        assert any("transductive" in one for one in fit.measure) == (seed == 0 and name in TRANSDUCTIVE)
    assert set(EXPLAINED) <= {n for n, one in variants().items() if hasattr(model_class(one.model), "explain")}
    assert set(TRANSDUCTIVE) <= {
        n for n, one in variants().items() if hasattr(model_class(one.model), "fit_transductive")
    }


def test_lists_are_judged_by_means_over_starts(parts, split):
    fits = refit(
        [
            refitted(variants()["biased_svd"], {}, changes={"n_factors": 2}, seed=s, measure=SAMPLED, **STOPPING)
            for s in (0, 1)
        ],
        parts,
    )
    assert all(fit["seconds_fit"] == fit["seconds_refit"] for fit in fits)
    ranks = {out: [sampled_of(fit, split.test, out, n_sampled=20) for fit in fits] for out in ("none", "rated")}
    lists = [evaluate_ranking(top_of(fit, split.train), split.test, k=5) for fit in fits]
    found = list_quality(ranks, lists)
    assert set(found) == set(IN_LISTS)
    assert found["hits_none"] == pytest.approx(np.mean([one.hits(10).mean() for one in ranks["none"]]))
    assert found["percentile"] == pytest.approx(np.mean([one.percentile_ranks.mean() for one in ranks["rated"]]))
    assert found["precision"] == pytest.approx(np.mean([one.metrics()["precision@5"] for one in lists]))
    assert found["hits_none"] != found["hits_rated"]


def test_transductive_errors_are_those_of_that_fit(parts, split):
    found = measured(parts, "svdpp", CHOSEN, measure={"lib.studies.koren_study:transductive": {}})
    model = create("svdpp", **variants()["svdpp"].parameters(CHOSEN), n_epochs=found["n_epochs"])
    model.fit_transductive(split.train, split.test)
    assert found["transductive_rmse"] == rmse(split.test.ratings, answers(model, split.test))
    assert found["transductive_rmse"] != pytest.approx(found["test_rmse"], abs=1e-6)


def test_explanations_of_several_models_add_up_to_their_predictions(split):
    models = {
        "CorNgbr": fit_model("correlation_neighbours", split.train, shrinkage=5.0),
        "Asymmetric-SVD": fit_model("asymmetric_svd", split.train, n_factors=3, n_epochs=5),
    }
    table = explained(models, split.train, 4, 7, n=2)
    for name, model in models.items():
        mine = table[table["model"] == name]
        assert mine["contribution"].sum() == pytest.approx(model.predict([4], [7])[0], abs=1e-5)
        assert mine["film"].tolist()[-2:] == ["all other films", "mean, biases, own factors"]
        own = split.train.ratings[split.train.users == 4]
        assert mine["rated"].iloc[:-2].isin(own).all()


def test_folds_beside_scikit_surprise(planted):
    pytest.importorskip("surprise")

    class Data:
        interactions = planted

    table = compare_on_folds(Data, 2, {"biased_svd": {"n_factors": 3, "n_epochs": 5}}, seed=1).set_index("name")
    assert table.loc[["same_svd", "same_svdpp"], "gap"].max() < 1e-9
    assert table.loc["same_svdpp", "rmse"] == pytest.approx(table.loc["surprise_svdpp", "rmse"])
    assert np.isnan(table.loc["biased_svd", "gap"]) and table["rmse"].notna().all()
    assert table["model"].tolist()[:2] == ["scikit-surprise, SVD", "scikit-surprise, SVD++"]
    left_out = compare_on_folds(Data, 0, {}, seed=1)
    assert left_out.empty and list(left_out) == list(table.reset_index())


def test_scikit_surprise_is_asked_by_codes(split):
    surprise = pytest.importorskip("surprise")
    model = fit_model(Surprise, split.train, **{**SAME["svdpp"][1], "n_factors": 3, "n_epochs": 2})
    reader = surprise.Reader(rating_scale=(1, 5))
    known = surprise.Dataset.load_from_df(split.train.frame()[["user", "item", "rating"]], reader)
    theirs = surprise.SVDpp(n_factors=3, n_epochs=2, lr_all=0.007, reg_all=0.02, random_state=0, cache_ratings=True)
    theirs.fit(known.build_full_trainset())
    raw = split.test.frame()[["user", "item"]].itertuples(index=False)
    expected = [theirs.predict(u, i, clip=False).est for u, i in raw]
    np.testing.assert_allclose(model.predict(split.test.users, split.test.items), expected, rtol=1e-12)
    users, items = split.train.n_users, split.train.n_items
    rated = len(np.unique(split.train.users)), len(np.unique(split.train.items))
    assert model.n_parameters_ == 4 * rated[0] + 7 * rated[1] <= 4 * users + 7 * items
    assert np.isfinite(model.predict([-1, 10**6], [-1, 10**6])).all()
