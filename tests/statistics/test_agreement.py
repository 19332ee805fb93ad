from itertools import combinations

import numpy as np
import pytest
from scipy import sparse, stats

from lib.data.interactions import Interactions, RatingScale
from lib.metrics import PerUser
from lib.statistics.agreement import (
    ScoreMatrix,
    agreement,
    align,
    chance_overlap,
    mislabelled,
    shuffled,
    user_correlations,
    user_overlaps,
)
from lib.statistics.significance import bootstrap_interval

USERS = np.array(["u3", "u1", "u2", "u9", "u5"])
ITEMS = np.arange(100, 112)


def matrix(seed, users=USERS, items=ITEMS):
    return ScoreMatrix(users, items, np.random.default_rng(seed).normal(size=(len(users), len(items))))


@pytest.fixture
def train():
    """Training pairs over other orders of ids than the matrices'."""
    rng = np.random.default_rng(1)
    users, items = np.sort(USERS), ITEMS[::-1]
    pairs = np.argwhere(rng.random((len(users), len(items))) < 0.35)
    n = len(pairs)
    return Interactions(pairs[:, 0], pairs[:, 1], np.zeros(n), np.zeros(n), users, items, RatingScale(0, 5))


def unseen(train, user):
    """Columns of `ITEMS` that the user has not rated, looked up pair by pair."""
    rated = {(u, i) for u, i in train.frame()[["user", "item"]].itertuples(index=False)}
    return [column for column, item in enumerate(ITEMS) if (user, item) not in rated]


def mask_of(train):
    """The training pairs in the order of `USERS` and `ITEMS`."""
    mask = np.ones((len(USERS), len(ITEMS)))
    for row, user in enumerate(USERS):
        mask[row, unseen(train, user)] = 0
    return sparse.csr_array(mask)


# -- alignment -----------------------------------------------------------------------------------------------------
def test_row_and_column_order_do_not_matter():
    a, b = matrix(0), matrix(1)
    rng = np.random.default_rng(0)
    moved = b.take(rng.permutation(USERS), rng.permutation(ITEMS))
    plain, other = agreement({"a": a, "b": b}), agreement({"a": a, "b": moved})
    assert plain.equals(other)


def test_align_names_what_is_not_shared():
    a = matrix(0)
    fewer = a.take(USERS[1:], ITEMS[:7])
    with pytest.raises(ValueError, match="1 user ids are not in every matrix"):
        align(a, fewer)
    with pytest.raises(ValueError, match="no item id in common"):
        align(a, ScoreMatrix(USERS, ITEMS.astype(str), a.values))
    assert user_correlations([a, a.take(USERS[::-1], ITEMS)])[:, 0, 1] == pytest.approx(1)
    with pytest.raises(KeyError, match="1 user ids are not in the matrix, such as 'nobody'"):
        a.take(["nobody"], ITEMS)


@pytest.mark.parametrize(
    ("users", "items", "values", "message"),
    [
        ([1, 2], [1], np.zeros((1, 2)), "shape"),
        ([1, 1], [1], np.zeros((2, 1)), "user id occurs twice"),
        ([1], [1, 1], np.zeros((1, 2)), "item id occurs twice"),
        ([1], [1], [[np.nan]], "NaN"),
    ],
)
def test_a_score_matrix_checks_itself(users, items, values, message):
    with pytest.raises(ValueError, match=message):
        ScoreMatrix(users, items, values)


# -- correlation ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("masked", [False, True])
def test_correlations_agree_with_scipy_user_by_user(train, masked):
    a, b = matrix(0), matrix(1)
    found = user_correlations([a, b], mask_of(train) if masked else None)[:, 0, 1]
    table = agreement({"a": a, "b": b}, train if masked else None)
    assert table["correlation_mean"].item() == pytest.approx(found.mean())
    for row, user in enumerate(USERS):
        columns = unseen(train, user) if masked else list(range(len(ITEMS)))
        expected = stats.pearsonr(a.values[row, columns], b.values[row, columns]).statistic
        assert found[row] == pytest.approx(expected, abs=1e-6)


def test_summary_leaves_constant_rows_out_and_counts_them():
    a = matrix(0)
    values = a.values.copy()
    values[2] = 3.7  # a user for whom the model knows only a mean
    values[0] *= -2
    table = agreement({"a": a, "b": ScoreMatrix(USERS, ITEMS, values)}).iloc[0]
    assert table["n_users"] == 5
    assert table["n_undefined"] == 1
    assert table["correlation_mean"] == pytest.approx((1 + 1 + 1 - 1) / 4)
    assert table["correlation_min"] == pytest.approx(-1)
    assert table["correlation_max"] == pytest.approx(1)
    assert table["correlation_std"] == pytest.approx(np.std([1, 1, 1, -1]))
    assert -1 <= table["correlation_min"] <= table["correlation_max"] <= 1


def test_a_model_without_any_order_has_no_correlation():
    flat = ScoreMatrix(USERS, ITEMS, np.repeat(np.linspace(1, 5, 5)[:, None], len(ITEMS), axis=1))
    table = agreement({"a": matrix(0), "flat": flat}).iloc[0]
    assert table["n_undefined"] == 5
    assert np.isnan(table["correlation_mean"])
    assert np.isnan(table["correlation_low"])


def test_a_masked_film_has_no_say(train):
    a, b = matrix(0), matrix(1)
    loud = b.values.copy()
    for row, user in enumerate(USERS):
        seen = np.setdiff1d(np.arange(len(ITEMS)), unseen(train, user))
        loud[row, seen] = 1e6
    plain = agreement({"a": a, "b": b}, train, k=3)
    other = agreement({"a": a, "b": ScoreMatrix(USERS, ITEMS, loud)}, train, k=3)
    assert plain.equals(other)


