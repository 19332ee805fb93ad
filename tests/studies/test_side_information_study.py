from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from lib.data.splits import k_fold, validation_from
from lib.experiment import records
from lib.experiment import search as searching
from lib.experiment.protocol import parts_of
from lib.experiment.run import run_fits
from lib.metrics import rmse, user_errors
from lib.models import create
from lib.studies.side_information_study import (
    ablation_variants,
    better,
    by_popularity,
    compare_searched,
    compare_with,
    compared_variants,
    course_fits,
    errors_by_user,
    find,
    fold_fits,
    fold_means,
    fold_table,
    further_variants,
    iteration_costs,
    known_trials,
    machine_variant,
    metric_rows,
    parameter_label,
    point,
    reference_variants,
    sign_test,
    validation_fit,
)
from tests.conftest import planted_interactions


@pytest.fixture(scope="module")
def data():
    return planted_interactions(n_users=40, n_items=30, density=0.35, seed=2)


@pytest.fixture(scope="module", autouse=True)
def store(tmp_path_factory):
    """Keep the records of these tests apart."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(records.FOLDERS, str(tmp_path_factory.mktemp("records")))
        yield


@pytest.fixture(scope="module")
def study(data):
    """A small search of two variants, and their fits on three folds, the second one also at the first one's point."""
    splits = k_fold(data, n_folds=3, seed=1)
    inner = k_fold(splits[0].train, n_folds=2, seed=2)
    variants = {name: ablation_variants()[name] for name in ("full", "no_features")}
    searches = {n: find("test", v, inner, n_trials=8) for n, v in variants.items()}
    parts = parts_of(dict(enumerate(splits)))
    kept, tuned = (
        run_fits(fold_fits(variants, {n: point(searches[m]) for n, m in points.items()}, 3), parts)
        for points in (dict.fromkeys(variants, "full"), {n: n for n in variants})
    )
    return {
        "splits": splits, "inner": inner, "variants": variants, "searches": searches, "kept": kept, "tuned": tuned,
    }  # fmt: skip


def test_variants_are_project_bs():
    variants = ablation_variants()
    assert list(variants) == [
        "full", "no_features", "only_genres", "only_years", "no_graph", "graph_feature=year", "no_pop_reg",
        "no_side_information",
    ]  # fmt: skip
    assert variants["no_graph"].fixed["graph_group"] is None
    assert variants["graph_feature=year"].fixed["graph_group"] == "year"
    assert "popularity_shrinkage" not in variants["no_pop_reg"].space
    full = variants["full"].space
    ranges = full.table().set_index("parameter")["range"]
    assert ranges["n_factors"] == "1 to 150, whole"
    assert ranges["user_penalty"] == "0.0001 to 10000, by order of magnitude"
    assert len(full) == 12


def test_a_point_of_the_full_model_fits_every_variant():
    full = {
        "n_factors": 5, "user_penalty": 1.0, "item_penalty": 2.0, "user_bias_penalty": 3.0, "item_bias_penalty": 4.0,
        "popularity_shrinkage": True, "projection_penalty_genres": 6.0, "projection_penalty_year": 7.0,
        "update_projections_every": 2, "graph_strength": 8.0, "graph_neighbours": 9, "graph_epsilon": 1e-6,
    }  # fmt: skip
    found = {name: v.parameters(full) for name, v in ablation_variants().items()}
    assert found["full"]["projection_penalties"] == {"genres": 6.0, "year": 7.0}
    assert found["only_years"]["projection_penalties"] == {"year": 7.0}
    assert "projection_penalties" not in found["no_features"]
    assert found["no_graph"]["graph_group"] is None and "graph_strength" not in found["no_graph"]
    assert found["no_pop_reg"]["popularity_shrinkage"] is False
    assert all(p["user_penalty"] == 1.0 for p in found.values())


def test_further_and_reference_variants_name_their_models():
    further = further_variants(("genres", "year", "age"), most_factors=8)
    assert further["plain"].fixed["groups"] == ()
    assert further["features_implicit"].fixed["groups"] == ("genres", "year", "age", "raters", "rated")
    assert further["implicit"].space["n_factors"].high == 8
    assert {v.model for v in reference_variants().values()} == {"bias", "svd"}
    machine = machine_variant(("year",), n_iterations=8)
    assert machine.parameters({}) == {
        "n_factors": 10, "groups": ["year", "raters", "rated"], "n_iterations": 8, "n_samples": 6,
    }  # fmt: skip


def test_added_groups_have_a_variant_of_their_own():
    alone, added = compared_variants(("year",)), compared_variants(("year",), ("tags",), most_factors=8)
    assert list(alone) == [*reference_variants(), *further_variants(("year",))]
    assert [name for name in added if name not in alone] == ["features_further"]
    one = added["features_further"]
    assert (one.name, one.label) == ("features_further", "Features with effects of their own and tags")
    assert one.fixed == {"groups": ("year", "tags"), "feature_biases": True}
    assert one.space["n_factors"].high == 8


