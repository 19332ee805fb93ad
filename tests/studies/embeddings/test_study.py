"""What project C's study measures of a fitted variant, on planted ratings."""

import pytest

from lib.data.files import plain
from lib.data.splits import per_user_holdout
from lib.experiment.records import model_of
from lib.experiment.run import run_fits
from lib.metrics import evaluate_ranking, recommend, rmse
from lib.models.fitting import fit_model
from lib.studies.embeddings.study import (
    VARIANTS,
    embedding_measures,
    looked_at,
    recommended,
    reference_measures,
    variant_fit,
)

SETTINGS = {"k": 5, "least_ratings": 10, "threshold": 4.0}
MEASURE = {"lib.studies.embeddings.study:embeddings": SETTINGS, "fitted_arrays": {}}


@pytest.fixture(scope="module")
def split(planted):
    return per_user_holdout(planted)


def test_a_variant_is_measured_as_its_model_answers(split):
    parts = {"train": split.train, "test": split.test}
    names = ("gravity", "softmax")
    fits = [variant_fit(name, seed=1, measure=MEASURE, n_factors=6, n_epochs=4) for name in names]
    for fit, found in zip(fits, run_fits(fits, parts, here=True), strict=True):
        assert (found["seed"], found["n_factors"], found["n_epochs"]) == (1, 6, 4)
        model = model_of(found, fit, split.train)
        metrics = evaluate_ranking(recommended(model, split.train, 5, "dot"), split.test).metrics()
        assert found["ndcg_dot"] == metrics["ndcg@5"] and found["coverage_dot"] == metrics["coverage@5"]
        of_films = embedding_measures(model.item_embeddings_, split.train, 5, 10)
        assert {name: found[name] for name in of_films} == plain(of_films)
        if model.predicts_ratings:
            raw = model.predict(split.test.users, split.test.items)
            assert found["test_mse"] == rmse(split.test.ratings, raw) ** 2
            assert found["test_rmse"] == rmse(split.test.ratings, split.test.scale.clip(raw)) < found["test_mse"] ** 0.5
        else:
            assert found["test_rmse"] is None


def test_variants_differ_from_the_registered_model_by_what_they_say():
    assert {variant_fit(name, seed=0, measure={}).model for name in VARIANTS} == {
        "matrix_factorisation",
        "softmax",
    }
    fit = variant_fit("l2", seed=0, measure={}, validation="test", l2=0.3)
    assert fit.parameters == {**VARIANTS["l2"][2], "l2": 0.3} and fit.stopping.validation == "test"


def test_films_without_a_training_rating_are_never_recommended(split):
    train = split.train.take(split.train.items != 7)
    n_rated = int((train.item_counts > 0).sum())
    model = fit_model("matrix_factorisation", train, n_factors=4, n_epochs=2)
    assert (recommend(model, train, train.n_items).items == 7).any()
    for kind in ("dot", "cosine"):
        assert not (recommended(model, train, n_rated, kind).items == 7).any()


def test_only_films_with_ratings_and_genres_are_looked_at(split):
    films, genres, names = looked_at(split.train, 10)
    assert (split.train.item_counts[films] >= 10).all() and genres.shape == (split.train.n_items, len(names))
    assert len(names) == 4
    found = reference_measures(split.train, 5, 10)
    assert found["co_rating"]["neighbour_popularity"] > 0 and 0 < found["chance"]["genre_agreement"] < 1
    with pytest.raises(ValueError, match="lower least_ratings"):
        looked_at(split.train, 10_000)
