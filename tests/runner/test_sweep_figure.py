import re

import pytest

from lib.runner.sweep_figure import column, draw, main_records, table_rows


def record(n, model, metric, value, low=None, high=None, fold=""):
    return {
        "n": n, "dataset": "d", "split": "s", "fold": fold, "model": model, "metric": metric, "value": value,
        "low": low, "high": high,
    }  # fmt: skip


def test_folds_are_averaged_and_what_no_value_moves_is_left_out():
    records = [
        record(1, "svd", "rmse", 0.9, 0.8, 1.0, fold="1"), record(1, "svd", "rmse", 1.1, 1.0, 1.4, fold="2"),
        record(2, "svd", "rmse", 0.5), record(1, "bias", "rmse", 3.0), record(2, "bias", "rmse", 3.0),
        record(1, "svd", "n_parameters", 5.0), record(2, "svd", "n_parameters", 6.0),
    ]  # fmt: skip
    frame = main_records(records, ["n"])
    assert list(frame["model"]) == ["svd", "svd"] and list(frame["metric"]) == ["rmse", "rmse"]
    assert list(frame["value"]) == pytest.approx([1.0, 0.5]) and list(frame["n"]) == [1, 2]
    assert list(frame["figures"]) == [2, 1]
    columns, rows, words = table_rows(frame, ["n"])
    assert columns == ["metric", "n", "value", "interval"] and words == 1
    assert rows == [["rmse", "1", "1.0000", "0.9000 to 1.2000"], ["rmse", "2", "0.5000", ""]]


def test_where_nothing_moves_everything_is_shown():
    frame = main_records([record(1, "a", "mae", 2.0), record(2, "a", "mae", 2.0)], ["n"])
    assert len(frame) == 2
    assert main_records([record(1, "a", "novelty@10", 2.0)], ["n"]).empty


def test_a_panel_a_metric_and_a_line_a_model(tmp_path):
    records = [
        record(n, model, metric, n * scale)
        for n in (10, 20)
        for model, scale in (("svd", 1.0), ("bpr", 2.0))
        for metric in ("rmse", "ndcg@10")
    ]
    svg, lines = draw(main_records(records, ["n"]), ["n"], tmp_path / "sweep")
    assert lines == "models"
    assert (tmp_path / "sweep.svg").read_text() == svg
    assert (tmp_path / "sweep.png").read_bytes()[:4] == b"\x89PNG"
    for text in ("RMSE", "nDCG@10", "svd", "bpr"):
        assert text in svg
    width = float(re.search(r'<svg[^>]* width="([\d.]+)pt"', svg)[1])
    assert width <= 7.2 * 72 + 1


def test_two_parameters_and_values_that_are_no_numbers(tmp_path):
    records = [
        {**record(n, "svd", "rmse", n + (kind == "b")), "kind": kind} for n in (1, 2) for kind in ("a", "b")
    ]
    svg, lines = draw(main_records(records, ["kind", "n"]), ["kind", "n"], tmp_path / "sweep")
    assert lines == "`n`" and "n = 1" in svg and "n = 2" in svg and "RMSE, svd" in svg


def test_a_swept_split_is_compared_though_each_record_has_its_own(tmp_path):
    name = column("split")
    records = [
        {**record(0, "svd", "rmse", value), "split": split, name: split}
        for split, value in (("u1", 1.0), ("u2", 2.0))
    ]
    frame = main_records(records, [name])
    assert list(frame["value"]) == [1.0, 2.0]
    columns, rows, _ = table_rows(frame, [name])
    assert columns == ["metric", "split (parameter)", "value"] and rows[1] == ["rmse", "u2", "2.0000"]
    assert draw(frame, [name], tmp_path / "sweep")[0].count("u2") == 1
