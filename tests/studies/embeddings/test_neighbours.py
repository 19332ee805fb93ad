"""Neighbours, against loops and by hand."""

import numpy as np
import pytest

from lib.studies.embeddings.neighbours import nearest, similarities, unit_rows


@pytest.fixture
def films():
    vectors = np.random.default_rng(0).normal(size=(12, 3))
    vectors[5] = 0.0
    return vectors


def test_similarities_by_hand():
    queries, films = np.array([[3.0, 4.0]]), np.array([[1.0, 0.0], [6.0, 8.0], [0.0, 0.0]])
    np.testing.assert_allclose(similarities(queries, films, "dot"), [[3.0, 50.0, 0.0]])
    np.testing.assert_allclose(similarities(queries, films, "cosine"), [[0.6, 1.0, 0.0]])
    np.testing.assert_allclose(similarities(queries, films, 0.0), similarities(queries, films, "cosine"))
    by_half = [[0.6 * np.linalg.norm(films[0]) ** 0.5, np.linalg.norm(films[1]) ** 0.5, 0.0]]
    np.testing.assert_allclose(similarities(queries, films, 0.5), by_half)
    length = np.linalg.norm(queries)
    np.testing.assert_allclose(length * similarities(queries, films, 1.0), similarities(queries, films, "dot"))
    for wrong in ("cosines", -0.1, 1.5):
        with pytest.raises(ValueError, match="'dot', 'cosine' or a power"):
            similarities(queries, films, wrong)


@pytest.mark.parametrize("kind", ["dot", "cosine"])
def test_nearest_is_the_sorted_loop(films, kind, monkeypatch):
    monkeypatch.setattr("lib.studies.embeddings.neighbours.BLOCK_CELLS", 30)
    codes, values = nearest(films, films, 4, kind=kind, itself=np.arange(12))
    for film in range(12):
        scores = similarities(films[film : film + 1], films, kind)[0]
        others = sorted((o for o in range(12) if o != film), key=lambda o: (-round(scores[o], 12), o))[:4]
        assert codes[film].tolist() == others
        np.testing.assert_allclose(values[film], scores[others])


def test_neighbours_come_from_the_allowed_films_only(films):
    among = np.arange(12) % 2 == 0
    codes, _ = nearest(films[:3], films, 5, itself=np.arange(3), among=among)
    assert set(codes.ravel().tolist()) <= set(range(0, 12, 2))
    with pytest.raises(ValueError, match="from 1 to 5"):
        nearest(films[:3], films, 6, itself=np.arange(3), among=among)


def test_equal_similarities_go_by_code():
    films = np.ones((6, 2))
    codes, _ = nearest(films[:1], films, 3, itself=np.array([0]))
    assert codes.tolist() == [[1, 2, 3]]


def test_unit_rows_leave_zeros(films):
    lengths = np.linalg.norm(unit_rows(films), axis=1)
    np.testing.assert_allclose(lengths, [0.0 if n == 5 else 1.0 for n in range(12)])
