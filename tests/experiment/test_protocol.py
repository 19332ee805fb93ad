"""The common protocol: its splits, which fits a table asks for, and what such a fit leaves."""

from types import SimpleNamespace

import numpy as np
import pytest

from lib.data.splits import chronological, per_user_holdout, validation_from
from lib.experiment.evaluation import evaluation_of
from lib.experiment.fit import FitFailed, Stopping, fit_and_measure
from lib.experiment.protocol import make_splits, parts_of, table_fits
from lib.metrics import recommend
from lib.models.baselines.bias import Bias
from lib.models.fitting import fit_model
from lib.studies.contenders import chosen_from

SGD = {"n_factors": 3, "factor_learning_rate": 0.08, "factor_regularisation": 0.001}
KEY = "per_user_80_20"


def dataset(interactions):
    return SimpleNamespace(interactions=interactions, name="planted")


@pytest.fixture(scope="module")
def parted(planted):
    return make_splits(dataset(planted), [[KEY, 42], [KEY, 1], ["chronological", 0]])


def fits_of(names, parted, parameters=None, **options):
    choices = {name: {"parameters": parameters or {}} for name in names}
    options = {"k": 5, "listed": list(parted), **options}
    return table_fits(chosen_from(only=names), choices, parted, **options)


def left(name, parted, parameters=None, key=KEY, **options):
    """What a contender's fit on one split leaves."""
    (fit,) = fits_of([name], {key: parted[key]}, parameters, **options)
    return fit_and_measure(parts_of(parted), fit)


def test_repeated_splits_are_told_apart_by_their_seed(parted, planted):
    assert list(parted) == [KEY, f"{KEY}/1", "chronological"]
    assert [(s.name, s.fold, s.seed) for s in parted.values()] == [(KEY, "", 42), (KEY, "1", 1), ("chronological", "", None)]  # fmt: skip
    np.testing.assert_array_equal(parted[f"{KEY}/1"].test.items, per_user_holdout(planted, seed=1).test.items)
    np.testing.assert_array_equal(parted["chronological"].test.items, chronological(planted).test.items)


def test_the_projects_folds_come_first(planted, tmp_path, monkeypatch):
    monkeypatch.setattr("lib.data.folds.FOLDS", tmp_path)
    found = make_splits(dataset(planted), [["chronological", 0], ["kfold_5", 42]])
    assert list(found) == [f"kfold_5/{fold}" for fold in range(1, 6)] + ["chronological"]
    assert sum(len(split.test) for key, split in found.items() if key.startswith("kfold")) == len(planted)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ([["chronological", 0], ["chronological", 1]], "in the list twice"),
        ([[KEY, 1], [KEY, 2], [KEY, 2]], "in the list twice"),
        ([KEY], r"given as \[name, seed\]"),
    ],
)
def test_a_list_of_splits_that_makes_no_sense_is_refused(planted, wanted, message):
    with pytest.raises(ValueError, match=message):
        make_splits(dataset(planted), wanted)


def test_repeats_leave_errors_by_user_and_are_kept(parted):
    fits = fits_of(["bias"], parted, listed=[KEY], repeats=[f"{KEY}/1"])
    assert [(f.keep, "by_user" in f.measure) for f in fits] == [("", False), ("one_table", True), ("", False)]
    made = fit_and_measure(parts_of(parted), fits[1])
    split = parted[f"{KEY}/1"]
    whole = left("bias", parted, key=f"{KEY}/1", listed=[])
    options = {"ks": (), "n_resamples": 20}
    one, other = (evaluation_of("bias", found, split, **options) for found in (made, whole))
    assert one.predictions is None and other.predictions is not None
    for metric in ("rmse", "mae"):
        assert one.values[metric] == pytest.approx(other.values[metric], rel=1e-6)
    assert "hits" not in made
    ordered = fit_and_measure(parts_of(parted), fits_of(["most_popular"], parted, repeats=[KEY], listed=[])[0])
    assert evaluation_of("most_popular", ordered, parted[KEY], n_resamples=0).errors is None


