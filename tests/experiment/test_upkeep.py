"""The kept layer: kept, made anew and held against what was kept, signed again; and ratings made again by their origin."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lib.data.errors import DatasetUnavailable
from lib.data.folds import frozen_folds, inner_folds
from lib.data.splits import make_split, validation_from
from lib.experiment import records, upkeep
from lib.experiment.fit import Fit, Stopping, fit_and_measure
from lib.experiment.run import Progress, run_fits
from lib.experiment.search import search
from lib.experiment.space import Integer, Space
from lib.experiment.upkeep import rebuild
from lib.models import model_class


@pytest.fixture(scope="module")
def fold(ml_100k):
    split = make_split(ml_100k, "u2")
    inner = validation_from(split.train)
    return {"train": inner.train, "validation": inner.test, "test": split.test}


@pytest.fixture
def kept(store, fold):
    """Keep two fits of a group and a search, all of them quick."""
    fits = [
        Fit(
            "biased_svd", {"n_factors": n, "n_epochs": 2}, seed=1, measure={"errors": {}, "by_user": {}}, keep="sizes",
            labels={"n": n},
        )
        for n in (2, 3)
    ]  # fmt: skip
    run_fits(fits, fold)
    one = Fit(
        "biased_svd", {"n_factors": 2}, seed=0, test="validation", measure={"score": {}},
        stopping=Stopping("n_epochs", 3, validation="validation", refit=False),
    )  # fmt: skip
    search("factors", Space({"patience": Integer(1, 3)}), [one], fold, n_trials=2)
    upkeep.keep(lambda line: None)
    return fits


def test_what_was_kept_is_found_and_made_anew_with_the_same_bits(store, kept, fold, monkeypatch):
    lines = []
    assert upkeep.stale_files() == []
    assert upkeep.verify(4, lines.append, seed=3) == 0
    assert sum(line.startswith("same bits: ") for line in lines) == 4
    assert lines[-1] == "All agree."
    monkeypatch.setenv(records.FOLDERS, str(store / "elsewhere"))
    found = run_fits(kept, fold)
    assert not (store / "elsewhere").exists(), "kept records are not made again"
    assert [one["n"] for one in found] == [2, 3] and all(one.kept and not one.stale for one in found)
    made = fit_and_measure(fold, kept[0])
    assert made["squared"].dtype == found[0]["squared"].dtype == np.float32
    np.testing.assert_array_equal(made["squared"], found[0]["squared"])


def test_what_is_large_is_not_kept(store, fold):
    run_fits([Fit("bias", measure={"predictions": {}})], fold, keep="whole")
    upkeep.keep(lambda line: None)
    assert records.kept_group("whole") == {}


def test_a_record_that_is_not_what_the_fit_gives_is_told(kept):
    path = records.group_file("sizes")
    group = records.read_kept(path)
    next(iter(group.values()))["found"]["test_rmse"] += 0.01
    records.write_kept(path, group)
    lines = []
    assert upkeep.verify(10, lines.append, seed=0) == 1
    assert sum(line.startswith("different: sizes") for line in lines) == 1


def test_what_cannot_be_made_anew_does_not_agree(kept, monkeypatch):
    reasons = [DatasetUnavailable("no source of ml-100k"), AttributeError("no weekly split")]

    def unavailable(origin):
        raise reasons[0]

    monkeypatch.setattr(upkeep, "rebuild", unavailable)
    for _ in range(2):
        lines = []
        assert upkeep.verify(10, lines.append, seed=0) == 1
        assert lines[-1] == "4 could not be made anew, so nothing is known of them."
        reasons.reverse()


def test_a_peer_that_is_not_installed_makes_nothing_anew(kept, monkeypatch):
    monkeypatch.setattr(model_class("biased_svd"), "loaded_first", ("no_such_peer",))
    lines = []
    assert upkeep.verify(10, lines.append, seed=0) == 1
    assert sum(line.startswith("not made: no_such_peer is not installed") for line in lines) > 0


def test_an_array_that_is_not_what_the_fit_gives_is_told(kept):
    path = records.group_file("sizes")
    group = records.read_kept(path)
    one = next(iter(group.values()))
    sums = records.kept_values(one)["squared"]
    for changed, said in (
        (sums * np.float32(1 + 1e-6), "within"),
        (sums + 1, "different"),
        (sums[1:], "different"),
    ):
        one["arrays"]["squared"] = records.packed(changed)
        records.write_kept(path, group)
        lines = []
        upkeep.verify(10, lines.append, seed=0)
        assert sum(line.startswith(said) for line in lines) == 1, lines


def test_a_stale_group_is_signed_again_only_where_it_agrees(store, kept, fold, monkeypatch):
    code = upkeep.code_digest
    for module in (upkeep, records):
        monkeypatch.setattr(module, "code_digest", lambda roots: f"other {code(roots)}"[:16])
    assert {path.name.partition("-")[0] for path in upkeep.stale_files()} == {"sizes.json.gz", "factors"}
    monkeypatch.setenv(records.FOLDERS, str(store / "elsewhere"))
    records._group.cache_clear()
    assert all(one.stale for one in run_fits(kept, fold)), "shown, and marked"
    assert upkeep.rekey(lambda line: None) == 0
    assert upkeep.stale_files() == []
    records._group.cache_clear()
    (one, _) = run_fits(kept, fold)
    assert not one.stale
    assert "2 made anew on" in one.made["signed_again"]
    monkeypatch.setattr(upkeep, "code_digest", lambda roots: "a third")
    monkeypatch.setattr(upkeep, "agreement", lambda kept, found: "different")
    lines = []
    assert upkeep.rekey(lines.append) == 1
    assert len(upkeep.stale_files()) == 2
    assert any("stays as made by earlier code" in line for line in lines)


@pytest.mark.parametrize("changed", [":BiasedSVD", ":Bias"])
def test_a_group_of_several_models_is_stale_where_one_is_and_that_one_is_made_anew(store, fold, monkeypatch, changed):
    models = {"biased_svd": {"n_factors": 2, "n_epochs": 1}, "bias": {}}
    run_fits([Fit(model, found, measure={"errors": {}}) for model, found in models.items()], fold, keep="mixed")
    upkeep.keep(lambda line: None)
    assert upkeep.stale_files() == []
    code = upkeep.code_digest

    def other(roots):
        return "other" if any(root.endswith(changed) for root in roots) else code(roots)

    monkeypatch.setattr(upkeep, "code_digest", other)
    assert [path.name for path in upkeep.stale_files()] == ["mixed.json.gz"]
    lines = []
    assert upkeep.rekey(lines.append) == 0 and upkeep.stale_files() == []
    assert sum(line.startswith("same bits") for line in lines) == 1


def test_ratings_are_made_again_by_their_origin(ml_100k):
    data = ml_100k.interactions
    parts = [
        make_split(ml_100k, "u3").train, validation_from(make_split(ml_100k, "random_90_10", seed=7).train).test,
        frozen_folds(data, name="ml-100k")[3].test, inner_folds(make_split(ml_100k, "chronological").train)[1].train,
    ]  # fmt: skip
    for part in parts:
        again = rebuild(json.loads(json.dumps(part.origin)))
        assert np.array_equal(again.users, part.users) and np.array_equal(again.items, part.items)
        assert np.array_equal(again.ratings, part.ratings)
    assert parts[0].take(np.arange(3)).origin == ()
    with pytest.raises(ValueError, match="nothing tells"):
        rebuild(())


def test_progress_goes_to_the_runner_or_into_a_line(tmp_path, monkeypatch, capsys):
    progress = Progress(2, "trials", every=0.0)
    progress.step()
    progress.step()
    assert "1 of 2 trials, about" in capsys.readouterr().out
    monkeypatch.setenv("REPORT_RUN_FOLDER", str(tmp_path))
    progress = Progress(3, "fits")
    progress.step()
    told = json.loads((tmp_path / "fits.json").read_text())
    assert (told["done"], told["total"], told["what"]) == (1, 3, "fits")
    assert told["seconds_left"] >= 0
    assert capsys.readouterr().out == ""


def test_the_first_of_many_fits_says_nothing_of_the_rest(tmp_path, monkeypatch):
    monkeypatch.setenv("REPORT_RUN_FOLDER", str(tmp_path))
    progress = Progress(20, "fits")
    progress.step()
    assert json.loads((tmp_path / "fits.json").read_text())["seconds_left"] is None
    progress.step()
    assert json.loads((tmp_path / "fits.json").read_text())["seconds_left"] >= 0
