from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold, train_test_split

from lib.data import splits
from lib.data.interactions import Interactions
from tests.conftest import planted_interactions


@pytest.fixture(scope="module")
def data():
    """Users with 3 to 40 ratings, in scrambled order, with times that repeat."""
    rng = np.random.default_rng(5)
    rows = [(user, item) for user in range(30) for item in rng.choice(60, 3 + user, replace=False)]
    frame = pd.DataFrame(rows, columns=["user", "item"]).sample(frac=1, random_state=1)
    frame["rating"] = rng.integers(1, 6, len(frame)).astype(float)
    frame["timestamp"] = rng.integers(0, 200, len(frame))
    return Interactions.from_frame(frame, scale=(1, 5))


def pairs(part):
    return set(zip(part.users.tolist(), part.items.tolist(), strict=True))


def assert_parted(split, data):
    assert len(split.train) + len(split.test) == len(data)
    assert pairs(split.train) | pairs(split.test) == pairs(data)
    assert split.train.item_ids is data.item_ids


def test_per_user_holdout_is_scikit_learns_split_a_user(data):
    split = splits.per_user_holdout(data, seed=42)
    train, test = [], []
    for _, group in data.frame().groupby("user"):
        if len(group) >= 5:
            parts = train_test_split(group, test_size=0.2, random_state=42)
            train.append(parts[0])
            test.append(parts[1])
        else:
            train.append(group)
    for part, expected in ((split.train, train), (split.test, test)):
        wanted = pd.concat(expected, ignore_index=True)
        pd.testing.assert_frame_equal(part.frame(), wanted)
    assert_parted(split, data)


def test_project_a_split_has_the_published_sizes(ml_100k):
    split = splits.per_user_holdout(ml_100k.interactions)
    cold = split.train.item_counts[split.test.items] == 0
    assert (len(split.train), len(split.test), cold.sum()) == (79_619, 20_381, 35)


def test_users_with_few_ratings_stay_in_train(data, monkeypatch):
    monkeypatch.setattr(splits, "MIN_RATINGS", 10)
    split = splits.per_user_holdout(data)
    few = np.flatnonzero(data.user_counts < 10)
    assert not np.isin(split.test.users, few).any()
    assert (split.test.user_counts[data.user_counts >= 10] > 0).all()


