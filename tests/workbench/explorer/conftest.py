"""A few users and films written out by hand, and what two models would say of them."""

from types import SimpleNamespace

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
    lists = {"a": [3, 4, 5], "b": [5, 3, 6]}
    run = run_of(split, lists, {"a": [3.0, 4.0, 3.0], "c": [4.0, 2.0, 3.0]}, {"a": {"label": "Model <A>"}})
    return Explorer([run], split, k=3, threshold=4.0)


def run_of(split, lists, predictions, contenders):
    """What a stored run holds, of lists for ann and of predictions by model."""
    where = {"split": split.name, "fold": "", "seed": None}
    held = split.test.frame()[["user", "item", "rating"]]
    return SimpleNamespace(
        run="by_hand",
        facts={"contenders": contenders},
        top_k=pd.concat(
            pd.DataFrame({"user": "ann", "rank": range(1, len(items) + 1), "item": items}).assign(model=model, **where)
            for model, items in lists.items()
        ),
        predictions=pd.concat(held.assign(model=m, prediction=of, **where) for m, of in predictions.items()),
    )
