import numpy as np
import pandas as pd
import pytest

from lib.data.splits import per_user_holdout
from lib.experiment.evaluation import evaluate
from lib.experiment.stored_runs import load_run
from lib.models import label
from lib.report.run_writer import start_run
from lib.report.stored_tables import errors_of, models_of, rating_table
from lib.studies import comparison


@pytest.fixture(scope="module")
def split(planted):
    return per_user_holdout(planted)


@pytest.fixture(scope="module")
def sources(split, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for name, models in (("one", ["bias"]), ("two", ["svd"])):
        run = start_run(name, runs_dir=folder)
        for model in models:
            run.record(evaluate(model, split, ks=(), n_resamples=0))
        run.finish()
    return {"bias": load_run("one", runs_dir=folder), "svd": load_run("two", runs_dir=folder)}


@pytest.fixture(scope="module")
def table(sources, split):
    return rating_table(sources.values(), split, models=["svd", "bias"])


def test_predictions_are_matched_by_id_whatever_the_order(sources, split, table):
    rows = sources["svd"].predictions.sample(frac=1, random_state=0)
    shuffled = type("Run", (), {"predictions": rows, "run": "x"})()
    again = rating_table([shuffled, sources["bias"]], split)
    np.testing.assert_array_equal(again["svd"], table["svd"])
    assert table["rating"].tolist() == split.test.ratings.tolist()
    assert models_of(table) == ["svd", "bias"]
    assert errors_of(table)["svd"].rmse == pytest.approx(sources["svd"].value("svd", "rmse"), rel=1e-6)


def test_a_model_measured_elsewhere_is_an_error(sources, planted):
    other = per_user_holdout(planted, seed=1)
    with pytest.raises(ValueError, match=r"no run predicts every test rating of .* for svd, bias"):
        rating_table(sources.values(), other, models=["svd", "bias"])


def test_segments_add_up_to_the_whole(table):
    labels = pd.Categorical(np.where(table["rating"] > 3, "high", "low"))
    parts = comparison.errors_by_segment(table, ["svd"], labels)
    total = (parts["rmse"] ** 2 * parts["n_ratings"]).sum() / len(table)
    assert total == pytest.approx(((table["svd"] - table["rating"]) ** 2).mean())


def test_errors_that_have_nothing_in_common_do_not_correlate():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=20_000)
    table = pd.DataFrame({"rating": truth, "a": truth + rng.normal(size=20_000), "b": truth + rng.normal(size=20_000)})
    pair = comparison.test_correlations(table, ["a", "b"]).iloc[0]
    assert pair["errors"] == pytest.approx(0, abs=0.03)
    assert pair["predictions"] == pytest.approx(0.5, abs=0.03)


def test_put_back_touches_training_pairs_only(sources, split):
    matrix = sources["svd"].scores("svd")
    filled = comparison.put_back(matrix, split.train)
    changed = np.zeros(matrix.values.shape, dtype=bool)
    changed[split.train.users, split.train.items] = True  # the matrix is in code order here
    np.testing.assert_array_equal(filled.values[~changed], matrix.values[~changed])
    np.testing.assert_array_equal(filled.values[split.train.users, split.train.items], split.train.ratings)


def test_order_of_appearance():
    order = comparison.order_of_appearance(np.array([1, 2, 3, 4]), np.array([3, 1, 3, 4]))
    assert order.tolist() == [2, 0, 3, 1]


@pytest.fixture(scope="module")
def orders(sources, planted):
    return comparison.orders(sources["svd"].scores("svd"), planted, 2)


def test_a_matrix_in_other_orders_keeps_its_ids_and_its_values(sources, orders):
    matrix = sources["svd"].scores("svd")
    assert [len(variants) for variants in orders.values()] == [1, 1, 1, 1, 2, 2, 2]
    for words, variants in orders.items():
        for one in variants:
            assert one.user_ids.tolist() == matrix.user_ids.tolist()
            np.testing.assert_array_equal(np.sort(one.values, axis=None), np.sort(matrix.values, axis=None))
            assert np.array_equal(one.values, matrix.values) == (words == "matched by id")


def test_matched_by_id_a_matrix_agrees_with_itself_and_shuffled_less(sources, orders):
    found = comparison.order_agreement(sources["svd"].scores("svd"), orders, k=5).set_index("order")
    assert found.loc["matched by id", ["correlation", "lowest", "overlap"]].tolist() == pytest.approx([1, 1, 5])
    assert (found["correlation"].drop("matched by id") < 0.99).all()
    assert (found["lowest"] <= found["correlation"]).all() and (found["correlation"] <= found["highest"]).all()


def test_a_blend_is_compared_with_its_best_member(table):
    found = comparison.blend_table(table, [["svd", "bias"], ["svd", "svd"]], n_resamples=50)
    errors = errors_of(table)
    best = min(errors, key=lambda model: errors[model].rmse)
    one, same = found.iloc[0], found.iloc[1]
    truth = np.sqrt(((table[["svd", "bias"]].mean(axis=1) - table["rating"]) ** 2).mean())
    assert one["rmse"] == pytest.approx(truth) and one["best_member"] == best
    assert one["difference"] == pytest.approx(truth - errors[best].rmse)
    assert one["low"] <= one["difference"] <= one["high"]
    assert same["difference"] == 0 and same["blend"] == f"{label('svd')} + {label('svd')}"


def test_segments_are_pooled_by_their_ratings(table):
    kinds = {"cold": ["warm", "cold film", "cold user"], "user_activity": ["1–19", "20–39", "40–79"]}
    names = {kind: np.resize(names, len(table)) for kind, names in kinds.items()}
    parts = [comparison.errors_by_segment(table, ["svd"], pd.Categorical(n)).assign(kind=k) for k, n in names.items()]
    found = comparison.pooled_rmse(pd.concat(parts)).loc["svd"]
    squares = (table["svd"] - table["rating"]) ** 2
    assert found["cold_pairs"] == pytest.approx(np.sqrt(squares[names["cold"] != "warm"].mean()))
    assert found["sparse_users"] == pytest.approx(np.sqrt(squares[names["user_activity"] != "40–79"].mean()))
    assert np.isnan(found["rare_films"])


def test_pairs_are_named_by_their_labels():
    pairs = pd.DataFrame({"model_a": ["svd", "bias"], "model_b": ["two_tower", "svd"]})
    svd, tower, bias = map(label, ("svd", "two_tower", "bias"))
    assert comparison.pair_labels(pairs, " − ") == [f"{svd} − {tower}", f"{bias} − {svd}"]


def test_taste_explained_is_the_share_that_films_features_can_say():
    rng = np.random.default_rng(0)
    features = rng.integers(0, 2, (30, 3)).astype(float)
    tastes, films, users = rng.normal(size=(20, 3)), rng.normal(size=30), rng.normal(size=(20, 1))
    linear = tastes @ features.T + films + users
    assert comparison.taste_explained(linear, features) == pytest.approx(1)
    product = np.outer(rng.normal(size=20), features[:, 0] * features[:, 1])
    alone = comparison.taste_explained(linear + product, features)
    paired = np.column_stack([features, features[:, 0] * features[:, 1]])
    assert alone < 0.99 and comparison.taste_explained(linear + product, paired) == pytest.approx(1)
    assert np.isnan(comparison.taste_explained(films + users, features)), "no tastes, but a mean of each"
