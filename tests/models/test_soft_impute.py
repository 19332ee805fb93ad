"""Soft-Impute against a dense written-out oracle, fancyimpute, and the conditions that define the solution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from benchmarks.fancyimpute_models import ReferenceSoftImpute
from lib.data.splits import per_user_holdout
from lib.models.imputation.nuclear_norm import solve
from lib.models.imputation.soft_impute import SoftImpute, soft_impute_path
from lib.models.imputation.sparse_plus_low_rank import ObservedEntries
from tests.conftest import planted_interactions

SHAPE = (40, 30)
TIGHT = {"tolerance": 1e-8, "max_iterations": 5000}


@pytest.fixture(scope="module")
def problem():
    """A small incomplete matrix with an empty row and an empty column; values, mask."""
    rng = np.random.default_rng(11)
    mask = rng.random(SHAPE) < 0.35
    mask[3], mask[:, 5] = False, False
    truth = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 30)) + 0.5 * rng.normal(size=SHAPE)
    return np.where(mask, truth, 0.0), mask


@pytest.fixture(scope="module")
def observed(problem):
    rows, columns = np.argwhere(problem[1]).T.astype(np.int32)  # as in the matrix of ratings
    return ObservedEntries(sparse.csr_array((problem[0][problem[1]], (rows, columns)), shape=SHAPE))


def objective(values, mask, Z, shrinkage):
    return 0.5 * ((values - Z)[mask] ** 2).sum() + shrinkage * np.linalg.norm(Z, "nuc")


def oracle(values, mask, shrinkage, iterations=4000):
    """Soft-Impute as published: fill with the last fit, decompose whole, lower every singular value."""
    Z = np.zeros_like(values)
    for _ in range(iterations):
        before = Z
        U, s, V = np.linalg.svd(np.where(mask, values, Z), full_matrices=False)
        Z = (U * np.maximum(s - shrinkage, 0)) @ V
        if np.abs(Z - before).max() < 1e-12:
            break
    return Z


def dense(found):
    return (found.U * found.s) @ found.V.T


@pytest.mark.parametrize("shrinkage", [0.3, 2.0, 6.0])
def test_agrees_with_the_dense_algorithm(observed, problem, shrinkage):
    found = solve(observed, shrinkage, **TIGHT)
    expected = oracle(*problem, shrinkage)
    assert found.objective == pytest.approx(objective(*problem, expected, shrinkage), rel=1e-7)
    np.testing.assert_allclose(dense(found), expected, atol=2e-3)


@pytest.mark.parametrize("shrinkage", [0.3, 2.0, 6.0])
def test_optimality_conditions(observed, problem, shrinkage):
    """At the solution the residual pulls with the penalty along U and V, and with no more anywhere."""
    values, mask = problem
    found = solve(observed, shrinkage, **TIGHT)
    residual = np.where(mask, values - dense(found), 0.0)
    assert 0 < len(found.s) < 30
    assert np.linalg.norm(residual, 2) <= shrinkage * (1 + 1e-4)
    np.testing.assert_allclose(found.U.T @ residual @ found.V, shrinkage * np.eye(len(found.s)), atol=5e-3)
    np.testing.assert_allclose(found.U.T @ found.U, np.eye(len(found.s)), atol=1e-10)


def test_reported_objective_and_gap_are_true(observed, problem):
    loose = solve(observed, 1.0, tolerance=0.05)
    assert loose.converged
    assert loose.objective == pytest.approx(objective(*problem, dense(loose), 1.0), rel=1e-10)
    best = solve(observed, 1.0, **TIGHT).objective
    assert loose.objective * (1 - loose.duality_gap) <= best <= loose.objective


def test_the_gap_bounds_the_distance_to_the_optimum_even_when_cut_short(observed):
    best = solve(observed, 1.0, **TIGHT).objective
    for iterations in (1, 4, 9):
        short = solve(observed, 1.0, max_iterations=iterations)
        assert len(short.history) == iterations
        assert not short.converged
        assert short.objective * (1 - short.duality_gap) <= best < short.objective


@pytest.mark.parametrize("shrinkage", [0.3, 2.0])
def test_objective_never_rises(observed, shrinkage):
    history = np.array(solve(observed, shrinkage, **TIGHT).history)
    assert (np.diff(history) <= 1e-9 * history[0]).all()


def test_from_the_spectral_norm_up_the_solution_is_zero(observed, problem):
    norm = np.linalg.norm(problem[0], 2)
    assert len(solve(observed, 1.0001 * norm).s) == 0
    assert len(solve(observed, 0.95 * norm).s) == 1


def test_a_tolerance_beyond_rounding_ends_all_the_same(observed, problem):
    norm = np.linalg.norm(problem[0], 2)
    for shrinkage in (1.0, norm * (1 - 1e-9), norm * (1 + 1e-12)):
        found = solve(observed, shrinkage, tolerance=1e-30, max_iterations=300)
        assert len(found.history) <= 300
        assert np.isfinite(found.objective)


def test_empty_rows_and_columns_stay_zero(observed):
    found = solve(observed, 1.0)
    np.testing.assert_allclose(found.U[3], 0, atol=1e-14)
    np.testing.assert_allclose(found.V[5], 0, atol=1e-14)


def test_the_path_ends_where_a_cold_start_does(planted):
    shrinkages = [8.0, 1.0, 3.0]
    path = list(soft_impute_path(planted, shrinkages, tolerance=1e-6))
    assert [model.shrinkage for model in path] == [8.0, 3.0, 1.0]
    for model in path:
        cold = SoftImpute(shrinkage=model.shrinkage, tolerance=1e-6).fit(planted)
        assert model.objective_ == pytest.approx(cold.objective_, rel=1e-6)
        np.testing.assert_allclose(model.score([0, 5]), cold.score([0, 5]), atol=0.01)
    assert path[2].rank_ >= path[1].rank_ >= path[0].rank_


@pytest.mark.parametrize("centre", ["user", "none"])
def test_agrees_with_fancyimpute_run_to_convergence(centre):
    data = planted_interactions(n_users=30, n_items=25, density=0.4, rank=2, seed=8)
    theirs = ReferenceSoftImpute(shrinkage=2.0, centre=centre, tolerance=1e-9, max_iterations=5000).fit(data)
    ours = SoftImpute(shrinkage=2.0, centre=centre).fit(data)
    assert ours.objective_ == pytest.approx(theirs.objective_, rel=1e-4)
    close = SoftImpute(shrinkage=2.0, centre=centre, tolerance=1e-7, max_iterations=5000).fit(data)
    users, items = np.repeat(np.arange(30), 25), np.tile(np.arange(25), 30)
    np.testing.assert_allclose(close.predict(users, items), theirs.predict(users, items), atol=2e-3)


def test_on_ml_100k_the_objective_is_certified(ml_100k):
    """fancyimpute takes minutes here; the gap proves as much, and the notebook measures the difference."""
    train = per_user_holdout(ml_100k.interactions).train
    model = SoftImpute(shrinkage=20.0, tolerance=1e-4).fit(train)
    assert model.converged_
    assert model.duality_gap_ <= 1e-4
    residual = train.ratings - model.predict(train.users, train.items)
    error = np.zeros((train.n_users, train.n_items))
    error[train.users, train.items] = residual
    assert np.linalg.norm(error, 2) <= 20.0 * (1 + 1e-3)
    expected = 0.5 * (residual**2).sum() + 20.0 * model.singular_values_.sum()
    assert model.objective_ == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("centre", ["none", "global", "user", "bias"])
def test_cold_users_and_items_get_the_baseline(planted, centre):
    model = SoftImpute(shrinkage=2.0, centre=centre).fit(planted)
    mean = planted.ratings.astype(float).mean()
    cold_user, cold_item = planted.n_users - 1, planted.n_items - 1
    assert model.predict([cold_user, -1], [cold_item, -1]) == pytest.approx([mean, mean])
    user_mean = planted.ratings[planted.users == 0].astype(float).mean()
    expected = {"none": mean, "global": mean, "user": user_mean}
    if centre in expected:
        assert model.predict([0], [cold_item])[0] == pytest.approx(expected[centre])
    assert model.score([0])[0, cold_item] == pytest.approx(model.predict([0], [cold_item])[0])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"shrinkage": 0.0}, "shrinkage must be above zero"),
        ({"shrinkage": -1.0}, "shrinkage must be above zero"),
        ({"tolerance": 0.0}, "tolerance"),
        ({"centre": "film"}, "centre must be one of"),
    ],
)
def test_bad_parameters_are_named(planted, wrong, message):
    with pytest.raises(ValueError, match=message):
        SoftImpute(**wrong).fit(planted)
