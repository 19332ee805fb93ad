"""What runs on a reader's ratings, what is chosen, and what a fit leaves."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lib.data.dataset import load
from lib.data.splits import per_user_holdout
from lib.experiment.evaluation import evaluate
from lib.experiment.fit import Fit, Stopping, fit_and_measure
from lib.experiment.space import PROJECTION, Choice, Integer, Real, Space
from lib.metrics.rating import rmse
from lib.models import cards
from lib.models.fitting import fit_model
from lib.studies.contenders import chosen_from
from lib.workbench.own_ratings import protocol
from lib.workbench.own_ratings.candidates import candidates, excess
from lib.workbench.own_ratings.choosing import as_point, choose, draw, searched
from lib.workbench.own_ratings.preparation import prepare
from lib.workbench.own_ratings.protocol import fit_all, parted, starred, threshold_of
from lib.workbench.own_ratings.stars import for_models
from lib.workbench.own_ratings.tables import alike, skipped_table, standings, user_lists
from tests.workbench.own_ratings.shapes import books, counts, half_stars, plays, reviews

MIXED = "side_information_als_features_implicit"


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes")
    ratings, items, users = books(folder)
    prepare(half_stars(folder), folder=folder / "half")
    prepare(ratings, items=items, users=users, scale=(0, 100), folder=folder / "books")
    prepare(plays(folder), folder=folder / "plays")
    return {name: load(str(folder / name)) for name in ("half", "books", "plays")}


def reasons(found):
    return dict(zip(found.skipped["model"], found.skipped["reason"], strict=True))


def test_what_runs_depends_on_the_columns(shapes):
    half = candidates(for_models(shapes["half"].interactions))
    assert "timesvdpp" in half.contenders and MIXED not in half.contenders
    assert "--items" in reasons(half)["Two-tower"]
    with_tables = candidates(for_models(shapes["books"].interactions))
    assert {"two_tower", MIXED} <= set(with_tables.contenders)
    parameters = with_tables.parameters[MIXED]
    assert set(parameters["groups"]) == {"genres", "tags", "age", "gender", "raters", "rated"}
    assert set(parameters["projection_penalties"]) == set(parameters["groups"])
    listed = candidates(for_models(shapes["plays"].interactions))
    assert {"ease", "implicit_als", "bpr", "item_knn", "most_popular"} <= set(listed.contenders)
    assert "all ratings here are the same" in reasons(listed)["Bias model"]


def test_without_timestamps_models_of_time_stay_out(shapes):
    seen = for_models(shapes["half"].interactions)
    found = candidates(replace(seen, timestamps=np.zeros(len(seen))))
    assert "timestamps" in reasons(found)["timeSVD++"]


def test_data_too_large_for_a_model_are_told(shapes, monkeypatch):
    seen = for_models(shapes["half"].interactions)
    cells = seen.n_users * seen.n_items
    assert excess({"items": 49}, seen) == "50 items, more than 49"
    assert excess({"items": 50, "cells": cells - 1}, seen) == f"{cells:,} cells, more than {cells - 1:,}"
    assert excess({"items": 50, "ratings": len(seen), "cells": cells}, seen) == excess({}, seen) == ""
    small = {name: replace(one, most={"items": 49}) for name, one in chosen_from(only=["ease"]).items()}
    monkeypatch.setattr("lib.workbench.own_ratings.candidates.chosen_from", lambda *_, **__: small)
    assert "50 items, more than 49" in reasons(candidates(seen))["EASE"]
    assert "ease" in candidates(seen, limits=False).contenders


def test_points_are_drawn_inside_the_space_and_alike_for_a_seed():
    space = Space({"a": Real(0.1, 10.0, log=True), "b": Integer(2, 5), "c": Choice((None, 4.0))})
    points = draw(space, 200, seed=3)
    assert points == draw(space, 200, seed=3) != draw(space, 200, seed=4)
    assert all(0.1 <= p["a"] <= 10 and p["b"] in (2, 3, 4, 5) and p["c"] in (None, 4.0) for p in points)
    assert np.median([p["a"] for p in points]) == pytest.approx(1.0, rel=0.6)


def test_nested_penalties_become_a_point_and_come_back():
    _, variant = searched(("genres",), k=5, threshold=4.0)[MIXED]
    stored = {"n_factors": 3, "projection_penalties": {"genres": 2.0, "raters": 3.0, "rated": 4.0}}
    point = as_point(stored)
    assert point[f"{PROJECTION}raters"] == 3.0
    assert variant.parameters(point)["projection_penalties"] == stored["projection_penalties"]


def test_the_best_of_the_tried_is_chosen_on_validation_ratings(shapes):
    splits, _ = parted(shapes["half"], seed=42, by_time=False)
    seen = starred(splits["per_user_80_20"])
    found = candidates(seen.train, only=["bias", "item_mean"])
    options = {"k": 5, "threshold": 4.0, "seed": 0}
    chosen = choose(found, seen, n_trials=4, **options)
    assert chosen["bias"]["trials"] == 4 and chosen["item_mean"]["trials"] is None
    single = choose(found, seen, n_trials=1, **options)
    assert single["bias"]["parameters"] == found.parameters["bias"]
    from lib.data.splits import validation_from

    inner = validation_from(seen.train)
    points = [found.parameters["bias"], *draw(searched((), k=5, threshold=4.0)["bias"][1].space, 3, 0)]
    errors = []
    for point in points:
        model = fit_model("bias", inner.train, **point)
        predicted = inner.test.scale.clip(model.predict(inner.test.users, inner.test.items))
        errors.append(rmse(inner.test.ratings, predicted))
    assert chosen["bias"]["validation"] == pytest.approx(min(errors))
    assert chosen["bias"]["parameters"] == points[int(np.argmin(errors))]


def test_a_model_whose_fits_take_too_long_is_not_tried(shapes, monkeypatch):
    splits, _ = parted(shapes["half"], seed=42, by_time=False)
    seen = starred(splits["per_user_80_20"])
    found = candidates(seen.train, only=["ease", "bias"])
    options = {"k": 5, "threshold": 4.0, "seed": 0}
    assert choose(found, seen, n_trials=2, **options)["ease"]["trials"] == 2
    assert found.contenders["ease"].card.most_searched == {"items": 5_000}
    monkeypatch.setattr("lib.workbench.own_ratings.choosing.excess", lambda most, _: "much" if most else "")
    chosen = choose(found, seen, n_trials=2, **options)
    assert chosen["ease"]["trials"] is None and chosen["ease"]["parameters"] == found.parameters["ease"]
    assert chosen["bias"]["trials"] == 2


def test_predictions_come_back_in_the_file_s_units_and_a_failure_is_told(shapes):
    data = shapes["books"]
    splits, left_out = parted(data, seed=42, by_time=False)
    split = splits["per_user_80_20"]
    found = candidates(starred(split).train, only=["item_mean", "svd", "bias"])
    choices = choose(found, starred(split), n_trials=1, k=5, threshold=4.0, seed=0)
    fits, remarks = fit_all(found, choices, splits, k=5, changes={"svd": {"n_factors": -1}})
    assert [f["contender"] for f in fits] == ["item_mean", "bias"] and list(remarks) == [("svd", "per_user_80_20")]
    direct = fit_model("item_mean", split.train).predict(split.test.users, split.test.items)
    assert fits[0]["predictions"] == pytest.approx(split.test.scale.clip(direct), abs=1e-3)
    shown = skipped_table(found, left_out, remarks)
    assert shown.iloc[0]["what"].startswith("SVD") and "failed" in shown.iloc[0]["reason"]
    assert shown.iloc[-1]["reason"].startswith("not among those asked for")


def test_a_diverging_model_gets_a_smaller_learning_rate(shapes):
    splits, _ = parted(shapes["half"], seed=42, by_time=False)
    found = candidates(starred(splits["per_user_80_20"]).train, only=["matrix_factorisation"])
    choices = {
        "matrix_factorisation": {
            "parameters": {**found.parameters["matrix_factorisation"], "n_epochs": 30, "learning_rate": 80.0}
        }
    }
    fits, remarks = fit_all(found, choices, splits, k=5)
    assert len(fits) == 1 and np.isfinite(fits[0]["predictions"]).all()
    assert remarks["matrix_factorisation", "per_user_80_20"].startswith("ran with a learning rate of")


def test_what_is_relevant_is_read_from_the_scale(shapes):
    assert threshold_of(shapes["half"].interactions)[0] == 0.5 + 0.75 * 4.5
    assert threshold_of(shapes["plays"].interactions) == (1.0, "every pair counts")
    low = shapes["books"].interactions.with_ratings(shapes["books"].interactions.ratings / 4, (0, 100))
    assert threshold_of(low)[0] == pytest.approx(np.quantile(low.ratings, 0.75))
    with pytest.raises(ValueError, match="no rating reaches it"):
        threshold_of(shapes["half"].interactions, 9)


def test_protocols_that_the_ratings_do_not_allow_are_told(shapes):
    splits, left_out = parted(shapes["plays"], seed=42)
    assert list(splits) == ["per_user_80_20"]
    assert left_out[0][0] == "chronological" and "timestamps" in left_out[0][1]
    assert list(parted(shapes["half"], seed=42)[0]) == ["per_user_80_20", "chronological"]


def test_a_test_of_hardly_any_ratings_gives_way_to_another(tmp_path):
    prepare(reviews(tmp_path, n_users=600), folder=tmp_path / "reviews")
    data = load(str(tmp_path / "reviews"))
    splits, left_out = parted(data, seed=42)
    assert list(splits) == ["random_80_20", "chronological"] and len(splits["random_80_20"].test) == 123
    assert left_out == [("per_user_80_20", "few users have 5 ratings, so that it holds out 0, or 0.0%; a fifth of all is held out at random")]  # fmt: skip
    # The last moment has nearly all ratings: what is later than the rest is no test.
    late = data.interactions.timestamps > np.quantile(data.interactions.timestamps, 0.95)
    crowded = replace(data.interactions, timestamps=late.astype(int), origin=())
    splits, left_out = parted(replace(data, interactions=crowded), seed=42)
    assert list(splits) == ["random_80_20"] and "share the last moments" in dict(left_out)["chronological"]


def test_counts_are_confidences_and_nobody_predicts_them(tmp_path):
    prepare(counts(tmp_path, n_users=60, n_items=50, n=900), folder=tmp_path / "counts")
    data = load(str(tmp_path / "counts"))
    low, high = data.meta["counted"]
    assert data.interactions.scale == pytest.approx((np.log2(1 + low), np.log2(1 + high)))
    assert threshold_of(data.interactions, counts=True)[0] == data.interactions.ratings.min()
    seen = for_models(data.interactions)
    found = candidates(seen, counts=True)
    assert "these are counts" in reasons(found)["Bias model"] and "bias" not in found.contenders
    assert found.parameters["tf_idf_knn"]["by_count"] and "confidence_als" in found.contenders
    assert found.parameters["ease"]["threshold"] is None, "a pair that is rare is a pair"
    splits, _ = parted(data, seed=42)
    chosen = choose(candidates(seen, counts=True, only=["tf_idf_knn"]), starred(splits["per_user_80_20"]), n_trials=3, k=5, threshold=1.0, seed=0)  # fmt: skip
    assert chosen["tf_idf_knn"]["parameters"]["by_count"] and chosen["tf_idf_knn"]["trials"] == 3


def test_ease_has_a_stand_in_where_there_are_too_many_items(shapes, monkeypatch):
    seen = for_models(shapes["half"].interactions)
    assert "frequent_ease" not in candidates(seen).contenders
    monkeypatch.setattr("lib.workbench.own_ratings.candidates.cards", lambda: {"ease": replace(cards()["ease"], most={"items": 49})})  # fmt: skip
    assert "frequent_ease" in candidates(seen).contenders


def test_a_model_is_warmed_up_once_before_its_time_counts(shapes, monkeypatch):
    split = starred(parted(shapes["half"], seed=42, by_time=False)[0]["per_user_80_20"])
    fit, seen = Fit("svdpp", {"n_factors": 2}, stopping=Stopping("n_epochs", 60, 3)), []
    monkeypatch.setattr(protocol, "_warm", set())
    monkeypatch.setattr(protocol, "fit_and_measure", lambda parts, one: seen.append((parts, one)))
    parts = {"train": split.train, "test": split.test}
    assert protocol.warmed(parts, fit) == protocol.warmed(parts, fit) == {}
    ((given, one),) = seen
    assert 100 < len(given["train"]) <= protocol.FEW and one.stopping.most == 1 and one.prepare is None
    assert "failure" not in fit_and_measure(given, one)


def test_lists_name_titles_and_mark_hits(shapes):
    splits, _ = parted(shapes["books"], seed=42, by_time=False)
    split = splits["per_user_80_20"]
    train = split.train
    lists = pd.concat(
        pd.DataFrame({"user": train.user_ids, "rank": rank, "item": train.item_ids[item]}).assign(model=model)
        for model in ("m", "n")
        for rank, item in ((1, 4), (2, 7))
    )
    table = user_lists(lists, split, 3, 0.0, {"m": "Model", "n": "Other"})
    best = table["model"] == "rated highest in training"
    assert table["model"].tolist() == ["rated highest in training", "Model", "Other"] * 3
    assert table["train"].is_monotonic_increasing
    titles = train.item_table["title"].to_numpy()
    for row in table[best].itertuples():
        (user,) = train.user_codes([row.user])
        assert (
            row.list.split("  ·  ")[0]
            == titles[train.items[train.users == user][train.ratings[train.users == user].argmax()]]
        )
    for row in table[~best].itertuples():
        (user,) = train.user_codes([row.user])
        tested = set(split.test.items[split.test.users == user])
        shown = [titles[item] + " *" * (item in tested) for item in (4, 7)]
        assert row.list == "  ·  ".join(shown) and row.hits == len(tested & {4, 7})


def test_models_are_compared_on_one_split_by_user_and_with_each_other(planted):
    split = per_user_holdout(planted)
    names = ("bias", "item_mean", "user_mean", "most_popular")
    evaluations = {(n, split.name): evaluate(n, split, ks=(5,), n_resamples=0) for n in names}
    evaluations["svd", "another"] = evaluations["bias", split.name]
    options = {"level": 0.05, "n_flips": 10, "n_resamples": 10}
    found = standings(evaluations, split.name, 5, **options)
    assert {metric: set(one.table["model"]) for metric, one in found.items()} == {
        "RMSE": {*names[:3]},
        "nDCG@5": {*names},
    }
    assert (
        found["RMSE"].table["value"].is_monotonic_increasing and found["nDCG@5"].table["value"].is_monotonic_decreasing
    )
    assert standings({("bias", "u1"): evaluations["bias", split.name]}, "u1", 5, **options) == {}
    lists = pd.concat(
        pd.DataFrame({"user": planted.user_ids, "item": item}).assign(model=name)
        for name in names[:3]
        for item in range(5)
    )
    predicted = {n: evaluations[n, split.name].predictions["prediction"].to_numpy() for n in names[:3]}
    bare = split.test.frame()[["user", "item", "rating"]]
    square, most, _ = alike(bare.assign(**predicted, constant=3.0), lists, 5)
    assert square.columns.tolist() == list(names[:3]) and most == 1
    correlation = np.corrcoef(predicted["bias"], predicted["item_mean"])[0, 1]
    assert square.loc["bias", "item_mean"] == pytest.approx(correlation)
    square, most, _ = alike(bare, lists, 5)
    assert square.columns.tolist() == list(names[:3]) and most == 5 and (np.diag(square) == 5).all()
    assert alike(bare, lists[lists["model"] == "bias"], 5)[0] is None
