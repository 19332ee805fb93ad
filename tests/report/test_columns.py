import numpy as np
import pandas as pd
import pytest

from lib.models import label
from lib.report import columns, display


@pytest.mark.parametrize(
    ("name", "heading", "text"),
    [
        ("rmse", "RMSE", "0.1235"),
        ("test_rmse", "Test RMSE", "0.1235"),
        ("rmse_low", "RMSE low", "0.1235"),
        ("rmse: By time", "By time", "0.1235"),
        ("ndcg@10", "nDCG@10", "0.123"),
        ("ndcg@10: dot", "dot", "0.123"),
        ("difference", "Difference", "+0.1235"),
        ("signed_difference", "Signed difference", "+0.1235"),
        ("p_adjusted", "p, corrected", "0.1235"),
        ("sign_p", "Sign p", "0.1235"),
        ("rmse_interval", "95% interval", "0.1235"),
        ("n_epochs", "Epochs", "0"),
        ("coverage", "Coverage", "12.3%"),
        # No quantities: by the value's kind, and only what looks like a name is put into words.
        ("decided_by", "Decided by", "0.1235"),
        ("label", "Model", "0.1235"),
        ("Toy Story: a film (1995)", "Toy Story: a film (1995)", "0.1235"),
        ("rmsea", "Rmsea", "0.1235"),
    ],
)
def test_a_name_says_how_a_column_is_shown(name, heading, text):
    found = columns.column(name)
    assert (found.heading, columns.as_text(0.12345678, found.format)) == (heading, text)


def test_the_longest_quantity_in_a_name_counts():
    assert columns.find("mean_seconds_fit").format == columns.QUANTITIES["seconds_fit"].format
    assert columns.find("rmse_spread").format == columns.QUANTITIES["spread"].format


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (-0.00123, "{:+.4f}", "−0.0012"),
        (-0.00003, "{:+.4f}", "0.0000"),
        (-12345, "", "−12,345"),
        (np.int64(12345), "{:.4f}", "12345.0000"),
        (np.float32(0.5), "", "0.5"),
        (1e-7, "{:.0e}", "1e−07"),
        (np.nan, "{:.4f}", "–"),
        (None, "{:.4f}", "–"),
        (pd.NA, "", "–"),
        (pd.NaT, "", "–"),
        (np.bool_(True), "{:.4f}", "yes"),
        ("a-b", "{:.4f}", "a-b"),
        (75.2, "duration", "1 min 15 s"),
        ([1.0], "", "[1.0]"),
    ],
)
def test_values_as_a_reader_sees_them(value, form, text):
    assert columns.as_text(value, form) == text


def test_intervals_have_the_decimals_of_their_quantity():
    ends = pd.DataFrame({"low": [-0.001, 0.9, np.nan], "high": [0.002, 1.0, 1.0]})
    assert columns.interval_texts(ends) == ["−0.0010 to +0.0020", "+0.9000 to +1.0000", "–"]
    assert columns.interval_text(0.9, 0.95, "rmse") == "0.9000 to 0.9500"


def test_the_glossary_explains_every_quantity():
    rows = columns.glossary()
    assert list(rows.columns) == ["quantity", "unit", "meaning"]
    assert len(rows) == len(columns.QUANTITIES)
    assert rows["quantity"].is_unique and rows["quantity"].str.lower().is_monotonic_increasing
    assert rows["meaning"].str.fullmatch(r"[A-Zp].{15,}[.]").all()


def test_every_format_suits_a_number():
    for name, quantity in columns.QUANTITIES.items():
        assert columns.as_text(0.5, quantity.format).strip("+−0123456789.,%").strip(" s") == "", name


def test_a_table_looks_its_columns_up(shown):
    frame = pd.DataFrame({"model": ["svd", "SVD, mine"], "test_rmse": [0.93, np.nan], "text": ["svd", ""]})
    display.table(frame, "tbl-a")
    assert shown[-1][0][display.TABLE_MIME] == {
        "columns": ["Model", "Test RMSE", "Text"],
        "rows": [[label("svd"), "0.9300", "svd"], ["SVD, mine", "–", ""]],
        "align": ["left", "right", "left"],
    }
