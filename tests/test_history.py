import numpy as np
import pandas as pd
import pytest

from lib import history
from lib.interactions import Interactions

ROWS = [  # user, item, rating, timestamp; not in time's order
    (1, 10, 5, 1000), (1, 20, 3, 400), (1, 30, 1, 9000),
    (2, 10, 4, 5000), (2, 20, 2, 5000),
]  # fmt: skip


@pytest.fixture
def toy():
    frame = pd.DataFrame(ROWS, columns=["user", "item", "rating", "timestamp"])
    return Interactions.from_frame(frame, scale=(1, 5))


def test_histories_by_hand(toy):
    found = history.histories(toy, gap=3600)
    assert found.to_dict("list") == {
        "user": [0, 1],
        "ratings": [3, 2],
        "seconds": [8600, 0],
        "sessions": [2, 1],
    }
    assert history.histories(toy, gap=100)["sessions"].tolist() == [3, 1]


def test_over_time_by_hand(toy):
    found = history.over_time(toy, n_bins=2)
    assert found["ratings"].tolist() == [2, 3] and found["new_users"].tolist() == [1, 1]
    assert found["mean"].tolist() == pytest.approx([4, 7 / 3])
    many = history.over_time(toy, n_bins=50)
    assert many["ratings"].sum() == 5 and many["new_users"].sum() == 2 and many["mean"].isna().sum() == 46


def test_by_position_by_hand(toy):
    found = history.by_position(toy, edges=(1, 2, 9))
    # User 1 rated 3, 5, 1 in time's order (mean 3), user 2 rated 4, 2 (mean 3): first 0 and 1, later 2, -2 and -1.
    assert found["positions"].tolist() == ["1", "2–8"] and found["ratings"].tolist() == [2, 3]
    assert found["deviation"].tolist() == pytest.approx([1 / 2, -1 / 3])
    # Users as clusters: residuals -1/2 and 1/2; and (2 - 2 + 2/3), (-1 + 1/3).
    expected = 1.96 * np.array([np.sqrt(1 / 2) / 2, np.sqrt(2 * (2 / 3) ** 2) / 3])
    assert (found["high"] - found["deviation"]).tolist() == pytest.approx(expected.tolist())
    assert found["popularity"].tolist() == pytest.approx([2, (2 + 1 + 2) / 3])
