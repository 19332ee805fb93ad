"""Rolling cuts: nothing of the future is read, what is kept up to date is a ridge regression, errors add up."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lib.data.interactions import Interactions, RatingScale
from lib.experiment.fit import fit_and_measure
from lib.metrics.rating import rmse
from lib.studies import rolling
from lib.studies.rolling_kernels import online
from tests.conftest import planted_interactions

MODELS = {
    "bias": {"model": "bias", "parameters": {"user_regularisation": 2.0}},
    "biased_svd": {"model": "biased_svd", "parameters": {"n_factors": 3, "n_epochs": 5}},
    "most_popular": {"model": "most_popular", "parameters": {}},
}


@pytest.fixture(scope="module")
def ratings():
    planted = planted_interactions(n_users=40, n_items=30, seed=5)
    times = np.random.default_rng(0).permutation(len(planted)) * 600
    return replace(planted, timestamps=times.astype(np.int64), origin=())


@pytest.fixture(scope="module")
def records(ratings):
    edges = rolling.edges_of(ratings, 2)
    parts = rolling.rolling_parts(ratings, edges)
    fits = rolling.rolling_fits(MODELS, edges, k=5, threshold=4.0)
    return edges, parts, [{**fit_and_measure(parts, fit), **fit.labels} for fit in fits]


def test_windows_hold_about_equally_many_ratings_and_follow_each_other(ratings):
    edges = rolling.edges_of(ratings, 3)
    inside = np.histogram(ratings.timestamps, edges)[0]
    assert len(edges) == 5 and inside.sum() == pytest.approx(len(ratings) / 2, abs=2) and np.ptp(inside) <= 2
    parts = rolling.rolling_parts(ratings, edges)
    for n in range(4):
        train, test = parts[f"{n}/train"], parts[f"{n}/test"]
        assert train.timestamps.max() < edges[n] <= test.timestamps.min() and len(train) + len(test) == len(ratings)
    alike = replace(ratings, timestamps=np.full(len(ratings), 7), origin=())
    with pytest.raises(ValueError, match="share a second"):
        rolling.edges_of(alike, 3)


@pytest.mark.parametrize("kept_up", [True, False])
def test_keeping_up_is_a_ridge_regression_on_the_ratings_before(kept_up):
    rng = np.random.default_rng(1)
    users, items = rng.integers(0, 4, 60), rng.integers(0, 9, 60)
    values, times = rng.normal(3, 1, 60), np.arange(60) * 10
    baseline, features = rng.normal(size=9), np.hstack([np.ones((9, 1)), rng.normal(size=(9, 2))])
    penalties = np.array([1.0, 2.0, 3.0])
    found, sitting = online(users, items, values, times, 20, baseline, features, penalties, 25, kept_up)
    for n in range(20, 60):
        mine = np.flatnonzero(users[: n if kept_up else 20] == users[n])
        x, y = features[items[mine]], values[mine] - baseline[items[mine]]
        weights = np.linalg.solve(np.diag(penalties) + x.T @ x, x.T @ y)
        assert found[n - 20] == pytest.approx(baseline[items[n]] + features[items[n]] @ weights)
    first = next(n for n in range(21, 60) if users[n] == users[n - 1] and users[n] not in users[n - 4 : n - 1])
    if kept_up:  # one rating before in the sitting: half of what it missed
        assert sitting[first - 20] == pytest.approx((values[first - 1] - found[first - 21]) / 2)


def test_no_later_rating_moves_a_prediction(ratings, records):
    """The canary: ratings from the middle of a window on are changed; what was predicted before stays the same."""
    edges, parts, _ = records
    fit = rolling.rolling_fits(MODELS, edges)[0]
    asked = parts["1/test"]
    late = asked.timestamps >= (edges[1] + edges[2]) // 2
    changed = replace(asked, ratings=np.where(late, 6 - asked.ratings, asked.ratings), origin=())
    own = asked.timestamps < edges[2]
    users = np.flatnonzero(asked.take(own).user_counts)
    safe = np.isin(users, np.flatnonzero(np.bincount(asked.users[own & late], minlength=asked.n_users) == 0))
    before, after = (fit_and_measure({**parts, "1/test": of}, fit) for of in (asked, changed))
    assert safe.any()
    for name in (*MODELS, *rolling.ONLINE, "blend"):
        if f"squared/{name}" in before:
            np.testing.assert_array_equal(before[f"squared/{name}"][safe], after[f"squared/{name}"][safe])


def test_errors_by_hand_and_pooled_over_windows(records):
    edges, parts, found = records
    table = rolling.error_table(found)
    train, asked = parts["1/train"], parts["1/test"]
    from lib.models.fitting import answers, fit_model

    told = answers(fit_model("bias", train, user_regularisation=2.0), asked)
    for window, (low, high) in {1: edges[1:3], 2: edges[2:4]}.items():
        inside = (asked.timestamps >= low) & (asked.timestamps < high)
        row = table[(table["model"] == "bias") & (table["cut"] == 1) & (table["window"] == window)].set_index("group")
        assert row["rmse"]["all"] == pytest.approx(rmse(asked.ratings[inside], told[inside]), rel=1e-6)
        known = inside & (train.user_counts[asked.users] > 0)
        assert row["n"]["known users"] == known.sum() and row["n"]["all"] == inside.sum()
    fresh, frozen = rolling.over_windows(table), rolling.over_windows(table, frozen=True)
    one = fresh.set_index(["model", "group"])
    own = table[(table["model"] == "bias") & (table["cut"] == table["window"]) & (table["group"] == "all")]
    assert one["rmse"]["bias", "all"] == pytest.approx(np.sqrt(own["squared"].sum() / own["n"].sum()))
    assert frozen.set_index(["model", "group"])["n"]["bias", "all"] == one["n"]["bias", "all"]
    assert set(rolling.ONLINE) < set(table["model"]) and "most_popular" not in set(table["model"])
    assert found[0]["told"]["most_popular"]["ndcg"] > 0
    assert rolling.windows_of([0, 86_400, 2 * 86_400, 3 * 86_400]) == [
        "1970-01-02 to 1970-01-03",
        "1970-01-03 to 1970-01-04",
    ]


def test_a_blend_leaves_equal_weights_only_where_users_tell_for_sure():
    rng = np.random.default_rng(2)
    n = 3_000
    users, truth = rng.integers(0, 100, n).astype(np.int32), rng.normal(3, 1, n)
    scale, ids = RatingScale(-9, 9), np.arange(100)
    of = Interactions(users, users, truth.astype(np.float32), np.zeros(n, np.int64), ids, ids, scale)
    good, bad = truth + rng.normal(0, 0.2, n), truth + rng.normal(0, 2.0, n)
    weights = rolling.blended([good, bad], of)
    assert weights[0] > 0.9 and abs(weights[1]) < 0.1
    alike = truth[:, None] + rng.normal(0, 1.0, (n, 2))
    np.testing.assert_allclose(rolling.blended(list(alike.T), of), 0.5, atol=0.05)
    few = of.take(np.arange(3))
    np.testing.assert_array_equal(rolling.blended([good[:3], bad[:3]], few), [0.5, 0.5])
    assert isinstance(rolling.error_table([]), pd.DataFrame)
