"""What every registered model must do, whatever it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lib.data.splits import per_user_holdout
from lib.metrics import rmse
from lib.models import card_of_class, cards, create, model_class
from lib.models.base import NotFitted
from tests.conftest import planted_interactions

GIVEN: dict[str, dict] = {}
"""Hyperparameters of a reader's own class, as the command line has them (conftest.py)."""

_fitted = {}


@pytest.fixture(scope="module")
def split(planted):
    return per_user_holdout(planted)


def contract_models(own=None):
    """Return whom the contract is held to: a reader's own class alone, or every registered model."""
    return [own] if own else sorted(cards())


def pytest_generate_tests(metafunc):
    names = contract_models(metafunc.config.getoption("--own-model", default=None))
    if "name" in metafunc.fixturenames:
        metafunc.parametrize("name", names)
    if "learner" in metafunc.fixturenames:
        metafunc.parametrize("learner", [name for name in names if card(name).learns_taste])


def card(name):
    return cards().get(name) or card_of_class(model_class(name))


def small(name):
    """Return hyperparameters that suit the small planted data, and seconds rather than minutes."""
    return {**card(name).small, **GIVEN.get(name, {})}


def contents(data):
    """Return copies of all that a model is given."""
    arrays = (data.users, data.items, data.ratings, data.timestamps)
    return [a.copy() for a in arrays], [data.user_table.copy(), data.item_table.copy()]


def fitted(name, train):
    """Fit a model once for all tests that only look at it, and hold what it was given against what it left."""
    if name not in _fitted:
        (arrays, tables), model = contents(train), create(name, **small(name)).fit(train)
        left, left_tables = contents(train)
        same = all(map(np.array_equal, arrays, left)) and all(
            a.equals(b) for a, b in zip(tables, left_tables, strict=True)
        )
        _fitted[name] = model, same
    return _fitted[name][0]


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


def test_planted_taste_is_recovered(learner, split):
    taste = rmse(split.test.ratings, predictions(fitted(learner, split.train), split.test))
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
    """Whatever the order of the rows and, where time is not looked at, whatever the times."""
    again, train = create(name, **small(name)), split.train
    if not again.uses_time:
        train = replace(train, timestamps=np.zeros_like(train.timestamps), origin=())
    if not again.keeps_order:
        train = train.take(np.random.default_rng(1).permutation(len(train)))
    again.fit(train)
    np.testing.assert_array_equal(predictions(again, split.test), predictions(fitted(name, split.train), split.test))


def test_another_seed_gives_another_model(name, split):
    if "seed" not in create(name).parameters:
        pytest.skip("leaves nothing to chance")
    seed = create(name, **small(name)).parameters["seed"] or 0
    other = create(name, **{**small(name), "seed": seed + 1}).fit(split.train)
    first, second = (predictions(model, split.test) for model in (fitted(name, split.train), other))
    if card(name).starts:
        assert not np.array_equal(second, first)
    else:
        np.testing.assert_allclose(second, first, atol=0.05)


def test_inputs_stay_untouched(name, split):
    fitted(name, split.train)
    assert _fitted[name][1], "fit has changed the ratings or the tables that it was given"


def test_works_without_side_tables(name):
    data = planted_interactions(n_users=30, n_items=20, seed=4, tables=False)
    model = create(name, **small(name) | card(name).without_tables).fit(data)
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
