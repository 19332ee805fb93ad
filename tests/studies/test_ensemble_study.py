"""The ensemble on small made-up data: parts are disjoint, level one is out of fold, a leak would be seen."""

import json
from dataclasses import replace

import numpy as np
import pytest

from lib.data.files import plain
from lib.data.splits import chronological, random_holdout
from lib.experiment import records
from lib.experiment.evaluation import evaluation_of
from lib.experiment.fit import fit_and_measure
from lib.experiment.protocol import parts_of
from lib.experiment.search import search
from lib.experiment.space import Real, Space
from lib.models.fitting import fit_model
from lib.studies.ensemble_forms import forms_of, headlines, settings_of
from lib.studies.ensemble_study import (
    WHOLE,
    Ensemble,
    compared,
    gap,
    kept_outcomes,
    left_out,
    member_fits,
    members_of,
    part_numbers,
    whole_fit,
)
from lib.studies.koren_study import validation_fit
from lib.studies.variants import Variant
from tests.conftest import planted_interactions

MEMBERS = {
    "timesvdpp": {"model": "timesvdpp", "parameters": {"n_factors": 3, "n_epochs": 5}},
    "bias": {"model": "bias", "parameters": {"user_regularisation": 2.0}},
}
FORMS = forms_of(MEMBERS)
OPTIONS = {"n_folds": 3, "n_parts": 3, "seed": 1}


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    monkeypatch.setattr("lib.studies.stack_design.SIZES", ((8, 50),))


@pytest.fixture(scope="module")
def split():
    return random_holdout(planted_interactions(n_users=40, n_items=30, seed=2), test_share=0.2)


def made(split, start=0):
    wanted = member_fits(MEMBERS, "one", split, **OPTIONS, start=start)
    return [{**fit_and_measure(parts_of({"one": split}), fit), **fit.labels} for fit in wanted]


@pytest.fixture(scope="module")
def fits(split):
    return made(split)


def test_parts_leave_out_every_training_rating_once_whatever_the_order_of_the_rows(split):
    masks = [left_out(split, part, n_folds=3, seed=1) for part in range(3)]
    assert (np.sum(masks, axis=0) == 1).all()
    order = np.random.default_rng(0).permutation(len(split.train))
    shuffled = replace(split, train=split.train.take(order))
    np.testing.assert_array_equal(left_out(shuffled, 1, n_folds=3, seed=1), masks[1][order])


def test_a_split_by_time_leaves_out_the_latest(planted):
    late = chronological(planted)
    assert part_numbers(late, 3) == [0]
    mask = left_out(late, 0, n_folds=3, seed=1)
    assert 0 < mask.sum() < len(late.train) / 2
    assert late.train.timestamps[mask].min() > late.train.timestamps[~mask].max()
    with pytest.raises(ValueError, match="one part"):
        left_out(late, 1, n_folds=3, seed=1)


def test_a_last_second_that_all_share_leaves_nothing_to_learn_on(planted):
    late = chronological(planted)
    alike = replace(late.train, timestamps=np.full(len(late.train), 7), origin=())
    with pytest.raises(ValueError, match="share the last second of train"):
        left_out(replace(late, train=alike), 0, n_folds=3, seed=1)


def test_level_one_is_what_members_say_of_ratings_they_did_not_see(split, fits):
    out = left_out(split, 1, n_folds=3, seed=1)
    alone = fit_model("bias", split.train.take(~out), user_regularisation=2.0)
    rest = split.train.take(out)
    expected = split.train.scale.clip(alone.predict(rest.users, rest.items))
    (part,) = (f for f in fits if (f["member"], f["part"]) == ("bias", 1))
    np.testing.assert_allclose(part["predictions"], expected, rtol=1e-5)
    ensemble = Ensemble(fits, split, FORMS, **OPTIONS)
    assert len(ensemble.ratings) == len(split.train)
    squares = [((np.asarray(f["predictions"]) - split.train.ratings[left_out(split, f["part"], n_folds=3, seed=1)]) ** 2)
               for f in fits if f["member"] == "bias" and f["part"] != WHOLE]  # fmt: skip
    assert ensemble.level_one["bias"] == pytest.approx(np.sqrt(np.concatenate(squares).mean()), rel=1e-6)
    whole = fit_model("bias", split.train, user_regularisation=2.0)
    expected = split.train.scale.clip(whole.predict(split.test.users, split.test.items))
    np.testing.assert_allclose(ensemble.outcomes(fits)["bias"]["predictions"], expected, rtol=1e-5)


def test_test_ratings_change_no_prediction(split, fits):
    """The canary: whatever the test ratings are, everything that is predicted stays the same."""
    shuffled = replace(split.test, ratings=split.test.ratings[::-1].copy(), origin=())
    other = replace(split, test=shuffled)
    before, after = (Ensemble(fits, of, FORMS, **OPTIONS).outcomes(fits) for of in (split, other))
    assert set(before) == {*MEMBERS, "equal_weights", *FORMS}
    for name, one in before.items():
        np.testing.assert_array_equal(one["predictions"], after[name]["predictions"])
        assert one["level_one"] == after[name]["level_one"]


