"""The ensemble on small made-up data: parts are disjoint, level one is out of fold, a leak would be seen."""

import numpy as np
import pandas as pd
import pytest

from lib.data.splits import chronological, random_holdout
from lib.experiment.evaluation import evaluation_of
from lib.experiment.fit import fit_and_measure
from lib.experiment.protocol import parts_of
from lib.models.fitting import fit_model
from lib.studies.contenders import chosen_from
from lib.studies.ensemble_study import (
    WHOLE,
    compared,
    gap,
    kept_outcomes,
    left_out,
    left_out_gains,
    level_one,
    member_fits,
    members_of,
    outcomes,
    part_numbers,
    stacked,
    whole_fit,
)
from lib.studies.stacking import BOOSTING
from tests.conftest import planted_interactions

KNOWN = chosen_from(only=["timesvdpp", "bias"])
MEMBERS = {name: KNOWN[name] for name in ("timesvdpp", "bias")}
CHOICES = {
    "timesvdpp": {"parameters": {"n_factors": 3}, "n_epochs": 5},
    "bias": {"parameters": {"user_regularisation": 2.0}, "n_epochs": None},
}
OPTIONS = {"n_folds": 3, "n_parts": 3, "seed": 1}


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    monkeypatch.setitem(BOOSTING, "max_iter", 50)


@pytest.fixture(scope="module")
def split():
    return random_holdout(planted_interactions(n_users=40, n_items=30, seed=2), test_share=0.2)


@pytest.fixture(scope="module")
def fits(split):
    wanted = member_fits(members_of(MEMBERS, CHOICES), {"one": split}, **OPTIONS)
    return [{**fit_and_measure(parts_of({"one": split}), fit), **fit.labels} for fit in wanted]


def test_parts_leave_out_every_training_rating_once(split):
    masks = [left_out(split, part, n_folds=3, seed=1) for part in range(3)]
    assert (np.sum(masks, axis=0) == 1).all()


def test_a_split_by_time_leaves_out_the_latest(planted):
    late = chronological(planted)
    assert part_numbers(late, 3) == [0]
    mask = left_out(late, 0, n_folds=3, seed=1)
    assert 0 < mask.sum() < len(late.train) / 2
    assert late.train.timestamps[mask].min() > late.train.timestamps[~mask].max()
    with pytest.raises(ValueError, match="one part"):
        left_out(late, 1, n_folds=3, seed=1)


def test_level_one_is_what_members_say_of_ratings_they_did_not_see(split, fits):
    learned, ratings, asked = level_one(fits, "one", split, **OPTIONS)
    assert len(learned) == len(ratings) == len(split.train)
    assert len(asked) == len(split.test)
    out = left_out(split, 1, n_folds=3, seed=1)
    alone = fit_model("bias", split.train.take(~out), user_regularisation=2.0)
    rest = split.train.take(out)
    expected = split.train.scale.clip(alone.predict(rest.users, rest.items))
    first = left_out(split, 0, n_folds=3, seed=1).sum()
    np.testing.assert_allclose(learned.predictions["bias"][first : first + out.sum()], expected, rtol=1e-5)
    whole = fit_model("bias", split.train, user_regularisation=2.0)
    expected = split.train.scale.clip(whole.predict(split.test.users, split.test.items))
    np.testing.assert_allclose(asked.predictions["bias"], expected, rtol=1e-5)


def test_test_ratings_change_nothing_but_the_measurement(split, fits):
    """The canary: whatever the test ratings are, predictions stay the same."""
    learned, ratings, asked = level_one(fits, "one", split, **OPTIONS)
    before = stacked(learned, ratings, asked, split, timeless=["bias"])
    assert set(before.joined) == {"equal_weights", "blend", "blend_timeless", "ensemble"}
    assert list(before.joined["blend_timeless"].weights) == ["bias"]
    test = split.test
    shuffled = type(test)(
        test.users, test.items, test.ratings[::-1].copy(), test.timestamps, test.user_ids, test.item_ids, test.scale,
        test.user_table, test.item_table,
    )  # fmt: skip
    other = type(split)(split.name, split.train, shuffled, split.fold, split.seed)
    after = stacked(learned, ratings, asked, other, timeless=["bias"])
    for name, one in before.joined.items():
        np.testing.assert_array_equal(one.test, after.joined[name].test)
        assert one.test_rmse != after.joined[name].test_rmse


def test_the_ensemble_is_compared_with_its_best_member_and_the_blend(split, fits):
    found = stacked(*level_one(fits, "one", split, **OPTIONS), split)
    measured = {n: evaluation_of(n, one, split, n_resamples=50) for n, one in outcomes(found, fits).items()}
    one = compared(found.members, measured, n_resamples=50)
    assert one["best_member"] == min(found.members, key=lambda name: found.members[name].test_rmse)
    assert one["low"] <= one["ensemble"] <= one["high"]
    assert one["ensemble"] == pytest.approx(found.joined["ensemble"].test_rmse)
    for rival, theirs in (("best_member", one["best_member_rmse"]), ("blend", one["blend"])):
        found = one["against"][rival]
        assert found["difference"] == pytest.approx(one["ensemble"] - theirs)
        assert found["low"] <= found["difference"] <= found["high"] and 0 < found["p"] <= 1
    assert one["blend_timeless"] is None


