import pandas as pd

from lib.runner.metric_changes import chosen, compare, table


def record(model, metric, value, *, low=None, high=None, seed=0, split="u1", fold="", dataset="ml-100k"):
    return {
        "dataset": dataset, "split": split, "fold": fold, "seed": seed, "model": model, "metric": metric,
        "value": value, "low": low, "high": high, "run": "svd",
    }  # fmt: skip


def test_records_meet_by_key():
    before = [
        record("svd", "rmse", 0.9, low=0.8, high=1.0),
        record("svd", "mae", 0.7),
        record("old", "rmse", 1),
    ]
    after = [record("new", "rmse", 1.0), record("svd", "rmse", 0.95, low=0.85, high=1.05)]
    found = compare("svd", before, after)
    assert [(c.model, c.metric, c.before, c.after) for c in found.itertuples()] == [
        ("svd", "rmse", 0.9, 0.95)
    ]
    (change,) = found.itertuples()
    assert abs(change.difference - 0.05) < 1e-12
    assert (change.low_before, change.high_after) == (0.8, 1.05)


def test_other_seeds_are_compared_by_their_means():
    before = [record("svd", "rmse", v, seed=s, low=v - 1) for s, v in enumerate([1.0, 2.0, 6.0])]
    after = [record("svd", "rmse", 4.0, seed=9)]
    (change,) = compare("svd", before, after).itertuples()
    assert (change.before, change.low_before, change.after) == (3.0, 2.0, 4.0) and pd.isna(change.low_after)


def test_splits_and_folds_stay_apart():
    before = [record("svd", "rmse", 1.0, split="u1"), record("svd", "rmse", 2.0, split="u2")]
    after = [record("svd", "rmse", 5.0, split="u2"), record("svd", "rmse", 7.0, split="u2", fold="1")]
    assert [(c.split, c.before, c.after) for c in compare("svd", before, after).itertuples()] == [
        ("u2", 2.0, 5.0)
    ]


def test_another_data_set_is_compared_across_and_says_so():
    (change,) = compare(
        "a", [record("m", "rmse", 1.0)], [record("m", "rmse", 2.0, dataset="ml-1m")]
    ).itertuples()
    assert (change.dataset, change.before, change.after) == ("ml-100k -> ml-1m", 1.0, 2.0)


def test_another_split_is_compared_across_where_each_has_one():
    before, after = [record("m", "rmse", 1.0, split="u1")], [record("m", "rmse", 2.0, split="u2")]
    (change,) = compare("a", before, after).itertuples()
    assert (change.split, change.before, change.after) == ("u1 -> u2", 1.0, 2.0)
    assert compare("a", before, [*after, record("m", "rmse", 3.0, split="u3")]).empty


def test_the_machine_s_metrics_and_missing_values_are_no_results():
    before = [record("m", "seconds_rank", 1.0), record("m", "peak_mib", 5.0), record("m", "rmse", None)]
    after = [record("m", "seconds_rank", 2.0), record("m", "peak_mib", 6.0), record("m", "rmse", 1.0)]
    assert compare("a", before, after).empty


def test_what_differs_is_shown_main_metrics_first_and_the_rest_is_counted():
    metrics = ["train_rmse", "rmse", "recall@10", "ndcg@10", "mae"]
    before = [record("m", name, 1.0) for name in metrics]
    after = [record("m", name, 1.0 if name == "mae" else 2.0) for name in metrics]
    rows, more = chosen(compare("a", before, after), most=3)
    assert list(rows["metric"]) == ["rmse", "ndcg@10", "train_rmse"] and more == 1
    rows, more = chosen(compare("a", before, before))
    assert list(rows["metric"]) == ["rmse", "ndcg@10", "mae"] and more == 0


def test_several_runs_get_equal_room():
    before, after = ([record(f"m{i}", "rmse", v) for i in range(5)] for v in (1.0, 2.0))
    changes = pd.concat([compare("a", before, after), compare("b", before[:1], after[:1])])
    rows, more = chosen(changes, most=4)
    assert list(rows["run"] + rows["model"]) == ["am0", "am1", "bm0"] and more == 3
    assert table(rows).columns[0] == "run"


def test_the_table_has_no_empty_columns_and_the_file_has_all():
    found = compare("a", [record("m", "rmse", 0.5, low=0.4, high=0.6)], [record("m", "rmse", 0.25)])
    texts = table(found)
    assert list(texts) == ["model", "split", "metric", "before", "after", "difference", "interval before"]
    assert texts.to_numpy().tolist() == [
        ["m", "u1", "rmse", "0.5000", "0.2500", "-0.2500", "0.4000 to 0.6000"]
    ]
    assert "low_after" in found


def test_the_file_holds_full_precision(tmp_path):
    value = 0.1 + 0.2
    found = compare("a", [record("m, the", "rmse", value)], [record("m, the", "rmse", 1.0)])
    found.to_csv(tmp_path / "changes.csv", index=False)
    row = pd.read_csv(tmp_path / "changes.csv").iloc[0]
    assert row["model"] == "m, the" and row["before"] == value and row["difference"] == 1.0 - value
