"""What every registered model must do, whatever it is."""

from __future__ import annotations

import numpy as np
import pytest

from lib.data.splits import per_user_holdout
from lib.metrics import rmse
from lib.models import REGISTRY, create
from lib.models.base import NotFitted
from tests.conftest import planted_interactions

# Sizes that suit the small planted data, and seconds rather than minutes.
SMALL = {
    "svd": {"n_factors": 4, "n_epochs": 60, "lr_all": 0.02, "reg_all": 0.02},
    "soft_impute": {"shrinkage": 2.0},
    "hard_impute": {"rank": 2},
    "two_tower": {
        "embedding_size": 8, "user_dense_size": 16, "item_dense_size": 16, "final_size": 16, "batch_size": 128,
        "max_epochs": 60, "learning_rate": 0.01,
    },
    "side_information_als": {
        "n_factors": 3, "groups": ["genres", "age", "raters", "rated"], "user_penalty": 0.5, "item_penalty": 0.5,
        "graph_group": "year", "graph_strength": 0.01, "feature_biases": True, "projection_penalties": 5.0,
    },
}  # fmt: skip
SMALL["factorisation_machine"] = {
    "n_factors": 3,
    "groups": ["genres", "age", "raters", "rated"],
    "n_iterations": 60,
    "n_samples": 40,
}
SMALL["timed_factorisation_machine"] = {**SMALL["factorisation_machine"], "gaps": [0, 30]}
SMALL["matrix_factorisation"] = {
    "n_factors": 6,
    "learning_rate": 3.0,
    "n_epochs": 200,
    "batch_size": 256,
    "initial_scale": 0.3,
    "l2": 0.02,
}
SMALL["softmax"] = {"n_factors": 8, "n_epochs": 20, "hidden_sizes": [6], "groups": ["genres", "age"]}
SMALL["bpr"] = {"n_factors": 8, "n_epochs": 10}
SMALL["autorec"] = {
    "hidden_sizes": [40],
    "l2": 2.0,
    "learning_rate": 0.01,
    "batch_size": 16,
    "input_dropout": 0.1,
    "epochs": 100,
}
SMALL["multi_vae"] = {
    "hidden_sizes": [20],
    "n_latent": 6,
    "n_epochs": 10,
    "batch_size": 32,
    "anneal_epochs": 5,
}
SMALL["implicit_als"] = {"n_factors": 8, "n_iterations": 5}
SMALL["neural_mf"] = {
    "n_factors": 6,
    "hidden_size": 16,
    "dropout": 0.1,
    "learning_rate": 0.01,
    "batch_size": 128,
    "l2": 3e-4,
    "init_scale": 0.3,
    "max_epochs": 40,
}
SMALL["svdpp"] = {
    "n_factors": 4,
    "n_epochs": 60,
    "bias_learning_rate": 0.02,
    "factor_learning_rate": 0.02,
    "factor_regularisation": 0.015,
    "implicit_learning_rate": 0.007,
    "learning_rate_decay": 1.0,
}
SMALL["nsvd"] = SMALL["svdpp"]
SMALL["biased_svd"] = {k: v for k, v in SMALL["svdpp"].items() if not k.startswith("implicit")}
SMALL["asymmetric_svd"] = SMALL["svdpp"] | {"implicit_learning_rate": 0.02}
SMALL["neighbourhood"] = {"n_neighbours": 30, "shrinkage": 10.0, "n_epochs": 60, "weight_learning_rate": 0.02}
SMALL["neighbourhood"] |= {"learning_rate_decay": 1.0}
SMALL["integrated"] = SMALL["svdpp"] | {"n_neighbours": 20}
SMALL["timesvdpp"] = SMALL["svdpp"] | {"n_bins": 3, "day_factors": True}
SMALL["correlation_neighbours"] = {"n_neighbours": 10, "shrinkage": 10.0}
SMALL["interpolated_neighbours"] = {"n_neighbours": 10, "shrinkage": 10.0, "moment_shrinkage": 5.0}
WITHOUT_TABLES = {
    "side_information_als": {"groups": ["raters", "rated"], "graph_group": None},
    "factorisation_machine": {"groups": ["raters", "rated"]},
    "timed_factorisation_machine": {"groups": ["raters", "rated"]},
    "softmax": {"groups": []},
}
"""What must be left out where there are no side tables to take it from."""
LEARN_TASTE = [
    "autorec",
    "neural_mf",
    "svd",
    "soft_impute",
    "hard_impute",
    "two_tower",
    "side_information_als",
    "factorisation_machine",
    "timed_factorisation_machine",
    "matrix_factorisation",
    "biased_svd",
    "svdpp",
    "asymmetric_svd",
    "neighbourhood",
    "integrated",
    "timesvdpp",
    "correlation_neighbours",
    "interpolated_neighbours",
]
"""Models that must beat the bias model where a low-rank taste is planted."""

