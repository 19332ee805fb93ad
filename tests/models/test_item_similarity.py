"""Similarities of films: a written-out double loop, pandas' and scipy's correlation, and lists cut from the matrix."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lib.data.interactions import Interactions
from lib.models.baselines.bias import Bias
from lib.models.latent import item_similarity
from lib.models.latent.item_similarity import MOST_ITEMS, neighbour_lists, similarity_matrix
from tests.conftest import planted_interactions


@pytest.fixture(scope="module")
def data():
    return planted_interactions(n_users=40, n_items=25, density=0.3, seed=5)


def table_of(data, ratings=None):
    table = np.full((data.n_users, data.n_items), np.nan)
    table[data.users, data.items] = data.ratings if ratings is None else ratings
    return table


def written_out(data, shrinkage, common_mean=False):
    """The formula pair by pair."""
    ratings = data.ratings.astype(float)
    if not common_mean:
        ratings = ratings - Bias().fit(data).predict(data.users, data.items)
    x = table_of(data, ratings)
    found = np.zeros((data.n_items, data.n_items))
    for i in range(data.n_items):
        for j in range(data.n_items):
            common = ~np.isnan(x[:, i]) & ~np.isnan(x[:, j])
            n = common.sum()
            if i == j or n == 0:
                continue
            a, b = x[common, i], x[common, j]
            if common_mean:
                a, b = a - a.mean(), b - b.mean()
            length = np.sqrt((a**2).sum() * (b**2).sum())
            if length > 1e-9:
                found[i, j] = n / (n + shrinkage) * (a * b).sum() / length
    return found


def about_common_means(data, shrinkage):
    """The lists of all films as a matrix."""
    indptr, indices, similarities = neighbour_lists(data, k=99, shrinkage=shrinkage, common_mean=True)
    found = np.zeros((data.n_items, data.n_items))
    found[np.repeat(np.arange(data.n_items), np.diff(indptr)), indices] = similarities
    return found


@pytest.mark.parametrize("shrinkage", [0.0, 100.0])
def test_the_matrix_against_a_double_loop(data, shrinkage):
    found = similarity_matrix(data, shrinkage=shrinkage)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, written_out(data, shrinkage), atol=1e-6)
    of_lists = about_common_means(data, shrinkage)
    np.testing.assert_allclose(of_lists, written_out(data, shrinkage, common_mean=True), atol=1e-6)
    np.testing.assert_array_equal(found, found.T)
    assert not np.diag(found).any()


def test_about_common_means_it_is_the_correlation_of_pandas_and_scipy(data):
    found = about_common_means(data, 0.0)
    table = pd.DataFrame(table_of(data))
    wanted = table.corr(min_periods=3).to_numpy()
    several = ~np.isnan(wanted) & ~np.eye(data.n_items, dtype=bool)
    assert several.sum() > 300
    np.testing.assert_allclose(found[several], wanted[several], atol=1e-6)
    both = table[[2, 7]].dropna()
    assert found[2, 7] == pytest.approx(stats.pearsonr(both[2], both[7]).statistic, abs=1e-6)


@pytest.mark.parametrize("k", [1, 4, 24, 99])
def test_lists_are_the_matrix_rows_in_order(data, k, monkeypatch):
    monkeypatch.setattr(item_similarity, "BLOCK_ROWS", 7)
    whole = similarity_matrix(data)
    rated = ~np.isnan(table_of(data))
    common = rated.T.astype(int) @ rated
    indptr, indices, similarities = neighbour_lists(data, k=k)
    assert (indptr.dtype, indices.dtype, similarities.dtype) == (np.int64, np.int32, np.float32)
    assert len(indptr) == data.n_items + 1 and indptr[-1] == len(indices) == len(similarities)
    for i in range(data.n_items):
        able = [j for j in range(data.n_items) if j != i and common[i, j] > 0]
        wanted = sorted(able, key=lambda j: (-whole[i, j], j))[:k]
        assert indices[indptr[i] : indptr[i + 1]].tolist() == wanted
        np.testing.assert_array_equal(similarities[indptr[i] : indptr[i + 1]], whole[i, wanted])
    assert indptr[-1] == indptr[-2], "a film that nobody rated has no neighbours"


def test_equal_similarities_go_to_the_lower_code():
    """Films 1 to 4 are the same to film 0, and film 5 is its opposite."""
    likes = np.array([1.0, 2.0, 4.0, 5.0])
    columns = [likes, likes, likes, likes, likes, 6 - likes]
    order = [3, 0, 5, 2, 4, 1]  # rows need not be sorted
    frame = pd.DataFrame(
        [(u, i, columns[i][u]) for i in order for u in (2, 0, 3, 1)], columns=["user", "item", "rating"]
    )
    data = Interactions.from_frame(frame, scale=(1, 5))
    indptr, indices, similarities = neighbour_lists(data, k=3, shrinkage=4.0, common_mean=True)
    assert indices[:3].tolist() == [1, 2, 3]
    np.testing.assert_allclose(similarities[:3], 0.5)
    assert indices[indptr[5] :].tolist() == [0, 1, 2]
    np.testing.assert_allclose(similarities[indptr[5] :], -0.5)


def test_one_common_rater_and_flat_films_correlate_with_nothing_about_common_means():
    frame = pd.DataFrame(
        [(0, 0, 4), (1, 0, 2), (0, 1, 5), (2, 2, 3), (3, 2, 3), (2, 3, 1), (3, 3, 5)],
        columns=["user", "item", "rating"],
    )
    data = Interactions.from_frame(frame, scale=(1, 5))
    indptr, indices, similarities = neighbour_lists(data, k=5, common_mean=True)
    assert not similarities.any()
    assert indices.tolist() == [1, 0, 3, 2] and indptr.tolist() == [0, 1, 2, 3, 4]


def test_the_ratings_stay_untouched_and_wrong_parameters_are_named(data):
    before = data.ratings.copy()
    neighbour_lists(data, k=2)
    np.testing.assert_array_equal(data.ratings, before)
    with pytest.raises(ValueError, match="k must be at least 1"):
        neighbour_lists(data, k=0)
    with pytest.raises(ValueError, match="shrinkage"):
        neighbour_lists(data, k=2, shrinkage=-1.0)


def test_a_full_matrix_of_too_many_films_is_an_error_that_names_the_way_out(data):
    ids = np.arange(MOST_ITEMS + 1)
    wide = Interactions(data.users, data.items, data.ratings, data.timestamps, data.user_ids, ids, data.scale)
    with pytest.raises(ValueError, match="neighbour_lists"):
        similarity_matrix(wide)
