"""Published models fitted again: myFM on its notebooks' features, the fits that the project keeps, and how they are read."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmarks import anchors, myfm_models
from benchmarks.myfm_models import STUDIES, Myfm
from lib.claims.anchor_measurements import fitted_again
from lib.data.interactions import Interactions
from lib.data.splits import shuffled_fold
from lib.experiment import records, upkeep
from lib.experiment.protocol import parts_of
from lib.metrics import rmse
from lib.models.fitting import answers, fit_model

DAY = 86_400


class Regressor:
    """Stands in for the library's: it notes what it is given, and answers with the sum of its features."""

    def __init__(self, **options):
        self.given = options

    def fit(self, days, ratings, **options):
        self.given |= {"days": days, "ratings": ratings, **options}
        return self

    def predict(self, days, blocks):
        return np.asarray(days.sum(axis=1)).ravel() + sum(block.table.sum(axis=1).A1[block.codes] for block in blocks)


@pytest.fixture
def stand_in(monkeypatch):
    library = SimpleNamespace(
        MyFMRegressor=Regressor, RelationBlock=lambda codes, table: SimpleNamespace(codes=codes, table=table)
    )
    monkeypatch.setitem(sys.modules, "myfm", library)


@pytest.fixture
def train():
    """Three users and three films; the last film has no rating, the second no year."""
    ratings = pd.DataFrame({"user": [1, 1, 2, 3], "item": [10, 20, 10, 20], "rating": [5.0, 3.0, 4.0, 1.0]})
    users = pd.DataFrame(
        {"age": [20, 30, 40], "occupation": ["a", "b", "a"], "zip_code": ["12", "x1", "13"]},
        index=pd.Index([1, 2, 3], name="user"),
    )
    items = pd.DataFrame(
        {"year": pd.array([1990, None, 1999], dtype="Int64"), "genres": ["A|B", "", "B"]},
        index=pd.Index([10, 20, 30], name="item"),
    )
    frame = ratings.assign(timestamp=[5 * DAY, 5 * DAY + 9, 7 * DAY, 7 * DAY])
    return Interactions.from_frame(frame, scale=(1, 5), user_table=users, item_table=items)


ROOT_OF_HALF = np.sqrt(0.5)


def test_the_large_study_has_sets_and_days(stand_in, train):
    model = Myfm(rank=2, study=STUDIES[1], n_iterations=7, n_samples=3).fit(train)
    given, (users, films) = model._machine.given, model._sides
    assert given["group_shapes"] == [2, 3, 2, 2, 3]  # film 30, without a rating, has no column
    assert given["ratings"].tolist() == [4, 2, 3, 0]
    assert (given["n_iter"], given["n_kept_samples"], given["random_seed"], given["rank"]) == (7, 3, 42, 2)
    np.testing.assert_array_equal(given["days"].toarray(), [[1, 0], [1, 0], [0, 1], [0, 1]])
    expected = [[1, 0, 0, ROOT_OF_HALF, ROOT_OF_HALF], [0, 1, 0, 1, 0], [0, 0, 1, 0, 1], [0] * 5]
    np.testing.assert_allclose(users.toarray(), expected)
    expected = [[1, 0, ROOT_OF_HALF, ROOT_OF_HALF, 0], [0, 1, ROOT_OF_HALF, 0, ROOT_OF_HALF], [0] * 5, [0] * 5]
    np.testing.assert_allclose(films.toarray(), expected)
    cold = model.predict(np.array([0, -1, 3]), np.array([2, 2, -1]), np.array([5, 6, 5]) * DAY)
    np.testing.assert_allclose(cold, 1 + np.array([1 + 1 + 2 * ROOT_OF_HALF, 0, 1]))
    np.testing.assert_allclose(model.predict(np.array([-1]), np.array([-1])), 1)
    assert model.n_parameters_ == 3 * (1 + 12 * 3)


def test_the_small_study_has_features_and_columns_for_what_is_new(stand_in, train):
    model = Myfm(rank=2, study=STUDIES[0]).fit(train)
    given, (users, films) = model._machine.given, model._sides
    # Days; users, ages, occupations, post codes, rated; films, years, genres, raters: with a column each for what is new.
    assert given["group_shapes"] == [3, 4, 12, 3, 3, 4, 4, 12, 3, 4]
    assert given["ratings"].tolist() == [5, 3, 4, 1]
    third = users.toarray()[2]
    ages = np.percentile([20, 30, 40], np.linspace(0, 100, 12)[1:-1])
    assert np.flatnonzero(third[4:16]).tolist() == [(ages < 40).sum()] == [10]
    assert np.flatnonzero(third).tolist() == [2, 14, 16, 19, 23]
    second = films.toarray()[1]
    assert second[4:16].tolist() == [0.0] * 11 + [1.0]  # no year
    assert not second[16:19].any() and films.toarray()[0, 16:19] == pytest.approx([ROOT_OF_HALF, ROOT_OF_HALF, 0])
    asked = model._told(np.array([0, 0]), np.array([0, 0]), np.array([5, 6]) * DAY)[0]
    np.testing.assert_array_equal(asked.toarray(), [[1, 0, 0], [0, 0, 1]])


