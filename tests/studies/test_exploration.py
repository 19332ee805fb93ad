from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from lib.data.interactions import Interactions
from lib.data.splits import Split, random_holdout
from lib.studies import exploration
from tests.conftest import planted_interactions


def interactions(rows, *, items=None):
    frame = pd.DataFrame(rows, columns=["user", "item", "rating", "timestamp"][: len(rows[0])])
    table = None if items is None else pd.DataFrame({"title": ""}, index=pd.Index(items, name="item"))
    return Interactions.from_frame(frame, scale=(1, 5), item_table=table)


TOY = [(1, 10, 5), (1, 20, 3), (1, 30, 1), (2, 10, 4), (2, 20, 4), (3, 10, 3)]


@pytest.fixture
def toy():
    return interactions(TOY, items=[10, 20, 30, 40])


def test_overview_counts_by_hand(toy):
    found = exploration.overview(toy)
    assert (found["ratings"], found["users"], found["items"], found["catalogue"]) == (6, 3, 3, 4)
    assert found["density"] == pytest.approx(6 / 9)
    assert found["mean"] == pytest.approx(20 / 6) and found["user_median"] == 2 and found["item_max"] == 3


def test_rating_shares_by_hand(toy):
    shares = exploration.rating_shares(toy)
    assert shares["rating"].tolist() == [1, 3, 4, 5]
    assert shares["share"].tolist() == pytest.approx([1 / 6, 2 / 6, 2 / 6, 1 / 6])


def test_gini_by_hand_and_against_the_mean_difference():
    assert exploration.gini([7, 7, 7]) == pytest.approx(0)
    assert exploration.gini([0, 0, 0, 1]) == pytest.approx(3 / 4)
    x = np.random.default_rng(0).pareto(2, 50)
    assert exploration.gini(x) == pytest.approx(np.abs(x[:, None] - x).mean() / (2 * x.mean()))
    units, held = exploration.lorenz(x)
    assert exploration.gini(x) == pytest.approx(2 * np.trapezoid(held, units) - 1)


def test_share_needed_by_hand():
    assert exploration.share_needed([1, 8, 1, 0], 0.8) == 1 / 4
    assert exploration.share_needed([1, 8, 1, 0], 0.81) == 2 / 4
    assert exploration.share_needed([5, 5], 1) == 1


def test_density_grid_against_the_sorted_dense_matrix():
    rng = np.random.default_rng(1)
    rated = rng.random((23, 31)) < np.outer(np.linspace(0.1, 1, 23), np.linspace(0.1, 1, 31))
    users, items = np.nonzero(rated)
    data = interactions(np.column_stack([users, items, np.ones(len(users))]).tolist())
    dense = np.zeros((data.n_users, data.n_items))
    dense[data.users, data.items] = 1
    dense = dense[np.argsort(-dense.sum(1), kind="stable")][:, np.argsort(-dense.sum(0), kind="stable")]
    grid = exploration.density_grid(data, n_bins=5)
    rows, columns = (np.linspace(0, n, 6).astype(int) for n in dense.shape)
    expected = [[dense[a:b, c:d].mean() for c, d in pairwise(columns)] for a, b in pairwise(rows)]
    np.testing.assert_allclose(grid, expected)
    assert exploration.density_grid(data, n_bins=1000).shape == dense.shape


def test_habits_against_pandas(toy):
    for kind in ("user", "item"):
        oracle = toy.frame().groupby(kind)["rating"].agg(["size", "mean", "std"]).to_numpy()
        np.testing.assert_allclose(
            exploration.habits(toy, kind)[["ratings", "mean", "deviation"]].to_numpy(dtype=float),
            oracle,
            rtol=1e-6,
        )


