"""One user's list with titles, and several models' lists beside each other."""

import numpy as np
import pandas as pd
import pytest

from lib.interactions import Interactions
from lib.metrics import recommend
from lib.models.base import Recommender
from lib.models.ease import EASE
from lib.models.most_popular import MostPopular
from lib.recommendations import recommend_for_user, side_by_side, titles_of
from lib.splits import per_user_holdout
from tests.conftest import planted_interactions

TITLES = ["Heat", "<script>alert(1)</script>", "Alien & Aliens", "Amélie *", None, "Ran"]
YEARS = [1995, 2000, None, 2001, 1999, 1985]


class ByCode(Recommender):
    """Likes films of a high code, or of a low one."""

    def __init__(self, *, sign=1.0):
        self.sign = sign

    def _fit(self, train, validation):
        pass

    def predict(self, users, items, times=None):
        return self.sign * np.asarray(items, dtype=float)


@pytest.fixture
def parts():
    """User "ann" has seen film 15 and rated 14 and 12 later; "bob" has one film; "cold" only test ratings."""
    table = pd.DataFrame(
        {"title": TITLES, "year": pd.array(YEARS, dtype="Int64")}, index=pd.Index(range(10, 16), name="item")
    )
    rows = [("ann", 15, 5), ("bob", 11, 2), ("bob", 15, 4), ("ann", 14, 2), ("ann", 12, 5), ("cold", 11, 4)]
    frame = pd.DataFrame(rows, columns=["user", "item", "rating"])
    data = Interactions.from_frame(frame, scale=(1, 5), item_table=table)
    return data.take(np.arange(3)), data.take(np.arange(3, 6))


@pytest.fixture
def model(parts):
    return ByCode().fit(parts[0])


def test_a_list_by_hand(parts, model):
    train, test = parts
    found = recommend_for_user(model, train, "ann", 3, test=test, threshold=4)
    codes = {raw: code for code, raw in enumerate(train.item_ids.tolist())}
    left = sorted((c for raw, c in codes.items() if raw != 15), reverse=True)[:3]
    raw = [int(train.item_ids[c]) for c in left]
    assert list(found) == ["rank", "item", "title", "score", "test_rating", "hit"]
    assert found["rank"].tolist() == [1, 2, 3]
    assert found["item"].tolist() == raw
    assert found["score"].tolist() == left
    later = {14: 2.0, 12: 5.0}
    np.testing.assert_array_equal(found["test_rating"], [later.get(item, np.nan) for item in raw])
    assert found["hit"].tolist() == [later.get(item, 0) >= 4 for item in raw]
    assert found["hit"].dtype == bool
    assert found.attrs["fallback"] is None


def test_every_test_rating_is_a_hit_without_a_threshold(parts, model):
    train, test = parts
    found = recommend_for_user(model, train, "ann", 5, test=test).set_index("item")
    assert found.index[found["hit"]].sort_values().tolist() == [12, 14]
    assert list(recommend_for_user(model, train, "ann", 2)) == ["rank", "item", "title", "score"]


def test_titles_come_with_their_year_and_otherwise_untouched(parts):
    train = parts[0]
    wanted = {
        10: "Heat (1995)", 11: "<script>alert(1)</script> (2000)", 12: "Alien & Aliens", 13: "Amélie * (2001)",
        14: "14", 15: "Ran (1985)",
    }  # fmt: skip
    assert titles_of(train, np.arange(6)) == [wanted[raw] for raw in train.item_ids.tolist()]
    assert titles_of(planted_interactions(n_users=5, n_items=4, tables=False), [1, 0]) == ["2", "1"]


def test_the_list_is_the_one_that_is_measured():
    split = per_user_holdout(planted_interactions(seed=5))
    model = EASE(l2=5.0).fit(split.train)
    top = recommend(model, split.train, 8)
    for code in (0, 17, 42):
        found = recommend_for_user(model, split.train, split.train.user_ids[code], 8, test=split.test)
        assert found["item"].tolist() == split.train.item_ids[top.items[code]].tolist()
        np.testing.assert_allclose(found["score"], top.scores[code])
        rated = {
            int(item): rating
            for user, item, rating in zip(split.test.users, split.test.items, split.test.ratings, strict=True)
            if user == code
        }
        expected = [rated.get(int(item), np.nan) for item in top.items[code]]
        np.testing.assert_allclose(found["test_rating"], expected)
        seen = split.train.items[split.train.users == code]
        assert not set(found["item"]) & set(split.train.item_ids[seen])


@pytest.mark.parametrize(
    ("user", "reason"), [("eve", "user eve is not in the data"), ("cold", "user cold has no rating in train")]
)
def test_an_unknown_user_gets_the_most_popular_films_and_the_table_says_so(parts, model, user, reason):
    train, test = parts
    found = recommend_for_user(model, train, user, 3, test=test)
    assert found.attrs["fallback"] == reason
    assert found["score"].tolist() == [2, 1, 0]
    assert found["item"].tolist()[:2] == [15, 11]
    assert found["hit"].tolist() == [False, user == "cold", False]
    beside = side_by_side({"a": model, "b": MostPopular().fit(train)}, train, user, 3, test=test)
    assert beside.attrs["fallback"] == reason
    assert beside["a"].equals(beside["b"])


def test_a_list_longer_than_what_is_left_is_an_error(parts, model):
    train = parts[0]
    assert len(recommend_for_user(model, train, "bob", 4)) == 4
    with pytest.raises(
        ValueError, match=r"n=5, but there are only 4 films that user bob has not rated.*at most 4"
    ):
        recommend_for_user(model, train, "bob", 5)
    with pytest.raises(ValueError, match="only 6 films that user eve"):
        recommend_for_user(model, train, "eve", 7)
    with pytest.raises(ValueError, match="n=0 must be at least 1"):
        recommend_for_user(model, train, "bob", 0)


def test_parts_of_different_splits_are_an_error(parts, model):
    other = planted_interactions(n_users=5, n_items=4)
    with pytest.raises(ValueError, match="use the two parts of one split"):
        recommend_for_user(model, parts[0], "ann", 2, test=other)


def test_lists_side_by_side(parts):
    train, test = parts
    models = {"up": ByCode().fit(train), "down": ByCode(sign=-1.0).fit(train)}
    found = side_by_side(models, train, "ann", 5, test=test, threshold=3)
    assert found.index.tolist() == [1, 2, 3, 4, 5] and found.index.name == "rank"
    assert list(found) == ["up", "down"]
    assert found["down"].tolist() == found["up"].tolist()[::-1]
    marked = [title for title in found["up"] if title.endswith(" *")]
    assert marked == ["Alien & Aliens *"]  # film 14, rated 2, is no hit; the title "Amélie * (2001)" stays
    plain = side_by_side(models, train, "ann", 5)
    assert "Alien & Aliens" in plain["up"].tolist()
    assert found.attrs["fallback"] is None
    with pytest.raises(ValueError, match="no models"):
        side_by_side({}, train, "ann", 5)
