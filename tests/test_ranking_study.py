"""Project D's ranking study: searches judge by what a model is for, and lists survive being stored."""

import numpy as np
import pandas as pd
import pytest

from lib.evaluation import evaluate
from lib.metrics import evaluate_ranking, recommend
from lib.models import create
from lib.ranking_study import (
    averaged,
    example,
    list_variants,
    lists_of,
    measure,
    network_lists,
    rankings,
    rating_variants,
    search_context,
    stored_lists,
    validate,
)
from lib.results import start_run
from lib.splits import per_user_holdout, validation_from


@pytest.fixture(scope="module")
def split(planted):
    return per_user_holdout(planted)


def test_every_variant_makes_its_model():
    for name, variant in (list_variants(4.0) | rating_variants()).items():
        assert variant.name == name
        create(variant.model, **variant.parameters({}))
        if variant.space is not None:
            names = create(variant.model).parameter_names()
            assert all(p in names or p.startswith("projection_penalty_") for p in variant.space)


def test_a_search_scores_lists_by_ndcg_and_ratings_by_rmse(split):
    inner = validation_from(split.train)
    ease = list_variants(4.0)["ease"]
    context = search_context(ease, inner, k=5, threshold=4.0)
    top = recommend(create("ease", l2=20.0).fit(inner.train), inner.train, 5)
    expected = -evaluate_ranking(top, inner.test, threshold=4.0).metrics()["ndcg@5"]
    assert validate(context, {"l2": 20.0, "threshold": None}, 0)["score"] == pytest.approx(expected)

    imputed = rating_variants()["soft_impute"]
    context = search_context(imputed, inner, k=5, threshold=4.0)
    expected = evaluate("soft_impute", inner, shrinkage=2.0, ks=(), keep=False, n_resamples=0)["rmse"]
    assert validate(context, {"shrinkage": 2.0}, 0)["score"] == pytest.approx(expected)


def test_a_fit_leaves_the_lists_that_its_model_recommends(split):
    context = {"variants": list_variants(4.0), "train": split.train, "test": split.test, "k": 7}
    fit = measure(context, variant="ease", chosen={"l2": 20.0})
    expected = recommend(create("ease", l2=20.0).fit(split.train), split.train, 7)
    np.testing.assert_array_equal(lists_of(fit, split.train).items, expected.items)
    assert np.isnan(fit["test_rmse"]) and fit["seconds_fit"] > 0
    found = rankings(lists_of(fit, split.train), split.test, split.train, [3, 7], 4.0)
    assert found[3].k == 3 and "novelty" in found[7].values


def test_stored_lists_are_those_that_were_stored(split):
    top = recommend(create("most_popular").fit(split.train), split.train, 5)
    frame = top.frame(split.train.user_ids, split.train.item_ids).sample(frac=1, random_state=0)
    again = stored_lists(frame, split.train)
    np.testing.assert_array_equal(again.users, top.users)
    np.testing.assert_array_equal(again.items, top.items)
    with pytest.raises(ValueError, match="do not have"):
        stored_lists(frame.assign(item=10**6), split.train)


def test_lists_of_another_run_must_be_of_the_same_data(split, tmp_path):
    top = recommend(create("most_popular").fit(split.train), split.train, 5)
    frame = top.frame(split.train.user_ids, split.train.item_ids)
    parameters = {"split": split.name, "seed": 42}
    run = start_run("networks", runs_dir=tmp_path, dataset="toy", parameters=parameters)
    run._top_k.append(frame.assign(model="neural_mf", split=split.name, fold="", seed=0))
    run.finish()
    from lib.results import load_run

    stored = load_run("networks", runs_dir=tmp_path)
    found = network_lists(stored, split.train, dataset="toy", split=split.name, seed=42)
    assert list(found) == ["neural_mf"]
    np.testing.assert_array_equal(found["neural_mf"][0].items, top.items)
    with pytest.raises(ValueError, match="seed 42"):
        network_lists(stored, split.train, dataset="toy", split=split.name, seed=10)


def test_a_users_metric_is_averaged_over_starts(split):
    tops = [recommend(create("random_order", seed=s).fit(split.train), split.train, 5) for s in range(2)]
    each = [evaluate_ranking(top, split.test) for top in tops]
    mean = averaged(each, "ndcg")
    np.testing.assert_allclose(mean.values, (each[0].values["ndcg"] + each[1].values["ndcg"]) / 2)


def test_the_example_marks_what_the_user_liked(split):
    train, test = split.train, split.test
    user = int(test.users[test.ratings >= 4][0])
    liked = set(test.items[(test.users == user) & (test.ratings >= 4)].tolist())
    top = recommend(create("most_popular").fit(train), train, 20)
    table = example({"popular": top}, train, test, train.user_ids[user], 20, 4.0)
    row = top.items[np.flatnonzero(top.users == user)[0]]
    assert [text.endswith(" *") for text in table["popular"]] == [item in liked for item in row]
    with pytest.raises(ValueError, match="not in the data"):
        example({"popular": top}, train, test, -1, 5, 4.0)


def test_random_order_is_even_and_depends_on_the_seed(split):
    scores = create("random_order").fit(split.train).score(np.arange(split.train.n_users)).ravel()
    counts = np.histogram(scores, bins=10, range=(0, 1))[0]
    assert pd.Series(counts).between(0.85 * len(scores) / 10, 1.15 * len(scores) / 10).all()
    assert abs(np.corrcoef(scores[:-1], scores[1:])[0, 1]) < 0.05
    other = create("random_order", seed=1).fit(split.train).score(np.arange(split.train.n_users)).ravel()
    assert abs(np.corrcoef(scores, other)[0, 1]) < 0.05