_fitted = {}


@pytest.fixture(scope="module")
def split(planted):
    return per_user_holdout(planted)


@pytest.fixture(params=sorted(REGISTRY))
def name(request):
    return request.param


def fitted(name, train):
    """Fit a model once for all tests that only look at it."""
    if name not in _fitted:
        _fitted[name] = create(name, **SMALL.get(name, {})).fit(train)
    return _fitted[name]


def predictions(model, data):
    return model.predict(data.users, data.items)


def test_predictions_are_finite_and_on_the_scale(name, split):
    model = fitted(name, split.train)
    found = predictions(model, split.test)
    assert found.shape == (len(split.test),)
    assert found.dtype == np.float64
    assert np.isfinite(found).all()
    if model.predicts_ratings:
        assert 1 < found.mean() < 5
        assert rmse(split.test.ratings, split.test.scale.clip(found)) < 1.5


@pytest.mark.parametrize("name", LEARN_TASTE)
def test_planted_taste_is_recovered(name, split):
    taste = rmse(split.test.ratings, predictions(fitted(name, split.train), split.test))
    bias = rmse(split.test.ratings, predictions(fitted("bias", split.train), split.test))
    assert taste < 0.75 * bias


def test_cold_ids_get_a_finite_answer(name, split):
    model = fitted(name, split.train)
    n_users, n_items = split.train.n_users, split.train.n_items
    users = np.array([-1, 0, -1, n_users, n_users - 1, 0, n_users + 5])
    items = np.array([0, -1, -1, n_items, n_items - 1, n_items - 1, 3])
    found = model.predict(users, items)
    assert np.isfinite(found).all()
    if model.predicts_ratings:
        assert ((split.train.scale.clip(found) - found) ** 2).max() < 1, "a cold pair is far off the scale"


def test_empty_request(name, split):
    nothing = np.array([], dtype=int)
    assert fitted(name, split.train).predict(nothing, nothing).shape == (0,)
    assert fitted(name, split.train).predict(nothing, nothing, nothing).shape == (0,)


def test_a_batch_equals_its_rows_one_by_one(name, split):
    model = fitted(name, split.train)
    users, items = split.test.users[:12], split.test.items[:12]
    single = [model.predict(users[i : i + 1], items[i : i + 1])[0] for i in range(12)]
    np.testing.assert_allclose(model.predict(users, items), single, rtol=1e-5)


def test_times_are_taken_and_change_nothing_where_the_model_knows_none(name, split):
    model, test = fitted(name, split.train), split.test
    untold = model.predict(test.users, test.items)
    np.testing.assert_array_equal(model.predict(test.users, test.items, times=None), untold)
    told = model.predict(test.users, test.items, test.timestamps)
    other = model.predict(test.users, test.items, times=test.timestamps[::-1])
    assert np.isfinite(untold).all() and np.isfinite(told).all() and np.isfinite(other).all()
    assert told.shape == untold.shape and told.dtype == np.float64
    if model.uses_time:
        assert not np.array_equal(told, untold), "uses_time is True, and times change nothing"
        single = [model.predict(*(a[i : i + 1] for a in (test.users, test.items, test.timestamps)))[0] for i in range(12)]  # fmt: skip
        np.testing.assert_allclose(told[:12], single, rtol=1e-5)
    else:
        np.testing.assert_array_equal(told, untold)
        np.testing.assert_array_equal(other, untold)


