"""Project D's ranking study: searches judge by what a model is for, lists are drawn and survive being stored."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lib.data.splits import per_user_holdout, validation_from
from lib.experiment import records
from lib.experiment.evaluation import evaluate, rankings_in, top_of
from lib.experiment.fit import fit_and_measure
from lib.experiment.run import run_fits
from lib.experiment.space import PROJECTION
from lib.metrics import evaluate_ranking, recommend
from lib.metrics.per_user import averaged
from lib.models import create
from lib.studies.ranking_study import (
    example,
    list_fits,
    list_variants,
    rating_variants,
    validation_fit,
)


@pytest.fixture(scope="module")
def split(planted):
    return per_user_holdout(planted)


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    """Keep the records of these tests apart."""
    monkeypatch.setenv(records.FOLDERS, str(tmp_path / "records"))


def test_every_variant_makes_its_model():
    for name, variant in (list_variants(4.0) | rating_variants()).items():
        assert variant.name == name
        create(variant.model, **variant.parameters({}))
        if variant.space is not None:
            names = create(variant.model).parameter_names()
            assert all(p in names or p.startswith(PROJECTION) for p in variant.space)


def test_a_search_scores_lists_by_ndcg_and_ratings_by_rmse(split):
    inner = validation_from(split.train)
    parts = {"train": inner.train, "validation": inner.test}

    def score(variant, **point):
        fit = validation_fit(variant, k=5, threshold=4.0)
        return fit_and_measure(parts, replace(fit, parameters={**fit.parameters, **point}))["score"]

    top = recommend(create("ease", l2=20.0).fit(inner.train), inner.train, 5)
    expected = -evaluate_ranking(top, inner.test, threshold=4.0).metrics()["ndcg@5"]
    assert score(list_variants(4.0)["ease"], l2=20.0, threshold=None) == pytest.approx(expected)

    expected = evaluate("soft_impute", inner, shrinkage=2.0, ks=(), keep=False, n_resamples=0)["rmse"]
    assert score(rating_variants()["soft_impute"], shrinkage=2.0) == pytest.approx(expected)


LISTS = {"ks": [3, 7], "threshold": 4.0}


def sides(split):
    return {"train": split.train, "test": split.test}


def test_a_fit_leaves_the_lists_that_its_model_recommends(split):
    variants, starts = list_variants(4.0), {"random_order": 2, "ease": 1}
    fits = run_fits(list_fits(variants, {"ease": {"l2": 20.0}}, starts, **LISTS), sides(split))
    assert [(f["variant"], f["seed"]) for f in fits] == [
        ("random_order", 0),
        ("random_order", 1),
        ("ease", 0),
    ]
    found = [top_of(fit, split.train) for fit in (fits[0], fits[2])]
    expected = recommend(create("ease", l2=20.0).fit(split.train), split.train, 7)
    np.testing.assert_array_equal(found[1].items, expected.items)
    assert fits[2]["seconds_fit"] > 0
    measured = [rankings_in(fit, split.test, split.train, **LISTS) for fit in fits]
    assert measured[2][3].k == 3 and "novelty" in measured[2][7].values
    assert "items" not in fits[1] and not np.array_equal(*(one[7].values["ndcg"] for one in measured[:2]))


def test_a_users_metric_is_averaged_over_starts(split):
    tops = [recommend(create("random_order", seed=s).fit(split.train), split.train, 5) for s in range(2)]
    each = [evaluate_ranking(top, split.test) for top in tops]
    mean = averaged([one.per_user("ndcg") for one in each])
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
