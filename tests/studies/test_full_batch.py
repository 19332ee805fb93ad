"""Full-batch training: dense formulas as project E wrote them, finite differences, each choice by itself, the study."""

import numpy as np
import pytest

from lib.claims import load_claims
from lib.data.splits import random_holdout
from lib.experiment.run import run_fits
from lib.metrics import rmse
from lib.models.base import NotFitted
from lib.models.baselines.bias import Bias
from lib.models.fitting import answers, fit_model
from lib.studies.full_batch import FACTORS, NEIGHBOURS, FullBatch, Objective, Pairs
from lib.studies.full_batch_study import (
    LABELS,
    figure_name,
    one_at_a_time,
    rating_by_rating,
    rows_of_e,
    training,
)
from tests.conftest import planted_interactions

E = {"n_factors": 3, "n_neighbours": 4, "weight": 0.7, "initial_scale": 0.5}
VARIANTS = {
    **{name: {"kind": name} for name in FACTORS},
    "squared": {"kind": "svdpp", "regulariser": "squared"},
    "none": {"kind": "svd", "regulariser": "none"},
    "left_out": {"kind": "neighbourhood", "missing": "left_out"},
    "correlation_left_out": {"kind": "correlation", "missing": "left_out", "divide": True},
    "correlation_divided": {"kind": "correlation", "divide": True},
    "residual_weights": {"kind": "asymmetric_svd", "residual_weights": True},
    "fitted_baseline": {"kind": "asymmetric_svd", "residual_weights": True, "fitted_baseline": True},
    "fitted_neighbourhood": {"kind": "neighbourhood", "fitted_baseline": True},
}


@pytest.fixture(scope="module")
def split():
    return random_holdout(planted_interactions(n_users=30, n_items=18, density=0.5, seed=8), test_share=0.2)


@pytest.fixture(params=VARIANTS)
def objective(request, split):
    return Objective(FullBatch(**{**E, **VARIANTS[request.param]}), split.train)


def dense_predictions(objective, p, train):
    """Predict the whole matrix with the matrix products of project E's code."""
    form, n_users, n_items = objective.form, train.n_users, train.n_items
    matrix = np.full((n_users, n_items), -1.0)
    matrix[train.users, train.items] = train.ratings
    mask = (matrix != -1).astype(float)
    root = np.sqrt(np.maximum(mask.sum(axis=1, keepdims=True), 1))
    if form.fitted_baseline:
        bias = Bias().fit(train)
        base = bias.mean_ + bias.user_bias_[:, None] + bias.item_bias_
    else:
        base = train.ratings.mean(dtype=np.float64) + p["user_bias"][:, None] + p["item_bias"]
    found = base.copy()
    vectors = np.zeros((n_users, form.n_factors))
    if "user_factors" in p:
        vectors += p["user_factors"]
    if "implicit_factors" in p:
        vectors += mask / root @ p["implicit_factors"]
    if "rated_factors" in p:
        weights = mask * (matrix - base) if form.residual_weights else mask
        vectors += weights @ p["rated_factors"] / root
    if "item_factors" in p:
        found += vectors @ p["item_factors"].T
    if form.kind in NEIGHBOURS:
        residual = matrix - base
        weights = objective.similarities if form.kind == "correlation" else p["neighbour_weights"]
        for i in range(n_items):
            for u in range(n_users):
                chosen = [t for t, j in enumerate(objective.neighbours[i]) if j >= 0]
                if form.missing == "left_out":
                    chosen = [t for t in chosen if mask[u, objective.neighbours[i, t]]]
                if not chosen:
                    continue
                total = weights[i, chosen] @ residual[u, objective.neighbours[i, chosen]]
                if form.kind == "correlation":
                    found[u, i] += total / (np.abs(weights[i, chosen]).sum() if form.divide else 1)
                else:
                    found[u, i] += (total + p["neighbour_offsets"][i, chosen].sum()) / np.sqrt(len(chosen))
    return found


def loss(objective, parameters):
    """Project E's loss: squared errors summed, and the penalty."""
    errors = objective.predict(parameters, objective.pairs) - objective.pairs.ratings
    lengths = [np.sqrt((value**2).sum()) for value in parameters.values()]
    penalties = {"norm": sum(lengths), "squared": sum(x**2 for x in lengths), "none": 0}
    return errors @ errors + 0.7 * penalties[objective.form.regulariser]


def test_predictions_are_those_of_the_dense_matrices(objective, split):
    parameters = objective.start(np.random.default_rng(1))
    dense = dense_predictions(objective, parameters, split.train)
    for data in (split.train, split.test):
        pairs = Pairs(data)
        found = objective.predict(parameters, pairs)
        np.testing.assert_allclose(found, dense[pairs.users, pairs.items], atol=1e-10)


