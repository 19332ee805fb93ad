"""Stacking: weights are recovered, nothing of the asked ratings is read, trees find what is not linear."""

import numpy as np
import pytest

from lib.data.interactions import RatingScale
from lib.metrics.rating import rmse
from lib.models.fitting import fit_model
from lib.studies.stack_design import DesignSearch
from lib.studies.stacking import DAMPING, Design, LevelOne, Stack, facts_of
from tests.conftest import planted_interactions

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


def test_weights_are_those_of_least_squares():
    predictions, truth = members()
    stack = Stack(SCALE, Design(penalty=0.0)).fit(LevelOne(predictions), truth)
    columns = np.column_stack([*predictions.values(), np.ones(len(truth))])
    expected = np.linalg.lstsq(columns, truth, rcond=None)[0]
    np.testing.assert_allclose(list(stack.weights_.values()), expected[:2], rtol=1e-8)
    asked, _ = members(seed=1)
    by_hand = np.column_stack([*asked.values(), np.ones(len(truth))]) @ expected
    np.testing.assert_allclose(stack.predict(LevelOne(asked)), by_hand.clip(1, 5), rtol=1e-8)


def test_the_blend_beats_its_best_member_on_new_ratings():
    predictions, truth = members()
    asked, their_truth = members(seed=2)
    stack = Stack(SCALE).fit(LevelOne(predictions), truth)
    assert stack.weights_["second"] > stack.weights_["first"] > 0
    assert rmse(their_truth, stack.predict(LevelOne(asked))) < rmse(their_truth, asked["second"])


def test_trees_find_what_no_weight_can(monkeypatch):
    monkeypatch.setattr("lib.studies.stacking.MEANS", [])
    random = np.random.default_rng(3)
    predictions, truth = members(seed=3)
    switch = random.random(len(truth))
    target = truth + np.where(np.abs(switch - 0.5) < 0.25, 0.5, -0.5)
    learn, ask = np.arange(3_000), np.arange(3_000, 4_000)
    data = LevelOne(predictions, moments=switch[:, None])
    found = {
        boosted: Stack(RatingScale(-9, 9), Design(trees=200 * boosted))
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
    data = LevelOne(predictions, moments=np.column_stack([other, helpful]))
    stack = Stack(RatingScale(-9, 9)).fit(data, truth + helpful)
    assert rmse(truth + helpful, stack.predict(data)) < 0.4


def test_the_same_seed_gives_the_same_bits():
    predictions, truth = members(seed=5)
    data = LevelOne(predictions)
    first, second = (Stack(SCALE, Design(trees=50), seed=7).fit(data, truth).predict(data) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_cross_validation_predicts_no_rating_by_weights_that_saw_it():
    random = np.random.default_rng(6)
    noise = LevelOne({"noise": random.normal(3, 1, 600)})
    target = random.normal(3, 1, 600)
    search = DesignSearch(noise, target, RatingScale(-9, 9))
    # What was fitted to noise can't know new noise: the error is at least the target's own spread.
    assert search.judge(Design(trees=50, least=5))[0] >= 0.99 * target.std()
    assert [one["trees"] for one in search.trials] == [0, 50] and search.trials[1]["rmse"] > target.std()


def test_a_search_finds_what_helps_and_leaves_out_what_does_not():
    random = np.random.default_rng(9)
    predictions, truth = members(3_000)
    predictions["noise"] = random.normal(3, 1, len(truth))
    step = np.where(random.random(len(truth)) < 0.5, -0.4, 0.4)
    facts = np.column_stack([random.normal(size=(len(truth), 5)), np.abs(step - 0.1)])
    wide, plain = RatingScale(-9, 9), LevelOne({n: predictions[n] for n in ("second", "noise")})
    error, design = DesignSearch(plain, truth, wide).best()
    assert design.members == ("second",) and not design.facts
    search = DesignSearch(LevelOne(predictions, facts), truth + step, wide)
    error, design = search.best()
    assert design.facts and error == min(one["rmse"] for one in search.trials) < 0.31
    assert len(search.trials) == len({str({**one, "rmse": 0}) for one in search.trials})  # none is tried twice
    stack = Stack(wide, design).fit(LevelOne(predictions, facts), truth + step)
    assert set(stack.weights_) == set(design.members)


def test_under_a_split_by_time_designs_are_judged_on_what_comes_later():
    predictions, truth = members(400)
    data, times = LevelOne(predictions), np.arange(400)[::-1].copy()
    search = DesignSearch(data, truth, SCALE, times=times)
    ((learn, ask),) = search.parts
    assert times[learn].max() < times[ask].min() and len(learn) == len(ask) == 200
    stack = Stack(SCALE, Design(facts=False)).fit(data.take(learn), truth[learn])
    told = rmse(truth[ask], stack.predict(data.take(ask)))
    assert search.judge(Design(facts=False))[0] == pytest.approx(told)


def test_fewer_trees_are_those_of_a_smaller_sum():
    predictions, truth = members(600)
    data = LevelOne(predictions)
    many = Stack(SCALE, Design(trees=100, least=20)).fit(data, truth).stages(data)
    few = Stack(SCALE, Design(trees=50, least=20)).fit(data, truth)
    assert set(many) == {0, 50, 100}
    np.testing.assert_array_equal(many[50], few.predict(data))


def test_a_prediction_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="finite"):
        Stack(SCALE).fit(LevelOne({"bad": np.full(50, np.nan)}), np.full(50, 3.0))


def test_facts_by_hand():
    train = planted_interactions(n_users=12, n_items=9, seed=1)
    asked = train.take(np.array([5, 3, 8]))
    bias, ratings = fit_model("bias", train), train.ratings.astype(float)
    expected = []
    for user, item in zip(asked.users, asked.items, strict=True):
        of_user, of_item = ratings[train.users == user], ratings[train.items == item]
        damped = [
            (((r - r.mean()) ** 2).sum() + DAMPING * ratings.var()) / (len(r) + DAMPING) for r in (of_user, of_item)
        ]
        counts = [np.log1p(len(r) / 0.5) for r in (of_user, of_item)]
        expected.append([*counts, bias.user_bias_[user], bias.item_bias_[item], *damped])
    np.testing.assert_allclose(facts_of(train, asked, 0.5), expected, rtol=1e-9)
    shuffled = train.take(np.random.default_rng(0).permutation(len(train)))
    np.testing.assert_array_equal(facts_of(shuffled, asked, 0.5), facts_of(train, asked, 0.5))


def test_few_ratings_may_call_for_tamer_predictions():
    """The linear part bends by facts: where a user has few ratings, the first member's prediction is to count half."""
    random = np.random.default_rng(8)
    facts = np.column_stack([random.integers(0, 2, 4_000), random.normal(size=(4_000, 5))])
    predictions = {"first": random.normal(3, 1, 4_000)}
    target = 3 + (predictions["first"] - 3) * np.where(facts[:, 0] > 0, 1.0, 0.5)
    known, blind = LevelOne(predictions, facts), LevelOne(predictions)
    found = {name: Stack(SCALE).fit(of, target).predict(of) for name, of in (("known", known), ("blind", blind))}
    assert rmse(target.clip(1, 5), found["known"]) < 0.05 < rmse(target.clip(1, 5), found["blind"])
    assert known.of(facts=False).facts is None and list(known.of(("first",)).predictions) == ["first"]
