from __future__ import annotations

import multiprocessing
import os
import signal
import time

import numpy as np
import pandas as pd
import pytest

from lib.processes import WorkFailed
from lib.search_space import Choice, Integer, Real, Space
from lib.tuning import load_search, search
from tests.tuning_work import bowl, broken, diverging, slow_bowl

SPACE = Space({"x": Real(0.0, 1.0), "n": Integer(1, 20), "kind": Choice(("a", "b"))})


def run(store, objective=bowl, **options):
    settings = {
        "context": {}, "n_folds": 3, "n_trials": 40, "store": store, "name": "bowl", "workers": 0, "say": None,
        "startup_trials": 10,
    }  # fmt: skip
    return search(objective, options.pop("space", SPACE), **settings | options)


def same(first, second):
    pd.testing.assert_frame_equal(first.trials.drop(columns="seconds"), second.trials.drop(columns="seconds"))


def test_the_lowest_point_is_found_better_than_at_random(tmp_path):
    found = run(tmp_path, n_trials=80)
    assert len(found.trials) == 80
    assert found.chosen["kind"] == "b"
    assert found.best["score"] < 0.03
    drawn = found.trials[:10]["score"]
    assert found.best["score"] < drawn.min()
    assert found.best["n_iterations"] == found.chosen["n"]


def test_the_result_does_not_depend_on_the_number_of_processes(tmp_path):
    alone = run(tmp_path / "alone", n_trials=24)
    for workers in (1, 2):
        same(alone, run(tmp_path / str(workers), n_trials=24, workers=workers))


def test_a_smaller_budget_sees_the_first_trials_of_a_longer_search(tmp_path):
    short = run(tmp_path / "short", n_trials=20)
    longer = run(tmp_path / "longer", n_trials=40)
    same(short, run(tmp_path / "longer", n_trials=20))
    assert len(longer.trials) == 40


def test_another_seed_gives_other_trials(tmp_path):
    assert (
        not run(tmp_path, n_trials=4, seed=1)
        .trials["x"]
        .equals(run(tmp_path, n_trials=4, seed=2).trials["x"])
    )


def test_pruned_trials_stop_early_and_are_never_best(tmp_path):
    log = tmp_path / "log"
    found = run(tmp_path, context={"log": str(log)})
    pruned = found.trials[found.trials["state"] == "pruned"]
    assert len(pruned) > 5
    assert pruned["score_2"].isna().all()
    assert found.best["state"] == "complete"
    folds_run = found.trials[["score_0", "score_1", "score_2"]].notna().to_numpy().sum()
    assert len(log.read_text().split()) == folds_run < 3 * len(found.trials)
    # A trial is pruned where its mean so far is above the median of those before its batch.
    for _, trial in pruned.iterrows():
        before = found.trials[
            (found.trials["trial"] < trial["trial"] // 4 * 4) & (found.trials["state"] == "complete")
        ]
        last = int(trial[["score_0", "score_1", "score_2"]].notna().sum())
        names = [f"score_{n}" for n in range(last)]
        assert trial[names].astype(float).mean() > before[names].mean(axis=1).median()


def kill_after(store, seconds):
    process = multiprocessing.get_context("spawn").Process(target=run, args=(store, slow_bowl), daemon=True)
    process.start()
    deadline = time.monotonic() + 60
    journal = None
    while time.monotonic() < deadline:
        journal = next(store.glob("*.journal"), None)
        if journal and journal.stat().st_size > 6000:
            break
        time.sleep(0.02)
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert journal is not None


def test_a_killed_search_ends_as_one_that_was_not(tmp_path):
    unbroken = run(tmp_path / "unbroken", bowl)  # the same figures without the waiting
    (tmp_path / "killed").mkdir()
    kill_after(tmp_path / "killed", 0.12)
    lines = []
    resumed = run(tmp_path / "killed", slow_bowl, say=lines.append)
    assert any("made before" in line for line in lines), "nothing was left of the killed search"
    same(unbroken, resumed)


def test_a_second_process_joins_and_shares_the_budget(tmp_path):
    other = multiprocessing.get_context("spawn").Process(target=run, args=(tmp_path, slow_bowl), daemon=True)
    other.start()
    while next(tmp_path.glob("*.journal"), None) is None:
        time.sleep(0.02)
    run(tmp_path, slow_bowl)
    other.join(60)
    assert other.exitcode == 0
    together = run(tmp_path, slow_bowl)
    assert len(together.trials) == 40
    assert together.trials["trial"].is_unique


def test_a_finished_search_is_not_repeated_and_another_one_kept_apart(tmp_path):
    log = tmp_path / "log"
    run(tmp_path, n_trials=8, context={"log": str(log)})
    before = log.read_text()
    run(tmp_path, n_trials=8, context={"log": str(log)})
    assert log.read_text() == before
    run(tmp_path, n_trials=8, context={"log": str(log)}, version="2")
    assert len(log.read_text()) > len(before)


def test_divergence_fails_a_trial_and_a_mistake_the_search(tmp_path):
    found = run(tmp_path, diverging, space=Space({"x": Real(0.0, 1.0)}), n_trials=20)
    failed = found.trials[found.trials["state"] == "failed"]
    assert len(failed)
    assert np.isinf(failed["score"]).all()
    assert failed["reason"].str.contains("too large|not finite").all()
    assert found.best["x"] < 0.5
    with pytest.raises(WorkFailed, match="KeyError"):
        run(tmp_path, broken)


def test_nothing_but_failures_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no complete trial"):
        run(tmp_path, diverging, space=Space({"x": Real(0.7, 0.9)}), n_trials=4)


def test_history_importance_and_storage(tmp_path):
    found = run(tmp_path, n_trials=40)
    history = found.history()
    assert (history["best"].dropna().diff().dropna() <= 0).all()
    assert history["best"].iloc[-1] == found.best["score"]
    importance = found.importance()
    assert importance["importance"].sum() == pytest.approx(1)
    assert set(importance["parameter"]) == {"x", "n", "kind"}
    pd.testing.assert_frame_equal(importance, found.importance())
    found.save(tmp_path / "search.json.gz")
    again = load_search(tmp_path / "search.json.gz")
    assert again.chosen == found.chosen
    pd.testing.assert_frame_equal(again.history(), history)
    pd.testing.assert_frame_equal(again.importance(), importance)
    same(again.first(12), found.first(12))
    assert len(found.first(12).trials) == 12


@pytest.mark.parametrize(
    ("wrong", "told"), [({"n_trials": 0}, "n_trials"), ({"batch": 0}, "batch"), ({"n_folds": 0}, "n_folds")]
)
def test_wrong_budgets(tmp_path, wrong, told):
    with pytest.raises(ValueError, match=told):
        run(tmp_path, **wrong)


def test_spaces():
    assert list(SPACE) == ["x", "n", "kind"]
    assert SPACE.table()["range"].tolist() == ["0 to 1", "1 to 20, whole", "a or b"]
    for wrong in (
        lambda: Real(1, 0),
        lambda: Real(0, 1, log=True),
        lambda: Integer(0, np.inf),
        lambda: Choice(()),
    ):
        with pytest.raises(ValueError, match=r"range|value"):
            wrong()
    with pytest.raises(TypeError, match="x"):
        Space({"x": (0, 1)})
