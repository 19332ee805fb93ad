"""Stored predictions and lists are picked by what they were measured on: other seeds and folds do not slip in."""

from dataclasses import replace

import numpy as np
import pytest

from lib.data.splits import k_fold, per_user_holdout
from lib.experiment.evaluation import evaluate
from lib.experiment.stored_runs import load_run
from lib.models.fitting import fit_model
from lib.report.run_writer import start_run
from lib.report.stored_tables import (
    errors_of,
    list_table,
    models_of,
    parameter_counts,
    pooled_errors,
    rankings_of,
    rating_table,
)

K = 5


@pytest.fixture(scope="module")
def splits(planted):
    """Two random splits of one name, told apart by the fold as the one table does."""
    return [replace(per_user_holdout(planted, seed=seed), fold=str(seed)) for seed in (42, 1)]


@pytest.fixture(scope="module")
def evaluations(splits):
    return {
        (name, split.fold): evaluate(name, split, ks=(K,), n_resamples=0)
        for split in splits
        for name in ("bias", "item_mean", "most_popular")
    }


@pytest.fixture(scope="module")
def runs(evaluations, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    # The other split comes first, so that taking the first rows would be wrong.
    table = start_run("table", runs_dir=folder)
    for fold in ("1", "42"):
        for name in ("bias", "most_popular"):
            table.record(evaluations[name, fold])
    table.record(replace(evaluations["item_mean", "1"], model="other_split_only"))
    # Two starts of one model; the second has other predictions.
    first = evaluations["item_mean", "42"]
    off = first.predictions.assign(prediction=first.predictions["prediction"] * 0 + 1.0)
    table.record(replace(first, model="started", seed=1, predictions=off))
    table.record(replace(first, model="started", seed=0))
    table.finish()
    more = start_run("more", runs_dir=folder)
    more.record(replace(first, model="bias"))  # a name that the first run has: not taken
    more.record(replace(first, model="ensemble", top_k=None))
    more.finish()
    return [load_run(name, runs_dir=folder) for name in ("table", "more")]


@pytest.fixture(scope="module")
def split(splits, planted):
    return per_user_holdout(planted, seed=42)


def test_predictions_are_those_of_the_split_whatever_fold_it_was_stored_as(runs, split, evaluations):
    table = rating_table(runs, split)
    assert set(models_of(table)) == {"bias", "started", "ensemble"}
    assert errors_of(table)["bias"].rmse == pytest.approx(evaluations["bias", "42"]["rmse"], rel=1e-6)
    assert errors_of(table)["started"].rmse == pytest.approx(evaluations["item_mean", "42"]["rmse"], rel=1e-6)
    assert table.attrs["folds"]["bias"] == "42"
    np.testing.assert_array_equal(table["rating"], split.test.ratings)


def test_other_ratings_for_the_same_pairs_are_an_error(runs, split):
    other = replace(split, test=split.test.with_ratings(6 - split.test.ratings, (1.0, 5.0)))
    with pytest.raises(ValueError, match="measured against other ratings"):
        rating_table(runs, other)


@pytest.mark.parametrize("predictions", [True, False])
def test_pooled_folds_add_up_a_users_squared_errors(planted, tmp_path, predictions):
    folds = [replace(fold, name=f"fold_{place}", fold="") for place, fold in enumerate(k_fold(planted, n_folds=2))]
    run = start_run("folds", runs_dir=tmp_path)
    for place, fold in enumerate(folds):
        one = evaluate("bias", fold, ks=(), n_resamples=0)
        run.record(one if predictions or place else replace(one, predictions=None))
        if place == 0:
            run.record(evaluate("item_mean", fold, ks=(), n_resamples=0))
    run.finish()
    stored = [load_run("folds", runs_dir=tmp_path)]
    together = pooled_errors(stored, folds)
    assert list(together) == ["bias"]  # the other was fitted on one fold only
    sample, user = together["bias"], planted.user_ids[3]
    by_hand = 0.0
    for fold in folds:
        model = fit_model("bias", fold.train)
        said = fold.test.scale.clip(model.predict(fold.test.users, fold.test.items))
        by_hand += ((said - fold.test.ratings)[fold.test.users == 3] ** 2).sum()
    assert sample.numerators[list(sample.users).index(user)] == pytest.approx(by_hand)
    assert sample.denominators.sum() == len(planted)
    assert pooled_errors(stored, [per_user_holdout(planted, seed=9)]) == {}


def test_lists_are_measured_as_they_were_when_drawn(runs, split, evaluations):
    fold = rating_table(runs, split).attrs["folds"]["bias"]
    lists = list_table(runs, split, K, fold=fold)
    assert set(lists["model"]) == {"bias", "most_popular", "started"}
    assert not lists.duplicated(["model", "user", "rank"]).any()
    found = rankings_of(lists, split, K)
    for name in ("bias", "most_popular"):
        assert found[name].metrics()[f"ndcg@{K}"] == pytest.approx(evaluations[name, "42"][f"ndcg@{K}"])
    assert list_table(runs, split, K, fold="none such").empty


def test_lists_for_other_users_are_refused(runs, split):
    lists = list_table(runs, split, K, fold="42")
    short = lists[(lists["model"] != "bias") | (lists["user"] != lists["user"].max())]
    with pytest.raises(ValueError, match="draw them alike"):
        rankings_of(short, split, K)


def test_parameters_are_read_where_they_were_measured(runs, split, evaluations):
    counts = parameter_counts(runs, split.name)
    assert counts["bias"] == evaluations["bias", "42"]["n_parameters"]
    assert counts["ensemble"] == evaluations["item_mean", "42"]["n_parameters"] != counts["bias"]
    assert parameter_counts(runs, "elsewhere") == {}
