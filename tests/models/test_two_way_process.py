"""Two-way Gaussian process: its systems against a dense oracle, its kernels by hand, and what it finds beneath."""

import numpy as np
import pytest

from lib.data.splits import random_holdout
from lib.metrics.rating import rmse
from lib.models.baselines.bias import Bias
from lib.models.bayesian.two_way_process import DAMPING, LEAST_WEIGHT, TwoWayProcess, alike, solved
from tests.conftest import planted_interactions


@pytest.fixture(scope="module")
def split():
    return random_holdout(planted_interactions(n_users=60, n_items=40, seed=4), test_share=0.2)


def test_features_are_compared_by_distance_or_by_cosine():
    column = np.array([[0.0], [1.0], [3.0]])
    np.testing.assert_allclose(alike(column), np.exp(-((column - column.T) ** 2) / 2))
    rows = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    half = 1 / np.sqrt(2)
    np.testing.assert_allclose(alike(rows), [[1, half, 0], [half, 1, 0], [0, 0, 0]])


def test_each_column_is_a_system_of_its_own_that_no_rating_vouches_for_itself_in():
    rng = np.random.default_rng(1)
    root = rng.normal(size=(6, 6))
    kernel = (root @ root.T + np.eye(6)).astype(np.float32)
    rows, columns = np.array([0, 2, 5, 1, 2, 4, 0]), np.array([1, 1, 1, 0, 0, 0, 2])
    targets, noise, unit = (
        rng.normal(size=7),
        rng.uniform(0.5, 2.0, 7),
        rng.normal(scale=0.1, size=7).astype(np.float32),
    )
    found = solved(kernel, rows, columns, [unit], targets, noise)
    for column in range(3):
        mine = np.flatnonzero(columns == column)
        system = kernel[np.ix_(rows[mine], rows[mine])] - np.outer(unit[mine], unit[mine]) + np.diag(noise[mine])
        np.testing.assert_allclose(found[mine], np.linalg.solve(system, targets[mine]), rtol=1e-3, atol=1e-5)


def test_one_round_over_films_is_the_dense_solution(split):
    """With one side and one round everything is written out: the kernel of films, a system a user, the spread to all films."""
    train, scale, signed, implicit, noise = split.train, 0.8, 0.3, 0.6, 0.7
    options = {
        "scale": scale,
        "signed": signed,
        "implicit": implicit,
        "noise": noise,
        "over_users": False,
        "n_rounds": 1,
    }
    found = TwoWayProcess(**options).fit(train)
    bias = Bias(user_regularisation=4.0, item_regularisation=3.0).fit(train)
    residuals, there = np.zeros((2, train.n_users, train.n_items))
    residuals[train.users, train.items] = train.ratings - bias.predict(train.users, train.items)
    there[train.users, train.items] = 1
    rare = np.maximum(np.log(train.n_items / (1 + there.sum(axis=1))), LEAST_WEIGHT)[:, None] * there
    units = [
        np.sqrt(w * scale) * v / np.sqrt((v**2).sum(axis=0) + DAMPING)
        for w, v in ((signed, residuals), (implicit, rare))
    ]
    kernel = sum(unit.T @ unit for unit in units)
    expected = np.empty((train.n_users, train.n_items))
    for user in range(train.n_users):
        mine = np.flatnonzero(there[user])
        system = kernel[np.ix_(mine, mine)] - sum(np.outer(u[user, mine], u[user, mine]) for u in units)
        weights = np.linalg.solve(system + noise * np.eye(len(mine)), residuals[user, mine])
        expected[user] = bias.score(np.array([user]))[0] + kernel[:, mine] @ weights
    np.testing.assert_allclose(found.score(np.arange(train.n_users)), expected, atol=2e-4)


def test_it_beats_the_bias_model_beneath_and_features_may_help(split):
    errors = {}
    for name, options in {"plain": {}, "with features": {"features": 0.2}}.items():
        model = TwoWayProcess(**options).fit(split.train)
        errors[name] = rmse(split.test.ratings, model.predict(split.test.users, split.test.items))
    bias = Bias(user_regularisation=4.0, item_regularisation=3.0).fit(split.train)
    assert errors["plain"] < rmse(split.test.ratings, bias.predict(split.test.users, split.test.items))
    assert errors["plain"] != errors["with features"]


def test_a_machine_beneath_takes_its_options_and_the_unknown_are_told_by_it(split):
    chain = {"n_factors": 2, "n_iterations": 30, "n_samples": 20, "seed": 3}
    model = TwoWayProcess(**chain, scale=0.2, noise=1.5).fit(split.train)
    again = TwoWayProcess(**chain, scale=1e-9, noise=1.5).fit(split.train)
    pairs = split.test.users, split.test.items
    assert np.abs(model.predict(*pairs) - again.predict(*pairs)).max() > 1e-3
    outside = model.predict([-1, 0, split.train.n_users], [0, -1, split.train.n_items])
    assert np.isfinite(outside).all() and outside[0] == pytest.approx(again.predict([-1], [0])[0])
    assert model.n_parameters_ > 2 * len(split.train)
