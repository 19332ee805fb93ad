"""Moment features against hand-worked numbers, and that they read nothing they must not."""

from itertools import pairwise

import numpy as np
import pytest

from lib.data.interactions import Interactions, RatingScale
from lib.studies.moment_features import DECAYS, EDGES, MEANS, POWERS, moment_features


def ratings(users, items, times, values=None):
    n = len(users)
    values = np.full(n, 3.0) if values is None else values
    return Interactions(
        np.asarray(users, dtype=np.int32), np.asarray(items, dtype=np.int32), np.asarray(values, dtype=np.float32),
        np.asarray(times, dtype=np.int64), np.arange(3), np.arange(5), RatingScale(1, 5),
    )  # fmt: skip


VECTORS = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, 0.0]])


PLACES = [f"{low:g} to {high:g} s" for low, high in pairwise(EDGES)]
KINDS = [f"power {power}, decay {decay:g} s" for power in POWERS for decay in DECAYS]
NAMES = [
    *(f"{what}, {place}" for what in ("residual", "count", "rating") for place in PLACES), "nearest", "before", "count",
    "since first", "until last", *(f"{what}, {kind}" for what in ("similar residual", "similar weight") for kind in KINDS),
]  # fmt: skip


def column(found, name):
    return found[:, NAMES.index(name)]


def test_bins_of_time_by_hand():
    train = ratings([0, 0, 0, 1], [0, 1, 2, 0], [100, 103, 150, 100], [5, 4, 1, 2])
    found = moment_features(train, np.array([1.0, 0.5, -2.0, 9.0]), VECTORS, ratings([0], [3], [100]))
    assert column(found, "residual, 0 to 1 s") == pytest.approx(1.0 / 3)
    assert column(found, "residual, 1 to 6 s") == pytest.approx(0.5 / 3)
    assert column(found, "residual, 31 to 61 s") == pytest.approx(-2.0 / 3)
    assert column(found, "residual, 61 to 301 s") == 0
    assert column(found, "rating, 0 to 1 s") == pytest.approx((5 - 3) / 3)
    assert column(found, "nearest") == 0 and column(found, "before") == 0
    assert column(found, "until last") == 50


def test_similar_films_by_hand():
    # Film 1 points where film 0 does, film 2 at a right angle, film 3 the other way.
    train = ratings([0, 0, 0], [1, 2, 3], [115, 100, 100])
    found = moment_features(train, np.array([2.0, 5.0, 7.0]), VECTORS, ratings([0], [0], [100]))
    for power in POWERS:
        for decay in DECAYS:
            weight = np.exp(-15 / decay)
            kind = f"power {power}, decay {decay:g} s"
            assert column(found, f"similar residual, {kind}") == pytest.approx(2.0 * weight / (weight + 0.3))
            assert column(found, f"similar weight, {kind}") == pytest.approx(weight)


def test_the_asked_ratings_themselves_are_not_read():
    random = np.random.default_rng(0)
    users, items = random.integers(0, 3, 12), random.integers(0, 5, 12)
    train, residuals = ratings(users, items, random.integers(0, 500, 12)), random.normal(size=12)
    times = random.integers(0, 500, 6)
    asked = [ratings([0, 1, 2, 0, 1, 2], [0, 1, 2, 3, 4, 0], times, v) for v in (np.ones(6), np.full(6, 5))]
    first, second = (moment_features(train, residuals, VECTORS, one) for one in asked)
    np.testing.assert_array_equal(first, second)


def test_the_order_of_training_ratings_does_not_matter():
    random = np.random.default_rng(1)
    train = ratings(random.integers(0, 3, 20), random.integers(0, 5, 20), random.permutation(1_000)[:20])
    residuals, asked = random.normal(size=20), ratings([0, 1, 2], [0, 1, 2], [500, 510, 20])
    order = random.permutation(20)
    np.testing.assert_allclose(
        moment_features(train.take(order), residuals[order], VECTORS, asked),
        moment_features(train, residuals, VECTORS, asked),
    )


def test_a_user_without_training_ratings_knows_nothing():
    train = ratings([0], [0], [10])
    found = moment_features(train, np.array([1.0]), VECTORS, ratings([2], [1], [10]))
    assert (found[0, MEANS] == 0).all()
    assert np.isnan(column(found, "nearest"))[0]
    assert [NAMES[place] for place in MEANS] == [
        name for name in NAMES if name.startswith(("residual", "similar residual"))
    ]


def test_what_does_not_belong_together_is_an_error():
    train = ratings([0], [0], [10])
    with pytest.raises(ValueError, match="2 residuals for 1"):
        moment_features(train, np.zeros(2), VECTORS, train)
    with pytest.raises(ValueError, match="4 vectors"):
        moment_features(train, np.zeros(1), VECTORS[:4], train)
