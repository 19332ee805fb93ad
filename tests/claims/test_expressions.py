"""What the expressions and texts of the rules know and how they are filled in."""

import pytest

from lib.claims.expressions import Names, Record, Stored, fields, find, records
from lib.experiment.stored_runs import MissingRun
from tests.claims.made_up import store

ROWS = records([{"fold": 1, "rmse": 0.9, "kept": True}, {"fold": 2, "rmse": 0.7, "kept": True}])


@pytest.fixture
def names(tmp_path):
    stored = Stored(store({"svd": {"starts": {"rmse": [0.9, 0.7]}}, "two_tower": {}}, tmp_path))
    definitions = {
        "errors": "run('svd').starts.rmse",
        "worst": "max(errors) + room",
        "never_asked": "1 / 0",
        "words": {"rmse": "the root"},
    }
    return Names(stored, definitions, room=0.5, rows=ROWS, figure="rmse")


def test_entries_are_attributes():
    assert ROWS[0].rmse == 0.9 and ROWS[0] == {"fold": 1, "rmse": 0.9, "kept": True}
    assert isinstance(records({"a": [{"b": {"c": 1}}]}).a[0].b, Record)
    with pytest.raises(AttributeError, match="there is no 'mae' among fold, rmse, kept"):
        _ = ROWS[0].mae


def test_a_row_is_found_by_its_values():
    assert find(ROWS, fold=2, kept=True) is ROWS[1]
    assert find(ROWS, kept=True) is ROWS[0]
    assert find(ROWS, fold=3) is None and find(ROWS, split="u1") is None


def test_definitions_use_each_other_and_are_read_where_they_are_met(names):
    assert names.value("worst") == 1.4
    assert names.value("[row.rmse + room for row in rows if row.fold > 1]") == [1.2]
    assert names.value("words[figure]") == "the root"
    assert names.value("mean(errors)") == pytest.approx(0.8)
    assert names.value("std(errors)") == pytest.approx(0.02**0.5)  # of a sample: n - 1
    with pytest.raises(ZeroDivisionError):
        names.value("never_asked")
    for unknown in ("error", "open('x')", "__import__('os')"):
        with pytest.raises(NameError):
            names.value(unknown)


def test_a_text_is_filled_in(names):
    assert names.text("no value") == "no value" and names.text("") == ""
    assert names.text("{figure} {min(errors):.2f}, {errors[0] - 1:+.1f}") == "rmse 0.70, -0.1"
    assert names.text("{errors[0] - 1:−+.1f}") == "−0.1"  # a real minus sign
    assert names.text("{errors:.1f}; {[row for row in rows if row.fold > 2]}") == "0.9, 0.7; none"
    assert fields("{figure} of {min(errors):.2f}") == ["figure", "min(errors)"]


def test_stored_runs_are_read(names, tmp_path):
    stored = Stored(tmp_path)
    assert stored.has("svd", "two_tower") and not stored.has("svd", "koren")
    assert stored.first("koren", "svd", "two_tower") == "svd"
    row, _ = stored.drawn("two_tower", "fig-two-tower-published")
    assert row.architecture == "emb16_user16_movie64_final64" and row.test_ours == 0.395
    assert [row.targets for row in stored.drawn("two_tower", "tbl-two-tower-scaling")] == ["centred, divided by 2.5"]
    with pytest.raises(MissingRun, match="--only koren_100k"):
        stored.first("koren", "koren_100k")
    with pytest.raises(MissingRun, match="--only koren"):
        names.value("run('koren')")
