from __future__ import annotations

import numpy as np
import pytest

from lib.metrics import rmse
from lib.side_information_runs import (
    compare_with,
    find,
    fit_all,
    fold_table,
    parameter_label,
    point,
    popularity_table,
    sign_test,
)
from lib.side_information_study import (
    ablation_variants,
    errors_by_user,
    further_variants,
    least_sign_test_p,
    reference_variants,
)
from lib.splits import k_fold
from lib.stored_searches import keep
from tests.conftest import planted_interactions


@pytest.fixture(scope="module")
def data():
    return planted_interactions(n_users=40, n_items=30, density=0.35, seed=2)


@pytest.fixture(scope="module")
def study(data, tmp_path_factory):
    """A small search of two variants, and their fits on three folds, the second one also at the first one's point."""
    runs = tmp_path_factory.mktemp("runs")
    splits = k_fold(data, n_folds=3, seed=1)
    inner = k_fold(splits[0].train, n_folds=2, seed=2)
    variants = {name: ablation_variants()[name] for name in ("full", "no_features")}
    searches = {
        n: find(v, inner, n_trials=8, runs_dir=runs, workers=0, say=None) for n, v in variants.items()
    }
    options = {"runs_dir": runs, "workers": 0, "say": None}
    kept = fit_all(variants, {n: point(searches["full"]) for n in variants}, splits, **options)
    tuned = fit_all(variants, {n: point(searches[n]) for n in variants}, splits, **options)
    return {"splits": splits, "variants": variants, "searches": searches, "kept": kept, "tuned": tuned}


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
    assert str(full["n_factors"]) == "1 to 150, whole"
    assert str(full["user_penalty"]) == "0.0001 to 10000, by order of magnitude"
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
    assert str(further["implicit"].space["n_factors"]) == "1 to 8, whole"
    assert {v.model for v in reference_variants().values()} == {"bias", "svd"}


def test_searches_and_fits(study):
    table = fold_table(study["tuned"], study["splits"])
    assert len(table) == 6
    assert (table["test_rmse"] < 1.5).all()
    first = study["tuned"][0]
    test = study["splits"][0].test
    assert table.loc[0, "test_rmse"] == pytest.approx(rmse(test.ratings, first["predictions"]), abs=1e-6)
    assert study["searches"]["full"].best["score"] < study["searches"]["full"].trials["score"].median()
    # B's way takes the full model's point over.
    assert study["kept"][0]["chosen"] == study["kept"][3]["chosen"]
    own = table["own_share"]
    np.testing.assert_allclose(own[table["variant"] == "no_features"], 1)
    assert (abs(own[table["variant"] == "full"] - 1) > 1e-6).all()


def test_bins_part_the_test_ratings(study):
    splits = study["splits"]
    bins = popularity_table(study["tuned"], splits)
    counts = bins[(bins["variant"] == "full") & (bins["fold"] == 1)]
    assert counts["n_ratings"].sum() == len(splits[0].test)
    squared = (counts["rmse"] ** 2 * counts["n_ratings"]).sum()
    whole = fold_table(study["tuned"], splits).loc[0, "test_rmse"]
    assert np.sqrt(squared / len(splits[0].test)) == pytest.approx(whole, abs=1e-6)


def test_comparison_pools_the_folds_by_user(study):
    splits, fits = study["splits"], study["tuned"]
    full = [f["predictions"] for f in fits if f["variant"] == "full"]
    pooled = errors_by_user(splits, full)
    everything = np.concatenate([s.test.ratings - p for s, p in zip(splits, full, strict=True)])
    assert pooled.value == pytest.approx(np.sqrt(np.mean(everything.astype(float) ** 2)), rel=1e-6)
    assert pooled.denominators.sum() == sum(len(s.test) for s in splits)
    table = compare_with("full", fits, splits, n_resamples=200)
    assert table["model_a"].tolist() == ["no_features"]
    assert table["sign_p"].iloc[0] >= least_sign_test_p(3)


def test_sign_test():
    assert least_sign_test_p(5) == 0.0625
    assert sign_test(np.array([0.1, 0.2, 0.1, 0.3, 0.2])) == pytest.approx(0.0625)
    assert sign_test(np.array([0.1, -0.2, 0.1, 0.3, 0.2])) == pytest.approx(0.375)
    assert sign_test(np.array([1e-6, -1e-6, 0, 0, 0])) == 1.0
    with pytest.raises(ValueError, match="at least one"):
        least_sign_test_p(0)


def test_labels():
    assert parameter_label("projection_penalty_genres") == "penalty of genres"
    assert parameter_label("n_factors") == "n factors"


def test_a_kept_search_is_not_repeated(study, data, tmp_path):
    variant = study["variants"]["no_features"]
    inner = k_fold(study["splits"][0].train, n_folds=2, seed=2)
    options = {"n_trials": 8, "runs_dir": tmp_path / "runs", "workers": 0, "say": None}
    made = find(variant, inner, stored=None, **options)
    copied, removed = keep(tmp_path / "runs" / ".searches", tmp_path / "kept")
    assert len(copied) == 1 and not removed
    lines = []
    options |= {"runs_dir": tmp_path / "elsewhere", "say": lines.append}
    again = find(variant, inner, stored=tmp_path / "kept", **options)
    assert again.chosen == made.chosen
    assert not (tmp_path / "elsewhere").exists(), "nothing was searched"
    assert len(find(variant, inner, stored=tmp_path / "kept", **options | {"n_trials": 4}).trials) == 4
    other = k_fold(study["splits"][0].train, n_folds=2, seed=3)
    find(variant, other, stored=tmp_path / "kept", **options | {"n_trials": 4})
    assert (tmp_path / "elsewhere" / ".searches").exists(), "other folds are another search"
    assert keep(tmp_path / "elsewhere" / ".searches", tmp_path / "kept", prune=True)[1] == copied