def test_random_holdout(data):
    split = splits.random_holdout(data, test_share=0.1, seed=3)
    assert_parted(split, data)
    assert len(split.test) == -(-len(data) // 10)
    assert pairs(splits.random_holdout(data, seed=3).test) == pairs(split.test)
    assert pairs(splits.random_holdout(data, seed=4).test) != pairs(split.test)


@pytest.mark.parametrize("n_folds", [2, 10])  # of 10 the first folds are larger than the last ones
def test_a_shuffled_fold_is_scikit_learns(data, n_folds):
    assert len(data) % 10
    folds = list(KFold(n_folds, shuffle=True, random_state=1234).split(np.zeros(len(data))))
    for number, (train, test) in enumerate(folds, start=1):
        split = splits.shuffled_fold(data, fold=number, n_folds=n_folds, seed=1234)
        assert (split.name, split.fold, split.seed) == (f"kfold_{n_folds}", str(number), 1234)
        pd.testing.assert_frame_equal(split.train.frame(), data.take(train).frame())
        pd.testing.assert_frame_equal(split.test.frame(), data.take(test).frame())
        assert_parted(split, data)


@pytest.mark.parametrize(("fold", "n_folds"), [(0, 10), (11, 10), (1, 10**6)])
def test_a_shuffled_fold_has_to_be_there(data, fold, n_folds):
    with pytest.raises(ValueError, match=f"no fold {fold} of {n_folds}"):
        splits.shuffled_fold(data, fold=fold, n_folds=n_folds)


def test_k_fold_tests_each_rating_once(data):
    folds = splits.k_fold(data, n_folds=5, seed=0)
    assert [fold.fold for fold in folds] == ["1", "2", "3", "4", "5"]
    assert sum(len(fold.test) for fold in folds) == len(data)
    assert set.union(*(pairs(fold.test) for fold in folds)) == pairs(data)
    for fold in folds:
        assert_parted(fold, data)


def test_chronological_never_learns_from_the_future(data):
    split = splits.chronological(data, test_share=0.2)
    assert split.train.timestamps.max() < split.test.timestamps.min()
    assert 0.1 * len(data) < len(split.test) <= 0.2 * len(data) + 1
    assert_parted(split, data)


def test_chronological_needs_times():
    data = planted_interactions(n_users=10, n_items=8)
    timeless = Interactions(
        data.users, data.items, data.ratings, np.zeros(len(data)), data.user_ids, data.item_ids, data.scale
    )
    with pytest.raises(ValueError, match="timestamps"):
        splits.chronological(timeless)


@pytest.mark.parametrize("fold", ["u1", "u5"])
def test_published_folds(ml_100k, fold):
    split = splits.published(ml_100k, fold)
    start = 20_000 * (int(fold[1]) - 1)
    assert pairs(split.test) == pairs(ml_100k.interactions.take(np.arange(start, start + 20_000)))
    assert_parted(split, ml_100k.interactions)


def test_validation_is_cut_from_train_alone(data):
    split = splits.per_user_holdout(data)
    inner = splits.validation_from(split.train, share=0.1, seed=0)
    assert_parted(inner, split.train)
    assert not pairs(inner.test) & pairs(split.test)


def test_make_split_by_name(data):
    holder = SimpleNamespace(name="toy", interactions=data)
    assert splits.make_split(holder, "per_user_80_20").name == "per_user_80_20"
    split = splits.make_split(holder, "random_75_25", seed=1)
    assert (split.name, len(split.test)) == ("random_75_25", -(-len(data) // 4))
    assert splits.make_split(holder, "chronological").seed is None
    with pytest.raises(ValueError, match="no split is called 'weekly'"):
        splits.make_split(holder, "weekly")
    with pytest.raises(ValueError, match="add up to 100"):
        splits.make_split(holder, "random_80_30")


def toy(n_users, n_each, *, same_time=False):
    pairs = [(user, item) for user in range(n_users) for item in range(n_each)]
    frame = pd.DataFrame(pairs, columns=["user", "item"]).assign(rating=3.0)
    return Interactions.from_frame(frame.assign(timestamp=7 if same_time else range(len(frame))), scale=(1, 5))


def test_shares_are_whole_percents_reckoned_in_whole_numbers():
    """0.07 x 100 is 7.000000000000001 in binary arithmetic and 0.29 x 100 is 28.999999999999996."""
    hundred = SimpleNamespace(name="toy", interactions=toy(1, 100))
    assert len(splits.make_split(hundred, "random_93_7").test) == 7
    assert len(splits.make_split(hundred, "temporal_71_29").test) == 29
    assert len(splits.make_split(hundred, "per_user_93_7").test) == 7
    assert len(splits.chronological(hundred.interactions, test_share=0.07).test) == 7


def test_no_split_leaves_nothing_to_train_on():
    with pytest.raises(ValueError, match="leaves no rating to train on"):
        splits.random_holdout(toy(1, 5), test_share=0.99)
    with pytest.raises(ValueError, match="a user with 5 ratings nothing to train on"):
        splits.per_user_holdout(toy(2, 5), test_share=0.9)
    assert splits.per_user_holdout(toy(2, 4), test_share=0.9).train.user_counts.tolist() == [4, 4]
    with pytest.raises(ValueError, match="leaves nothing to train on"):
        splits.chronological(toy(1, 5), test_share=0.99)
    with pytest.raises(ValueError, match="leaves no rating to train on"):
        splits.cold_users(toy(1, 5), test_share=0.5)


@pytest.mark.parametrize("share", [0, 1, -0.1, 0.125, 0.005, np.nan])
def test_impossible_shares(data, share):
    with pytest.raises(ValueError, match="test_share"):
        splits.random_holdout(data, test_share=share)
    with pytest.raises(ValueError, match="n_folds"):
        splits.k_fold(data, n_folds=1)


@pytest.mark.parametrize(("protocol", "codes"), [("cold_items_80_20", "items"), ("cold_users_80_20", "users")])
def test_cold_splits_hold_out_everything_of_whom_they_hold_out(data, protocol, codes):
    split = splits.make_split(SimpleNamespace(interactions=data), protocol, seed=3)
    assert split.name == protocol
    assert_parted(split, data)
    trained, tested = set(getattr(split.train, codes)), set(getattr(split.test, codes))
    assert not trained & tested
    rated = len(np.unique(getattr(data, codes)))
    assert len(tested) == int(np.ceil(0.2 * rated))
    other = splits.make_split(SimpleNamespace(interactions=data), protocol, seed=4)
    assert set(getattr(other.test, codes)) != tested


def with_times(data, timestamps):
    return Interactions(data.users, data.items, data.ratings, timestamps, data.user_ids, data.item_ids, data.scale)


def test_per_user_chronological_against_a_loop_over_users(data):
    """Project D's loop: rows by time, of equal times in the order they stand in, the last int(n * share) held out."""
    for share in (0.1, 0.25, 0.5):
        split = splits.per_user_chronological(data, test_share=share)
        train, test = [], []
        for _, group in data.frame().groupby("user"):
            group = group.sort_values("timestamp", kind="stable")
            n_test = int(len(group) * share) if len(group) >= 5 else 0
            train.append(group.iloc[: len(group) - n_test])
            test.append(group.iloc[len(group) - n_test :])
        for part, expected in ((split.train, train), (split.test, test)):
            pd.testing.assert_frame_equal(part.frame(), pd.concat(expected, ignore_index=True))
        assert_parted(split, data)
    assert split.seed is None


def test_per_user_chronological_holds_out_what_was_rated_last(data):
    split = splits.per_user_chronological(data)
    assert split.test.user_counts.tolist() == [n // 10 for n in data.user_counts]
    for user in np.unique(split.test.users):
        latest = split.train.timestamps[split.train.users == user].max()
        assert latest <= split.test.timestamps[split.test.users == user].min()


def test_per_user_chronological_breaks_ties_by_the_order_of_rows():
    frame = pd.DataFrame({"user": 1, "item": [7, 3, 9, 5, 4, 8], "rating": 3.0, "timestamp": [2, 1, 1, 1, 1, 1]})
    data = Interactions.from_frame(frame, scale=(1, 5))
    split = splits.per_user_chronological(data, test_share=0.5)
    assert split.train.frame()["item"].tolist() == [3, 9, 5]
    assert split.test.frame()["item"].tolist() == [4, 8, 7]


def test_per_user_chronological_leaves_short_histories_in_train(data, monkeypatch):
    assert len(splits.per_user_chronological(data, test_share=0.01).test) == 0  # nobody has a hundred ratings
    monkeypatch.setattr(splits, "MIN_RATINGS", 20)
    split = splits.per_user_chronological(data, test_share=0.5)
    assert np.array_equal(np.unique(split.test.users), np.flatnonzero(data.user_counts >= 20))
    monkeypatch.setattr(splits, "MIN_RATINGS", 1_000)
    nobody = splits.per_user_chronological(data)
    assert (len(nobody.train), len(nobody.test)) == (len(data), 0)


def test_per_user_chronological_needs_times(data):
    with pytest.raises(ValueError, match="timestamps that differ"):
        splits.per_user_chronological(with_times(data, np.zeros(len(data))))
    with pytest.raises(ValueError, match="test_share"):
        splits.per_user_chronological(data, test_share=1)


def test_temporal_validation_lies_between_train_and_test(data):
    split = splits.make_split(SimpleNamespace(interactions=data), "temporal_80_20")
    inner = splits.temporal_validation_from(split.train, share=0.2)
    assert inner.name == "temporal_validation_80_20"
    assert_parted(inner, split.train)
    assert len(inner.test) > 0
    for user in np.unique(inner.test.users):
        parts = inner.train, inner.test, split.test
        times = [part.timestamps[part.users == user] for part in parts]
        assert times[0].max() <= times[1].min() <= times[1].max() <= times[2].min()


def test_temporal_split_by_name(data):
    holder = SimpleNamespace(interactions=data)
    split = splits.make_split(holder, "temporal_90_10", seed=3)
    assert (split.name, split.seed) == ("temporal_90_10", None)
    assert split.name in splits.PROTOCOLS
    assert pairs(split.test) == pairs(splits.per_user_chronological(data).test)
    with pytest.raises(ValueError, match="add up to 100"):
        splits.make_split(holder, "temporal_90_20")
