"""Implicit ALS: the objective that is minimised and what is cold."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from threadpoolctl import threadpool_limits

from lib.models.lists.implicit_als import ImplicitALS
from lib.models.lists.item_weights import implicit_matrix
from tests.conftest import planted_interactions

SETTINGS = {"n_factors": 6, "l2": 1.5, "alpha": 3.0}


@pytest.fixture(scope="module")
def data():
    return planted_interactions(n_users=50, n_items=40, density=0.3, seed=1)


@pytest.fixture(scope="module")
def converged(data):
    return ImplicitALS(**SETTINGS, n_iterations=150).fit(data)


def written_out(items, history, l2, alpha):
    """Solve the normal equations of one user with dense matrices of all films, as the paper writes them."""
    confidence = np.diag(1.0 + alpha * history)
    return np.linalg.solve(items.T @ confidence @ items + l2 * np.eye(items.shape[1]), items.T @ confidence @ history)


def test_the_factors_solve_both_sides_normal_equations(data, converged):
    rated = implicit_matrix(data).toarray()
    users, items = (v.astype(float) for v in (converged.user_embeddings_, converged.item_embeddings_))
    for user in (0, 7, 31):
        np.testing.assert_allclose(users[user], written_out(items, rated[user], 1.5, 3.0), atol=2e-3)
    for item in (0, 11, 37):
        users[-1] = 0.0  # the cold user is filled in after training
        np.testing.assert_allclose(items[item], written_out(users, rated[:, item], 1.5, 3.0), atol=2e-3)


def test_our_alpha_is_one_less_than_that_of_the_library(data):
    from implicit.cpu.als import AlternatingLeastSquares

    ones = sparse.csr_matrix(implicit_matrix(data), dtype=np.float32)
    with threadpool_limits(1, user_api="blas"):
        peer = AlternatingLeastSquares(
            factors=6, regularization=1.5, alpha=4.0, iterations=5, num_threads=1, random_state=3
        )
        peer.fit(ones, show_progress=False)
    model = ImplicitALS(**SETTINGS, n_iterations=5, seed=3).fit(data)
    np.testing.assert_allclose(model.item_embeddings_, peer.item_factors, rtol=1e-5, atol=1e-6)


def test_cold_users_are_the_mean_user_and_unrated_films_score_zero(data, converged):
    known = np.arange(data.n_users - 1)  # the last user and the last two films have no ratings
    expected = converged.score(known).mean(axis=0)
    np.testing.assert_allclose(converged.score([-1, data.n_users - 1]), [expected, expected], atol=1e-5)
    assert (converged.score(known)[:, -2:] == 0).all()
    assert converged.predict([0], [-1]) == 0
    assert np.corrcoef(expected, data.item_counts)[0, 1] > 0.9, "the mean user likes what is popular"


def test_only_ratings_of_the_threshold_and_more_count(data):
    cut = ImplicitALS(**SETTINGS, threshold=3.5).fit(data)
    liked = ImplicitALS(**SETTINGS).fit(data.take(data.ratings >= 3.5))
    np.testing.assert_array_equal(cut.score(np.arange(50)), liked.score(np.arange(50)))


def test_the_library_says_nothing(data, capfd):
    with warnings.catch_warnings(), threadpool_limits(2, user_api="blas"):
        warnings.simplefilter("error")
        import implicit.utils

        implicit.utils._checked_blas_config = False
        ImplicitALS(**SETTINGS).fit(data)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_factors": 0}, "n_factors must be at least 1"),
        ({"n_iterations": 0}, "n_iterations must be at least 1"),
        ({"l2": 0.0}, "l2 must be positive"),
        ({"alpha": float("nan")}, "alpha must be positive"),
        ({"threshold": 9.0}, "no training rating reaches threshold=9.0"),
    ],
)
def test_bad_parameters_are_named(data, parameters, message):
    with pytest.raises(ValueError, match=message):
        ImplicitALS(**parameters).fit(data)


def test_vectors_that_are_not_finite_are_an_error(data):
    with pytest.raises(FloatingPointError, match=r"not finite at alpha=1e\+38"):
        ImplicitALS(alpha=1e38).fit(data)
