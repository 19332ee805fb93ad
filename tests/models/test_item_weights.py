"""EASE and item-kNN: written-out oracles, and lists that follow a planted crowd."""

import numpy as np
import pytest
from scipy import sparse

from lib.data.splits import per_user_holdout
from lib.metrics import evaluate_ranking, recommend
from lib.models.baselines.orders import MostPopular
from lib.models.lists.ease import EASE, FrequentEASE
from lib.models.lists.implicit_als import ConfidenceALS, ImplicitALS
from lib.models.lists.item_knn import ItemKNN, TfIdfKNN
from lib.models.lists.item_weights import implicit_matrix
from tests.conftest import planted_interactions


@pytest.fixture(scope="module")
def data():
    return planted_interactions(n_users=40, n_items=15, seed=2)


def test_the_implicit_matrix_keeps_ratings_from_the_threshold_on(data):
    whole, liked = implicit_matrix(data), implicit_matrix(data, 4.0)
    assert whole.nnz == len(data) and liked.nnz == int((data.ratings >= 4).sum())
    assert set(liked.data.tolist()) == {1.0}


def test_ease_minimises_its_objective_column_by_column(data):
    """Each column is a ridge regression on the other films, which is solved here by itself."""
    model, x = EASE(l2=7.0).fit(data), implicit_matrix(data).toarray()
    for film in range(data.n_items):
        others = [j for j in range(data.n_items) if j != film]
        left = x[:, others].T @ x[:, others] + 7.0 * np.eye(len(others))
        wanted = np.linalg.solve(left, x[:, others].T @ x[:, film])
        np.testing.assert_allclose(model.weights_[others, film], wanted, atol=1e-9)
        assert model.weights_[film, film] == 0.0
    active = np.flatnonzero(data.user_counts)
    np.testing.assert_allclose(model.score(active), (x @ model.weights_)[active], atol=1e-12)


@pytest.mark.parametrize("k", [3, 14, 99])
def test_item_knn_against_loops(data, k, monkeypatch):
    monkeypatch.setattr("lib.models.lists.item_knn.BLOCK_CELLS", 40)
    model, x = ItemKNN(n_neighbours=k, shrinkage=2.0).fit(data), implicit_matrix(data).toarray()
    n = data.n_items
    similar = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if i != j:
                similar[i, j] = (x[:, i] * x[:, j]).sum() / (np.sqrt(x[:, i].sum() * x[:, j].sum()) + 2.0)
    wanted = np.zeros((40, n))
    for j in range(n):
        for i in sorted(range(n), key=lambda i: (-similar[j, i], i))[:k]:
            wanted[:, i] += x[:, j] * similar[j, i]
    active = np.flatnonzero(data.user_counts)
    np.testing.assert_allclose(model.score(active), wanted[active], atol=1e-12)


@pytest.mark.parametrize("model", [EASE(l2=5.0), ItemKNN(n_neighbours=10)], ids=["ease", "item_knn"])
class TestLists:
    def test_they_follow_the_crowd_that_a_user_belongs_to(self, model):
        whole = planted_interactions(n_users=80, n_items=60, seed=3)
        split = per_user_holdout(whole.take(np.flatnonzero(whole.users % 2 == whole.items % 2)))
        found = {
            m: evaluate_ranking(recommend(m.fit(split.train), split.train, 5), split.test, threshold=0).metrics()["ndcg@5"]
            for m in (model, MostPopular())
        }  # fmt: skip
        values = list(found.values())
        assert values[0] > 1.5 * values[1]

    def test_a_cold_user_gets_the_mean_score(self, model, data):
        train = data.take(np.flatnonzero(data.users != 7))
        model.fit(train)
        others = model.score(np.flatnonzero(train.user_counts)).mean(axis=0)
        np.testing.assert_allclose(model.score(np.array([7]))[0], others)
        np.testing.assert_allclose(model.score(np.array([99]))[0], others)

    def test_the_threshold_leaves_low_ratings_out(self, model, data):
        liked = data.take(np.flatnonzero(data.ratings >= 4))
        settings = model.parameters
        narrow = type(model)(**{**settings, "threshold": 4.0}).fit(data)
        np.testing.assert_allclose(
            narrow.score(np.array([0, 5])), type(model)(**settings).fit(liked).score(np.array([0, 5]))
        )

    def test_scores_are_sums_of_the_weights_of_the_films_rated(self, model, data):
        model.fit(data)
        weights = model.weights_.toarray() if sparse.issparse(model.weights_) else model.weights_
        user = int(np.argmax(data.user_counts))
        films = data.items[data.users == user]
        np.testing.assert_allclose(model.score([user])[0], weights[films].sum(axis=0), atol=1e-12)


def test_bad_values_are_named(data, monkeypatch):
    with pytest.raises(ValueError, match="l2 must be positive"):
        EASE(l2=0.0).fit(data)
    with pytest.raises(ValueError, match="n_neighbours must be at least 1"):
        ItemKNN(n_neighbours=0).fit(data)
    with pytest.raises(ValueError, match="shrinkage must not be negative"):
        ItemKNN(shrinkage=-1.0).fit(data)
    monkeypatch.setattr("lib.models.lists.ease.MOST_ITEMS", 10)
    with pytest.raises(ValueError, match="it takes up to 10"):
        EASE().fit(data)


@pytest.mark.parametrize("by_count", [False, True])
def test_tf_idf_neighbours_are_those_of_the_library_implicit(data, by_count, monkeypatch):
    from implicit.nearest_neighbours import TFIDFRecommender

    model = TfIdfKNN(n_neighbours=4, by_count=by_count).fit(data)
    peer, counts = TFIDFRecommender(K=5, num_threads=1), data.matrix if by_count else implicit_matrix(data)
    peer.fit(sparse.csr_matrix(counts), show_progress=False)  # each film is among its own neighbours there
    wanted = peer.similarity.toarray() * ~np.eye(data.n_items, dtype=bool)
    np.testing.assert_allclose(np.sort(model.weights_.toarray()), np.sort(wanted), atol=1e-9)
    active = np.flatnonzero(data.user_counts)
    np.testing.assert_allclose(model.score(active), (implicit_matrix(data) @ wanted)[active], atol=1e-9)


def test_ease_on_frequent_films_is_ease_without_the_others(data):
    films = np.sort(np.argsort(-data.item_counts, kind="stable")[:6])
    kept = data.take(np.isin(data.items, films))
    found, users = FrequentEASE(l2=5.0, n_frequent=6).fit(data).score(np.arange(40)), kept.user_counts > 0
    wanted = EASE(l2=5.0).fit(kept).score(np.arange(40))
    np.testing.assert_allclose(found[users][:, films], wanted[users][:, films], atol=1e-9)
    others = np.setdiff1d(np.arange(data.n_items), films)
    assert (found[:, others] == found[:, films].min(axis=1, keepdims=True)).all()


def test_confidences_of_one_are_implicit_als_and_larger_ones_count_for_more(data):
    ones, told = data.with_ratings(np.ones(len(data)), (1, 5)), {"n_factors": 4, "l2": 1.0, "seed": 3}
    users, same = np.arange(40), ImplicitALS(alpha=2.0, **told).fit(ones)
    np.testing.assert_allclose(ConfidenceALS(alpha=2.0, **told).fit(ones).score(users), same.score(users), atol=1e-5)
    often = np.random.default_rng(1).random(len(data)) < 0.5
    counts = data.with_ratings(np.where(often, 100.0, 0.1), (0, 100))
    off = np.abs(1 - ConfidenceALS(**told).fit(counts).score(users)[data.users, data.items])
    assert off[often].mean() < off[~often].mean() / 2