def test_slow_contenders_come_first_and_on_their_splits_only(parted):
    names = ["bias", "svdpp", "ease"]
    made = fits_of(
        names, parted, {"of": 1}, listed=["chronological"], only_on={"ease": ["chronological"]},
        changes={"bias": {"new": 1}}, most_epochs=2, seed=9,
    )  # fmt: skip
    places = [(fit.labels["contender"], fit.labels["split"]) for fit in made]
    assert places[:2] == [("ease", "chronological"), ("bias", KEY)]
    assert len(made) == 1 + 3 + 3
    bias, svdpp = made[1], made[-1]
    assert (bias.train, bias.test) == (f"{KEY}/train", f"{KEY}/test")
    assert bias.parameters == {"of": 1, "new": 1} and bias.stopping is None and bias.seed == 0
    assert svdpp.stopping == Stopping("n_epochs", 2, 3)
    assert svdpp.seed == svdpp.labels["seed"] == 9
    assert [fit.measure.get("lists") for fit in made if fit.model == "bias"] == [None, None, {"k": 5}]
    for wrong in ({"only_on": {"hare": []}}, {"changes": {"hare": {}}}, {"listed": ["u9"]}):
        with pytest.raises(ValueError, match=r"unknown (hare|u9)"):
            fits_of(names, parted, **wrong)


def test_epochs_come_from_validation_ratings_and_weights_from_all_of_train(parted):
    split = parted[KEY]
    found = left("svdpp", parted, SGD, most_epochs=90)
    cut = validation_from(split.train.ordered())
    stopped = fit_model("svdpp", cut.train, validation=cut.test, **SGD, n_epochs=90, patience=3, seed=0)
    assert found["n_epochs"] == stopped.n_epochs_ < 90
    model = fit_model("svdpp", split.train, **SGD, n_epochs=stopped.n_epochs_, seed=0)
    wanted = np.clip(model.predict(split.test.users, split.test.items), 1, 5).astype(np.float32)
    np.testing.assert_array_equal(found["predictions"], wanted)
    np.testing.assert_array_equal(found["items"], recommend(model, split.train, 5).items)
    assert found["n_parameters"] == model.n_parameters_
    assert min(found[s] for s in ("seconds_fit", "seconds_predict", "seconds_rank")) > 0


def test_alternating_least_squares_repeats_the_iterations_it_stopped_at(parted):
    penalties = {"raters": 1.0, "rated": 1.0}
    parameters = {"n_factors": 2, "user_penalty": 0.1, "item_penalty": 0.1, "groups": ("raters", "rated"), "projection_penalties": penalties}  # fmt: skip
    found = left("side_information_als_implicit", parted, parameters, most_epochs=40)
    assert 1 <= found["n_epochs"] < 40
    model = fit_model("side_information_als", parted[KEY].train, **parameters, n_iterations=found["n_epochs"])
    test = parted[KEY].test
    wanted = test.scale.clip(model.predict(test.users, test.items)).astype(np.float32)
    np.testing.assert_array_equal(found["predictions"], wanted)


def test_a_network_cuts_its_own_validation_ratings(parted):
    (fit,) = fits_of(["autorec"], {KEY: parted[KEY]}, {"hidden_sizes": (4,)}, most_epochs=3)
    assert fit.stopping.by_model and fit.stopping.limit == "max_epochs"
    found = fit_and_measure(parts_of(parted), fit)
    model = fit_model("autorec", parted[KEY].train, hidden_sizes=(4,), seed=0, max_epochs=3)
    assert found["n_epochs"] == model.n_epochs_ <= 3
    test = parted[KEY].test
    wanted = test.scale.clip(model.predict(test.users, test.items)).astype(np.float32)
    np.testing.assert_array_equal(found["predictions"], wanted)


def test_a_model_of_time_is_told_when_the_test_ratings_were_given(parted):
    split = parted["chronological"]
    parameters = SGD | {"time_bias_learning_rate": 0.01, "n_epochs": 6}
    found = left("timesvdpp", parted, parameters, "chronological", most_epochs=1, listed=[])
    model = fit_model("timesvdpp", split.train, **{**parameters, "n_epochs": found["n_epochs"]}, seed=0)
    test = split.test
    with_time = test.scale.clip(model.predict(test.users, test.items, test.timestamps)).astype(np.float32)
    without = test.scale.clip(model.predict(test.users, test.items)).astype(np.float32)
    np.testing.assert_array_equal(found["predictions"], with_time)
    assert (with_time != without).any()
    assert "items" not in found


def test_predictions_that_are_not_finite_are_refused_by_name(parted, monkeypatch):
    monkeypatch.setattr(Bias, "predict", lambda self, users, items, times=None: np.full(len(users), np.nan))
    with pytest.raises(FitFailed, match=r"contender=bias, split=chronological, .*predictions that are not finite"):  # fmt: skip
        left("bias", parted, key="chronological", listed=[])