def test_gradients_against_finite_differences(objective):
    rng = np.random.default_rng(2)
    parameters = objective.start(rng)
    predictions, gradients = objective.gradients(parameters)
    np.testing.assert_array_equal(predictions, objective.predict(parameters, objective.pairs))
    assert set(gradients) == set(parameters)
    step = 1e-5
    for name, value in parameters.items():
        for place in rng.choice(value.size, min(12, value.size), replace=False):
            kept = value.flat[place]
            losses = []
            for sign in (1, -1):
                value.flat[place] = kept + sign * step
                losses.append(loss(objective, parameters))
            value.flat[place] = kept
            slope = (losses[0] - losses[1]) / (2 * step)
            assert gradients[name].flat[place] == pytest.approx(slope, rel=1e-5, abs=1e-5), name


def trained(split, **changes):
    return fit_model(FullBatch, split.train, validation=split.test, **changes)


@pytest.mark.parametrize("model", FACTORS)
def test_small_steps_lower_the_training_error(model, split):
    found = trained(split, kind=model, n_factors=3, n_neighbours=4, n_epochs=40, learning_rate=1e-5)
    assert not found.diverged_ and len(found.train_rmse_) == len(found.validation_rmse_) == 41
    assert (np.diff(found.train_rmse_) < 0).all()
    assert found.n_parameters_ == sum(array.size for array in found.arrays_.values()) > 0


def test_the_first_epoch_by_hand(split):
    """One step of the baseline from zero."""
    found = trained(split, kind="baseline", n_epochs=1, learning_rate=0.01, initial_scale=0.0)
    train = split.train
    centred = train.ratings.astype(float) - train.ratings.mean(dtype=float)
    wanted = np.zeros(train.n_users)
    np.add.at(wanted, train.users, 0.02 * centred)
    np.testing.assert_allclose(found.arrays_["user_bias"], wanted, atol=1e-12)
    assert found.train_rmse_[0] == pytest.approx(centred.std())


def test_a_rate_beyond_the_curvature_diverges_and_says_so(split):
    rate = 3.0 / split.train.item_counts.max()
    found = trained(split, kind="baseline", learning_rate=rate, n_epochs=2000, seed=3)
    assert found.diverged_ and 2 < len(found.train_rmse_) < 2001
    assert np.isfinite(found.train_rmse_).all() and np.isfinite(found.validation_rmse_).all()
    assert all(np.isfinite(value).all() for value in found.arrays_.values())
    assert found.train_rmse_[-1] > 1e6 * found.train_rmse_[0]


def test_adam_moves_every_number_by_its_rate_first(split):
    start = Objective(FullBatch(kind="nsvd", n_factors=3), split.train).start(np.random.default_rng(0))
    found = trained(split, kind="nsvd", n_factors=3, optimiser="adam", learning_rate=0.01, n_epochs=1)
    rated = split.train.item_counts > 0
    step = np.abs(found.arrays_["item_factors"] - start["item_factors"])[rated]
    np.testing.assert_allclose(step, 0.01, rtol=1e-3)


def test_starts_and_their_scale(split):
    def draw(**changes):
        form = FullBatch(kind="integrated", n_factors=50, **changes)
        return Objective(form, split.train).start(np.random.default_rng(0))

    reported = draw()
    for name in ("user_factors", "implicit_factors", "neighbour_weights", "neighbour_offsets"):
        assert reported[name].min() >= 0 and reported[name].max() <= 1, name
    assert reported["item_factors"].std() == pytest.approx(1, abs=0.1)
    assert reported["item_factors"].min() < -1
    np.testing.assert_array_equal(draw(initial_scale=0.1)["user_bias"], 0.1 * reported["user_bias"])


def test_clipping_touches_only_the_measured_error(split):
    shared = {"kind": "svd", "n_factors": 8, "n_epochs": 5}
    free = trained(split, **shared)
    clipped = trained(split, **shared, clip=True)
    assert (clipped.validation_rmse_ < free.validation_rmse_).all()
    np.testing.assert_array_equal(clipped.arrays_["user_factors"], free.arrays_["user_factors"])


def test_the_same_seed_gives_the_same_bits_and_another_does_not(split):
    runs = [trained(split, kind="integrated", learning_rate=5e-7, n_epochs=3, seed=s) for s in (1, 1, 2)]
    np.testing.assert_array_equal(runs[0].validation_rmse_, runs[1].validation_rmse_)
    assert not np.array_equal(runs[0].validation_rmse_, runs[2].validation_rmse_)


