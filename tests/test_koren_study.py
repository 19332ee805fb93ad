"""Project E's studies: what is searched, what a fit leaves, folds beside scikit-surprise, and E's own training."""

import numpy as np
import pandas as pd
import pytest

from lib.full_batch import LEARNING_RATES, train_full_batch
from lib.full_batch_study import (
    LABELS,
    figure_name,
    one_at_a_time,
    rating_by_rating,
    rows_of_e,
)
from lib.full_batch_study import measure as measure_full_batch
from lib.koren_folds import compare_on_folds
from lib.koren_study import (
    ORDER,
    answers,
    averaged_hits,
    explained,
    measure,
    sampled_of,
    search_context,
    transductive_errors,
    validate,
    variants,
)
from lib.metrics import recommend, rmse
from lib.metrics.sampled import sampled_ranks
from lib.models import create
from lib.splits import per_user_holdout, random_holdout

SETTINGS = {"most_epochs": 30, "patience": 2, "k": 5, "n_sampled": 20, "sampling_seed": 3}
CHOSEN = {
    "factor_learning_rate": 0.02, "factor_regularisation": 0.03, "implicit_learning_rate": 0.01,
    "implicit_regularisation": 0.005, "bias_regularisation": 0.01, "learning_rate_decay": 0.98,
}  # fmt: skip


@pytest.fixture(scope="module")
def split(planted):
    return per_user_holdout(planted)


@pytest.fixture(scope="module")
def context(split):
    inner = random_holdout(split.train, test_share=0.1, seed=0)
    return {"train": split.train, "test": split.test, "inner_train": inner.train, "inner_test": inner.test, "settings": SETTINGS}  # fmt: skip


def test_every_variant_makes_its_model_and_searches_what_it_has():
    for name, one in variants().items():
        assert one.name == name
        model = create(one.model, **one.parameters({}))
        assert set(one.space) <= set(model.parameter_names())
    assert set(ORDER) <= set(variants())


def test_a_search_scores_the_best_epoch_on_validation_ratings(context):
    inner = random_holdout(context["train"], test_share=0.1, seed=0)
    one = variants()["svdpp"]
    point = CHOSEN | {"factor_learning_rate": 0.08, "factor_regularisation": 0.001}
    found = validate(search_context(one, inner, most_epochs=30, patience=2), point, 0)
    model = create("svdpp", **one.parameters(point), n_epochs=30, patience=2).fit(
        inner.train, validation=inner.test
    )
    assert found["n_epochs"] == model.n_epochs_ < 30
    assert found["score"] == pytest.approx(rmse(inner.test.ratings, answers(model, inner.test)))


def test_a_fit_takes_its_epochs_from_validation_ratings_and_learns_from_all(context, split):
    fit = measure(
        context, variant="svdpp", chosen=CHOSEN, changes={"n_factors": 3}, seed=1, lists=True, timed=True
    )
    parameters = {**variants()["svdpp"].parameters(CHOSEN), "n_factors": 3, "seed": 1}
    model = create("svdpp", **parameters, n_epochs=fit["n_epochs"]).fit(split.train)
    np.testing.assert_allclose(fit["predictions"], answers(model, split.test), rtol=1e-6)
    assert fit["test_rmse"] == pytest.approx(rmse(split.test.ratings, answers(model, split.test)))
    assert fit["n_epochs"] == int(np.argmin(fit["curve"])) + 1
    assert fit["seconds_epoch"] >= 0
    top = recommend(model, split.train, 5)
    assert (fit["items"] == top.items).mean() > 0.99
    for exclude in ("none", "rated"):
        expected = sampled_ranks(model, split.train, split.test, n_sampled=20, exclude=exclude, seed=3)
        found = sampled_of(fit, split.test, SETTINGS, exclude)
        np.testing.assert_array_equal(found.users, expected.users)
        assert np.abs(found.above - expected.above).mean() < 0.05  # scores are kept in single precision


def test_models_without_epochs_are_fitted_all_the_same(context, split):
    fit = measure(
        context, variant="correlation_neighbours", chosen={"n_neighbours": 8, "shrinkage": 5.0}, changes={}
    )
    model = create("correlation_neighbours", n_neighbours=8, shrinkage=5.0).fit(split.train)
    assert fit["test_rmse"] == pytest.approx(rmse(split.test.ratings, answers(model, split.test)))
    assert fit["n_epochs"] == 0 and len(fit["curve"]) == 0


def test_a_model_of_time_is_told_the_time(split):
    model = create("timesvdpp", n_factors=2, n_epochs=5).fit(split.train)
    asked = split.test.users, split.test.items
    told = split.test.scale.clip(model.predict(*asked, split.test.timestamps))
    np.testing.assert_array_equal(answers(model, split.test), told)
    assert not np.array_equal(told, split.test.scale.clip(model.predict(*asked)))


