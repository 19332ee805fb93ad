from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lib.data.feature_groups import IMPLICIT, available_groups, feature_groups
from lib.data.interactions import Interactions
from lib.data.splits import per_user_holdout


@pytest.fixture
def tiny():
    """Three users, four films; the last film has no rating, no genre, no year and no tag."""
    frame = pd.DataFrame({"user": [1, 1, 1, 2, 3], "item": [10, 20, 30, 10, 10], "rating": [1.0, 2, 3, 4, 5]})
    items = pd.DataFrame(
        {
            "title": list("abcd"),
            "genres": ["Action|Drama", "Drama", "Comedy|Drama|War", ""],
            "year": pd.array([1990, 2000, 2010, None], dtype="Int64"),
            "tags": ["dark|odd", "odd", "odd", ""],
        },
        index=pd.Index([10, 20, 30, 40], name="item"),
    )
    users = pd.DataFrame(
        {"age": [20, 30, 40], "gender": ["F", "M", "F"], "occupation": ["artist", "other", None]},
        index=pd.Index([1, 2, 3], name="user"),
    )
    return Interactions.from_frame(frame, scale=(1, 5), user_table=users, item_table=items)


def matrix(data, name):
    return feature_groups(data, [name])[0].matrix.toarray()


def test_genres_share_a_row_of_one(tiny):
    found = feature_groups(tiny, ["genres"])[0]
    assert found.features == ("Action", "Comedy", "Drama", "War")
    third = 1 / 3
    expected = [[0.5, 0, 0.5, 0], [0, 0, 1, 0], [0, third, third, third], [0, 0, 0, 0]]
    np.testing.assert_allclose(found.matrix.toarray(), expected)


def test_z_scores_are_over_all_rows_and_a_missing_year_is_the_mean(tiny):
    years = matrix(tiny, "year")
    assert years.shape == (4, 1)
    spread = np.std([1990, 2000, 2010, 2000])
    np.testing.assert_allclose(years[:, 0], np.array([-10, 0, 10, 0]) / spread)


def test_a_column_that_never_differs_becomes_zero(tiny):
    constant = tiny.item_table.assign(year=2000)
    data = replace(tiny, item_table=constant)
    assert not matrix(data, "year").any()


def test_users(tiny):
    np.testing.assert_allclose(matrix(tiny, "age")[:, 0], np.array([-1, 0, 1]) * np.sqrt(1.5))
    np.testing.assert_array_equal(matrix(tiny, "gender"), [[1, 0], [0, 1], [1, 0]])
    np.testing.assert_array_equal(matrix(tiny, "occupation"), [[1, 0], [0, 1], [0, 0]])


def test_rare_tags_are_left_out(tiny):
    found = feature_groups(tiny, ["tags"])[0]
    assert found.features == ("odd",)
    np.testing.assert_array_equal(found.matrix.toarray()[:, 0], [1, 1, 1, 0])


def test_implicit_sets_have_unit_length_and_are_empty_for_the_cold(tiny):
    raters, rated = (g.matrix.toarray() for g in feature_groups(tiny, IMPLICIT))
    root = np.sqrt(3)
    np.testing.assert_allclose(raters, [[1 / root] * 3, [1, 0, 0], [1, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(rated, [[1 / root] * 3 + [0], [1, 0, 0, 0], [1, 0, 0, 0]])


def test_a_planted_leak_is_seen(planted):
    """Sets made from all ratings would hold the test pairs; those made from train must not hold a single one."""
    split = per_user_holdout(planted)

    def test_pairs_inside(data):
        groups = {g.name: g.matrix.toarray() for g in feature_groups(data, IMPLICIT)}
        return (
            groups["rated"][split.test.users, split.test.items].astype(bool).sum()
            + groups["raters"][split.test.items, split.test.users].astype(bool).sum()
        )

    assert test_pairs_inside(split.train) == 0
    assert test_pairs_inside(planted) == 2 * len(split.test)


def test_what_the_data_has(tiny, planted):
    assert set(available_groups(tiny)) == {
        "genres", "year", "tags", "raters", "age", "gender", "occupation", "rated",
    }  # fmt: skip
    bare = replace(planted, item_table=None, user_table=None)
    assert available_groups(bare) == ["raters", "rated"]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["genre"], "did you mean 'genres'"),
        (["genres", "genres"], "twice"),
        (["tags"], "its groups are genres, year, raters"),
    ],
)
def test_mistakes_are_named(planted, names, told):
    with pytest.raises(ValueError, match=told):
        feature_groups(planted, names)


def test_matrices_are_canonical(tiny):
    for group in feature_groups(tiny, available_groups(tiny)):
        assert group.matrix.dtype == np.float64
        assert group.matrix.has_canonical_format
        assert (group.matrix.data != 0).all()
        assert len(group.features) == group.matrix.shape[1]