def test_what_cannot_be_is_named(split):
    with pytest.raises(ValueError, match="id maps"):
        fit_model(FullBatch, split.train, validation=planted_interactions(n_users=5, n_items=5, seed=0))
    with pytest.raises(NotFitted):
        _ = FullBatch().n_parameters_
    with pytest.raises(NotImplementedError):
        FullBatch().predict([0], [0])
    assert set(LABELS) == set(FACTORS)


# -- the study -----------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def parts(split):
    return {"train": split.train, "test": split.test}


def test_rows_have_the_names_that_the_claims_have():
    names = {figure_name(**row) for row in rows_of_e((10, 50, 100))}
    reported = {name for name in load_claims()["E-ml1m"].figures if name.endswith("test_rmse")}
    assert names == reported


def test_without_a_change_it_is_e_s_training(split, parts):
    one = training("svd", 3, {}, n_epochs=6, rate_factor=10.0, seed=2)
    (found,) = run_fits([one], parts, here=True)
    expected = trained(split, kind="svd", n_factors=3, learning_rate=LABELS["svd"][3] * 10.0, n_epochs=6, seed=2)
    np.testing.assert_array_equal(found["test_curve"], expected.validation_rmse_)
    assert found["train_rmse"] == expected.train_rmse_[-1] and found["start"] == expected.validation_rmse_[0]
    assert found["test_rmse"] == expected.validation_rmse_[-1] and found["lowest"] == expected.validation_rmse_.min()
    assert (found["model"], found["size"], found["diverged"]) == ("svd", 3, 0)


@pytest.mark.parametrize("model", LABELS)
def test_every_change_changes_something(model, parts):
    size, changes = 3 if LABELS[model][2] else 0, one_at_a_time(model)
    fits = [training(model, size, c, n_epochs=3, rate_factor=1.0, seed=0) for c in changes.values()]
    curves = dict(zip(changes, (found["test_curve"] for found in run_fits(fits, parts, here=True)), strict=True))
    plain = curves.pop("as E ran it")
    assert [name for name, curve in curves.items() if np.array_equal(curve, plain)] == []


def test_a_training_that_ends_above_its_start_has_diverged(split, parts):
    rate = 3.0 / split.train.item_counts.max()
    one = training("baseline", 0, {"learning_rate": rate}, n_epochs=20, rate_factor=1.0, seed=3)
    (found,) = run_fits([one], parts, here=True)
    assert len(found["test_curve"]) == 21 and found["diverged"] == 1


def test_one_step_a_rating_from_a_wide_start(split, parts):
    calm, wild = (rating_by_rating("svdpp", n_factors=3, initial_scale=s, seed=0) for s in (0.1, 1e6))
    found, failed = run_fits([calm, wild], parts, here=True)
    model = fit_model("svdpp", split.train, n_factors=3, initial_scale=0.1, seed=0)
    for name, data in parts.items():
        assert found[f"{name}_rmse"] == rmse(data.ratings, answers(model, data))
    assert "FloatingPointError" in failed["failure"] and "test_rmse" not in failed


def test_gradients_are_clipped_by_value_or_by_length(split):
    gradients = {"a": np.array([3.0, -0.5]), "b": np.array([[4.0]])}
    FullBatch(clip_gradient=1.0)._clip(gradients)
    np.testing.assert_array_equal(gradients["a"], [1.0, -0.5])
    gradients = {"a": np.array([3.0, 0.0]), "b": np.array([[4.0]])}
    FullBatch(clip_gradient=1.0, clip_by="norm")._clip(gradients)
    np.testing.assert_allclose([*gradients["a"], gradients["b"][0, 0]], [0.6, 0.0, 0.8])
    short = {"a": np.array([0.3])}
    FullBatch(clip_gradient=1.0, clip_by="norm")._clip(short)
    assert short["a"][0] == 0.3
    untouched = {"a": np.array([30.0])}
    FullBatch()._clip(untouched)
    assert untouched["a"][0] == 30.0
    told = {**E, "kind": "svd"}
    summed, averaged = (Objective(FullBatch(**told, averaged=of), split.train) for of in (False, True))
    start = summed.start(np.random.default_rng(0))
    none = {name: summed._penalty_slope(value) for name, value in start.items()}
    one, other = (objective.gradients(start)[1] for objective in (summed, averaged))
    for name in start:
        np.testing.assert_allclose((one[name] - none[name]) / len(split.train), other[name] - none[name], atol=1e-12)
