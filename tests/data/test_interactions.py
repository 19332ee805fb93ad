import numpy as np
import pandas as pd
import pytest

from lib.data.interactions import Interactions, InvalidRatings


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "user": [7, 3, 7, 9],
            "item": ["b", "a", "a", "c"],
            "rating": [4.0, 1.0, 5.0, 3.0],
            "timestamp": [4, 3, 2, 1],
        }
    )


def test_rows_keep_their_order_and_codes_follow_sorted_ids(frame):
    data = Interactions.from_frame(frame, scale=(1, 5))
    assert data.user_ids.tolist() == [3, 7, 9]
    assert data.users.tolist() == [1, 0, 1, 2]
    assert data.item_ids.tolist() == ["a", "b", "c"]
    assert data.items.tolist() == [1, 0, 0, 2]
    pd.testing.assert_frame_equal(data.frame(), frame.astype({"rating": "float32"}))


def test_types_are_fixed_and_arrays_cannot_be_written(frame):
    data = Interactions.from_frame(frame, scale=(1, 5))
    assert (data.users.dtype, data.ratings.dtype, data.timestamps.dtype) == (np.int32, np.float32, np.int64)
    with pytest.raises(ValueError, match="read-only"):
        data.ratings[0] = 1


def test_matrix_keeps_a_rating_of_zero():
    frame = pd.DataFrame({"user": [0, 0, 1], "item": [1, 0, 0], "rating": [0.0, 2.0, 1.0]})
    matrix = Interactions.from_frame(frame, scale=(0, 5)).matrix
    assert matrix.nnz == 3
    assert matrix.toarray().tolist() == [[2.0, 0.0], [1.0, 0.0]]
    assert matrix.has_sorted_indices


def test_subsets_share_the_id_maps(frame):
    data = Interactions.from_frame(frame, scale=(1, 5))
    part = data.take(data.ratings >= 4)
    assert len(part) == 2
    assert part.user_ids is data.user_ids
    assert part.item_counts.tolist() == [1, 1, 0]
    assert part.n_items == 3


def test_unrated_ids_of_a_side_table_join_the_catalogue(frame):
    table = pd.DataFrame({"title": ["Z", "A"]}, index=["z", "a"])
    data = Interactions.from_frame(frame, scale=(1, 5), item_table=table)
    assert data.item_ids.tolist() == ["a", "b", "c", "z"]
    assert data.item_table["title"].tolist()[::3] == ["A", "Z"]
    assert data.item_table["title"].isna().tolist() == [False, True, True, False]


def test_codes_of_raw_ids(frame):
    data = Interactions.from_frame(frame, scale=(1, 5))
    assert data.user_codes([9, 4, 3]).tolist() == [2, -1, 0]
    assert data.item_codes(["c", "x"]).tolist() == [2, -1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda f: f.rename(columns={"rating": "stars"}),
            r"no column 'rating'; found 'user', 'item', 'stars'",
        ),
        (lambda f: f.iloc[:0], "holds no ratings"),
        (
            lambda f: f.assign(rating=["4", "x", "5", "3"]),
            r"not a number \(row 2: user=3, item=a, rating=x\)",
        ),
        (lambda f: f.assign(rating=[4, np.nan, 5, 3]), "NaN or infinite .row 2"),
        (lambda f: f.assign(rating=[4, 1, np.inf, 3]), "NaN or infinite .row 3"),
        (lambda f: f.assign(rating=[4, 0.5, 5, 3]), r"1 ratings lie off the scale 1 to 5 \(row 2"),
        (lambda f: f.assign(item=["a", "a", "a", "c"]), r"2 rows repeat a .user, item. pair \(row 1"),
        (lambda f: f.assign(item=["a", None, "b", "c"]), "an item id is missing .row 2"),
    ],
)
def test_bad_ratings_are_named(frame, change, message):
    with pytest.raises(InvalidRatings, match=message):
        Interactions.from_frame(change(frame), scale=(1, 5), source="mine.csv")


def test_codes_outside_the_map_and_unequal_lengths_are_errors(frame):
    data = Interactions.from_frame(frame, scale=(1, 5))
    with pytest.raises(InvalidRatings, match="item code lies outside"):
        Interactions(
            data.users,
            data.items + 1,
            data.ratings,
            data.timestamps,
            data.user_ids,
            data.item_ids,
            data.scale,
        )
    with pytest.raises(InvalidRatings, match="differ in length"):
        Interactions(
            data.users[:2],
            data.items,
            data.ratings,
            data.timestamps,
            data.user_ids,
            data.item_ids,
            data.scale,
        )
