import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from lib.metrics import mae, rmse, user_errors
from lib.metrics.rating import METRICS


def test_hand_worked_errors():
    # User 3 errs by +1 and -2, user 8 by +3.
    errors = user_errors([3, 8, 3], [4.0, 1.0, 5.0], [5.0, 4.0, 3.0])
    assert errors.users.tolist() == [3, 8]
    assert errors.counts.tolist() == [2, 1]
    assert errors.squared.tolist() == [5, 9]
    assert errors.absolute.tolist() == [3, 3]
    assert errors.signed.tolist() == [-1, 3]
    assert errors.rmse == pytest.approx(np.sqrt(14 / 3))
    assert errors.mae == pytest.approx(6 / 3)
    assert errors.per_user("mean_error").value == pytest.approx(2 / 3)


@pytest.fixture
def random_errors():
    rng = np.random.default_rng(5)
    users = rng.choice([2, 3, 7, 40, 41], 300)
    ratings = rng.integers(1, 6, 300).astype(np.float32)
    return users, ratings, rng.normal(3, 1, 300)


def test_agrees_with_scikit_learn(random_errors):
    users, ratings, predictions = random_errors
    errors = user_errors(users, ratings, predictions)
    assert errors.rmse == pytest.approx(root_mean_squared_error(ratings, predictions), rel=1e-12)
    assert errors.mae == pytest.approx(mean_absolute_error(ratings, predictions), rel=1e-12)
    assert rmse(ratings, predictions) == pytest.approx(errors.rmse, rel=1e-12)
    assert mae(ratings, predictions) == pytest.approx(errors.mae, rel=1e-12)


def test_order_of_pairs_does_not_matter(random_errors):
    order = np.random.default_rng(0).permutation(300)
    shuffled = user_errors(*(array[order] for array in random_errors))
    for metric in METRICS:
        value = user_errors(*random_errors).per_user(metric).value
        assert shuffled.per_user(metric).value == pytest.approx(value, rel=1e-12)


def test_sums_keep_float64_precision():
    # In float32 the mean of a million squared errors of 0.01 would drift.
    n = 1_000_000
    assert rmse(np.full(n, 3, np.float32), np.full(n, 3.1, np.float64)) == pytest.approx(0.1, rel=1e-9)


@pytest.mark.parametrize(
    ("ratings", "predictions", "message"),
    [
        ([], [], "no ratings to measure"),
        ([1.0, 2.0], [1.0], "equally long"),
        ([1.0, 2.0, 3.0], [1.0, np.nan, np.inf], "2 of 3 predictions are NaN or infinite .*row 1"),
        ([1.0, np.nan], [1.0, 2.0], "1 of 2 ratings"),
    ],
)
def test_refuses_what_cannot_be_measured(ratings, predictions, message):
    for measure in (rmse, mae):
        with pytest.raises(ValueError, match=message):
            measure(ratings, predictions)
    with pytest.raises(ValueError, match=message):
        user_errors(np.zeros(len(ratings), int), ratings, predictions)


def test_refuses_users_of_another_length_and_unknown_metrics():
    with pytest.raises(ValueError, match="users and ratings differ in length"):
        user_errors([1], [1.0, 2.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="no rating metric is called 'rsme'"):
        user_errors([1], [1.0], [1.0]).per_user("rsme")