# -- overlap -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("k", [1, 4, 12])
def test_overlaps_agree_with_sets(train, masked, k):
    matrices = {name: matrix(seed) for seed, name in enumerate("abc")}
    found = user_overlaps(list(matrices.values()), k, mask_of(train) if masked else None)
    for i, j in combinations(range(3), 2):
        first, second = "abc"[i], "abc"[j]
        shared = found[:, i, j]
        for row, user in enumerate(USERS):
            columns = unseen(train, user) if masked else list(range(len(ITEMS)))
            lists = [set(sorted(columns, key=lambda c: -matrices[name].values[row, c])[:k]) for name in (first, second)]
            assert shared[row] == len(lists[0] & lists[1])


def test_lists_shorter_than_k_share_what_they_hold(train):
    mask = np.zeros((5, 12))
    mask[1, 2:] = 1  # two films left
    mask[3] = 1  # none left
    overlaps = user_overlaps([matrix(0), matrix(1)], 4, sparse.csr_array(mask))
    assert overlaps[1].tolist() == [[2, 2], [2, 2]]
    assert overlaps[3].tolist() == [[0, 0], [0, 0]]
    assert chance_overlap(12, 4, [0, 10, 12]).tolist() == [16 / 12, 2, 0]


def test_chance_is_what_random_lists_share(train):
    # Mean of the hypergeometric distribution, and of unrelated models.
    assert chance_overlap(1682, 10) == pytest.approx(stats.hypergeom(1682, 10, 10).mean())
    users, items = np.arange(4000), np.arange(30)
    noise = {str(seed): matrix(seed, users, items) for seed in (0, 1)}
    row = agreement(noise, k=5).iloc[0]
    assert row["overlap_chance"] == pytest.approx(25 / 30)
    assert row["overlap_low"] < 25 / 30 < row["overlap_high"]
    assert row["correlation_low"] < 0 < row["correlation_high"]


def test_blocks_do_not_show(monkeypatch, train):
    matrices = {name: matrix(seed) for seed, name in enumerate("abc")}
    whole = agreement(matrices, train, k=3)
    monkeypatch.setattr("lib.metrics.lists.CELLS", 75)
    parts = agreement(matrices, train, k=3)
    assert parts.select_dtypes("number").to_numpy() == pytest.approx(
        whole.select_dtypes("number").to_numpy(), nan_ok=True
    )


def test_intervals_are_bootstraps_over_users():
    users = np.arange(200)
    matrices = {name: matrix(seed, users) for seed, name in enumerate("ab")}
    found = agreement(matrices)
    expected = bootstrap_interval(PerUser.mean("r", users, user_correlations(list(matrices.values()))[:, 0, 1]))
    row = found.iloc[0]
    assert (row["correlation_low"], row["correlation_high"]) == (expected.low, expected.high)


# -- wrong order ---------------------------------------------------------------------------------------------------
def planted(n_users=300, n_items=80, seed=0):
    """Make two good models of the same tastes: film quality that all share, plus what each user likes."""
    rng = np.random.default_rng(seed)
    quality = rng.normal(size=n_items)
    taste = rng.normal(size=(n_users, 4)) @ rng.normal(size=(4, n_items)) / 2
    truth = quality + taste
    users, items = np.arange(n_users), np.arange(n_items)
    noisy = [ScoreMatrix(users, items, truth + 0.5 * rng.normal(size=truth.shape)) for _ in range(2)]
    return noisy


def test_shuffled_users_keep_what_all_agree_on_and_shuffled_items_keep_nothing():
    a, b = planted()
    means = {}
    for axis in ("users", "items", "both"):
        table = agreement({"a": a, "b": shuffled(b, seed=3, axis=axis)}).iloc[0]
        means[axis] = table["correlation_mean"], table["overlap_mean"], table["overlap_chance"]
    honest = agreement({"a": a, "b": b}).iloc[0]
    assert honest["correlation_mean"] > 0.8
    assert 0.3 < means["users"][0] < 0.6  # the films' quality, half of the variance, survives
    for axis in ("items", "both"):
        correlation, overlap, chance = means[axis]
        assert abs(correlation) < 0.15
        assert overlap < 2.5 * chance < honest["overlap_mean"]


def test_mislabelling_moves_scores_and_leaves_ids():
    a = matrix(0)
    rows = np.array([4, 0, 1, 2, 3])
    moved = mislabelled(a, rows=rows)
    assert np.array_equal(moved.values, a.values[rows])
    assert np.array_equal(moved.user_ids, a.user_ids)
    back = mislabelled(moved, rows=np.argsort(rows))
    assert np.array_equal(back.values, a.values)
    assert np.array_equal(shuffled(a, seed=1).values, shuffled(a, seed=1).values)
    with pytest.raises(ValueError, match="axis='rows'"):
        shuffled(a, seed=0, axis="rows")


def test_bad_requests_are_named(train):
    with pytest.raises(ValueError, match="at least two models"):
        agreement({"a": matrix(0)})
    with pytest.raises(ValueError, match="larger than the catalogue of 12"):
        agreement({"a": matrix(0), "b": matrix(1)}, k=13)
    strangers = {name: matrix(seed, items=ITEMS + 1) for seed, name in enumerate("ab")}
    with pytest.raises(KeyError, match="1 item ids are not in the training data"):
        agreement(strangers, train)
