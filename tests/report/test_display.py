import numpy as np
import pandas as pd
import pytest

from lib.report import display


def cells(shown):
    return shown[-1][0][display.TABLE_MIME]


def test_cells_are_set_by_their_kind(shown):
    frame = pd.DataFrame(
        {
            "text": ["a", None],
            "portion": [0.123456, np.nan],
            "n": [12345, -7],
            "flag": [True, False],
            "r": [1.0, 2.0],
        }
    )
    display.table(frame, "tbl-kinds")
    assert cells(shown) == {
        "columns": ["Text", "Portion", "N", "Flag", "R"],
        "rows": [["a", "0.1235", "12,345", "yes", "1"], ["–", "–", "−7", "no", "2"]],
        "align": ["left", "right", "right", "left", "right"],
    }


def test_claims_as_marks_are_words_where_nothing_draws_them(shown):
    marks = [{"text": "SVD", "href": "projects.html#svd", "reproduced": "no", "stands": "yes"}]
    display.strip([{"name": "A", "about": "models", "marks": marks}])
    assert shown[-1][0]["text/markdown"] == "- **A**: SVD (stands: yes; reproduced: no)"


def test_hostile_titles_are_escaped_in_html_and_kept_as_text(shown):
    display.table(pd.DataFrame({"title": ["<script>alert(1)</script> & Co | *"]}), "tbl-titles")
    assert "<script>" not in shown[0][0]["text/html"]
    assert cells(shown)["rows"] == [["<script>alert(1)</script> & Co | *"]]


def test_links(shown):
    display.table(pd.DataFrame({"a": ["x", "y"]}), "tbl-a", {"a": ["fig-one", ""]})
    assert cells(shown)["rows"] == [[{"text": "x", "href": "fig-one"}], ["y"]]


def test_unknown_columns_are_an_error():
    with pytest.raises(KeyError, match="RMSE"):
        display.table(pd.DataFrame({"rmse": [1.0]}), "tbl-a", {"RMSE": ["fig-one"]})


def test_an_empty_table_says_so(shown):
    display.table(pd.DataFrame({"a": []}), "tbl-a")
    assert "no rows" in shown[0][0]["text/html"]


def test_what_is_written_from_the_right_keeps_to_itself_and_long_words_may_be_broken(shown):
    texts = ["الف ليلة  ·  Persona *  ·  [a]", "Persona", "x" * 45, "a\u202eb", "\u2067open", "שלום"]
    display.table(pd.DataFrame({"title": texts}), "tbl-titles")
    wanted = ["\u2068الف ليلة\u2069  ·  \u2068Persona *\u2069  ·  \u2068[a]\u2069", "Persona"]
    wanted += ["\u200b".join(["x" * 20, "x" * 20, "x" * 5]), "\u2068a\u202eb\u2069", "open", "\u2068שלום\u2069"]
    assert [row[0] for row in cells(shown)["rows"]] == wanted
