from __future__ import annotations

import gzip
import json
from dataclasses import replace

import numpy as np
import pytest

from lib.experiment import records
from lib.experiment.fit import Fit, Stopping
from lib.experiment.run import run_fits
from tests.experiment.toys import traces

BOWL = "tests.experiment.toys:Bowl"


def fits(log, xs=(0.1, 0.2, 0.3)):
    return [Fit(BOWL, {"x": x, "log": str(log)}, labels={"place": n}) for n, x in enumerate(xs)]


def test_what_is_there_is_not_made_again(store, parts):
    log = store / "log"
    first = run_fits(fits(log), parts)
    again = run_fits([*fits(log), fits(log)[0]], parts)
    assert traces(log) == 3
    assert [one["place"] for one in again] == [0, 1, 2, 0]
    assert [one["seconds"] for one in again[:3]] == [one["seconds"] for one in first]
    np.testing.assert_array_equal(again[1]["predictions"], first[1]["predictions"])
    assert first[0].made["day"]


def test_one_fit_under_two_names_is_made_once(store, parts):
    fit = fits(store / "log")[0]
    a, b = run_fits([fit, replace(fit, labels={"page": "other"})], parts)
    assert traces(store / "log") == 1
    assert (a["place"], b["page"]) == (0, "other")
    assert "page" not in a and "place" not in b, "a label is its caller's own"


def test_a_fit_is_told_by_its_content(parts):
    fit = Fit("biased_svd", {"n_factors": 3}, seed=1, stopping=Stopping("n_epochs", validation="validation"))
    key = records.identity(fit, parts)
    renamed = replace(fit, train="other", labels={"a": 1})
    assert records.identity(renamed, {**parts, "other": parts["train"]}) == key
    fewer = {**parts, "train": parts["train"].take(np.arange(50))}
    for change, data in (
        ({"seed": 2}, parts), ({"parameters": {"n_factors": 4}}, parts), ({}, fewer), ({"stopping": None}, parts),
        ({"measure": {"lists": {"k": 3}}}, parts), ({"model": "svdpp"}, parts),
    ):  # fmt: skip
        assert records.identity(replace(fit, **change), data) != key, change
    no_start = Fit("bias", {}, seed=1)
    assert records.identity(no_start, parts) == records.identity(replace(no_start, seed=2), parts)


def test_other_code_makes_a_record_anew_and_a_damaged_one_too(store, parts, monkeypatch):
    log = store / "log"
    (fit,) = fits(log, [0.1])
    run_fits([fit], parts)
    digest = records.code_digest
    monkeypatch.setattr(records, "code_digest", lambda roots: f"changed {digest(roots)}")
    run_fits([fit], parts)
    assert traces(log) == 2
    (file,) = (store / "records").glob("*.npz")
    file.write_bytes(b"damaged")
    run_fits([fit], parts)
    assert traces(log) == 3


def test_from_scratch_what_was_made_before_does_not_count(store, parts, monkeypatch):
    import time

    log = store / "log"
    run_fits(fits(log, [0.1]), parts)
    monkeypatch.setenv(records.ANEW, json.dumps({"fits": time.time()}))
    run_fits(fits(log, [0.1]), parts)
    run_fits(fits(log, [0.1]), parts)
    assert traces(log) == 2


def test_from_scratch_leaves_grids_to_the_searches_and_peers_to_the_benchmarks(store, parts, monkeypatch):
    import time

    grid = replace(fits(store / "log", [0.1])[0], keep="some_grid")
    run_fits([grid], parts)
    monkeypatch.setenv(records.ANEW, json.dumps({"fits": time.time()}))
    run_fits([grid], parts)
    assert traces(store / "log") == 1
    monkeypatch.setenv(records.ANEW, json.dumps({"fits": time.time(), "searches": time.time()}))
    run_fits([grid], parts)
    assert traces(store / "log") == 2
    assert records._since(Fit("benchmarks.surprise_models:Surprise")) == 0.0 < records._since(grid)


def test_a_model_comes_back_from_its_record(store, parts):
    fit = Fit(
        "biased_svd",
        {"n_factors": 3, "n_epochs": 2},
        seed=4,
        measure={"fitted_arrays": {}, "predictions": {}},
    )
    (record,) = run_fits([fit], parts)
    model = records.model_of(record, fit, parts["train"])
    test = parts["test"]
    again = test.scale.clip(model.predict(test.users, test.items)).astype(np.float32)
    np.testing.assert_array_equal(again, record["predictions"])
    with pytest.raises(ValueError, match="holds no model"):
        records.model_of({}, fit, parts["train"])


def test_a_fit_goes_to_text_and_back(parts):
    fit = Fit(
        "biased_svd", {"n_factors": 3}, seed=1, stopping=Stopping("n_epochs", 5, validation="validation"),
        prepare=("tests.experiment.toys:halved", {"share": 0.5}), further=("inner_train",), keep="group",
    )  # fmt: skip
    text = json.loads(json.dumps(records.fit_as_text(fit, parts)))
    again = records.fit_from_text(text)
    assert again == fit
    assert records.identity(again, parts) == records.identity(fit, parts)
    assert text["parts"]["train"]["ratings"] == len(parts["train"])


def test_a_damaged_kept_file_is_named(store):
    path = records.group_file("grid")
    path.parent.mkdir(parents=True)
    for content in (b"nothing", gzip.compress(b"[1]"), gzip.compress(b"{")):
        path.write_bytes(content)
        records._group.cache_clear()
        with pytest.raises(records.DamagedRecord, match=r"grid\.json\.gz is damaged .* git checkout"):
            records.kept_group("grid")
