"""Stacking: weights are recovered, nothing of the asked ratings is read, trees find what is not linear."""

import numpy as np
import pytest

from lib.data.interactions import RatingScale
from lib.metrics.rating import rmse
from lib.studies.stacking import BOOSTING, LevelOne, Stack, cross_validated

SCALE = RatingScale(1, 5)


def members(n=4_000, seed=0):
    """Two members that each see the truth through noise of their own, the second with half the noise."""
    random = np.random.default_rng(seed)
    truth = random.normal(3, 0.7, n).clip(1, 5)
    noisy = {
        "first": truth + random.normal(0, 0.6, n),
        "second": truth + random.normal(0, 0.3, n),
    }
    return noisy, truth


def test_weights_are_those_of_least_squares(monkeypatch):
    monkeypatch.setattr("lib.studies.stacking.PENALTY", 0.0)
    predictions, truth = members()
    stack = Stack(SCALE, boosted=False).fit(LevelOne(predictions), truth)
    columns = np.column_stack([*predictions.values(), np.ones(len(truth))])
    expected = np.linalg.lstsq(columns, truth, rcond=None)[0]
    np.testing.assert_allclose(list(stack.weights_.values()), expected[:2], rtol=1e-8)
    asked, _ = members(seed=1)
    by_hand = np.column_stack([*asked.values(), np.ones(len(truth))]) @ expected
    np.testing.assert_allclose(stack.predict(LevelOne(asked)), by_hand.clip(1, 5), rtol=1e-8)


def test_the_blend_beats_its_best_member_on_new_ratings():
    predictions, truth = members()
    asked, their_truth = members(seed=2)
    stack = Stack(SCALE, boosted=False).fit(LevelOne(predictions), truth)
    assert stack.weights_["second"] > stack.weights_["first"] > 0
    assert rmse(their_truth, stack.predict(LevelOne(asked))) < rmse(their_truth, asked["second"])


def test_trees_find_what_no_weight_can(monkeypatch):
    monkeypatch.setattr("lib.studies.stacking.MEANS", [])
    random = np.random.default_rng(3)
    predictions, truth = members(seed=3)
    switch = random.random(len(truth))
    target = truth + np.where(np.abs(switch - 0.5) < 0.25, 0.5, -0.5)
    learn, ask = np.arange(3_000), np.arange(3_000, 4_000)
    data = LevelOne(predictions, switch[:, None])
    found = {
        boosted: Stack(RatingScale(-9, 9), boosted=boosted)
        .fit(data.take(learn), target[learn])
        .predict(data.take(ask))
        for boosted in (False, True)
    }
    assert rmse(target[ask], found[True]) < 0.7 * rmse(target[ask], found[False])


def test_features_named_as_means_enter_the_linear_part_and_the_others_do_not(monkeypatch):
    monkeypatch.setattr("lib.studies.stacking.MEANS", [1])
    predictions, truth = members(seed=4)
    random = np.random.default_rng(4)
    helpful, other = random.normal(size=len(truth)), random.normal(size=len(truth))
    other[0] = np.nan  # a distance that is not known
    data = LevelOne(predictions, np.column_stack([other, helpful]))
    stack = Stack(RatingScale(-9, 9), boosted=False).fit(data, truth + helpful)
    assert rmse(truth + helpful, stack.predict(data)) < 0.4


def test_the_same_seed_gives_the_same_bits(monkeypatch):
    monkeypatch.setitem(BOOSTING, "max_iter", 50)
    predictions, truth = members(seed=5)
    data = LevelOne(predictions)
    first, second = (Stack(SCALE, seed=7).fit(data, truth).predict(data) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_cross_validation_predicts_no_rating_by_weights_that_saw_it():
    random = np.random.default_rng(6)
    noise = LevelOne({"noise": random.normal(3, 1, 600)})
    target = random.normal(3, 1, 600)
    found = cross_validated(noise, target, RatingScale(-9, 9))
    # What was fitted to noise can't know new noise: the error is at least the target's own spread.
    assert rmse(target, found) >= 0.99 * target.std()


def test_a_prediction_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="finite"):
        Stack(SCALE).fit(LevelOne({"bad": np.full(50, np.nan)}), np.full(50, 3.0))
