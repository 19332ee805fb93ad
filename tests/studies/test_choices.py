"""Chosen hyperparameters: the kept searches are found, no trial is made, and what earlier pages chose is read."""

import json
from types import SimpleNamespace

import pytest

from lib.data.splits import make_split, random_holdout, validation_from
from lib.experiment import records
from lib.experiment import search as searching
from lib.experiment.protocol import make_splits
from lib.experiment.search import search
from lib.experiment.search_result import Search
from lib.experiment.selection import rows_digest
from lib.experiment.stored_runs import MissingRun
from lib.models import create
from lib.studies import koren_study, ranking_study, side_information_study
from lib.studies.contenders import THRESHOLD, choose, chosen_from, clean_places, selection_rows

SEARCHED = ["bias", "svdpp", "timesvdpp", "ease", "svd", "soft_impute", "side_information_als_implicit", "side_information_als_features_implicit"]  # fmt: skip


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    """Keep the records of these tests apart."""
    monkeypatch.setenv(records.FOLDERS, str(tmp_path / "records"))


@pytest.fixture
def no_trials(monkeypatch):
    """Refuse to search: whatever is chosen is there already, or the test fails."""

    def refuse(fits, *args, **options):
        raise AssertionError(f"{fits[0]} would be fitted")

    return lambda: monkeypatch.setattr(searching, "run_fits", refuse)


@pytest.fixture(scope="module")
def everyone_searched():
    return {n: one for n, one in chosen_from().items() if one.source in ("koren", "ranking", "side_information")}


def test_another_data_sets_kept_searches_lend_every_searched_contender_its_point(planted, everyone_searched):
    """Nothing of the lender's ratings need be at hand."""
    data = SimpleNamespace(name="toy", interactions=planted)
    found = choose(data, everyone_searched, n_trials=40, choices_from="ml-latest-small")
    larger = {"integrated", "timesvdpp", "side_information_als_features_implicit"}  # of more than seven hyperparameters
    assert {name: c["trials"] for name, c in found.items()} == {n: 60 if n in larger else 40 for n in found}
    assert {c["on"].dataset for c in found.values()} == {"ml-latest-small"}
    assert all(len(c["told"]["rows"]) == 24 and 0 < c["told"]["share"] <= 1 for c in found.values())
    groups = found["side_information_als_features_implicit"]["parameters"]["groups"]
    assert set(groups) == {"genres", "year", "raters", "rated"}  # what both have
    with pytest.raises(KeyError, match="keeps no search 'koren-ml-nowhere-bias'"):
        choose(data, chosen_from(only=["bias"]), n_trials=1, choices_from="ml-nowhere")


def test_the_kept_searches_are_found_for_every_searched_contender(ml_100k, everyone_searched, no_trials):
    no_trials()
    found = choose(ml_100k, everyone_searched, n_trials=40)
    assert {c["trials"] for c in found.values()} == {40, 60}
    assert set(SEARCHED) < set(found)
    for name, choice in found.items():
        create(everyone_searched[name].model, **choice["parameters"])
    epochs = [choice["n_epochs"] for choice in found.values()]
    assert all(n is None or n >= 1 for n in epochs)
    assert found["svdpp"]["n_epochs"] and found["bias"]["n_epochs"] is None


def test_the_best_of_the_first_trials_is_chosen(ml_100k, no_trials):
    no_trials()
    (path,) = (records.KEPT / "searches").glob("koren-ml-100k-svdpp-*.json.gz")
    for budget in (4, 16):
        found = choose(ml_100k, chosen_from(only=["svdpp"]), n_trials=budget)["svdpp"]
        trials = Search.from_text(records.read_kept(path)).trials
        trials = trials[trials["trial"] < budget]
        best = trials.loc[trials["score"].idxmin()]
        assert (found["validation"], found["metric"]) == (best["score"], "RMSE")
        assert found["n_epochs"] == best["n_epochs"]
        assert found["parameters"]["factor_learning_rate"] == best["factor_learning_rate"]


def test_each_pages_own_search_is_found(planted, no_trials):
    data = SimpleNamespace(name="toy", interactions=planted)
    random, of_lists = (make_split(data, "random_90_10", seed=seed).train for seed in (42, 10))
    cut = random_holdout(random, test_share=0.1, seed=42)
    pages = {
        "bias": search(
            "koren-toy-bias", koren_study.variants()["bias"].space,
            [koren_study.validation_fit(koren_study.variants()["bias"], most_epochs=60, patience=3)],
            {"train": cut.train, "validation": cut.test}, n_trials=3, seed=42,
        )
    }  # fmt: skip
    cut, ease = validation_from(of_lists), ranking_study.list_variants(THRESHOLD)["ease"]
    pages["ease"] = search(
        "ranking-toy-ease", ease.space, [ranking_study.validation_fit(ease, k=10, threshold=THRESHOLD)],
        {"train": cut.train, "validation": cut.test}, n_trials=3,
    )  # fmt: skip
    groups = ("genres", "year", "age", "gender", "occupation")
    implicit = side_information_study.further_variants(groups, most_factors=32)["implicit"]
    pages["side_information_als_implicit"] = side_information_study.find(
        "side_information-toy", implicit, [validation_from(random)], n_trials=3
    )
    no_trials()
    found = choose(data, chosen_from(only=pages), n_trials=2)
    assert {n: c["trials"] for n, c in found.items()} == dict.fromkeys(pages, 2)
    for name, page in pages.items():
        best = page.first(2).best
        assert found[name]["validation"] == abs(best["score"])
        assert found[name]["n_epochs"] == (round(best["n_epochs"]) or None)
        assert found[name]["metric"] == ("nDCG@10" if name == "ease" else "RMSE")
    assert 0 < found["ease"]["validation"] < 1
    assert found["side_information_als_implicit"]["n_epochs"] and found["bias"]["n_epochs"] is None


def test_what_an_earlier_page_chose_is_read_from_its_facts(tmp_path, ml_100k):
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
    assert found["two_tower"]["chosen_on"] == "cut from train of MovieLens 100K, project A's split, seed 7"
    parted = make_splits(ml_100k, [["per_user_80_20", 7], ["per_user_80_20", 8], ["u1", 0]])
    # It is honest where it was chosen, and nowhere else on these data.
    honest = {"hard_impute": ["per_user_80_20"], "two_tower": ["per_user_80_20"]}
    assert clean_places(found, "ml-100k", parted) == honest
    assert clean_places(found, "ml-1m", parted) == {}
    rows = selection_rows(found, "ml-100k", parted, [("two_tower", "per_user_80_20"), ("two_tower", "u1")])
    assert [row["rows"] for row in rows] == [rows_digest(parted["per_user_80_20"].train), ""]
    assert {row["trials"] for row in rows} == {150}


def test_what_is_missing_or_wrong_is_named(tmp_path):
    with pytest.raises(MissingRun, match="imputation"):
        choose(None, chosen_from(only=["hard_impute"]), n_trials=1, runs_dir=tmp_path)
    _store(tmp_path, "imputation", {})
    with pytest.raises(KeyError, match="hard_impute_tuned"):
        choose(None, chosen_from(only=["hard_impute"]), n_trials=1, runs_dir=tmp_path)
    with pytest.raises(ValueError, match="at least one trial"):
        choose(None, {}, n_trials=0)


def _store(folder, run, facts):
    (folder / run).mkdir()
    provenance = {"dataset": "ml-100k", "parameters": {"split": "per_user_80_20", "seed": 7}}
    (folder / run / "facts.json").write_text(json.dumps(facts))
    (folder / run / "provenance.json").write_text(json.dumps(provenance))
