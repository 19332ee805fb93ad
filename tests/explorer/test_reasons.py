import numpy as np
import pytest

from lib.explorer.reasons import compare, why


def test_reasons_are_the_users_nearest_films_and_shared_genres(explorer):
    """Film 3 is rated like film 1 (bob high, cat low) and unlike film 2; it is crime, as ann's liked film."""
    near, genres = why(explorer, 0, 2)
    assert near["item"].tolist() == [0] and near["rating"].tolist() == [5]
    assert near["similarity"].iloc[0] == pytest.approx(explorer.similarity[2, 0])
    assert explorer.similarity[2, 0] > 0 > explorer.similarity[2, 1]
    assert genres == ["Crime"]


def test_a_film_without_ratings_has_no_neighbours(explorer):
    near, genres = why(explorer, 0, 5)
    assert near.empty and genres == []


def test_a_film_is_no_reason_for_itself(explorer):
    assert 0 not in why(explorer, 0, 0)[0]["item"].tolist()


def test_two_models_are_parted_into_common_and_own_films(explorer):
    found = compare(explorer, 0, "a", "b")
    assert found.films["item"].tolist() == [2, 4, 3, 5]
    assert [part["item"].tolist() for part in found.parts] == [[2, 4], [3], [5]]
    assert found.films["rank_a"].tolist()[:3] == [1, 3, 2] and found.films["rank_b"].tolist()[:2] == [2, 1]
    assert np.isnan(found.rank_correlation)  # of two films


def test_errors_are_those_of_the_users_held_out_ratings(explorer):
    """Model a misses ann's ratings 4 and 2 by 1 and 2; c predicts them exactly, b predicts nothing."""
    found = compare(explorer, 0, "a", "c")
    assert found.errors == pytest.approx((np.sqrt(2.5), 0))
    assert found.parts[1]["item"].tolist() == [2, 3, 4] and found.parts[2].empty
    assert np.isnan(compare(explorer, 0, "a", "b").errors[1])


def test_a_model_agrees_with_itself(explorer):
    found = compare(explorer, 0, "a", "a")
    assert len(found.parts[0]) == 3 and found.rank_correlation == pytest.approx(1)


def test_an_unknown_model_is_named(explorer):
    with pytest.raises(KeyError, match="'nobody' has no lists"):
        compare(explorer, 0, "nobody", "a")
