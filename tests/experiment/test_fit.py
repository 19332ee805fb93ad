from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lib.data.splits import validation_from
from lib.experiment.fit import Fit, FitFailed, Stopping, fit_and_measure
from lib.metrics.rating import rmse
from lib.models.fitting import answers, fit_model

STOPPED = "tests.experiment.toys:Stopped"
TOLD = {"tests.experiment.toys:told": {}}


def given(parts, **options):
    return fit_and_measure(parts, Fit(STOPPED, measure=TOLD, **options))


def test_every_figure_is_of_one_fit(parts):
    fit = Fit(
        "biased_svd", {"n_factors": 3, "n_epochs": 4}, seed=1,
        measure={"predictions": {}, "errors": {}, "lists": {"k": 5}, "cost": {}, "score_matrix": {}, "curve": {}},
    )  # fmt: skip
    found = fit_and_measure(parts, fit)
    model = fit_model("biased_svd", parts["train"], n_factors=3, n_epochs=4, seed=1)
    expected = parts["test"].scale.clip(model.predict(parts["test"].users, parts["test"].items))
    np.testing.assert_array_equal(found["predictions"], expected.astype(np.float32))
    assert found["test_rmse"] == rmse(parts["test"].ratings, expected)
    assert found["items"].shape == (parts["train"].n_users, 5)
    assert found["n_parameters"] == model.n_parameters_
    assert found["peak_mib"] >= 0
    assert 0 < found["seconds_refit"] <= found["seconds_fit"] < found["seconds"]
    assert found["n_epochs"] == 0, "nothing was stopped"
    np.testing.assert_array_equal(found["score_matrix"][3], model.score(np.array([3]))[0].astype(np.float32))


def test_the_length_of_training_is_found_inside_train(parts):
    train = len(parts["train"])
    assert given(parts)["given"].tolist() == [train, 0, 2]
    cut = validation_from(parts["train"].ordered())
    found = given(parts, stopping=Stopping("n_epochs", 30, 5))
    assert (found["n_epochs"], found["limit"]) == (7, 7)
    assert found["given"].tolist() == [train, 0, 2], "the model that counts learns from all of train"
    found = given(parts, stopping=Stopping("n_epochs", 4))
    assert found["n_epochs"] == 4, "no more epochs than the limit"
    stopped = given(parts, stopping=Stopping("n_epochs", 30, 5, validation="validation", refit=False))
    assert stopped["given"].tolist() == [train, len(parts["validation"]), 5]
    assert (stopped["n_epochs"], stopped["limit"]) == (7, 30)
    assert len(cut.train) + len(cut.test) == train
    fixed = given(parts, parameters={"n_epochs": 3}, stopping=Stopping("n_epochs", 30))
    assert fixed["n_epochs"] == 3, "what is asked for in so many words is not overruled"


def test_the_test_set_never_reaches_the_model(parts):
    poisoned = {**parts, "test": parts["test"].with_ratings(np.full(len(parts["test"]), 5.0), (1, 5))}
    fit = Fit("timesvdpp", {"n_factors": 2, "n_epochs": 2}, seed=0, stopping=Stopping("n_epochs", 3))
    np.testing.assert_array_equal(
        fit_and_measure(parts, fit)["predictions"], fit_and_measure(poisoned, fit)["predictions"]
    )


def test_models_that_know_time_are_told_it(parts):
    model = fit_model("timesvdpp", parts["train"], n_factors=2, n_epochs=2, seed=0)
    told = answers(model, parts["test"])
    later = replace(parts["test"], timestamps=parts["test"].timestamps + 10**7)
    assert not np.array_equal(told, answers(model, later))


def test_a_preparation_changes_what_the_model_sees(parts):
    found = given(parts, prepare=("tests.experiment.toys:halved", {"share": 0.25}))
    assert found["given"][0] == len(parts["train"]) // 4


def test_an_error_names_the_fit_or_is_recorded(parts):
    broken = Fit("tests.experiment.toys:Broken", labels={"variant": "broken", "fold": 3})
    with pytest.raises(FitFailed, match="variant=broken, fold=3: KeyError: 'no such thing'"):
        fit_and_measure(parts, broken)
    found = fit_and_measure(parts, replace(broken, records_errors=("KeyError",)))
    assert found["failure"] == "KeyError: 'no such thing'"
    with pytest.raises(FitFailed):
        fit_and_measure(parts, replace(broken, records_errors=("ValueError",)))
    with pytest.raises(FitFailed, match="not finite"):
        fit_and_measure(parts, Fit("tests.experiment.toys:Bowl", {"x": np.nan}))


def test_a_slower_learning_rate_is_tried(parts):
    steep = Fit("tests.experiment.toys:Diverging", {"x": 0.9, "learning_rate": 1.0}, slower=2)
    found = fit_and_measure(parts, steep)
    assert found["note"] == "ran with a learning rate of 0.0625, as training diverged at 0.25"
    with pytest.raises(FitFailed, match="too large"):
        fit_and_measure(parts, replace(steep, slower=1))
