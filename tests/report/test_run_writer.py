import json
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from lib.data import files
from lib.data.errors import RUN_FOLDER_VARIABLE
from lib.data.splits import per_user_holdout
from lib.experiment import stored_runs
from lib.experiment.evaluation import evaluate
from lib.report import run_writer as results


@pytest.fixture
def stored(planted, tmp_path, shown):
    split = per_user_holdout(planted)
    run = results.start_run("toy", runs_dir=tmp_path, dataset="planted", parameters={"seed": 1})
    run.record(evaluate("bias", split, ks=(3,), n_resamples=50))
    run.record(evaluate("svd", split, seed=7, ks=(3,), n_resamples=0))
    run.record(evaluate("svd", split, seed=8, ks=(), n_resamples=0), predictions=False)
    run.metric(model="svd", metric="rank", value=3, split="u1")
    run.fact("best", np.float32(0.5))
    run.finish()
    return stored_runs.load_run("toy", runs_dir=tmp_path), split


def test_a_run_comes_back_by_raw_id(stored):
    run, split = stored
    predictions = run.predictions.query("model == 'svd'")
    assert predictions["seed"].unique().tolist() == [7]
    merged = predictions.merge(split.test.frame(), on=["user", "item"], suffixes=("", "_true"))
    assert len(merged) == len(split.test)
    assert (merged["rating"] == merged["rating_true"]).all()
    scores = run.scores("svd")
    rows, columns = pd.Index(scores.user_ids), pd.Index(scores.item_ids)
    looked_up = scores.values[rows.get_indexer(merged["user"]), columns.get_indexer(merged["item"])]
    np.testing.assert_allclose(np.clip(looked_up, 1, 5), merged["prediction"], atol=1e-5)


def test_lists_hold_no_training_film(stored):
    run, split = stored
    seen = set(zip(split.train.frame()["user"], split.train.frame()["item"], strict=True))
    assert not seen & set(zip(run.top_k["user"], run.top_k["item"], strict=True))


def test_metrics_are_tidy(stored):
    run, _ = stored
    assert tuple(run.metrics.columns) == stored_runs.METRIC_COLUMNS
    by_hand = run.metrics.iloc[-1]
    assert by_hand[["dataset", "run", "split", "fold", "value"]].tolist() == ["planted", "toy", "u1", "", 3.0]
    bias = run.metrics.query("model == 'bias' and metric == 'rmse'").iloc[0]
    assert bias["low"] < bias["value"] < bias["high"]
    assert bias["dataset"] == "planted"
    both = run.metrics.query("model == 'svd' and metric == 'rmse'")["value"]
    assert run.value("svd", "rmse") == pytest.approx(both.mean())
    with pytest.raises(KeyError, match="ndcg@99"):
        run.value("svd", "ndcg@99")


def test_facts_and_provenance(stored):
    run, _ = stored
    assert run.facts == {"best": 0.5}
    assert run.provenance["parameters"] == {"seed": 1}
    assert {"commit", "versions", "cores", "seconds"} <= set(run.provenance)


def test_a_missing_run_says_how_to_make_it(tmp_path):
    with pytest.raises(stored_runs.MissingRun, match=r"run_notebooks[.]py --only svd"):
        stored_runs.load_run("svd", runs_dir=tmp_path)


def test_an_unfinished_run_counts_as_missing(tmp_path):
    results.start_run("half", runs_dir=tmp_path).fact("a", 1)
    with pytest.raises(stored_runs.MissingRun):
        stored_runs.load_run("half", runs_dir=tmp_path)


def test_of_several_runs_those_that_are_finished_are_read(stored):
    runs_dir = stored[0].folder.parent
    found = stored_runs.stored_runs("svd", "toy", "", runs_dir=runs_dir)
    assert [run.run for run in found] == ["toy"] and found[0].facts == {"best": 0.5}


def test_missing_scores_name_the_command(stored):
    with pytest.raises(stored_runs.MissingRun, match="--only toy"):
        stored[0].scores("two_tower")


@pytest.mark.parametrize("name", ["", "../up", ".hidden"])
def test_run_names_are_plain(name, tmp_path):
    with pytest.raises(ValueError, match="plain folder name"):
        results.start_run(name, runs_dir=tmp_path)


def test_the_runner_can_redirect_a_run(tmp_path, monkeypatch):
    monkeypatch.setenv(RUN_FOLDER_VARIABLE, str(tmp_path / "elsewhere"))
    results.start_run("toy", runs_dir=tmp_path).finish()
    assert (tmp_path / "elsewhere" / "provenance.json").exists()
    assert not (tmp_path / "toy").exists()


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"x": float("nan"), "y": np.int64(3)})
    with pytest.raises(RuntimeError), files.whole_file(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert json.loads(path.read_text()) == {"x": None, "y": 3}
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_figure_leaves_svg_and_data(tmp_path, shown):
    def draw():
        figure, axis = plt.subplots()
        axis.plot([1, 2], [3, 4])
        return figure

    run = results.start_run("toy", runs_dir=tmp_path)
    texts = []
    for _ in range(2):
        run.figure(draw(), "fig-a", data=pd.DataFrame({"x": [1, 2]}))
        texts.append((tmp_path / "toy/figures/fig-a.svg").read_text())
    assert texts[0] == texts[1], "the same figure must give the same bytes"
    assert texts[0].startswith("<svg")
    assert pd.read_csv(tmp_path / "toy/figures/fig-a.csv")["x"].tolist() == [1, 2]
    assert shown[0][1]["metadata"] == {"label": "fig-a"}
    with pytest.raises(ValueError, match="starts with 'fig-'"):
        run.figure(draw(), "a", data=pd.DataFrame())


def test_a_metric_has_known_columns(tmp_path):
    run = results.start_run("toy", runs_dir=tmp_path)
    with pytest.raises(TypeError, match="no sedd; it has dataset, split"):
        run.metric(model="svd", metric="rmse", value=1.0, sedd=1)


def test_no_text_of_a_table_starts_a_formula_and_numbers_stay(tmp_path, shown):
    run = results.start_run("toy", runs_dir=tmp_path)
    texts = [
        "=1+1",
        "@SUM(A1)",
        "+cmd|' /C calc'!A0",
        "-2+3+cmd",
        "\tx",
        "\n=1",
        "＝1",
        "-2+3",
        "-0.5 to +0.2",
        "-0.1 (-0.2 to 0.1)",
        "−3",
        "a=b",
        "-7",
    ]
    run.table(pd.DataFrame({"title": texts, "n": np.arange(13) - 5, "=x": np.linspace(-1, 1, 13)}), "tbl-toy")
    read = pd.read_csv(tmp_path / "toy" / "tables" / "tbl-toy.csv")
    assert read["title"].tolist() == [f"'{text}" for text in texts[:8]] + texts[8:]
    assert read["n"].tolist() == list(range(-5, 8)) and read["'=x"].iloc[0] == -1.0