def test_searches_and_fits(study):
    table = fold_table(study["tuned"])
    assert len(table) == 6
    assert (table["test_rmse"] < 1.5).all()
    first = study["tuned"][0]
    test = study["splits"][0].test
    assert table.loc[0, "test_rmse"] == pytest.approx(np.sqrt(first["squared"].sum() / len(test)), abs=1e-6)
    assert study["searches"]["full"].best["score"] < study["searches"]["full"].trials["score"].median()
    # B's way takes the full model's point over, where the fits of its own have another one.
    found = study["searches"]["full"]
    own = study["variants"]["no_features"].parameters(found.chosen)
    assert point(found)["n_iterations"] == round(found.best["n_epochs"]) >= 1
    model = create("side_information_als", **own, n_iterations=point(found)["n_iterations"])
    train = study["splits"][0].train
    predicted = test.scale.clip(model.fit(train).predict(test.users, test.items))
    of_users = user_errors(test.users, test.ratings, predicted.astype(np.float32)).squared
    np.testing.assert_array_equal(study["kept"][3]["squared"], of_users.astype(np.float32))
    assert not np.array_equal(study["kept"][3]["squared"], study["tuned"][3]["squared"])
    for name, inside in (("cold", train.item_counts <= 2), ("popular", train.item_counts >= 15)):
        inside = inside[test.items]
        expected = pytest.approx(rmse(test.ratings[inside], predicted[inside])) if inside.any() else None
        assert study["kept"][3][f"{name}_bin_rmse"] == expected
    own = table["own_share"]
    np.testing.assert_allclose(own[table["variant"] == "no_features"], 1)
    assert (abs(own[table["variant"] == "full"] - 1) > 1e-6).all()


def test_a_known_point_is_one_more_trial_of_every_search(study):
    known, folds = study["searches"]["full"].chosen, study["inner"]
    tried = known_trials(study["variants"], known, folds[0])
    assert tried["full"]["chosen"] == known
    assert tried["full"]["score"] == pytest.approx(study["searches"]["full"].best["score_0"])
    one = find("known", study["variants"]["no_features"], folds[:1], n_trials=2)
    above, below = (tried["no_features"] | {"score": one.best["score"] + by} for by in (0.01, -0.01))
    assert better(one, above) == point(one)
    assert better(one, below)["chosen"] == known
    (fit,) = fold_fits({"full": study["variants"]["full"]}, {"full": tried["full"]}, 1, search=2)
    assert (fit.labels["search"], fit.keep) == (2, "side_information")


def test_intervals_hold_users_and_searches(study):
    test = study["splits"][0].test
    counts = test.user_counts[test.user_counts > 0]
    noise = np.random.default_rng(0).normal(0, 0.05, len(counts))

    def searched(**shifts):
        found = []
        for name, of in shifts.items():
            for shift in of:
                squared = counts * (1 + shift * (1 + noise))
                rmse_of = np.sqrt(squared.sum() / len(test))
                found.append({"variant": name, "squared": squared, "absolute": squared, "test_rmse": rmse_of})
        return compare_searched("full", found, test, n_resamples=200).iloc[0], found

    same, _ = searched(full=[0.0, 0.0, 0.0], other=[0.1, 0.1, 0.1])
    apart, found = searched(full=[-0.1, 0.0, 0.1], other=[0.0, 0.1, 0.2])
    assert apart["difference"] == pytest.approx(same["difference"])
    assert 0 < same["low"] < same["difference"] and apart["low"] < 0
    assert same["p_value"] < 0.001 and apart["p_value"] > 0.05 and same["searching"] == 0
    spreads = [
        np.std([one["test_rmse"] for one in found if one["variant"] == name], ddof=1) for name in ("full", "other")
    ]
    assert apart["searching"] == pytest.approx(np.hypot(*spreads) / np.sqrt(3))
    nothing, _ = searched(full=[0.0, 0.0], other=[0.0, 0.0])
    assert (nothing["difference"], nothing["p_value"]) == (0, 1)


def test_means_and_metrics_of_a_fold_table(study):
    table = fold_table(study["tuned"])
    means = fold_means(table)
    assert list(means.index) == ["full", "no_features"]
    mine = table.loc[table["variant"] == "full", "test_rmse"]
    assert means.loc["full", "test_rmse"] == pytest.approx(mine.mean())
    assert means.loc["full", "spread"] == pytest.approx(mine.std(ddof=1))
    rows = list(metric_rows(table, study["splits"], ["test_rmse", "train_rmse"], "_tuned", seed=3))
    assert [(row["model"], row["metric"], row["fold"]) for row in rows[2:4]] == [
        ("side_information_als_full_tuned", "rmse", "2"),
        ("side_information_als_full_tuned", "train_rmse", "2"),
    ]
    assert rows[2]["value"] == mine[1] and rows[2]["seed"] == 3
    references = table.assign(variant="svd")
    assert next(metric_rows(references, study["splits"], ["test_rmse"], "_tuned"))["model"] == "svd_tuned"


def test_an_iteration_is_timed_with_and_without_implicit_sets():
    cost = iteration_costs([400, 900])
    assert cost["ratings"].tolist() == [400, 400, 900, 900] and (cost["seconds"] > 0).all()
    assert cost["groups"].nunique() == 2
    assert list(iteration_costs([]).columns) == ["groups", "ratings", "seconds"]


