"""Koren's family: training, early stopping, the transductive setting, explanations, time."""

import numpy as np
import pandas as pd
import pytest

from lib.data.interactions import Interactions
from lib.data.splits import per_user_holdout
from lib.metrics import rmse
from lib.models import create
from lib.models.latent.sgd_time import SECONDS_A_DAY, Calendar
from tests.conftest import planted_interactions

FAMILY = ("biased_svd", "nsvd", "neighbourhood", "asymmetric_svd", "svdpp", "integrated", "timesvdpp")
IMPLICIT = FAMILY[1:]
LIVELY = {"learning_rate_decay": 1.0, "bias_learning_rate": 0.02, "bias_regularisation": 0.005}
FACTORS = {"n_factors": 4, "factor_learning_rate": 0.02, "implicit_learning_rate": 0.02, "initial_scale": 0.1}
FACTORS |= {"factor_regularisation": 0.015, "implicit_regularisation": 0.015}
WEIGHTS = {"n_neighbours": 20, "weight_learning_rate": 0.02, "weight_regularisation": 0.002}
SETTINGS = dict.fromkeys(FAMILY, LIVELY | FACTORS)
SETTINGS["biased_svd"] = {k: v for k, v in (LIVELY | FACTORS).items() if not k.startswith("implicit")}
SETTINGS["neighbourhood"] = LIVELY | WEIGHTS
SETTINGS["integrated"] = LIVELY | FACTORS | WEIGHTS | {"weight_learning_rate": 0.001}


def make(name, **changes):
    return create(name, **SETTINGS[name] | changes)


@pytest.fixture(scope="module")
def split():
    return per_user_holdout(planted_interactions())


@pytest.mark.parametrize("name", FAMILY)
def test_epochs_lower_the_training_error(name, split):
    history = make(name, n_epochs=40).fit(split.train).history_
    assert history.shape == (40, 2)
    assert np.isnan(history[:, 1]).all()
    tens = history[:, 0].reshape(4, 10).mean(axis=1)
    assert (np.diff(tens) < 0).all()
    assert tens[-1] < 0.8 * tens[0]


@pytest.mark.parametrize("name", ["biased_svd", "svdpp"])
def test_single_precision_is_close_to_double(name, split):
    found = [
        make(name, n_epochs=10, dtype=dtype).fit(split.train).predict(split.test.users, split.test.items)
        for dtype in ("float32", "float64")
    ]
    assert 0 < np.abs(found[0] - found[1]).max() < 1e-3


@pytest.mark.parametrize("name", FAMILY)
def test_divergence_is_named(name, split):
    rates = [p for p in create(name).parameters if p.endswith("learning_rate")]
    with pytest.raises(FloatingPointError, match="smaller learning rates"):
        make(name, **dict.fromkeys(rates, 30.0)).fit(split.train)


def test_validation_data_teach_nothing_without_patience(split):
    alone = make("svdpp", n_epochs=8).fit(split.train)
    watched = make("svdpp", n_epochs=8).fit(split.train, validation=split.test)
    np.testing.assert_array_equal(alone.user_vectors_, watched.user_vectors_)
    errors = watched.history_[:, 1]
    found = watched.predict(split.test.users, split.test.items)
    assert errors[-1] == pytest.approx(rmse(split.test.ratings, found), rel=1e-6)


def test_early_stopping_keeps_the_best_epoch(split):
    settings = {
        "n_factors": 12,
        "n_epochs": 300,
        "factor_regularisation": 0.0,
        "implicit_regularisation": 0.0,
    }
    model = make("svdpp", **settings, patience=4).fit(split.train, validation=split.test)
    errors = model.history_[:, 1]
    assert len(errors) < 300
    assert model.n_epochs_ == np.argmin(errors) + 1 == len(errors) - 4
    found = model.predict(split.test.users, split.test.items)
    assert rmse(split.test.ratings, found) == pytest.approx(errors.min(), rel=1e-6)
    fixed = make("svdpp", **settings | {"n_epochs": model.n_epochs_}).fit(split.train)
    np.testing.assert_array_equal(fixed.user_vectors_, model.user_vectors_)


