"""A few users and films written out by hand, and what two models would say of them."""

import numpy as np
import pandas as pd
import pytest

from lib.data.interactions import Interactions
from lib.data.splits import Split
from lib.workbench.explorer.data import Explorer

TITLES = ["<script>alert(1)</script>", "Amélie", "Godfather, The", "映画", 'Plain & "Simple"', "Last"]
TRAIN = [("ann", 1, 5), ("ann", 2, 2), ("bob", 1, 4), ("bob", 2, 1), ("bob", 3, 5), ("cat", 1, 1), ("cat", 2, 5), ("cat", 3, 1)]  # fmt: skip
TEST = [("ann", 3, 4), ("ann", 4, 2), ("bob", 5, 3)]


@pytest.fixture(scope="session")
def split() -> Split:
    """Three users, six films: ann likes what bob likes; cat likes the opposite."""
    rows = pd.DataFrame([*TRAIN, *TEST], columns=["user", "item", "rating"])
    items = pd.DataFrame(
        {
            "title": TITLES,
            "year": pd.array([1990, 2001, 1972, None, 1999, 2000], dtype="Int64"),
            "genres": ["Crime|Drama", "Comedy", "Crime", "", "Drama", "Comedy"],
        },
        index=pd.Index(range(1, 7), name="item"),
    )
    users = pd.DataFrame(
        {"age": [30, 40, 50], "gender": ["F", "M", "F"], "occupation": ["<b>artist", "writer", "artist"], "zip_code": "12345"},
        index=pd.Index(["ann", "bob", "cat"], name="user"),
    )  # fmt: skip
    whole = Interactions.from_frame(rows, scale=(1, 5), user_table=users, item_table=items)
    train = np.arange(len(rows)) < len(TRAIN)
    return Split("by_hand", whole.take(train), whole.take(~train))


@pytest.fixture
def explorer(split) -> Explorer:
    """Model a lists films 3, 4, 5 for ann, model b 5, 3, 6; a predicts, and c predicts without lists."""
    lists = pd.DataFrame(
        [("a", "ann", 1, 3), ("a", "ann", 2, 4), ("a", "ann", 3, 5), ("b", "ann", 1, 5), ("b", "ann", 2, 3), ("b", "ann", 3, 6)],
        columns=["model", "user", "rank", "item"],
    )  # fmt: skip
    ratings = split.test.frame()[["user", "item", "rating"]].assign(a=[3.0, 4.0, 3.0], c=[4.0, 2.0, 3.0])
    return Explorer(split, lists, ratings, labels={"a": "Model <A>"}, k=3)
