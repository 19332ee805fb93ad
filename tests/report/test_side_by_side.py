import pandas as pd
import pytest

from lib.report.side_by_side import draw, measured, side_by_side


def record(model, metric, value, *, low=None, high=None, seed=0, split="u1", fold="", dataset="ml-100k"):
    return {
        "dataset": dataset,
        "split": split,
        "fold": fold,
        "seed": seed,
        "model": model,
        "metric": metric,
        "value": value,
        "low": low,
        "high": high,
        "run": "another",
    }


def compared(before, after, **options):
    """The table of two sides, row by row, and how many more rows there are."""
    rows, more = side_by_side(measured("svd", {"before": before, "after": after}), **options)
    return rows.set_index(["model", "metric"]), more


def test_records_meet_by_key_and_seeds_by_their_means():
    before = [record("svd", "rmse", v, seed=s, low=v - 1) for s, v in enumerate([1.0, 2.0, 6.0])]
    before += [record("svd", "mae", 0.7), record("old", "rmse", 1.0)]
    rows, more = compared(before, [record("new", "rmse", 1.0), record("svd", "rmse", 4.0, seed=9, high=5.0)])
    assert list(rows.index) == [("svd", "rmse")] and more == 0
    assert rows.loc[("svd", "rmse"), ["before", "after", "difference"]].tolist() == [
        "3.0000",
        "4.0000",
        "+1.0000",
    ]


def test_splits_and_folds_meet_their_like_and_folds_are_averaged():
    before = [record("svd", "rmse", 1.0), record("svd", "rmse", 2.0, split="u2")]
    before += [
        record("svd", "rmse", 4.0, split="u2", fold="1"),
        record("svd", "rmse", 9.0, split="u2", fold="2"),
    ]
    after = [record("svd", "rmse", 5.0, split="u2"), record("svd", "rmse", 7.0, split="u2", fold="1")]
    rows, _ = compared(before, after)
    assert rows[["split", "before", "after"]].to_numpy().tolist() == [["u2", "3.0000", "6.0000"]]


@pytest.mark.parametrize(("part", "other"), [("dataset", "ml-1m"), ("split", "u2")])
def test_another_data_set_or_split_is_compared_across_where_each_side_has_one(part, other):
    before, after = [record("m", "rmse", 1.0)], [record("m", "rmse", 2.0, **{part: other})]
    frame = measured("a", {"before": before, "after": after})
    (both,) = set(frame[part])
    assert both.endswith(f" -> {other}") and list(frame["value"]) == [1.0, 2.0]
    frame = measured("a", {"before": before, "after": [*after, record("m", "rmse", 3.0, **{part: "third"})]})
    assert len(set(frame[part])) == 3


def test_missing_values_are_no_results():
    assert measured("a", {"before": [record("m", "rmse", None)], "after": []}).empty


def test_what_differs_is_shown_main_metrics_first_and_the_rest_is_counted():
    metrics = ["train_rmse", "rmse", "recall@10", "ndcg@10", "mae"]
    before = [record("m", name, 1.0) for name in metrics]
    after = [record("m", name, 1.0 if name == "mae" else 2.0) for name in metrics]
    rows, more = compared(before, after, most=3)
    assert [metric for _, metric in rows.index] == ["rmse", "ndcg@10", "train_rmse"] and more == 1
    rows, more = compared(before, before)
    assert [metric for _, metric in rows.index] == ["rmse", "ndcg@10", "mae"] and more == 0


def test_several_runs_get_equal_room():
    before, after = ([record(f"m{i}", "rmse", v) for i in range(5)] for v in (1.0, 2.0))
    frames = [measured("a", {"x": before, "y": after}), measured("b", {"x": before[:1], "y": after[:1]})]
    rows, more = side_by_side(pd.concat(frames), most=4)
    assert list(rows["run"] + rows["model"]) == ["am0", "am1", "bm0"] and more == 3


def test_two_sides_have_intervals_and_more_a_column_each():
    one, other = [record("m", "rmse", 0.5, low=0.4, high=0.6)], [record("m", "rmse", 1234.5)]
    rows, _ = side_by_side(measured("a", {"before": one, "after": other}))
    columns = ["model", "split", "metric", "before", "after", "difference", "interval before"]
    assert list(rows) == columns
    assert rows.loc[0].tolist()[3:] == ["0.5000", "1,234", "+1234.0000", "0.4000 to 0.6000"]
    rows, _ = side_by_side(measured("a", {"5": one, "10": other, "20": other}))
    assert list(rows) == ["model", "split", "metric", "5", "10", "20"]


def test_where_no_row_is_on_all_sides_each_is_shown():
    frame = measured("a", {"5": [record("m", "ndcg@5", 0.5)], "10": [record("m", "ndcg@10", 0.25)]})
    rows, _ = side_by_side(frame)
    assert list(rows) == ["model", "split", "metric", "5", "10"], "there is no difference to show"
    assert rows[["metric", "5", "10"]].to_numpy().tolist() == [
        ["ndcg@5", "0.5000", ""],
        ["ndcg@10", "", "0.2500"],
    ]


def test_without_rmse_mae_and_ndcg_other_metrics_stand_for_them(tmp_path):
    sides = {n: [record("m", "validation_rmse", 1.0), record("m", "folding", 2.0)] for n in ("1", "2")}
    frame = measured("a", sides)
    assert side_by_side(frame)[0]["metric"].tolist() == ["validation_rmse", "folding"]
    draw(frame, {"1": 1, "2": 2}, "n", tmp_path / "sweep")
    assert "validation_rmse" in (tmp_path / "sweep.svg").read_text()


def test_a_panel_a_metric_and_a_line_a_model(tmp_path):
    sides = {
        str(n): [
            record(model, metric, n * scale)
            for model, scale in (("svd", 1.0), ("bpr", 2.0))
            for metric in ("rmse", "ndcg@10")
        ]
        for n in (10, 20)
    }
    draw(measured("a", sides), {"10": 10, "20": 20}, "n_factors", tmp_path / "sweep")
    svg = (tmp_path / "sweep.svg").read_text()
    assert (tmp_path / "sweep.png").read_bytes()[:4] == b"\x89PNG"
    for text in ("rmse", "ndcg@10", "svd", "bpr", "n_factors"):
        assert text in svg


def test_a_swept_split_is_drawn_though_each_record_has_its_own(tmp_path):
    sides = {split: [record("svd", "rmse", value, split=split)] for split, value in (("u1", 1.0), ("u2", 2.0))}
    draw(measured("a", sides), {"u1": "u1", "u2": "u2"}, "split", tmp_path / "sweep")
    assert (tmp_path / "sweep.svg").read_text().count("u2") == 1