def test_a_trial_stops_on_its_validation_ratings_where_the_model_can(study):
    fit = validation_fit(study["variants"]["full"], "1/")
    assert (fit.train, fit.test, fit.stopping.validation) == ("1/train", "1/validation", "1/validation")
    svd = reference_variants()["svd"]  # whose epochs are searched, and so no finding of early stopping
    assert validation_fit(svd).stopping is None
    found = point(find("test", svd, study["inner"], n_trials=1))
    assert found["chosen"]["n_epochs"] >= 5 and found["n_iterations"] == 0
    best = study["searches"]["full"].best
    parameters = study["variants"]["full"].parameters(study["searches"]["full"].chosen)
    scores, lengths = [], []
    for split in study["inner"]:
        model = create("side_information_als", **parameters, n_iterations=100)
        model.fit(split.train, validation=split.test)
        predicted = split.test.scale.clip(model.predict(split.test.users, split.test.items))
        scores.append(rmse(split.test.ratings, predicted))
        lengths.append(model.n_iterations_)
    assert scores == [best["score_0"], best["score_1"]]
    assert best["n_epochs"] == np.mean(lengths)


def test_a_model_is_watched_to_the_end(study):
    inner = validation_from(study["splits"][0].train)
    fits = course_fits({"n_factors": 3, "groups": ("genres",)}, n_iterations=12)
    alone, watched = run_fits(fits, {"train": inner.train, "validation": inner.test})
    assert len(alone["objective"]) == len(watched["validation_rmse"]) == 12
    assert (np.diff(alone["objective"]) <= 0).all()
    assert len(alone["validation_rmse"]) == len(watched["objective"]) == 0


def test_comparison_pools_the_folds_by_user(study):
    splits, fits = study["splits"], study["tuned"]
    full = [f["squared"].sum() for f in fits if f["variant"] == "full"]
    pooled = errors_by_user(fits, splits)["full"]
    assert pooled.value == pytest.approx(np.sqrt(sum(full) / sum(len(s.test) for s in splits)), rel=1e-6)
    assert pooled.denominators.sum() == sum(len(s.test) for s in splits)
    table = compare_with("full", fits, splits, n_resamples=200)
    assert table["model_a"].tolist() == ["no_features"]
    assert table["sign_p"].iloc[0] >= 0.25  # the least of three folds


def test_sign_test():
    assert sign_test(np.array([0.1, 0.2, 0.1, 0.3, 0.2])) == pytest.approx(0.0625)
    assert sign_test(np.array([0.1, -0.2, 0.1, 0.3, 0.2])) == pytest.approx(0.375)
    assert sign_test(np.array([1e-6, -1e-6, 0, 0, 0])) == 1.0


def test_labels():
    assert parameter_label("projection_penalty_genres") == "penalty of genres"
    assert parameter_label("n_factors") == "factors"
    assert parameter_label("item_bias_penalty") == "film bias penalty"


def test_the_same_search_is_found_again_and_other_folds_are_another_one(study, monkeypatch):
    variant, inner = study["variants"]["no_features"], study["inner"]

    def refuse(*args, **options):
        raise AssertionError("it would be searched")

    monkeypatch.setattr(searching, "run_fits", refuse)
    assert find("test", variant, inner, n_trials=8).chosen == study["searches"]["no_features"].chosen
    assert len(find("test", variant, inner, n_trials=4).trials) == 4
    other = k_fold(study["splits"][0].train, n_folds=2, seed=3)
    for folds, options in ((other, {}), (inner, {"seed": 1}), (inner, {"jointly": False})):
        with pytest.raises(AssertionError, match="would be searched"):
            find("test", variant, folds, n_trials=4, **options)


def test_bins_by_popularity_hold_about_equally_many_test_ratings_and_all_of_the_error(data):
    predicted = np.full(len(data), 3.0)
    fitted = SimpleNamespace(train=data, test=data, fit=SimpleNamespace(test="test"), answers=lambda part: predicted)
    found = by_popularity(fitted, n_bins=4)
    counts = data.item_counts[data.items]
    sizes = np.diff([*(int((counts < start).sum()) for start in found["bin_from"]), len(counts)])
    assert found["bin_from"][0] == counts.min() and len(sizes) == 4 and sizes.min() > len(counts) / 8
    whole = np.sqrt(np.average(found["bin_rmse"] ** 2, weights=sizes))
    assert whole == pytest.approx(rmse(data.ratings, predicted))
    assert len(by_popularity(fitted, n_bins=1)["bin_rmse"]) == 1


def test_bins_are_measured_where_they_are_asked_for(data):
    variants = {"full": ablation_variants(most_factors=3)["full"]}
    points = {"full": {"chosen": {}, "n_iterations": 2}}
    plain, binned = (fold_fits(variants, points, 1, n_bins=n)[0].measure for n in (0, 3))
    assert set(binned) - set(plain) == {"lib.studies.side_information_study:by_popularity"}