def test_the_order_is_drawn_anew_unless_asked_otherwise(split):
    shuffled, other = (make("svdpp", n_epochs=3, seed=s).fit(split.train) for s in (0, 1))
    assert not np.array_equal(shuffled.history_, other.history_)
    plain = make("svdpp", n_epochs=3, shuffle=False).fit(split.train)
    assert not np.array_equal(shuffled.user_vectors_, plain.user_vectors_)


@pytest.mark.parametrize("name", IMPLICIT)
def test_the_transductive_setting_lets_in_pairs_and_no_ratings(name, split):
    usual = make(name, n_epochs=5).fit(split.train)
    model = make(name, n_epochs=5).fit_transductive(split.train, split.test)
    pairs = (split.test.users, split.test.items)
    unrated = split.test.with_ratings(np.full(len(split.test), 3.0), split.test.scale)
    same = make(name, n_epochs=5).fit_transductive(split.train, unrated)
    np.testing.assert_array_equal(model.predict(*pairs), same.predict(*pairs))
    assert not np.allclose(model.predict(*pairs), usual.predict(*pairs), atol=1e-4)
    again = model.fit(split.train)  # nothing of the pairs is left behind
    np.testing.assert_array_equal(again.predict(*pairs), usual.predict(*pairs))


def test_known_pairs_enter_the_users_vector(split):
    model = make("svdpp", n_epochs=4, dtype="float64").fit_transductive(split.train, split.test)
    user = int(split.test.users[0])
    films = np.concatenate([part.items[part.users == user] for part in (split.train, split.test)])
    expected = model.user_factors_[user] + model.implicit_factors_[films].sum(axis=0) / np.sqrt(len(films))
    np.testing.assert_allclose(model.user_vectors_[user], expected)


def test_transductive_pairs_must_be_in_the_maps(split):
    with pytest.raises(ValueError, match="share the id maps"):
        make("svdpp").fit_transductive(split.train, planted_interactions(n_users=9, n_items=8))
    with pytest.raises(TypeError, match="no use"):
        make("biased_svd").fit_transductive(split.train, split.test)


@pytest.mark.parametrize("transductive", [False, True])
@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("neighbourhood", {}),
        ("neighbourhood", {"n_neighbours": None}),
        ("neighbourhood", {"implicit_weights": False}),
        ("asymmetric_svd", {}),
        ("integrated", {}),
    ],
)
def test_explanations_add_up_to_the_prediction(name, changes, transductive, split):
    model = make(name, n_epochs=15, **changes)
    model = model.fit_transductive(split.train, split.test) if transductive else model.fit(split.train)
    rng = np.random.default_rng(3)
    for user, item in zip(rng.integers(0, 79, 12), rng.integers(0, 58, 12), strict=True):
        prediction = model.predict(np.array([user]), np.array([item]))[0]
        every, few = model.explain(user, item, None), model.explain(user, item, 3)
        assert every.baseline + every.contributions.sum() == pytest.approx(prediction, abs=1e-6)
        assert every.rest == pytest.approx(0, abs=1e-9)
        assert few.baseline + few.contributions.sum() + few.rest == pytest.approx(prediction, abs=1e-6)
        assert len(few.items) <= 3
        np.testing.assert_array_equal(few.items, every.items[:3])
        assert (np.diff(np.abs(every.contributions)) <= 0).all()
        if not transductive:
            assert set(every.items) <= set(split.train.items[split.train.users == user])
            own = model.user_factors_[user] @ model.item_factors_[item] if name == "integrated" else 0.0
            alone = model.mean_ + model.user_bias_[user] + model.item_bias_[item] + own
            assert every.baseline == pytest.approx(alone, abs=1e-5)
    cold = model.explain(-1, 3)
    assert len(cold.items) == 0
    assert cold.baseline == model.predict(np.array([-1]), np.array([3]))[0]