def test_true_spread_finds_planted_spread_and_no_spread():
    rng = np.random.default_rng(3)
    for spread in (0.0, 0.5):
        n, per = 400, 15
        values = rng.normal(3, spread, (n, 1)) + rng.normal(0, 1, (n, per))
        table = pd.DataFrame({"ratings": per, "mean": values.mean(1), "deviation": values.std(1, ddof=1)})
        assert exploration.true_spread(table) == pytest.approx(spread, abs=0.09)
        assert table["mean"].std() > spread + 0.02  # the plain spread is inflated by noise
    assert np.isnan(exploration.true_spread(table.assign(ratings=1)))


def test_titles_under_two_ids_are_counted_where_the_year_is_the_same():
    data = interactions(TOY, items=[10, 20, 30, 40])
    data.item_table["title"], data.item_table["year"] = ["Twice", "Twice", "Once", "Once"], [1990, 1990, 1991, 1991]
    # Nobody rated film 40, so that film 30 stands alone.
    assert exploration.doubled_titles(data) == {"titles": 1, "films": 2, "ratings": 5, "both": 2}
    data.item_table["year"] = [1990, 1991, 1992, 1993]
    assert set(exploration.doubled_titles(data).values()) == {0}
    assert set(exploration.doubled_titles(interactions(TOY)).values()) == {0}


def test_popularity_bands_hold_every_rated_film(toy):
    bands = exploration.popularity_bands(toy, n_bins=3)
    assert bands["items"].sum() == 3
    assert (bands[["q05", "q25", "q50", "q75"]].to_numpy() <= bands[["q25", "q50", "q75", "q95"]].to_numpy()).all()
    assert bands.iloc[-1]["q50"] == pytest.approx(4) or bands.iloc[-1]["items"] > 1


def test_grouped_means_by_hand(toy):
    groups = {"both": np.array([True, True, False, False]), "none": np.array([False, False, False, True])}
    row = exploration.grouped_means(toy, groups, least=2).iloc[0]
    # Films 10 (5, 4, 3) and 20 (3, 4): mean 19/5; cluster residuals 12 - 3 * 3.8 = 0.6 and 7 - 2 * 3.8 = -0.6.
    assert (row["items"], row["ratings"]) == (2, 5) and row["mean"] == pytest.approx(3.8)
    assert row["high"] - row["mean"] == pytest.approx(1.96 * np.sqrt(2 * 0.36) / 5)
    few = exploration.grouped_means(toy, groups)
    assert len(few) == 1 and few[["low", "high"]].isna().all(axis=None)


def test_grouped_means_of_users_by_hand(toy):
    first = np.arange(toy.n_users) == 0
    row = exploration.grouped_means(toy, {"first": first}, side="user").iloc[0]
    mine = toy.ratings[toy.users == 0]
    assert (row["users"], row["ratings"]) == (1, len(mine)) and row["mean"] == pytest.approx(mine.mean())


def test_users_are_sorted_by_age_gender_and_occupation():
    data = planted_interactions(n_users=6, n_items=8, seed=1)
    table = pd.DataFrame(
        {
            "age": [1, 17, 18, 24, 55, 80],
            "gender": list("FMMFFM"),
            "occupation": ["artist"] * 3 + ["other"] * 3,
        },
        index=data.user_table.index,
    )
    object.__setattr__(data, "user_table", table)
    groups = exploration.groups_of(data.user_table)
    assert {name: np.flatnonzero(inside).tolist() for name, inside in groups["age"].items() if inside.any()} == {
        "under 18": [0, 1], "18–24": [2, 3], "50–55": [4], "56 and over": [5],
    }  # fmt: skip
    assert groups["gender"]["women"].tolist() == [True, False, False, True, True, False]
    assert list(groups["occupation"]) == ["artist", "other"]
    assert sum(inside.sum() for inside in groups["age"].values()) == 6
    assert exploration.groups_of(None) == {}