def test_times_of_another_length_are_an_error(name, split):
    model = fitted(name, split.train)
    for times in ([0], [0, 0, 0], [[0, 0]]):
        with pytest.raises(ValueError, match="times must be as long as users"):
            model.predict(np.array([0, 1]), np.array([0, 1]), np.array(times))


def test_scores_agree_with_predictions(name, split):
    model = fitted(name, split.train)
    users = np.array([3, 0, split.train.n_users - 1])
    scores = model.score(users)
    assert scores.shape == (3, split.train.n_items)
    pairs = model.predict(np.repeat(users, split.train.n_items), np.tile(np.arange(split.train.n_items), 3))
    np.testing.assert_allclose(scores.ravel(), pairs, rtol=1e-5)


def test_the_same_seed_gives_the_same_bits(name, split):
    again = create(name, **SMALL.get(name, {})).fit(split.train)
    np.testing.assert_array_equal(
        predictions(again, split.test), predictions(fitted(name, split.train), split.test)
    )


def test_another_seed_gives_another_model(name, split):
    if "seed" not in create(name).parameters or name in ("soft_impute",):
        pytest.skip("leaves nothing to chance, or solves a convex problem")
    small = SMALL.get(name, {})
    seed = create(name, **small).parameters["seed"] or 0
    other = create(name, **{**small, "seed": seed + 1}).fit(split.train)
    first = predictions(fitted(name, split.train), split.test)
    if name == "hard_impute":
        np.testing.assert_allclose(predictions(other, split.test), first, atol=0.05)
    else:
        assert not np.array_equal(predictions(other, split.test), first)


def test_inputs_stay_untouched(name):
    data = planted_interactions(n_users=30, n_items=20, seed=3)
    before = [a.copy() for a in (data.users, data.items, data.ratings, data.timestamps)]
    tables = data.user_table.copy(), data.item_table.copy()
    create(name, **SMALL.get(name, {})).fit(data)
    for array, copy in zip((data.users, data.items, data.ratings, data.timestamps), before, strict=True):
        np.testing.assert_array_equal(array, copy)
    assert data.user_table.equals(tables[0])
    assert data.item_table.equals(tables[1])


def test_works_without_side_tables(name):
    data = planted_interactions(n_users=30, n_items=20, seed=4, tables=False)
    model = create(name, **SMALL.get(name, {}) | WITHOUT_TABLES.get(name, {})).fit(data)
    assert np.isfinite(predictions(model, data)).all()


def test_saves_and_loads_without_pickle(name, split, tmp_path):
    model = fitted(name, split.train)
    model.save(tmp_path / "model.npz")
    loaded = type(model).load(tmp_path / "model.npz")
    assert loaded.parameters == model.parameters
    assert loaded.scale_ == model.scale_
    np.testing.assert_array_equal(predictions(loaded, split.test), predictions(model, split.test))
    with np.load(tmp_path / "model.npz", allow_pickle=False) as file:
        assert all(file[key].dtype != object for key in file.files)


def test_asking_before_fit_is_an_error(name):
    with pytest.raises(NotFitted, match="fit"):
        create(name).predict(np.array([0]), np.array([0]))


def test_an_empty_training_set_is_an_error(name, planted):
    with pytest.raises(ValueError, match="no ratings"):
        create(name).fit(planted.take(np.array([], dtype=int)))


def test_unequal_requests_are_an_error(name, split):
    with pytest.raises(ValueError, match="equally long"):
        fitted(name, split.train).predict(np.array([0, 1]), np.array([0]))


def test_n_parameters_is_counted(name, split):
    least = 0 if name == "random_order" else 1  # which learns nothing
    assert fitted(name, split.train).n_parameters_ >= least
