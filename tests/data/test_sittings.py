"""Sittings against a written-out search, and at the edges."""

import numpy as np
import pytest

from lib.data.interactions import Interactions, RatingScale
from lib.data.sittings import Sittings


def ratings(users, times):
    users = np.asarray(users, dtype=np.int32)
    n = len(users)
    return Interactions(
        users, np.arange(n, dtype=np.int32), np.full(n, 3, dtype=np.float32), np.asarray(times, dtype=np.int64),
        np.arange(10), np.arange(max(n, 1)), RatingScale(1, 5),
    )  # fmt: skip


def test_a_pause_longer_than_the_gap_ends_a_sitting():
    found = Sittings.of(ratings([2, 0, 0, 0, 0], [7, 100, 130, 161, 90]), gap=30)
    assert found.users.tolist() == [0, 0, 2]
    assert found.starts.tolist() == [90, 161, 7]
    assert found.ends.tolist() == [130, 161, 7]


def test_a_rating_belongs_to_the_nearest_sitting_within_the_gap():
    sittings = Sittings.of(ratings([1, 1, 1], [100, 120, 200]), gap=30)
    times = [69, 70, 110, 150, 151, 170, 230, 231]
    assert sittings.find(np.full(8, 1), times).tolist() == [-1, 0, 0, 0, -1, 1, 1, -1]
    # 160 is as far from 120 as from 200.
    assert Sittings.of(ratings([1, 1], [120, 200]), gap=40).find([1], [160]).tolist() == [0]
    assert sittings.find([0, 2, -1], [110, 110, 110]).tolist() == [-1, -1, -1]


def test_finding_agrees_with_a_written_out_search():
    random = np.random.default_rng(3)
    users, times = random.integers(0, 5, 60), random.integers(0, 2_000, 60)
    sittings = Sittings.of(ratings(users, times), gap=20)
    asked = random.integers(0, 6, 500), random.integers(0, 2_100, 500)
    for user, time, got in zip(*asked, sittings.find(*asked), strict=True):
        away = np.where(
            sittings.users == user,
            np.maximum(np.maximum(sittings.starts - time, time - sittings.ends), 0),
            21,
        )
        assert got == (int(away.argmin()) if away.min() <= 20 else -1)


def test_every_training_rating_is_in_its_own_sitting():
    random = np.random.default_rng(4)
    data = ratings(random.integers(0, 5, 80), random.integers(0, 3_000, 80))
    sittings = Sittings.of(data, gap=15)
    held = sittings.find(data.users, data.timestamps)
    assert (sittings.users[held] == data.users).all()
    assert (sittings.starts[held] <= data.timestamps).all() and (data.timestamps <= sittings.ends[held]).all()


def test_no_ratings_have_no_sittings():
    sittings = Sittings.of(ratings([], []), gap=30)
    assert len(sittings) == 0
    assert sittings.find([0, 1], [5, 6]).tolist() == [-1, -1]


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="gap"):
        Sittings.of(ratings([0], [1]), gap=-1)
    with pytest.raises(ValueError, match="timestamps"):
        Sittings.of(ratings([0], [-5]), gap=1)