def test_described_groups_stand_in_order_with_their_shares():
    data = planted_interactions(n_users=30, n_items=20, seed=3)
    users, films = exploration.described_groups(data), exploration.described_groups(data, "item")
    assert list(users["attribute"].unique()) == ["age", "gender", "occupation"]
    assert list(films["attribute"].unique()) == ["genre", "decade"]
    jobs, decades = (t[t["attribute"] == a] for t, a in ((users, "occupation"), (films, "decade")))
    assert jobs["users"].is_monotonic_decreasing and decades["group"].is_monotonic_increasing
    for table, share in ((jobs, "user_share"), (decades, "film_share")):
        assert table[share].sum() == pytest.approx(1) and table["rating_share"].sum() == pytest.approx(1)
    film = data.item_table["year"].to_numpy()[0] // 10 * 10
    assert exploration.groups_of(data.item_table)["decade"][f"{film}s"][0]
    genre = data.item_table["genres"].iloc[0].split("|")[0]
    assert exploration.groups_of(data.item_table)["genre"][genre][0]


def test_nothing_is_described_without_tables():
    data = planted_interactions(n_users=5, n_items=4, tables=False)
    for side, column in (("user", "user_share"), ("item", "film_share")):
        found = exploration.described_groups(data, side)
        assert found.empty and {"attribute", "group", column, "rating_share"} <= set(found)
        assert exploration.extremes(found)["group"].isna().tolist() == [True, True]


def test_extremes_are_of_groups_with_an_interval():
    groups = pd.DataFrame({"group": list("abc"), "mean": [3.0, 1.0, 4.0], "low": [2.0, np.nan, 3.0]})
    assert exploration.extremes(groups)["group"].tolist() == ["a", "c"]


def test_cold_pairs_by_hand(toy):
    split = Split("mine", toy.take([0, 1, 3]), toy.take([2, 4, 5]))
    row = exploration.cold_pairs([split]).iloc[0]
    assert (row["train"], row["test"], row["test_users"], row["cold_item_ratings"]) == (3, 3, 3, 1)
    assert row["cold_users"] == pytest.approx(1 / 3) and row["cold_items"] == pytest.approx(1 / 3)


def test_tail_shares_cover_the_catalogue_and_the_test_set(toy):
    split = Split("mine", toy.take([0, 1, 3]), toy.take([2, 4, 5]))
    table = exploration.tail_shares(split, edges=(0, 1, 2))
    assert table["train_ratings"].tolist() == ["0", "1", "2+"]
    assert table["items"].tolist() == [2, 1, 1]
    assert table["test"].tolist() == pytest.approx([1 / 3] * 3)
    assert exploration.tail_shares(random_holdout(toy, test_share=0.5))["catalogue"].sum() == pytest.approx(1)


# -- time --------------------------------------------------------------------------------
ROWS = [  # user, item, rating, timestamp; not in time's order
    (1, 10, 5, 1000), (1, 20, 3, 400), (1, 30, 1, 9000),
    (2, 10, 4, 5000), (2, 20, 2, 5000),
]  # fmt: skip


@pytest.fixture
def in_time():
    frame = pd.DataFrame(ROWS, columns=["user", "item", "rating", "timestamp"])
    return Interactions.from_frame(frame, scale=(1, 5))


def test_histories_by_hand(in_time):
    found = exploration.histories(in_time, gap=3600)
    assert found.to_dict("list") == {
        "user": [0, 1],
        "ratings": [3, 2],
        "seconds": [8600, 0],
        "sessions": [2, 1],
    }
    assert exploration.histories(in_time, gap=100)["sessions"].tolist() == [3, 1]


def test_over_time_by_hand(in_time):
    found = exploration.over_time(in_time, n_bins=2)
    assert found["ratings"].tolist() == [2, 3] and found["new_users"].tolist() == [1, 1]
    many = exploration.over_time(in_time, n_bins=50)
    assert many["ratings"].sum() == 5 and many["new_users"].sum() == 2 and (many["ratings"] == 0).sum() == 46
