"""Hard-Impute against iterated dense decompositions and fancyimpute's IterativeSVD."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from scipy import sparse

from benchmarks.fancyimpute_models import ReferenceIterativeSVD
from lib.data.interactions import Interactions, RatingScale
from lib.data.splits import per_user_holdout
from lib.models.imputation.hard_impute import HardImpute, hard_impute_path, iterative_svd
from lib.models.imputation.soft_impute import SoftImpute
from lib.models.imputation.sparse_plus_low_rank import ObservedEntries
from tests.conftest import planted_interactions


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(2)
    mask = rng.random((40, 30)) < 0.4
    truth = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 30)) + 0.3 * rng.normal(size=(40, 30))
    return np.where(mask, truth, 0.0), mask


@pytest.fixture(scope="module")
def observed(problem):
    rows, columns = np.nonzero(problem[1])
    return ObservedEntries(sparse.csr_array((problem[0][problem[1]], (rows, columns)), shape=(40, 30)))


def oracle(values, mask, rank, iterations):
    """Hard-Impute as published, and the relative squared change of the unobserved entries at each iteration."""
    Z, changes = np.zeros_like(values), []
    for _ in range(iterations):
        U, s, V = np.linalg.svd(np.where(mask, values, Z), full_matrices=False)
        new = (U[:, :rank] * s[:rank]) @ V[:rank]
        size = (Z[~mask] ** 2).sum()
        changes.append(((new - Z)[~mask] ** 2).sum() / size if size else np.inf)
        Z = new
    return Z, np.array(changes)


@pytest.mark.parametrize("iterations", [1, 2, 30])
def test_takes_the_same_steps_as_whole_decompositions(observed, problem, iterations):
    U, s, V, history, _ = iterative_svd(observed, 3, tolerance=0, max_iterations=iterations)
    expected, _ = oracle(*problem, 3, iterations)
    np.testing.assert_allclose((U * s) @ V.T, expected, atol=2e-3)
    assert history[-1] == pytest.approx(0.5 * ((problem[0] - expected)[problem[1]] ** 2).sum(), rel=1e-4)


def test_stops_by_the_change_of_the_unobserved_entries(observed, problem):
    _, _, _, history, converged = iterative_svd(observed, 3, tolerance=1e-4, max_iterations=500)
    _, changes = oracle(*problem, 3, 200)
    assert converged
    assert len(history) == 1 + int(np.argmax(changes < 1e-4))


@pytest.mark.parametrize("gradual", [False, True])
def test_objective_never_rises(observed, gradual):
    history = iterative_svd(observed, 4, gradual=gradual, tolerance=0, max_iterations=60)[3]
    assert (np.diff(history) <= 1e-10 * history[0]).all()


def test_a_matrix_of_the_given_rank_is_found_again():
    rng = np.random.default_rng(7)
    truth = rng.normal(size=(50, 2)) @ rng.normal(size=(2, 40))
    rows, columns = np.nonzero(rng.random(truth.shape) < 0.5)
    seen = ObservedEntries(sparse.csr_array((truth[rows, columns], (rows, columns)), shape=truth.shape))
    U, s, V, _, _ = iterative_svd(seen, 2, tolerance=1e-14, max_iterations=2000)
    np.testing.assert_allclose((U * s) @ V.T, truth, atol=1e-4)


@pytest.mark.parametrize("gradual", [False, True])
def test_follows_fancyimpute_to_the_same_matrix(gradual):
    data = planted_interactions(n_users=40, n_items=30, density=0.5, seed=9)
    theirs = ReferenceIterativeSVD(rank=3, gradual=gradual, max_iterations=25).fit(data)
    ours = HardImpute(rank=3, gradual=gradual, max_iterations=25).fit(data)
    unrated = np.ones((40, 30), dtype=bool)
    unrated[data.users, data.items] = False
    users, items = np.nonzero(unrated)
    np.testing.assert_allclose(ours.predict(users, items), theirs.predict(users, items), atol=0.01)


def test_the_path_starts_each_rank_from_the_last(planted):
    path = list(hard_impute_path(planted, [3, 1, 2], max_iterations=300))
    assert [model.rank_ for model in path] == [1, 2, 3]
    for lower, higher in pairwise(path):
        assert higher.objective_history_[0] < lower.objective_
    cold = HardImpute(rank=2, max_iterations=300).fit(planted)
    assert path[1].objective_ == pytest.approx(cold.objective_, rel=1e-3), "two starts, one optimum here"


def test_on_ml_100k_it_reproduces_the_reference(ml_100k):
    """Figures of fancyimpute's IterativeSVD on project A's split, which takes ten seconds: see the notebook."""
    split = per_user_holdout(ml_100k.interactions)
    for gradual, reference in ((True, 0.9308), (False, 0.9242)):
        model = HardImpute(rank=3, gradual=gradual).fit(split.train)
        found = np.clip(model.predict(split.test.users, split.test.items), 1, 5)
        assert np.sqrt(np.mean((found - split.test.ratings) ** 2)) == pytest.approx(reference, abs=3e-4)


@pytest.mark.parametrize("model", [HardImpute(rank=2, max_iterations=5), SoftImpute(shrinkage=5.0)])
def test_the_dense_matrix_is_never_formed(model):
    """A dense matrix of this shape takes 8 GB in double precision."""
    rng = np.random.default_rng(0)
    n_users, n_items, n = 40_000, 25_000, 60_000
    cells = np.unique(rng.integers(0, n_users * n_items, n))
    ratings = rng.integers(1, 6, len(cells))
    data = Interactions(
        cells // n_items, cells % n_items, ratings, np.zeros(len(cells)), np.arange(n_users), np.arange(n_items),
        RatingScale(1, 5),
    )  # fmt: skip
    tracemalloc.start()
    try:
        model.fit(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 400e6


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rank": 0}, "rank must lie between 1 and"),
        ({"rank": 61}, "rank must lie between 1 and 60"),
        ({"max_iterations": 0}, "max_iterations"),
        ({"centre": "film"}, "centre must be one of"),
    ],
)
def test_bad_parameters_are_named(planted, wrong, message):
    with pytest.raises(ValueError, match=message):
        HardImpute(**wrong).fit(planted)
