"""A reader's ratings as models see them."""

import numpy as np
import pandas as pd
import pytest

from lib.data.interactions import Interactions, RatingScale
from lib.workbench.own_ratings.stars import for_models, from_stars, grouped_columns, to_stars


def test_ratings_go_onto_one_to_five_and_back():
    scale = RatingScale(0.0, 100.0)
    assert to_stars(np.array([0.0, 25.0, 100.0]), scale).tolist() == [1.0, 2.0, 5.0]
    assert from_stars(np.array([1.0, 2.0, 5.0]), scale).tolist() == [0.0, 25.0, 100.0]
    assert to_stars(np.array([7.0, 7.0]), RatingScale(7.0, 7.0)).tolist() == [5.0, 5.0]


def test_columns_of_items_become_groups_that_models_know():
    table = pd.DataFrame({
        "title": list("abcdef"), "genres": ["x|y", "", "x", "x", "y", "y"], "publisher": ["Owl", "Fox|Co", None, "Owl", "Owl", "Owl"],
        "pages": [10.0, 20.0, 30.0, 40.0, 50.0, np.nan], "same": ["s"] * 6, "price": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    })  # fmt: skip
    found, uses = grouped_columns(table, "item")
    assert found["genres"].tolist() == table["genres"].tolist()
    assert found["tags"].iloc[0] == "publisher: Owl|pages: 10.0|price: part 1 of 5"
    assert found["tags"].iloc[1] == "publisher: Fox/Co|pages: 20.0|price: part 2 of 5"
    assert found["tags"].iloc[5] == "publisher: Owl|price: part 5 of 5"
    words = dict(zip(uses["column"], uses["use"], strict=True))
    assert words["same"] == "not used: it has one value"
    assert words["title"] == "shown to readers"


def test_columns_of_users_take_the_places_there_are():
    table = pd.DataFrame({"country": ["FI", "PT"], "age": [20.0, 30.0], "club": ["a", "b"], "team": ["c", "d"]})
    found, uses = grouped_columns(table, "user")
    assert found["age"].tolist() == [20.0, 30.0]
    assert found["gender"].tolist() == ["country: FI", "country: PT"]
    assert found["occupation"].tolist() == ["club: a", "club: b"]
    assert uses.set_index("column").loc["team", "use"].startswith("not used")


def test_models_see_whole_numbers_as_ids_and_the_same_pairs():
    frame = pd.DataFrame({"user": ["b", "a"], "item": ["x", "y"], "rating": [0.0, 10.0]})
    own = Interactions.from_frame(frame, scale=(0, 10))
    seen = for_models(own)
    assert (seen.users == own.users).all() and (seen.items == own.items).all()
    assert seen.ratings.tolist() == [1.0, 5.0] and tuple(seen.scale) == (1.0, 5.0)
    assert seen.user_ids.tolist() == [0, 1] and seen.item_table is None
    assert own.ratings.tolist() == pytest.approx([0.0, 10.0])
