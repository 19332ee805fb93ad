"""Recipes for project E's training: what bounds a step does, momentum by hand, and how near to E's figures is counted."""

import numpy as np
import pytest

from lib.claims import load_claims
from lib.data.splits import random_holdout
from lib.experiment.key import code_digest
from lib.experiment.run import run_fits
from lib.models.fitting import fit_model
from lib.studies.full_batch import FullBatch, Objective
from lib.studies.full_batch_recipes import AS_READ, RECIPES, by_recipe, counts, errors, pull, reach, tightest
from lib.studies.full_batch_study import LABELS, training
from tests.conftest import planted_interactions

SVD = [{"model": "svd", "size": 3}]
SHARED = {"n_epochs": 1, "rate_factor": 1.0, "seed": 4}


@pytest.fixture(scope="module")
def split():
    return random_holdout(planted_interactions(n_users=30, n_items=18, density=0.5, seed=8), test_share=0.2)


@pytest.fixture(scope="module")
def objective(split):
    return Objective(FullBatch(kind="svd", n_factors=3), split.train)


def start(objective):
    return objective.start(np.random.default_rng(SHARED["seed"]))


def moved(objective, split, name, **shared):
    """How far each number goes from its start by a recipe."""
    (fit,) = by_recipe([name], SVD, **{**SHARED, **shared})
    model = fit_model(fit.model, split.train, validation=split.test, **fit.parameters, seed=fit.seed)
    before = start(objective)
    return {array: model.arrays_[array] - before[array] for array in before}


def length(arrays):
    return np.sqrt(sum((value**2).sum() for value in arrays.values()))


def largest(arrays):
    return max(np.abs(value).max() for value in arrays.values())


def test_clipping_bounds_the_numbers_or_the_length_of_a_step(objective, split, monkeypatch):
    rate, free = LABELS["svd"][3], moved(objective, split, AS_READ)
    assert largest(free) > 2 * rate and length(free) > largest(free)
    by_value = moved(objective, split, "each number of the gradient clipped at 1")
    assert largest(by_value) == pytest.approx(rate)
    assert all((np.sign(by_value[array]) == np.sign(step)).all() for array, step in free.items())
    name = "the gradient's length clipped at 1,000"
    monkeypatch.setitem(RECIPES, name, {**RECIPES[name], "clip_gradient": 1.0})  # these data are smaller
    by_length = moved(objective, split, name)
    assert length(by_length) == pytest.approx(rate)
    for array, step in free.items():  # in the direction that it had, only shorter
        np.testing.assert_allclose(by_length[array] * length(free) / rate, step, atol=1e-9)


def test_adam_moves_every_number_by_its_rate_first(objective, split):
    rate, rated = LABELS["svd"][3], split.train.item_counts > 0
    for name, factor in (("Adam", 1), ("Adam at ten times E's rates", 10)):
        steps = moved(objective, split, name)
        np.testing.assert_allclose(np.abs(steps["item_bias"][rated]), factor * rate, rtol=1e-3)


def test_the_first_step_of_averaged_errors_is_the_summed_one_divided_by_the_ratings(objective, split):
    one, other = (moved(objective, split, name) for name in (AS_READ, "errors averaged instead of summed"))
    for array, step in one.items():  # but for the penalty, which is not divided
        np.testing.assert_allclose(other[array], step / len(split.train), atol=LABELS["svd"][3] * 0.01)


def test_momentum_adds_nine_tenths_of_the_step_before(objective, split, monkeypatch):
    rate, parameters = LABELS["svd"][3], start(objective)
    velocity = {name: np.zeros_like(value) for name, value in parameters.items()}
    for _ in range(3):
        _, gradients = objective.gradients(parameters)
        for name, gradient in gradients.items():
            velocity[name] = 0.9 * velocity[name] + gradient
            parameters[name] = parameters[name] - rate * velocity[name]
    found, before = moved(objective, split, "momentum", n_epochs=3), start(objective)
    for name, value in parameters.items():
        np.testing.assert_allclose(found[name], value - before[name], rtol=1e-9, atol=1e-14)
    # Of the clipped gradient: three steps of 1, 1.9 and 2.71 times what one step may be.
    monkeypatch.setitem(RECIPES, "momentum", {**RECIPES["momentum"], "clip_gradient": 1.0})
    assert largest(moved(objective, split, "momentum", n_epochs=3)) == pytest.approx(rate * (1 + 1.9 + 2.71))


