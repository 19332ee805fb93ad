import numpy as np
import pytest

from lib.explorer.reasons import compare, why


def test_reasons_are_the_users_nearest_films_and_shared_genres(explorer):
    """Film 3 is rated like film 1 (bob high, cat low) and unlike film 2; it is crime, as ann's liked film."""
    found = why(explorer, 0, 2)
    assert found.neighbours["item"].tolist() == [0] and found.neighbours["rating"].tolist() == [5]
    assert found.neighbours["similarity"].iloc[0] == pytest.approx(explorer.similarity[2, 0])
    assert explorer.similarity[2, 0] > 0 > explorer.similarity[2, 1]
    assert found.genres == ["Crime"]


def test_a_film_without_ratings_has_no_neighbours(explorer):
    found = why(explorer, 0, 5)
    assert found.neighbours.empty and found.genres == []


def test_a_film_is_no_reason_for_itself(explorer):
    assert 0 not in why(explorer, 0, 0).neighbours["item"].tolist()


def test_two_models_are_parted_into_common_and_own_films(explorer):
    found = compare(explorer, 0, "a", "b")
    assert found.films["item"].tolist() == [2, 4, 3, 5]
    assert found.common["item"].tolist() == [2, 4]
    assert found.only_a["item"].tolist() == [3] and found.only_b["item"].tolist() == [5]
    assert found.films["rank_a"].tolist()[:3] == [1, 3, 2] and found.films["rank_b"].tolist()[:2] == [2, 1]
    assert np.isnan(found.rank_correlation)  # of two films


def test_errors_are_those_of_the_users_held_out_ratings(explorer):
    """Model a misses ann's ratings 4 and 2 by 1 and 2; c predicts them exactly, b predicts nothing."""
    found = compare(explorer, 0, "a", "c")
    assert found.rmse_a == pytest.approx(np.sqrt(2.5)) and found.rmse_b == 0
    assert found.only_a["item"].tolist() == [2, 3, 4] and found.only_b.empty
    assert np.isnan(compare(explorer, 0, "a", "b").rmse_b)


def test_a_model_agrees_with_itself(explorer):
    found = compare(explorer, 0, "a", "a")
    assert len(found.common) == 3 and found.rank_correlation == pytest.approx(1)


def test_an_unknown_model_is_named(explorer):
    with pytest.raises(KeyError, match="'nobody' has no lists"):
        compare(explorer, 0, "nobody", "a")
