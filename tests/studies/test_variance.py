import numpy as np
import pandas as pd
import pytest

from lib.data.interactions import Interactions
from lib.studies.variance import explained_variance


def make(seed=0, *, n_users=60, n_items=50, tables=True):
    """Ratings with planted user, film and gender effects; the occupation means nothing."""
    rng = np.random.default_rng(seed)
    gender = rng.integers(0, 2, n_users)
    bias, film = rng.normal(0, 0.5, n_users) + 0.8 * gender, rng.normal(0, 0.7, n_items)
    users, items = np.nonzero(rng.random((n_users, n_items)) < 0.4)
    ratings = 3 + bias[users] + film[items] + rng.normal(0, 0.8, len(users))
    frame = pd.DataFrame({"user": users, "item": items, "rating": np.clip(ratings, -9, 15)})
    people = pd.DataFrame(
        {"gender": np.array(["F", "M"])[gender], "occupation": rng.choice(list("abcd"), n_users),
         "age": rng.integers(10, 70, n_users)}, index=np.arange(n_users),
    )  # fmt: skip
    films = pd.DataFrame(
        {"genres": rng.choice(["Drama", "Drama|War", ""], n_items),
         "year": pd.array(rng.choice([1980, 1990, None], n_items), dtype="Int64")}, index=np.arange(n_items),
    )  # fmt: skip
    return Interactions.from_frame(
        frame, scale=(-9, 15), user_table=people if tables else None, item_table=films if tables else None
    )


def by_least_squares(data, columns):
    """The same share from one dense regression over the ratings."""
    y = data.ratings.astype(float)
    design = np.column_stack([np.ones(len(y)), *columns])
    fitted, _, rank, _ = np.linalg.lstsq(design, y, rcond=None)
    n = len(y)
    error = ((y - design @ fitted) ** 2).sum()
    return rank - 1, 1 - (error / (n - rank)) / (((y - y.mean()) ** 2).sum() / (n - 1))


def test_shares_equal_a_dense_regression():
    data = make()
    table = explained_variance(data).set_index("source")
    people, films = np.eye(data.n_users)[data.users], np.eye(data.n_items)[data.items]
    gender = (data.user_table["gender"] == "M").to_numpy(float)[data.users]
    genres = np.stack([data.item_table["genres"].str.contains(g).to_numpy(float)[data.items] for g in ("Drama", "War")])
    for source, columns in {
        "user id": [people], "film id": [films], "user id and film id": [people, films], "gender": [gender],
        "genres": [*genres],
    }.items():  # fmt: skip
        effects, share = by_least_squares(data, columns)
        assert table.loc[source, "effects"] == effects, source
        assert table.loc[source, "share"] == pytest.approx(share, abs=1e-7), source


def test_a_meaningless_feature_explains_about_its_chance():
    shares = pd.concat([explained_variance(make(seed)) for seed in range(12)]).groupby("source").mean(numeric_only=True)
    assert shares.loc["occupation", "share"] == pytest.approx(shares.loc["occupation", "chance"], abs=0.02)
    assert shares.loc["gender", "share"] > 5 * shares.loc["gender", "chance"]


def test_without_side_tables_only_the_ids_are_left():
    assert explained_variance(make(tables=False))["source"].tolist() == [
        "user id",
        "film id",
        "user id and film id",
    ]


def test_equal_ratings_have_no_variance():
    data = make()
    with pytest.raises(ValueError, match="no variance"):
        explained_variance(data.with_ratings(np.full(len(data), 3.0), (1, 5)))
