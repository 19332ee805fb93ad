from __future__ import annotations

import multiprocessing
import os
import signal
import time

import numpy as np
import pandas as pd
import pytest

from lib.experiment import records
from lib.experiment import search as searching
from lib.experiment.fit import Fit, FitFailed
from lib.experiment.search import LARGE, budget, search
from lib.experiment.search_result import Search
from lib.experiment.space import Choice, Integer, Real, Space, hyperparameters
from tests.experiment.toys import traces

SPACE = Space({"x": Real(0.0, 1.0), "n": Integer(1, 20), "kind": Choice(("a", "b"))})


@pytest.fixture(autouse=True)
def early(monkeypatch):
    monkeypatch.setattr(searching, "STARTUP_TRIALS", 10)


def run(parts, n_trials=40, *, model="Bowl", space=SPACE, n_folds=3, fixed=None, depth="depth", **options):
    folds = [
        Fit(
            f"tests.experiment.toys:{model}", fixed or {}, train="inner_train", test="validation",
            measure={f"tests.experiment.toys:{depth}": {"fold": fold}},
        )
        for fold in range(n_folds)
    ]  # fmt: skip
    return search("bowl", space, folds, parts, n_trials=n_trials, **options)


def same(first, second):
    pd.testing.assert_frame_equal(first.trials.drop(columns="seconds"), second.trials.drop(columns="seconds"))


def test_the_lowest_point_is_found_better_than_at_random(store, parts):
    found = run(parts, 80)
    assert len(found.trials) == 80
    assert found.chosen["kind"] == "b"
    assert found.best["score"] < 0.03
    drawn = found.trials[:10]["score"]
    assert found.best["score"] < drawn.min()


def test_a_smaller_budget_sees_the_first_trials_of_a_longer_search(store, parts, monkeypatch):
    short = run(parts, 20)
    longer = run(parts, 40)
    assert len(longer.trials) == 40
    same(short, run(parts, 20))
    same(short, longer.first(20))
    monkeypatch.setenv(records.FOLDERS, str(store / "elsewhere"))
    same(longer, run(parts, 40))


def test_another_seed_gives_other_trials(store, parts):
    assert not run(parts, 4, seed=1).trials["x"].equals(run(parts, 4, seed=2).trials["x"])