def test_a_neighbours_contribution_by_hand(split):
    model = make("neighbourhood", n_epochs=15).fit(split.train)
    user, item = 5, 7
    found = model.explain(user, item, None)
    near = model.neighbours_[model.neighbour_start_[item] : model.neighbour_start_[item + 1]]
    rows = np.flatnonzero((split.train.users == user) & np.isin(split.train.items, near))
    bias = create("bias").fit(split.train)
    for row in rows:
        j = split.train.items[row]
        place = model.neighbour_start_[item] + np.flatnonzero(near == j)[0]
        residual = split.train.ratings[row] - bias.predict(np.array([user]), np.array([j]))[0]
        expected = residual * model.explicit_weights_[place] + model.implicit_weights_[place]
        expected /= np.sqrt(len(rows))
        assert found.contributions[found.items == j][0] == pytest.approx(expected, rel=1e-4)
    assert len(rows) == len(found.items) > 2


def test_all_pairs_of_a_large_catalogue_are_refused(split, monkeypatch):
    monkeypatch.setattr("lib.models.latent.sgd_engine.MOST_ITEMS", 59)
    with pytest.raises(ValueError, match="set n_neighbours"):
        make("neighbourhood", n_neighbours=None).fit(split.train)


def test_cold_pairs_keep_the_terms_that_are_known(split):
    for name in FAMILY:
        model = make(name, n_epochs=5).fit(split.train)
        cold_user, cold_item = split.train.n_users - 1, split.train.n_items - 1
        assert model.predict([-1], [-1])[0] == pytest.approx(model.mean_)
        assert model.predict([cold_user], [cold_item])[0] == pytest.approx(model.mean_)
        if name != "timesvdpp":
            assert model.predict([-1], [4])[0] == pytest.approx(model.mean_ + model.item_bias_[4])
            assert model.predict([4], [cold_item])[0] == pytest.approx(model.mean_ + model.user_bias_[4])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_factors": 0}, "n_factors must be at least 1"),
        ({"patience": 0}, "patience must be at least 1"),
        ({"factor_learning_rate": -0.1}, "factor_learning_rate must be finite and not negative"),
        ({"implicit_regularisation": np.nan}, "implicit_regularisation must be finite"),
        ({"learning_rate_decay": 1.5}, "learning_rate_decay must lie in"),
        ({"n_bins": 0}, "n_bins must be at least 1"),
        ({"exponent": 0.0}, "exponent must lie in"),
    ],
)
def test_bad_values_are_named(changes, message, split):
    with pytest.raises(ValueError, match=message):
        make("timesvdpp", **changes).fit(split.train)
    with pytest.raises(ValueError, match="dtype must be"):
        make("svdpp", dtype="float16").fit(split.train)


# -- time --------------------------------------------------------------------------------------------------------------
def timed(days):
    """User 0's ratings on these days; user 1 has none."""
    days = np.asarray(days)
    ids = np.arange(2), np.arange(len(days))
    values = np.zeros(len(days)), np.arange(len(days)), np.full(len(days), 3.0)
    return Interactions(*values, days * SECONDS_A_DAY + 5, *ids, planted_interactions(n_users=5, n_items=5).scale)


