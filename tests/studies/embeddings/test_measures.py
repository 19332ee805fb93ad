"""Measures of structure, neighbour quality, folding and projections: by hand, against loops, and at known extremes."""

import numpy as np
import pytest

from lib.studies.embeddings import measures
from lib.studies.embeddings.projection import project, trust
from tests.conftest import planted_interactions


@pytest.fixture
def rng():
    return np.random.default_rng(0)


class TestStructure:
    def test_norms_that_grow_with_popularity_correlate_fully(self, rng):
        counts = rng.permutation(np.arange(30))
        directions = rng.normal(size=(30, 3))
        vectors = directions / np.linalg.norm(directions, axis=1, keepdims=True) * (1.0 + counts[:, None])
        assert measures.norm_popularity(vectors, counts) == pytest.approx(1.0)
        assert np.isnan(measures.norm_popularity(np.ones((30, 2)), counts))

    def test_unrated_films_do_not_count(self):
        vectors = np.array([[1.0], [2.0], [3.0], [99.0]])
        assert measures.norm_popularity(vectors, np.array([1, 5, 9, 0])) == pytest.approx(1.0)

    def test_rare_to_popular_norm_by_hand(self):
        vectors = np.array([[3.0], [5.0], [2.0], [100.0], [7.0]])
        counts = np.array([1, 5, 100, 0, 50])
        assert measures.rare_to_popular_norm(vectors, counts) == pytest.approx(4.0 / 2.0)
        assert np.isnan(measures.rare_to_popular_norm(vectors, np.zeros(5, int)))

    def test_effective_rank_of_known_embeddings(self):
        axes = np.vstack([np.eye(4)] * 5)
        assert measures.effective_rank(axes) == pytest.approx(4.0)
        assert measures.effective_rank(np.outer(np.arange(1.0, 9.0), [1.0, 2.0, 3.0])) == pytest.approx(1.0)
        scaled = axes * np.arange(1.0, 21.0)[:, None]
        assert measures.effective_rank(scaled) == pytest.approx(4.0), "norms do not matter"

    def test_the_main_genre_is_the_rarest(self):
        genres = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 1], [0, 0, 0], [1, 0, 1]], bool)
        names = measures.main_genres(genres, ("Drama", "Western", "War"))
        assert names.tolist() == ["Western", "Drama", "War", "", "War"]

    def test_silhouette_is_high_for_separate_directions_and_about_zero_for_chance(self, rng):
        groups = np.repeat(["a", "b", ""], 40)
        apart = np.where((groups == "a")[:, None], [5.0, 0.0], [0.0, 5.0]) + rng.normal(0, 0.3, (120, 2))
        assert measures.silhouette(apart, groups) > 0.8
        assert abs(measures.silhouette(rng.normal(size=(120, 2)), groups)) < 0.1
        with pytest.raises(ValueError, match="at least two groups"):
            measures.silhouette(apart, np.repeat(["a", ""], 60))


class TestNeighbourQuality:
    def test_genre_agreement_by_hand(self):
        genres = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0]], bool)
        found = measures.genre_agreement(np.array([[1, 2], [0, 3]]), np.array([0, 3]), genres)
        np.testing.assert_allclose(found, [(1 / 2 + 0) / 2, 0.0])

    def test_chance_is_the_mean_over_all_pairs(self, rng, monkeypatch):
        monkeypatch.setattr(measures, "BLOCK_ROWS", 4)
        genres = rng.random((11, 5)) < 0.4
        genres[2] = False
        films = np.array([0, 2, 3, 4, 5, 7, 8, 9, 10])
        pairs = [(a, b) for a in films for b in films if a != b]
        wanted = np.mean([measures.genre_agreement(np.array([[b]]), np.array([a]), genres)[0] for a, b in pairs])
        assert measures.chance_agreement(films, genres) == pytest.approx(wanted)

    def test_neighbours_of_films_are_among_them(self, rng):
        films = np.array([1, 3, 5, 8])
        found = measures.film_neighbours(rng.normal(size=(10, 3)), films, 3)
        for film, row in zip(films, found, strict=True):
            assert set(row.tolist()) == set(films.tolist()) - {film}

    def test_popularity_of_lists_skips_empty_places(self):
        assert measures.neighbour_popularity(np.array([[0, 1], [2, -1]]), np.array([1, 2, 6])) == pytest.approx(3.0)


class TestFolding:
    def written_out(self, pairs, train):
        raters = {i: set(train.users[train.items == i].tolist()) for i in range(train.n_items)}
        n_users = len(np.unique(train.users))
        rows = []
        for a, b in pairs:
            common, expected = len(raters[a] & raters[b]), len(raters[a]) * len(raters[b]) / n_users
            rows.append((common < expected, expected >= 1, common == 0 and expected >= 1))
        below, due, apart = np.array(rows).T
        return below.mean(), apart.sum() / due.sum()

    def test_against_loops(self, monkeypatch, rng):
        monkeypatch.setattr(measures, "BLOCK_ROWS", 5)
        train = planted_interactions(n_users=25, n_items=18, seed=5)
        films = np.flatnonzero(train.item_counts > 2)
        neighbours = measures.film_neighbours(rng.normal(size=(18, 3)), films, 4)
        found = measures.folding(neighbours, films, train)
        near = [(a, b) for a, row in zip(films, neighbours, strict=True) for b in row]
        everything = [(a, b) for a in films for b in films if a != b]
        for one, pairs in zip(found, (near, everything), strict=True):
            assert (one["folding"], one["disjoint"]) == pytest.approx(self.written_out(pairs, train))

    def test_two_crowds_folded_onto_each_other_are_found(self):
        whole = planted_interactions(n_users=60, n_items=40, seed=3)
        train = whole.take(np.flatnonzero(whole.users % 2 == whole.items % 2))
        films = np.arange(40)
        # Crowd b lies exactly on crowd a: every film's nearest one belongs to the other crowd.
        angles = np.linspace(0, 3, 20).repeat(2)
        folded = np.column_stack([np.cos(angles), np.sin(angles)])
        apart = np.column_stack([folded * (films % 2 == 0)[:, None], folded * (films % 2 == 1)[:, None]])
        bad, chance = measures.folding(measures.film_neighbours(folded, films, 1), films, train)
        good, _ = measures.folding(measures.film_neighbours(apart, films, 1), films, train)
        assert bad["disjoint"] > 0.9 and good["disjoint"] == 0.0
        assert chance["disjoint"] == pytest.approx(0.5, abs=0.05)


def test_projections_are_seeded_and_keep_clusters_apart(rng):
    centres = np.eye(5)[[0, 1, 2]] * 4
    vectors = np.repeat(centres, 30, axis=0) + rng.normal(0, 0.3, (90, 5))
    places = project(vectors, seed=1, n_neighbours=8)
    np.testing.assert_array_equal(places, project(vectors, seed=1, n_neighbours=8))
    assert places.shape == (90, 2) and places.std(axis=0).max() == pytest.approx(1.0)
    middles = places.reshape(3, 30, 2).mean(axis=1)
    own = np.linalg.norm(places.reshape(3, 30, 2) - middles[:, None], axis=2)
    other = np.linalg.norm(places.reshape(3, 30, 1, 2) - middles, axis=3)
    assert (own <= other.min(axis=2)).mean() > 0.95
    assert trust(vectors, places, n_neighbours=8) > 0.85
    assert trust(vectors, rng.normal(size=(90, 2)), n_neighbours=8) < 0.7


def test_too_few_films_are_named(rng):
    with pytest.raises(ValueError, match="more than 30 films, got 20"):
        project(rng.normal(size=(20, 3)))