def test_pruned_trials_stop_early_and_are_never_best(store, parts):
    log = store / "log"
    found = run(parts, fixed={"log": str(log)})
    pruned = found.trials[found.trials["state"] == "pruned"]
    assert len(pruned) > 5
    assert pruned["score_2"].isna().all()
    assert found.best["state"] == "complete"
    folds_run = found.trials[["score_0", "score_1", "score_2"]].notna().to_numpy().sum()
    assert folds_run < 3 * len(found.trials)
    # A trial is pruned where its mean so far is above the median of those before its batch.
    for _, trial in pruned.iterrows():
        before = found.trials[(found.trials["trial"] < trial["trial"] // 4 * 4) & (found.trials["state"] == "complete")]
        last = int(trial[["score_0", "score_1", "score_2"]].notna().sum())
        names = [f"score_{n}" for n in range(last)]
        assert trial[names].astype(float).mean() > before[names].mean(axis=1).median()


def _killed(folder, parts, log):
    os.environ[records.FOLDERS] = str(folder)
    searching.STARTUP_TRIALS = 10
    run(parts, 24, fixed={"log": str(log), "wait": 0.02})


def test_a_killed_search_ends_as_one_that_was_not(store, parts, monkeypatch):
    log = store / "log"
    process = multiprocessing.get_context("spawn").Process(
        target=_killed, args=(store / "killed", parts, log), daemon=True
    )
    process.start()
    deadline = time.monotonic() + 60
    while traces(log) < 20 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    before = traces(log)
    assert before >= 20
    monkeypatch.setenv(records.FOLDERS, str(store / "killed"))
    resumed = run(parts, 24, fixed={"log": str(log), "wait": 0.02})
    after = traces(log)
    monkeypatch.setenv(records.FOLDERS, str(store / "unbroken"))
    unbroken = run(parts, 24, fixed={"log": str(log), "wait": 0.02})
    same(resumed, unbroken)
    assert after < traces(log) - after + 3, "what was finished before the kill was not made again"


def test_a_finished_search_is_not_repeated(store, parts):
    log = store / "log"
    first = run(parts, 8, fixed={"log": str(log)})
    before = traces(log)
    same(first, run(parts, 8, fixed={"log": str(log)}))
    assert traces(log) == before


def test_a_kept_search_counts_even_if_the_code_has_changed_and_says_so(store, parts, monkeypatch):
    log = store / "log"
    first = run(parts, 8, fixed={"log": str(log)})
    before = traces(log)
    (file,) = (store / "records" / "searches").glob("*.json.gz")
    records.write_kept(store / "kept" / "searches" / file.name, records.read_kept(file))
    monkeypatch.setenv(records.FOLDERS, str(store / "elsewhere"))
    same(first, run(parts, 8, fixed={"log": str(log)}))
    told = []
    monkeypatch.setattr(searching, "tell", told.append)
    monkeypatch.setattr(searching, "code_digest", lambda roots: "other")
    same(first, run(parts, 8, fixed={"log": str(log)}))
    assert told == ["The kept search bowl is shown as it was made by earlier code."]
    same(first, run(parts, 12, fixed={"log": str(log)}))
    assert traces(log) == before, "a stale search never starts work by itself"
    monkeypatch.setenv(records.ANEW, '{"searches": 1}')
    assert len(run(parts, 12, fixed={"log": str(log)}).trials) == 12
    assert traces(log) > before


def test_a_longer_search_goes_on_from_a_kept_one(store, parts, monkeypatch):
    log = store / "log"
    run(parts, 20, fixed={"log": str(log)})
    made = traces(log)
    (file,) = (store / "records" / "searches").glob("*.json.gz")
    records.write_kept(store / "kept" / "searches" / file.name, records.read_kept(file))
    monkeypatch.setenv(records.FOLDERS, str(store / "elsewhere"))
    longer = run(parts, 32, fixed={"log": str(log)})
    added = traces(log) - made
    monkeypatch.setenv(records.FOLDERS, str(store / "third"))
    (store / "kept" / "searches" / file.name).unlink()
    whole = run(parts, 32, fixed={"log": str(log)})
    same(longer, whole)
    assert added < traces(log) - made - added


def test_divergence_fails_a_trial_and_a_mistake_the_search(store, parts):
    space = Space({"x": Real(0.0, 1.0)})
    found = run(parts, 20, model="Diverging", space=space, n_folds=1)
    failed = found.trials[found.trials["state"] == "failed"]
    assert len(failed)
    assert np.isinf(failed["score"]).all()
    assert failed["reason"].str.contains("too large|not finite").all()
    assert found.best["x"] < 0.5
    with pytest.raises(FitFailed, match="KeyError"):
        run(parts, 4, model="Broken")
    with pytest.raises(ValueError, match="no complete trial"):
        run(parts, 4, model="Diverging", space=Space({"x": Real(0.7, 0.9)}), n_folds=1)


def test_history_importance_and_text(store, parts):
    found = run(parts, 24)
    history = found.history()
    assert (history["best"].dropna().diff().dropna() <= 0).all()
    assert history["best"].iloc[-1] == found.best["score"]
    importance = found.importance()
    assert importance["importance"].sum() == pytest.approx(1)
    assert set(importance["parameter"]) == {"x", "n", "kind"}
    again = Search.from_text(found.as_text())
    assert again.chosen == found.chosen
    pd.testing.assert_frame_equal(again.history(), history)
    pd.testing.assert_frame_equal(again.importance(), importance)
    assert len(found.first(12).trials) == 12


@pytest.mark.parametrize(("wrong", "told"), [({"n_trials": 0}, "n_trials"), ({"n_folds": 0}, "folds")])
def test_wrong_budgets(store, parts, wrong, told):
    with pytest.raises(ValueError, match=told):
        run(parts, **wrong)


def test_a_larger_space_gets_more_trials():
    spaces = [Space({f"x{n}": Real(0.0, 1.0) for n in range(size)}) for size in (1, LARGE, LARGE + 1)]
    assert [budget(space, 40) for space in spaces] == [40, 40, 60]
    assert budget(spaces[-1], 1) == 1


def test_spaces():
    assert list(SPACE) == ["x", "n", "kind"]
    assert SPACE.table()["range"].tolist() == ["0 to 1", "1 to 20, whole", "a or b"]
    with pytest.raises(ValueError, match="at least one hyperparameter"):
        Space({})
    with pytest.raises(TypeError, match="x"):
        Space({"x": (0, 1)})


def test_a_point_becomes_hyperparameters():
    point = {"n": 3, "projection_penalty_genres": 2.0, "projection_penalty_year": 1.0, "x": 1}
    assert hyperparameters(point, {"x": 5}) == {"n": 3, "projection_penalties": {"genres": 2.0, "year": 1.0}}
    assert hyperparameters({"n": 3}) == {"n": 3}