def test_what_knows_no_time_has_the_same_bits_without_times_and_with_other_rows(split):
    """Timestamps deleted and rows shuffled."""
    order = np.random.default_rng(3).permutation(len(split.train))
    train, test = split.train.take(order), split.test
    bare = [replace(of, timestamps=np.zeros_like(of.timestamps), origin=()) for of in (train, test)]
    members = {
        "svdpp": {"model": "svdpp", "parameters": {"n_factors": 3, "n_epochs": 3}},
        "bias": MEMBERS["bias"],
    }
    forms = {n: of for n, of in forms_of(members).items() if n in ("ensemble_timeless", "blend")}
    found = []
    for one in (split, replace(split, train=bare[0], test=bare[1])):
        wanted = member_fits(members, "one", one, **OPTIONS)
        fits = [{**fit_and_measure(parts_of({"one": one}), fit), **fit.labels} for fit in wanted]
        found.append(Ensemble(fits, one, forms, **OPTIONS).outcomes(fits))
    for name in ("svdpp", "bias", "blend", "ensemble_timeless"):
        np.testing.assert_array_equal(*(one[name]["predictions"] for one in found))


def test_forms_know_what_they_say(split, fits):
    found = Ensemble(fits, split, FORMS, **OPTIONS).outcomes(fits)
    assert list(found["ensemble_timeless"]["weights"]) == list(found["without_timesvdpp"]["weights"]) == ["bias"]
    assert set(found["ensemble"]["weights"]) <= set(MEMBERS)
    assert {name for name, one in found.items() if "design" in one} == {"ensemble", "ensemble_timeless"}
    design, trials = (found["ensemble"][what] for what in ("design", "trials"))
    (best,) = (one for one in trials if {**one, "rmse": 0} == {**design, "rmse": 0})
    assert best["rmse"] == found["ensemble"]["level_one"] == min(one["rmse"] for one in trials)
    assert np.any(found["linear"]["predictions"] != found["without_moments"]["predictions"])


def test_settings_and_headlines_by_hand():
    settings = settings_of(MEMBERS, FORMS, "u1")
    assert settings == {
        "timesvdpp": "time_known", "bias": "no_time", "equal_weights": "time_known", "blend": "time_known",
        "ensemble": "time_known", "ensemble_timeless": "no_time", "linear": "time_known",
        "without_moments": "time_known", "without_timesvdpp": "time_known", "without_bias": "time_known",
    }  # fmt: skip
    assert set(settings_of(MEMBERS, FORMS, "chronological").values()) == {"deployable"}
    found = {"timesvdpp": 0.9, "bias": 0.95, "ensemble": 0.85, "ensemble_timeless": 0.94}
    found = {name: {"level_one": value} for name, value in found.items()}
    assert headlines(settings, found) == {"time_known": "ensemble", "no_time": "ensemble_timeless"}
    assert headlines(dict.fromkeys(settings, "deployable"), found) == {"deployable": "ensemble"}


def test_the_ensemble_is_compared_with_its_best_member_the_blend_and_the_timeless_one(split, fits):
    found = Ensemble(fits, split, FORMS, **OPTIONS).outcomes(fits)
    measured = {n: evaluation_of(n, one, split, n_resamples=50) for n, one in found.items()}
    one = compared(list(MEMBERS), measured, n_resamples=50)
    assert one["best_member"] == min(MEMBERS, key=lambda name: measured[name]["rmse"])
    assert one["low"] <= one["ensemble"] <= one["high"]
    assert set(one["against"]) == {"best_member", "blend", "ensemble_timeless"}
    for rival, theirs in (("best_member", one["best_member_rmse"]), ("blend", one["blend"])):
        gain = one["against"][rival]
        assert gain["difference"] == pytest.approx(one["ensemble"] - theirs)
        assert gain["low"] <= gain["difference"] <= gain["high"] and 0 < gain["p"] <= 1
    fewer = {n: of for n, of in measured.items() if n != "ensemble_timeless"}
    assert compared(list(MEMBERS), fewer, n_resamples=50)["ensemble_timeless"] is None


def test_a_whole_ensemble_leaves_the_same_errors_by_user_and_no_predictions(split, fits):
    found = Ensemble(fits, split, FORMS, **OPTIONS).outcomes(fits)
    fit = whole_fit(MEMBERS, "one", split, forms=FORMS, **OPTIONS)
    left = fit_and_measure(parts_of({"one": split}), fit)
    assert max(np.size(value) for value in left.values()) < split.test.n_users + 1
    again = kept_outcomes(left)
    assert set(found) == set(again)
    for name, one in again.items():
        first, second = (evaluation_of(name, of, split, n_resamples=0) for of in (found[name], one))
        for metric in ("rmse", "mae"):
            assert second[metric] == pytest.approx(first[metric], rel=1e-6)
        assert one["seconds_fit"] > 0 and ("seconds_predict" in one) == (name in MEMBERS)
        assert one["starts"] == [pytest.approx(first["rmse"])]
    errors = [found[name]["predictions"] - split.test.ratings for name in MEMBERS]
    assert left["correlations"]["timesvdpp"]["bias"] == pytest.approx(np.corrcoef(errors)[0, 1])


