from types import SimpleNamespace

import numpy as np
import pytest

from lib.data.splits import Split, per_user_holdout
from lib.models.fitting import fit_model
from lib.studies.two_tower_explanation import attributions
from lib.workbench.explorer import models
from lib.workbench.explorer.page import sample

TOWERS = {
    "embedding_size": 4,
    "user_dense_size": 6,
    "item_dense_size": 6,
    "final_size": 6,
    "batch_size": 128,
    "epochs": 3,
}


def near(vectors, films, n, counts=None, attribute="item_factors_"):
    vectors = np.asarray(vectors, dtype=float)
    counts = np.ones(len(vectors)) if counts is None else np.array(counts)
    fitted = SimpleNamespace(model=SimpleNamespace(**{attribute: vectors}), train=SimpleNamespace(item_counts=counts))
    return models.near(fitted, attribute=attribute, films=films, n=n, least=1)["near"].tolist()


def test_near_films_are_by_cosine():
    vectors = [[1.0, 0], [10, 1], [1, 1], [0, 1]]
    assert near(vectors, [0, 3], 2) == [[1, 2], [2, 1]]  # cosines 10 / sqrt(101) and 1 / sqrt(2)
    assert near(vectors, [0], 2, counts=[1, 0, 1, 1]) == [[2, 3]]


def test_weights_are_taken_as_they_are_and_fewer_films_leave_places_empty():
    weights = [[0.0, 0.1, -0.5, 0.4]] * 4
    assert near(weights, [0, 3], 3, attribute="weights_") == [[3, 1, 2], [1, 0, 2]]
    assert near(weights, [0], 2, counts=[1, 0, 0, 1], attribute="weights_") == [[3, -1]]


@pytest.fixture(scope="module")
def split(planted) -> Split:
    return per_user_holdout(planted, seed=42)


def test_models_are_those_of_the_table_and_are_fitted_once(split, monkeypatch):
    choices = {"ease": {"parameters": {"l2": 20.0}}, "softmax": {"parameters": {"n_factors": 8, "n_epochs": 5}}}
    asked = models.nearness(["softmax", "ease", "implicit_als"], films=[0, 5], n=3, least=1)
    found = models.ask(choices, split, asked)
    assert list(found) == ["softmax", "ease"], "in the order asked, without what the table has not"
    weights = fit_model("ease", split.train, l2=20.0).weights_
    for film, row in zip((0, 5), found["ease"]["near"], strict=True):
        others = np.delete(np.arange(split.train.n_items), film)
        others = others[split.train.item_counts[others] >= 1]
        assert row.tolist() == others[np.argsort(-weights[film, others], kind="stable")][:3].tolist()

    def none(work, jobs, parts, **_):
        assert not jobs, "made again"
        return iter(())

    monkeypatch.setattr("lib.experiment.run.run_jobs", none)
    again = models.ask(choices, split, asked)
    assert all(np.array_equal(again[name]["near"], found[name]["near"]) for name in found)


def test_a_two_tower_says_why_it_lists_a_film(split):
    options = {"n_background": 10, "seed": 1}
    asked = {"two_tower": {"lib.workbench.explorer.models:why": {"pairs": [(0, 3), (7, 2)], **options}}}
    found = models.ask({"two_tower": {"parameters": TOWERS}}, split, asked)["two_tower"]
    model = fit_model("two_tower", split.train, seed=0, **TOWERS)
    np.testing.assert_allclose(found["why"].sum(axis=1), model.predict([0, 7], [3, 2]), atol=1e-5)
    assert found["inputs"] == list(model.inputs) and found["why"].shape == (2, 1 + len(model.inputs))
    expected = attributions(model, np.array([0, 7]), np.array([3, 2]), split.train, **options)
    np.testing.assert_allclose(found["why"][:, 1:], expected[found["inputs"]], atol=1e-5)


def test_an_unknown_space_is_named():
    with pytest.raises(ValueError, match=r"no space called word2vec; there are .*ease"):
        models.nearness(["ease", "word2vec"], films=[], n=1, least=1)


def test_samples_are_seeded_and_qualify():
    counts = np.array([3, 3, 2, 0, 9])
    assert sample(counts, 9, least=2, most=3, seed=1).tolist() == [0, 1, 2]
    assert sample(counts, 9, np.array([1, 2, 3]), least=2, seed=1).tolist() == [1, 2]
    drawn = [sample(counts, 3, least=0, seed=seed).tolist() for seed in (1, 1, 2, 3, 4)]
    assert drawn[0] == drawn[1] and len({tuple(one) for one in drawn}) > 1
    with pytest.raises(ValueError, match="99 to inf ratings; lower the least"):
        sample(counts, 1, least=99, seed=1)