def test_the_calendar_by_hand():
    calendar = Calendar.of(timed([0, 2, 10]), n_bins=2, exponent=0.5)
    gaps = np.array([-4.0, -2.0, 6.0])  # the mean day is 4
    expected = np.sign(gaps) * np.sqrt(np.abs(gaps)) / np.sqrt((4 + 2 + 6) / 3)
    zero = np.zeros(3, dtype=int)
    times = np.array([0, 2, 10]) * SECONDS_A_DAY
    np.testing.assert_allclose(calendar.deviations(zero, times), expected)
    binned = calendar.bins(np.array([-50, 0, 5, 6, 10, 99]) * SECONDS_A_DAY)
    np.testing.assert_array_equal(binned, [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(calendar.days(zero, times), [0, 1, 2])
    np.testing.assert_array_equal(calendar.days(np.array([1, -1, 0]), times + SECONDS_A_DAY), [-1, -1, -1])
    np.testing.assert_array_equal(calendar.deviations(np.array([1, -1, 7]), times), 0)
    assert calendar.user_last.tolist() == [10 * SECONDS_A_DAY + 5] * 2


def test_ratings_without_times_are_refused():
    with pytest.raises(ValueError, match="no timestamps that differ"):
        make("timesvdpp").fit(timed([7, 7, 7]))


def drifting(seed=0):
    """Users whose ratings rise or fall over time, films that were in fashion, and moody days."""
    rng = np.random.default_rng(seed)
    n_users, n_items, n_days = 60, 50, 100
    users, items = np.nonzero(rng.random((n_users, n_items)) < 0.6)
    days = rng.integers(0, 12, len(users)) * 9
    slope, mood = rng.choice([-0.8, 0.8], n_users), rng.normal(0, 0.5, (n_users, n_days + 1))
    fashion = rng.normal(0, 0.5, (n_items, 2))
    ratings = 3 + slope[users] * (days - 50) / 50 + mood[users, days] + fashion[items, (days > 50).astype(int)]
    ids = np.arange(n_users), np.arange(n_items)
    scale = planted_interactions(n_users=5, n_items=5).scale
    return Interactions(users, items, np.clip(ratings, 1, 5), days * SECONDS_A_DAY, *ids, scale)


def test_drift_fashion_and_moods_are_found():
    split = per_user_holdout(drifting())
    test = split.test
    settings = {
        "n_factors": 2,
        "n_epochs": 60,
        "n_bins": 2,
        "time_bias_regularisation": 0.01,
        "exponent": 1.0,
    }
    settings |= {"time_bias_learning_rate": 0.02}
    static = make("svdpp", n_factors=2, n_epochs=60).fit(split.train)
    errors = {"svdpp": rmse(test.ratings, static.predict(test.users, test.items))}
    model = make("timesvdpp", **settings).fit(split.train)
    told = rmse(test.ratings, model.predict(test.users, test.items, test.timestamps))
    model.day_bias_[:] = 0
    errors["no day"] = rmse(test.ratings, model.predict(test.users, test.items, test.timestamps))
    assert told < 0.85 * errors["no day"] and told < 0.75 * errors["svdpp"]


def test_a_list_is_for_the_users_last_day():
    data = drifting(1)
    model = make("timesvdpp", n_epochs=8).fit(data)
    users = np.array([3, 0, 41])
    last = pd.Series(data.timestamps).groupby(data.users).max()[users].to_numpy()
    everything = np.repeat(users, data.n_items), np.tile(np.arange(data.n_items), 3)
    found = model.predict(*everything, np.repeat(last, data.n_items))
    np.testing.assert_allclose(model.score(users).ravel(), found, rtol=1e-6)
    np.testing.assert_allclose(model.predict(*everything), found, rtol=1e-12)
    earlier = np.repeat(last - 30 * SECONDS_A_DAY, data.n_items)
    assert not np.allclose(model.predict(*everything, earlier), found)
    with pytest.raises(ValueError, match="times must be as long as users"):
        model.predict([1, 2], [1, 2], [0])


def test_validation_is_measured_at_its_own_times():
    split = per_user_holdout(drifting(2))
    model = make("timesvdpp", n_epochs=5).fit(split.train, validation=split.test)
    found = model.predict(split.test.users, split.test.items, split.test.timestamps)
    assert model.history_[-1, 1] == pytest.approx(rmse(split.test.ratings, found), rel=1e-6)