def test_films_are_those_of_the_test_ratings_where_the_notebook_has_it_so(stand_in, train):
    parts = {"train": train, "test": train.take(np.array([1, 3]))}
    fit = anchors.Fit("benchmarks.myfm_models:Myfm")
    asked = myfm_models.as_asked(parts, fit)["train"]
    model = Myfm(rank=2, study=STUDIES[1]).fit(asked)
    assert model._machine.given["group_shapes"] == [2, 3, 1, 1, 3]  # film 20 alone
    np.testing.assert_allclose(model._sides[0].toarray()[:3, 3], [ROOT_OF_HALF, 0, 1])
    assert "asked" not in train.item_table


def test_the_library_learns(planted):
    pytest.importorskip("myfm")
    split = shuffled_fold(planted, fold=1, n_folds=5)
    small = {"rank": 2, "n_iterations": 5, "n_samples": 3}
    model = fit_model(Myfm, split.train, study=STUDIES[1], **small)
    found = answers(model, split.test)
    assert rmse(split.test.ratings, found) < rmse(split.test.ratings, np.full(len(found), split.train.ratings.mean()))
    assert np.isfinite(model.predict(np.array([-1, 0]), np.array([0, 10**6]))).all()
    again = fit_model(Myfm, split.train, study=STUDIES[1], **small)
    np.testing.assert_array_equal(answers(again, split.test), found)


# -- the kept fits -------------------------------------------------------------------------------------------------
@pytest.fixture
def store(tmp_path, monkeypatch, stand_in, planted):
    """The benchmark on small data, with records of its own."""
    monkeypatch.setenv(records.FOLDERS, str(tmp_path / "records"))
    monkeypatch.setattr(records, "KEPT", tmp_path / "kept")
    split = shuffled_fold(planted, fold=1, n_folds=5)
    parts = parts_of({f"{dataset}/{name}": split for dataset, name, _ in anchors.FITS})
    monkeypatch.setattr(anchors, "parts", lambda: parts)
    monkeypatch.setattr(anchors, "installed", lambda _: True)
    *library, ours = anchors.fits(5)
    large = [one for one in library if one.labels["dataset"] == "ml-1m"]  # the planted films have no year
    large.append(replace(ours, parameters={**ours.parameters, "n_iterations": 5, "n_samples": 3}))
    monkeypatch.setattr(anchors, "fits", lambda: large)
    return parts


def test_the_fits_are_those_of_the_notebooks_and_ours_on_their_fold():
    *library, ours = anchors.fits()
    assert [(one.parameters["rank"], one.parameters["n_samples"], one.seed) for one in library] == [
        (10, 512, 42), (32, 512, 42), (10, 507, 42), (10, 507, 42), (32, 507, 42),
    ]  # fmt: skip
    assert {one.parameters["n_iterations"] for one in library} == {512}
    assert [one.prepare is not None for one in library] == [False, False, False, True, True]
    assert (ours.model, ours.train, ours.parameters["n_factors"]) == (anchors.OURS, "ml-1m/kfold_10/train", 10)


def test_what_is_kept_is_read_and_made_once(store, capsys, monkeypatch):
    assert fitted_again().empty
    assert anchors.run() == []
    first = [line for line in capsys.readouterr().out.splitlines() if "test RMSE" in line]
    assert len(first) == 4
    upkeep.keep(lambda _: None)
    found = fitted_again()
    assert found["model"].tolist() == ["myfm", "myfm", "timed_factorisation_machine", "myfm"]
    assert found["rank"].tolist() == [10, 32, 10, 10] and found["n_iterations"].tolist() == [5, 5, 5, 5]
    for row in found.itertuples():
        assert row.by_user.value == pytest.approx(row.test_rmse, rel=1e-6)
        assert row.by_user.denominators.sum() == len(store["ml-1m/kfold_10/test"])
    monkeypatch.setattr(Regressor, "fit", None)  # nothing is made again
    anchors.run()
    assert capsys.readouterr().out.splitlines()[-4:] == first


def test_without_the_library_nothing_is_made(capsys, monkeypatch):
    monkeypatch.setattr(anchors, "installed", lambda _: False)
    monkeypatch.setattr(anchors, "run_fits", None)
    assert anchors.run() == []