def test_a_training_with_momentum_starts_at_rest_each_time(split):
    (fit,) = by_recipe(["momentum"], SVD, **{**SHARED, "n_epochs": 3})
    first, again = (run_fits([fit], {"train": split.train, "test": split.test}, here=True)[0] for _ in range(2))
    np.testing.assert_array_equal(first["test_curve"], again["test_curve"])
    model = fit_model(fit.model, split.train, validation=split.test, **fit.parameters, seed=fit.seed)
    np.testing.assert_array_equal(model.fit(split.train, validation=split.test).validation_rmse_, first["test_curve"])


def test_as_e_s_slides_have_it_is_the_training_of_the_other_tables():
    rows = [*SVD, {"model": "nsvd", "size": 50}]
    plain = [training(**row, changes={}, **SHARED) for row in rows]
    found = by_recipe([AS_READ], rows, **SHARED)
    assert [(f.model, f.parameters, f.keep) for f in found] == [(f.model, f.parameters, f.keep) for f in plain]
    others = by_recipe([name for name in RECIPES if name != AS_READ], rows, **SHARED)
    assert all(fit.parameters != of.parameters or fit.model != of.model for fit in others for of in plain)
    assert code_digest(found[0].roots()) == code_digest(plain[0].roots())


def test_counts_of_what_is_near():
    reported = {"Baseline/test_rmse": 1.0, "SVD dim 10/test_rmse": 2.0, "SVD dim 50/test_rmse": 4.0}
    rows = [
        ("one", "baseline", 0, 1.019, 0),
        ("one", "svd", 10, 2.14, 0),
        ("one", "svd", 50, 4.4, 0),
        ("other", "baseline", 0, 1.0, 1),
        ("other", "svd", 10, 1.98, 0),
        ("other", "svd", 10, 1.98, 0),
        ("third", "baseline", 0, 50.0, 0),
    ]
    names = ["recipe", "model", "size", "test_rmse", "diverged"]
    table = errors([{**dict(zip(names, row, strict=True)), "start": 3.0} for row in rows], reported)
    assert table["off"].tolist() == pytest.approx([0.019, 0.07, 0.1, np.inf, 0.01, 49.0])
    found = counts(table)
    assert found.loc["one"].to_dict() == {"figures": 3, "within_2": 1, "within_8": 2, "diverged": 0}
    assert found.loc["other"].to_dict() == {"figures": 2, "within_2": 1, "within_8": 1, "diverged": 1}
    assert found.loc["third"].to_dict() == {"figures": 1, "within_2": 0, "within_8": 0, "diverged": 0}
    assert counts(errors([], reported)).empty


def test_what_bounds_a_step_bounds_the_training(objective, split):
    """No number goes further than `reach` says, which is at the smallest of E's rates."""
    told = {"n_epochs": 30, "rate_factor": 1.0}
    smallest = LABELS["svd"][3] / min(rate for *_, rate in LABELS.values())
    for name in ("each number of the gradient clipped at 10", "the gradient's length clipped at 1,000"):
        gone = largest(moved(objective, split, name, n_epochs=30))
        assert 0 < gone <= reach(name, **told) * smallest * (1 + 1e-9), name
    assert reach("Adam at ten times E's rates", **told) == pytest.approx(10 * reach("Adam", **told))
    assert np.isinf(reach(AS_READ, **told)) and np.isinf(reach("momentum", **told))


def test_on_e_s_data_the_tightest_recipe_that_lets_every_number_leave_the_start():
    told = {"n_epochs": 500, "rate_factor": 1.0}  # E's
    name = tightest(**told)
    assert name == "each number of the gradient clipped at 10,000" and reach(name, **told) == pytest.approx(2.5)
    assert reach("each number of the gradient clipped at 1,000", **told) == pytest.approx(0.25)


def test_the_penalty_moves_no_array_by_more_than_its_pull(objective, split):
    told = {"n_epochs": 20, "rate_factor": 1.0}
    parameters = start(objective)
    none = Objective(FullBatch(kind="svd", n_factors=3, regulariser="none"), split.train).gradients(parameters)[1]
    with_it = objective.gradients(parameters)[1]
    for name in parameters:
        assert np.linalg.norm(with_it[name] - none[name]) == pytest.approx(objective.weight)
    assert told["n_epochs"] * LABELS["svd"][3] * objective.weight <= pull(**told)
    assert pull(n_epochs=500, rate_factor=1.0) == pytest.approx(0.002)


def test_every_recipe_has_figures_of_e_to_be_held_against(split):
    reported = {name: one.reported for name, one in load_claims()["E-ml1m"].figures.items()}
    rows = [{"model": "baseline", "size": 0}, {"model": "svd", "size": 10}]
    fits = by_recipe(RECIPES, rows, **{**SHARED, "n_epochs": 2})
    found = counts(errors(run_fits(fits, {"train": split.train, "test": split.test}, here=True), reported))
    assert found.index.tolist() == list(RECIPES) and (found["figures"] == 2).all()
