"""Neighbours and titles, against loops and by hand."""

import numpy as np
import pandas as pd
import pytest

from lib.embeddings.neighbours import nearest, similarities, unit_rows
from lib.embeddings.titles import Titles, plain
from tests.conftest import planted_interactions


@pytest.fixture
def films():
    vectors = np.random.default_rng(0).normal(size=(12, 3))
    vectors[5] = 0.0
    return vectors


def test_similarities_by_hand():
    queries, films = np.array([[3.0, 4.0]]), np.array([[1.0, 0.0], [6.0, 8.0], [0.0, 0.0]])
    np.testing.assert_allclose(similarities(queries, films, "dot"), [[3.0, 50.0, 0.0]])
    np.testing.assert_allclose(similarities(queries, films, "cosine"), [[0.6, 1.0, 0.0]])


@pytest.mark.parametrize("kind", ["dot", "cosine"])
def test_nearest_is_the_sorted_loop(films, kind, monkeypatch):
    monkeypatch.setattr("lib.embeddings.neighbours.BLOCK_CELLS", 30)
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


def test_bad_requests_are_named(films):
    with pytest.raises(ValueError, match="'euclid' is not one of dot, cosine"):
        similarities(films, films, "euclid")
    with pytest.raises(ValueError, match="rows of one length"):
        similarities(films[:, :2], films)


def test_unit_rows_leave_zeros(films):
    lengths = np.linalg.norm(unit_rows(films), axis=1)
    np.testing.assert_allclose(lengths, [0.0 if n == 5 else 1.0 for n in range(12)])


class TestTitles:
    @pytest.fixture
    def titles(self):
        names = [
            "Godfather, The (1972)", "Godfather: Part II, The (1974)", "Léon (1994)", "Solaris (1972)",
            "Solaris (2002)", "City of Lost Children, The (Cité des enfants perdus, La) (1995)", "<script>alert(1)</script>",
        ]  # fmt: skip
        data = planted_interactions(n_users=30, n_items=len(names), seed=1)
        table = pd.DataFrame({"title": names}, index=data.item_table.index)
        object.__setattr__(data, "item_table", table)
        return Titles(data)

    @pytest.mark.parametrize(
        ("typed", "code"),
        [
            ("Godfather, The (1972)", 0), ("the godfather", 0), ("GODFATHER", 0), ("the godfather part ii", 1),
            ("leon", 2), ("Solaris (1972)", 3), ("solaris 2002", 4), ("the city of lost children", 5),
            ("<script>alert(1)</script>", 6),
        ],
    )  # fmt: skip
    def test_films_are_found_as_people_type_them(self, titles, typed, code):
        assert titles.find(typed) == code

    def test_of_two_films_of_a_name_the_more_rated_one_is_meant(self, titles):
        first = titles._counts[3] >= titles._counts[4]
        assert titles.find("solaris") == (3 if first else 4)

    def test_near_misses_are_suggested(self, titles):
        with pytest.raises(KeyError, match="no film is called 'godfathr'; did you mean 'Godfather, The"):
            titles.find("godfathr")
        with pytest.raises(KeyError, match="City of Lost Children"):
            titles.find("lost children")
        with pytest.raises(KeyError, match=r"no film is called 'qqqqqq'\"?$"):
            titles.find("qqqqqq")

    def test_without_titles_it_says_so(self):
        data = planted_interactions(n_users=5, n_items=4, tables=False)
        with pytest.raises(ValueError, match="has no titles"):
            Titles(data)


def test_plain_forms():
    assert plain("Misérables, Les (1995)") == "les miserables 1995"
    assert plain("A") == "a"
    assert plain("An American in Paris") == "american in paris"