def test_hits_are_averaged_over_starts(context, split):
    fits = [measure(context, variant="biased_svd", chosen={}, changes={"n_factors": 2}, seed=s, lists=True) for s in (0, 1)]  # fmt: skip
    ranks = [sampled_of(fit, split.test, SETTINGS, "none") for fit in fits]
    expected = np.mean([r.hit_rate(5).value for r in ranks])
    assert averaged_hits(ranks, 5).value == pytest.approx(expected)


def test_transductive_errors_are_those_of_that_fit(split):
    one = variants()["svdpp"]
    found = transductive_errors(one, CHOSEN, 4, split.train, split.test)
    model = create("svdpp", **one.parameters(CHOSEN), n_epochs=4)
    model.fit_transductive(split.train, split.test)
    assert found == pytest.approx(rmse(split.test.ratings, answers(model, split.test)))
    assert found != pytest.approx(
        rmse(split.test.ratings, answers(model.fit(split.train), split.test)), abs=1e-6
    )


def test_explanations_of_several_models_add_up_to_their_predictions(split):
    models = {
        "CorNgbr": create("correlation_neighbours", shrinkage=5.0).fit(split.train),
        "Asymmetric-SVD": create("asymmetric_svd", n_factors=3, n_epochs=5).fit(split.train),
    }
    table = explained(models, split.train, 4, 7, n=2)
    for name, model in models.items():
        mine = table[table["model"] == name]
        assert mine["contribution"].sum() == pytest.approx(model.predict([4], [7])[0], abs=1e-5)
        assert mine["film"].tolist()[-2:] == ["all other films", "mean, biases, own factors"]
        own = split.train.ratings[split.train.users == 4]
        assert mine["rated"].iloc[:-2].isin(own).all()


def test_folds_beside_scikit_surprise(planted, tmp_path):
    pytest.importorskip("surprise")

    class Data:
        interactions = planted

    tuned = {"biased_svd": {"n_factors": 3}}
    table = compare_on_folds(Data, 2, tuned, {"biased_svd": 5}, seed=1, store=tmp_path, workers=0).set_index(
        "name"
    )
    assert table.loc[["same_svd", "same_svdpp"], "gap"].max() < 1e-9
    assert table.loc["same_svdpp", "rmse"] == pytest.approx(table.loc["surprise_svdpp", "rmse"])
    assert np.isnan(table.loc["biased_svd", "gap"]) and table["rmse"].notna().all()
    assert table["model"].tolist()[:2] == ["scikit-surprise, SVD", "scikit-surprise, SVD++"]


# -- E's own training ----------------------------------------------------------------------------------------------
def test_rows_have_the_names_that_the_claims_have():
    from lib.claims import load_claims

    names = {figure_name(job["model"], job["size"]) for job in rows_of_e((10, 50, 100))}
    reported = {name for name in load_claims()["E-ml1m"].figures if name.endswith("test_rmse")}
    assert names == reported


def test_without_a_change_it_is_e_s_training(split):
    context = {"train": split.train, "test": split.test, "n_epochs": 6, "rate_factor": 10.0}
    fit = measure_full_batch(context, model="svd", size=3, changes={}, seed=2)
    rate = 10 * LEARNING_RATES["svd"]
    expected = train_full_batch(split.train, split.test, model="svd", n_factors=3, learning_rate=rate, n_epochs=6, seed=2)  # fmt: skip
    np.testing.assert_array_equal(fit["test_curve"], expected.test_rmse)
    assert fit["test_rmse"] == expected.test_rmse[-1] and fit["lowest"] == expected.test_rmse.min()


@pytest.mark.parametrize("model", LABELS)
def test_every_change_changes_something(model, split):
    context = {"train": split.train, "test": split.test, "n_epochs": 3, "rate_factor": 1.0}
    size = 3 if LABELS[model][2] else 0
    names = one_at_a_time(model)
    fits = {name: measure_full_batch(context, model=model, size=size, changes=c) for name, c in names.items()}
    plain = fits.pop("as E ran it")
    same = [
        n for n, fit in fits.items() if pd.Series(fit["test_curve"]).equals(pd.Series(plain["test_curve"]))
    ]
    assert same == []


def test_one_step_a_rating_from_a_wide_start(split):
    context = {"train": split.train, "test": split.test}
    found = rating_by_rating(context, model="svdpp", parameters={"n_factors": 3, "n_epochs": 5})
    model = create("svdpp", n_factors=3, n_epochs=5).fit(split.train)
    assert found["test_rmse"] == pytest.approx(rmse(split.test.ratings, answers(model, split.test)))
    wild = rating_by_rating(context, model="svdpp", parameters={"n_factors": 3, "factor_learning_rate": 30.0})
    assert wild["diverged"] == 1 and np.isnan(wild["test_rmse"])