def test_a_whole_ensemble_leaves_the_same_errors_by_user_and_no_predictions(split, fits):
    found = stacked(*level_one(fits, "one", split, **OPTIONS), split, seed=1, timeless=["bias"])
    fit = whole_fit(members_of(MEMBERS, CHOICES), "one", split, timeless=["bias"], **OPTIONS)
    made = fit_and_measure(parts_of({"one": split}), fit)
    assert max(np.size(value) for value in made.values()) < split.test.n_users + 1
    once, again = outcomes(found, fits), kept_outcomes(made)
    assert set(once) == set(again) == {*MEMBERS, "equal_weights", "blend", "blend_timeless", "ensemble"}
    for name, one in again.items():
        first, second = (evaluation_of(name, of, split, n_resamples=0) for of in (once[name], one))
        for metric in ("rmse", "mae"):
            assert second[metric] == pytest.approx(first[metric], rel=1e-6)
        assert one["seconds_fit"] > 0 and ("seconds_predict" in one) == (name in MEMBERS)


def test_a_whole_ensemble_depends_on_the_code_of_its_members(split):
    fit = whole_fit(members_of(MEMBERS, CHOICES), "one", split, timeless=[], **OPTIONS)
    assert {"lib.models.baselines.bias:Bias", "lib.models.latent.timesvdpp:TimeSVDpp"} <= set(fit.roots())


def test_a_model_of_lists_has_no_gap(split, fits):
    ratings, lists = (
        evaluation_of("bias", {"predictions": split.test.ratings}, split),
        evaluation_of("ease", {}, split),
    )
    with pytest.raises(ValueError, match="bias and ease must both predict ratings"):
        gap(ratings, lists, n_resamples=10)


def test_left_out_gains_has_a_row_a_member_and_one_for_the_moment(split, fits):
    learned, ratings, asked = level_one(fits, "one", split, **OPTIONS)
    gains = left_out_gains(learned, ratings, asked, split, seed=0, n_resamples=50)
    assert gains["member"].tolist() == ["timesvdpp", "bias", "moments"]
    assert (gains["low"] <= gains["difference"]).all() and (gains["difference"] <= gains["high"]).all()


def test_a_whole_ensemble_leaves_the_same_gains_and_the_same_blend(split, fits):
    members, parts = members_of(MEMBERS, CHOICES), parts_of({"one": split})
    asked = {"n_resamples": 50, **OPTIONS}
    learned, ratings, whole = level_one(fits, "one", split, **OPTIONS)
    made = fit_and_measure(parts, whole_fit(members, "one", split, measure="gains_of_all", **asked))
    gains = left_out_gains(learned, ratings, whole, split, seed=OPTIONS["seed"], n_resamples=50)
    pd.testing.assert_frame_equal(pd.DataFrame(made["gains"]), gains, rtol=1e-6)
    blend = fit_and_measure(parts, whole_fit(members, "one", split, measure="blend_of_all", **asked))
    single, joined = stacked(learned, ratings, whole, split, seed=OPTIONS["seed"])
    assert blend["errors"]["blend"] == pytest.approx(joined["blend"].test_rmse)
    assert blend["weights"] == pytest.approx(joined["blend"].weights)
    best = blend["best"]
    assert best == min(single, key=lambda name: single[name].test_rmse)
    assert blend["gap"]["difference"] == pytest.approx(joined["blend"].test_rmse - single[best].test_rmse)
    assert len(blend["correlations"]) == 1 and -1 <= blend["correlations"][0] <= 1


def test_members_take_the_epochs_that_their_search_found(split):
    made = member_fits(
        members_of(MEMBERS, CHOICES, {"timesvdpp": {"n_factors": 8}}), {"one": split}, **OPTIONS
    )
    assert [fit.labels["part"] for fit in made] == [WHOLE, 0, 1, 2] * 2
    found = {fit.model: fit for fit in made}
    assert found["timesvdpp"].parameters == {"n_factors": 8, "n_epochs": 5}
    assert found["bias"].parameters == {"user_regularisation": 2.0}
    assert all(fit.stopping is None for fit in made)
    with pytest.raises(ValueError, match="svdpp"):
        members_of(MEMBERS, CHOICES, {"svdpp": {}})


def test_wrong_parts_are_named(split):
    with pytest.raises(ValueError, match="n_parts=4"):
        member_fits(members_of(MEMBERS, CHOICES), {"one": split}, n_folds=3, n_parts=4)
    with pytest.raises(ValueError, match="parts are numbered"):
        left_out(split, 3, n_folds=3, seed=0)
