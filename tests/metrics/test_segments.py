import numpy as np
import pandas as pd
import pytest

from lib.data.interactions import Interactions, RatingScale
from lib.metrics import rmse
from lib.metrics.segments import count_bins, pair_segments, rating_by_segment


def interactions(users, items, ratings=None):
    n = len(users)
    ratings = np.full(n, 3.0) if ratings is None else ratings
    return Interactions(users, items, ratings, np.zeros(n), np.arange(3), np.arange(4), RatingScale(1, 5))


# User 0 has 3 training ratings, user 1 one, user 2 none; film 0 two, films 1 and 2 one, film 3 none.
TRAIN = interactions([0, 0, 0, 1], [0, 1, 2, 0])
TEST = interactions([0, 1, 2, 2], [3, 1, 0, 3], np.array([5.0, 4.0, 1.0, 2.0]))


def test_bins_state_their_ends():
    labels = count_bins([0, 1, 4, 5, 19, 20, 999], (0, 1, 5, 20))
    assert list(labels.categories) == ["0", "1–4", "5–19", "20 or more"]
    assert labels.codes.tolist() == [0, 1, 1, 2, 2, 3, 3]
    for edges in ((1, 5), (0, 5, 5), ()):
        with pytest.raises(ValueError, match="rise from 0"):
            count_bins([1], edges)


def test_pairs_are_labelled_from_train_alone():
    labels = pair_segments(TRAIN, TEST)
    assert list(labels["user_activity"]) == ["1–19", "1–19", "0", "0"]
    assert list(labels["film_popularity"]) == ["0", "1–4", "1–4", "0"]
    assert list(labels["cold"]) == ["cold film", "warm", "cold user", "cold user and film"]


def test_errors_of_each_segment_with_counts():
    labels = pd.Categorical.from_codes([0, 2, 0, -1], categories=["a", "empty", "c"])
    table = rating_by_segment(labels, TEST.users, TEST.ratings, [4.0, 4.0, 3.0, 2.0])
    assert table.index.tolist() == ["a", "empty", "c"]
    assert table["n_ratings"].tolist() == [2, 0, 1]
    assert table["n_users"].tolist() == [2, 0, 1]
    assert table["share"].tolist() == [0.5, 0, 0.25]
    assert table.loc["a", "rmse"] == pytest.approx(np.sqrt((1 + 4) / 2))
    assert table.loc["a", "mae"] == 1.5
    assert table.loc["a", "mean_error"] == 0.5
    assert table.loc["empty", ["rmse", "mae", "mean_error"]].isna().all()
    with pytest.raises(ValueError, match="4 labels for 2 ratings"):
        rating_by_segment(labels, [0, 1], [1.0, 2.0], [1.0, 2.0])


def test_segments_add_up_to_the_whole():
    rng = np.random.default_rng(0)
    users, ratings, predictions = rng.integers(0, 9, 200), rng.normal(size=200), rng.normal(size=200)
    table = rating_by_segment(count_bins(rng.integers(0, 30, 200), (0, 1, 5, 20)), users, ratings, predictions)
    assert table["n_ratings"].sum() == 200
    whole = np.sqrt((table["share"] * table["rmse"].fillna(0) ** 2).sum())
    assert whole == pytest.approx(rmse(ratings, predictions))
