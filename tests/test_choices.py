"""Chosen hyperparameters: the kept searches are found, no trial is made, and what earlier pages chose is read."""

import json

import pytest

from lib import stored_searches
from lib.choices import choose
from lib.contenders import chosen_from
from lib.models import create
from lib.results import MissingRun
from lib.stored_searches import STORED
from lib.tuning import load_search

SEARCHED = ["bias", "svdpp", "timesvdpp", "ease", "svd", "soft_impute", "side_information_als_implicit", "side_information_als_features_implicit"]  # fmt: skip


@pytest.fixture
def no_trials(monkeypatch):
    """Refuse to search: whatever is chosen is kept, or the test fails."""

    def refuse(*args, name, **options):
        raise AssertionError(f"{name} would be searched anew")

    monkeypatch.setattr(stored_searches, "search", refuse)


@pytest.fixture(scope="module")
def everyone_searched():
    return {
        n: one for n, one in chosen_from().items() if one.source in ("koren", "ranking", "side_information")
    }


def test_the_kept_searches_are_found_for_every_searched_contender(
    ml_100k, everyone_searched, no_trials, tmp_path
):
    found = choose(ml_100k, everyone_searched, n_trials=16, runs_dir=tmp_path, workers=0)
    assert {c["trials"] for c in found.values()} == {16}
    assert set(SEARCHED) < set(found)
    for name, choice in found.items():
        create(everyone_searched[name].model, **choice["parameters"])
    epochs = [choice["n_epochs"] for choice in found.values()]
    assert all(n is None or n >= 1 for n in epochs)
    assert found["svdpp"]["n_epochs"] and found["bias"]["n_epochs"] is None


def test_the_best_of_the_first_trials_is_chosen(ml_100k, no_trials, tmp_path):
    (path,) = STORED.glob("koren-ml-100k-svdpp-*.json.gz")
    for budget in (4, 16):
        found = choose(ml_100k, chosen_from(only=["svdpp"]), n_trials=budget, runs_dir=tmp_path)["svdpp"]
        trials = load_search(path).trials
        trials = trials[trials["trial"] < budget]
        best = trials.loc[trials["score"].idxmin()]
        assert (found["validation"], found["metric"]) == (best["score"], "RMSE")
        assert found["n_epochs"] == best["n_epochs"]
        assert found["parameters"]["factor_learning_rate"] == best["factor_learning_rate"]


def test_scores_of_lists_are_told_as_ndcg_and_budgets_differ_by_page(ml_100k, no_trials, tmp_path):
    found = choose(
        ml_100k, chosen_from(only=["ease", "bias"]), n_trials=16, fewer={"ranking": 6}, runs_dir=tmp_path
    )
    assert found["ease"]["metric"] == "nDCG@10"
    assert 0 < found["ease"]["validation"] < 1
    assert (found["ease"]["trials"], found["bias"]["trials"]) == (6, 16)


def test_what_an_earlier_page_chose_is_read_from_its_facts(tmp_path):
    _store(tmp_path, "imputation", {"hard_impute_tuned": {"centre": "user", "setting": 3.0, "rmse": 0.9}})
    _store(tmp_path, "two_tower", {"two_tower_grid": {"size": 150}, "two_tower_tuned": {
        "embedding_size": 16, "user_dense_size": 64, "item_dense_size": 128, "final_size": 32, "architecture": "x",
    }})  # fmt: skip
    found = choose(None, chosen_from(only=["hard_impute", "two_tower"]), n_trials=1, runs_dir=tmp_path)
    assert found["hard_impute"]["parameters"] == {"centre": "user", "rank": 3}
    assert found["two_tower"]["parameters"] == {
        "embedding_size": 16, "user_dense_size": 64, "item_dense_size": 128, "final_size": 32,
    }  # fmt: skip
    assert (found["hard_impute"]["trials"], found["two_tower"]["trials"]) == (None, 150)
    assert (
        found["hard_impute"]["chosen_on"] == "a tenth of each user's train of ml-100k, per_user_80_20, seed 7"
    )


def test_what_is_missing_or_wrong_is_named(tmp_path):
    with pytest.raises(MissingRun, match="imputation"):
        choose(None, chosen_from(only=["hard_impute"]), n_trials=1, runs_dir=tmp_path)
    _store(tmp_path, "imputation", {})
    with pytest.raises(KeyError, match="hard_impute_tuned"):
        choose(None, chosen_from(only=["hard_impute"]), n_trials=1, runs_dir=tmp_path)
    with pytest.raises(ValueError, match="no study is called lists"):
        choose(None, {}, n_trials=1, fewer={"lists": 3})
    with pytest.raises(ValueError, match="at least one trial"):
        choose(None, {}, n_trials=4, fewer={"ranking": 0})


def _store(folder, run, facts):
    (folder / run).mkdir()
    provenance = {"dataset": "ml-100k", "parameters": {"split": "per_user_80_20", "seed": 7}}
    (folder / run / "facts.json").write_text(json.dumps(facts))
    (folder / run / "provenance.json").write_text(json.dumps(provenance))
