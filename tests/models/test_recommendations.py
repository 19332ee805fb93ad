"""Titles as readers see them."""

import numpy as np
import pandas as pd

from lib.data.interactions import Interactions
from lib.models.recommendations import titles_of
from tests.conftest import planted_interactions

TITLES = ["Heat", "<script>alert(1)</script>", "Alien & Aliens", "Amélie *", None, "Ran"]
YEARS = [1995, 2000, None, 2001, 1999, 1985]


def test_titles_come_with_their_year_and_otherwise_untouched():
    table = pd.DataFrame(
        {"title": TITLES, "year": pd.array(YEARS, dtype="Int64")}, index=pd.Index(range(10, 16), name="item")
    )
    frame = pd.DataFrame({"user": "ann", "item": range(10, 16), "rating": 3})
    data = Interactions.from_frame(frame, scale=(1, 5), item_table=table)
    wanted = {
        10: "Heat (1995)", 11: "<script>alert(1)</script> (2000)", 12: "Alien & Aliens", 13: "Amélie * (2001)",
        14: "14", 15: "Ran (1985)",
    }  # fmt: skip
    assert titles_of(data, np.arange(6)) == [wanted[raw] for raw in data.item_ids.tolist()]
    assert titles_of(planted_interactions(n_users=5, n_items=4, tables=False), [1, 0]) == ["2", "1"]