def test_errors_over_random_starts_are_means_and_weights_are_learned_once(split, fits):
    left = fit_and_measure(parts_of({"one": split}), whole_fit(MEMBERS, "one", split, forms=FORMS, starts=2, **OPTIONS))
    ensemble = Ensemble(fits, split, FORMS, **OPTIONS)
    found = [ensemble.outcomes(fits), ensemble.outcomes(made(split, start=1))]
    assert np.any(found[0]["timesvdpp"]["predictions"] != found[1]["timesvdpp"]["predictions"])
    for name in ("timesvdpp", "ensemble"):
        each = [evaluation_of(name, one[name], split, n_resamples=0)["rmse"] for one in found]
        assert left["told"][name]["starts"] == pytest.approx(each)
        mean = evaluation_of(name, kept_outcomes(left)[name], split, n_resamples=0)["rmse"]
        assert mean == pytest.approx(np.sqrt(np.mean(np.square(each))), rel=1e-6)


def test_where_only_fits_are_made_anew_designs_are_those_that_were_found(split, monkeypatch):
    parts = parts_of({"one": split})
    fit = whole_fit(MEMBERS, "one", split, forms=FORMS, **OPTIONS)
    left = fit_and_measure(parts, fit)
    kept = {records.identity(fit, parts): {"found": json.loads(json.dumps(plain({"told": left["told"]})))}}
    monkeypatch.setattr(records, "kept_group", {"ensemble": kept}.__getitem__)
    monkeypatch.setenv(records.ANEW, json.dumps({"fits": 1.0, "searches": 1.0}))
    assert whole_fit(MEMBERS, "one", split, forms=FORMS, **OPTIONS) == fit
    monkeypatch.setenv(records.ANEW, json.dumps({"fits": 1.0}))
    monkeypatch.setattr("lib.studies.stack_design.DesignSearch.best", None)
    again = whole_fit(MEMBERS, "one", split, forms=FORMS, **OPTIONS)
    assert not again.keep and records.identity(again, parts) not in kept
    found = kept_outcomes({**fit_and_measure(parts, again), **again.labels})
    for name, one in kept_outcomes(left).items():
        assert np.array_equal(found[name]["squared"], one["squared"]), name
        for of in ("design", "trials", "level_one", "weights", "starts"):
            assert json.dumps(plain(found[name].get(of))) == json.dumps(plain(one.get(of)))
    spent = {name: one["seconds_fit"] - found["equal_weights"]["seconds_fit"] for name, one in found.items()}
    assert (
        spent["ensemble"] > left["told"]["ensemble"]["seconds_fit"] - left["told"]["equal_weights"]["seconds_fit"] > 0
    )


def test_a_whole_ensemble_depends_on_the_code_of_its_members(split):
    fit = whole_fit(MEMBERS, "one", split, forms=FORMS, **OPTIONS)
    assert {"lib.models.baselines.bias:Bias", "lib.models.latent.timesvdpp:TimeSVDpp"} <= set(fit.roots())


def test_a_model_of_lists_has_no_gap(split):
    ratings, lists = (
        evaluation_of("bias", {"predictions": split.test.ratings}, split),
        evaluation_of("ease", {}, split),
    )
    with pytest.raises(ValueError, match="bias and ease must both predict ratings"):
        gap(ratings, lists, n_resamples=10)


def test_members_take_the_point_and_the_epochs_that_their_search_found(split, tmp_path, monkeypatch):
    monkeypatch.setenv("REPORT_RECORDS", str(tmp_path))
    variants = {
        "timesvdpp": Variant("timesvdpp", "", "timesvdpp", {"n_factors": 3}, Space({"bias_regularisation": Real(0.01, 0.1)})),
        "bias": Variant("bias", "", "bias", {}, Space({"user_regularisation": Real(1.0, 5.0)})),
    }  # fmt: skip
    found = {}
    for name, one in variants.items():
        fit = validation_fit(one, most_epochs=3, patience=1)
        found[name] = search(name, one.space, [fit], {"train": split.train, "validation": split.test}, n_trials=2)
    members = members_of(variants, found)
    assert members["timesvdpp"]["parameters"] == {
        "n_factors": 3, "n_epochs": found["timesvdpp"].n_epochs, **found["timesvdpp"].chosen,
    }  # fmt: skip
    assert members["bias"]["parameters"] == found["bias"].chosen
    made = member_fits(members, "one", split, **OPTIONS)
    assert [fit.labels["part"] for fit in made] == [WHOLE, 0, 1, 2] * 2
    assert all(fit.stopping is None for fit in made)
    again = member_fits(members, "one", split, **OPTIONS, start=2)
    assert [(fit.labels["part"], fit.seed) for fit in again] == [(WHOLE, 3)] * 2


def test_wrong_parts_are_named(split):
    with pytest.raises(ValueError, match="n_parts=4"):
        member_fits(MEMBERS, "one", split, n_folds=3, n_parts=4)
    with pytest.raises(ValueError, match="parts are numbered"):
        left_out(split, 3, n_folds=3, seed=0)
