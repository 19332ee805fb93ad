"""The dot product by stochastic gradient descent: gradients, gravity over all pairs, and what is monitored."""

import numpy as np
import pytest

from lib.data.splits import per_user_holdout
from lib.models.latent.matrix_factorisation import MatrixFactorisation
from tests.conftest import planted_interactions


@pytest.fixture(scope="module")
def split():
    return per_user_holdout(planted_interactions(n_users=40, n_items=30, seed=1))


def written_out_gravity(users, items):
    total = 0.0
    for user in users:
        for item in items:
            total += float(user @ item) ** 2
    return total / (len(users) * len(items))


def written_out_loss(model, users, items, data):
    errors = [
        (rating - users[user] @ items[item]) ** 2
        for user, item, rating in zip(data.users, data.items, data.ratings.astype(float), strict=True)
    ]
    norms = (users**2).sum() / len(users) + (items**2).sum() / len(items)
    return np.mean(errors) + model.l2 * norms + model.gravity * written_out_gravity(users, items)


@pytest.mark.parametrize(("l2", "weight"), [(0.0, 0.0), (0.3, 0.0), (0.0, 0.7), (0.3, 0.7)])
def test_a_step_on_all_ratings_follows_the_gradient_of_the_written_out_loss(split, l2, weight):
    data, rng = split.train, np.random.default_rng(1)
    model = MatrixFactorisation(n_factors=3, l2=l2, gravity=weight, learning_rate=0.5)
    users, items = rng.normal(size=(data.n_users, 3)), rng.normal(size=(data.n_items, 3))
    before = users.copy(), items.copy()
    model._step(users, items, [data.users.astype(int), data.items.astype(int), data.ratings.astype(float)])
    for side, (row, column) in ((0, (5, 1)), (0, (0, 2)), (1, (7, 0)), (1, (29, 2))):
        slopes = []
        for shift in (1e-5, -1e-5):
            moved = before[0].copy(), before[1].copy()
            moved[side][row, column] += shift
            slopes.append(written_out_loss(model, *moved, data))
        slope = (slopes[0] - slopes[1]) / 2e-5
        stepped = (users, items)[side][row, column] - before[side][row, column]
        assert stepped == pytest.approx(-0.5 * slope, rel=1e-5, abs=1e-9)


def test_errors_are_monitored_from_the_start_and_validation_teaches_nothing(split):
    settings = {"n_factors": 4, "learning_rate": 2.0, "n_epochs": 5, "batch_size": 64}
    alone = MatrixFactorisation(**settings).fit(split.train)
    watched = MatrixFactorisation(**settings).fit(split.train, validation=split.test)
    np.testing.assert_array_equal(alone.item_embeddings_, watched.item_embeddings_)
    assert len(watched.train_error_) == len(watched.validation_error_) == 6
    assert len(alone.validation_error_) == 0
    found = split.test.ratings - watched.predict(split.test.users, split.test.items)
    assert watched.validation_error_[-1] == pytest.approx(np.mean(found**2), rel=1e-6)
    assert watched.train_error_[-1] < 0.5 * watched.train_error_[0]


def test_gravity_lowers_predictions_of_pairs_that_nobody_rated(split):
    settings = {"n_factors": 4, "learning_rate": 2.0, "n_epochs": 60, "batch_size": 64, "initial_scale": 0.1}
    unseen = np.ones((split.train.n_users, split.train.n_items), bool)
    unseen[split.train.users, split.train.items] = False
    means = [
        MatrixFactorisation(**settings, gravity=weight).fit(split.train).score(np.arange(split.train.n_users))[unseen].mean()
        for weight in (0.0, 1.0, 10.0)
    ]  # fmt: skip
    assert means[0] > means[1] > means[2]


def test_without_regularisation_an_unrated_film_keeps_the_embedding_it_started_with(split):
    train = split.train.take(np.flatnonzero(split.train.items != 3))
    scale = 0.5
    model = MatrixFactorisation(n_factors=4, n_epochs=3, learning_rate=1.0, initial_scale=scale).fit(train)
    start = np.random.default_rng(0)
    start.normal(0.0, scale, (train.n_users, 4))
    np.testing.assert_array_equal(model.item_embeddings_[3], start.normal(0.0, scale, (train.n_items, 4))[3])
    rated = model.item_embeddings_[np.unique(train.items)]
    np.testing.assert_allclose(
        model.predict(np.array([1]), np.array([3])), model.user_embeddings_[1] @ rated.mean(axis=0)
    )


def test_divergence_and_bad_values_are_named(split):
    with pytest.raises(FloatingPointError, match=r"diverged at learning_rate=1000000.0"):
        MatrixFactorisation(learning_rate=1e6, n_epochs=50).fit(split.train)
    with pytest.raises(ValueError, match="gravity must not be negative"):
        MatrixFactorisation(gravity=-1.0).fit(split.train)
    with pytest.raises(ValueError, match="n_factors must be at least 1"):
        MatrixFactorisation(n_factors=0).fit(split.train)
