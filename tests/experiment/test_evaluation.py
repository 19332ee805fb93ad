from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from lib.data.splits import per_user_holdout
from lib.experiment import records
from lib.experiment.evaluation import evaluate, evaluate_each, rankings_in
from lib.experiment.fit import Fit, fit_and_measure
from lib.models import create
from lib.models.base import Recommender


@pytest.fixture(scope="module")
def split(planted):
    return per_user_holdout(planted)


class Loud(Recommender):
    """Predicts far off the scale."""

    def __init__(self, *, value=9.0, seed=5):
        self.value, self.seed = value, seed

    def _fit(self, train, validation):
        pass

    def predict(self, users, items, times=None):
        return np.full(len(users), self.value)


def test_errors_are_of_clipped_predictions(split):
    found = evaluate(Loud().fit(split.train), split, name="loud", ks=(), n_resamples=0)
    fives = np.full(len(split.test), 5.0)
    assert found["rmse"] == pytest.approx(root_mean_squared_error(split.test.ratings, fives))
    assert found["mae"] == pytest.approx(mean_absolute_error(split.test.ratings, fives))
    assert found.predictions["prediction"].unique().tolist() == [5.0]
    assert found.scores.values.max() == 9.0, "scores are not clipped"
    assert found.seed == 5


def test_a_model_of_order_has_no_rating_error(split):
    found = evaluate("most_popular", split, ks=(5, 10), n_resamples=0)
    assert "rmse" not in found.values
    assert found.errors is None
    assert 0 < found["ndcg@5"] <= 1
    assert 0 < found["coverage@10"] <= 1


def test_intervals_hold_the_value(split):
    found = evaluate("bias", split, ks=(5,), n_resamples=200)
    for metric in ("rmse", "mae", "ndcg@5"):
        value, low, high = found.values[metric]
        assert low < value < high


def test_a_prediction_that_is_not_finite_is_an_error(split):
    with pytest.raises(ValueError, match="not finite"):
        evaluate(Loud(value=np.nan).fit(split.train), split, name="loud", ks=(), n_resamples=0)


def test_a_fitted_model_is_measured_as_it_is(split):
    model = create("bias").fit(split.train)
    found = evaluate(model, split, name="bias", seconds_fit=1.5, ks=(), n_resamples=0)
    assert found.seconds_fit == 1.5
    assert found["rmse"] == evaluate("bias", split, ks=(), n_resamples=0)["rmse"]


def test_a_model_by_name_is_fitted_once(split, tmp_path, monkeypatch):
    monkeypatch.setenv(records.FOLDERS, str(tmp_path))
    first = evaluate("svd", split, seed=3, n_factors=4, n_resamples=20, ks=(5,))
    (file,) = tmp_path.glob("*.npz")
    written = file.stat().st_mtime_ns
    second = evaluate("svd", split, seed=3, n_factors=4, n_resamples=20, ks=(5,))
    assert list(tmp_path.glob("*.npz")) == [file] and file.stat().st_mtime_ns == written
    assert (second.seconds_fit, second.seed) == (first.seconds_fit, 3)
    for metric, value in first.values.items():
        np.testing.assert_array_equal(second.values[metric], value, err_msg=metric)
    here = create("svd", seed=3, n_factors=4).fit(split.train)
    np.testing.assert_array_equal(second.scores.values, evaluate(here, split, name="svd", ks=()).scores.values)
    asked = split.test.users[:9], split.test.items[:9]
    np.testing.assert_array_equal(second.fitted.predict(*asked), here.predict(*asked))
    evaluate("svd", split, seed=4, n_factors=4, n_resamples=0, ks=(5,))
    assert len(list(tmp_path.glob("*.npz"))) == 2


def test_a_nameless_model_and_stray_parameters_are_errors(split):
    with pytest.raises(TypeError, match="a name"):
        evaluate(Loud(), split)
    with pytest.raises(TypeError, match="go with a model's name"):
        evaluate(Loud(), split, name="loud", n_factors=3)


def test_a_planted_leak_is_caught(split):
    """The canary: a model that has seen the test ratings must look too good to be true."""

    class Leaky(Loud):
        def predict(self, users, items, times=None):
            truth = {(u, i): r for u, i, r in zip(split.test.users, split.test.items, split.test.ratings, strict=True)}
            return np.array([truth.get(pair, 3.0) for pair in zip(users, items, strict=True)], dtype=float)

    leaky = evaluate(Leaky().fit(split.train), split, name="leaky", ks=(), n_resamples=0)
    honest = evaluate("svd", split, ks=(), n_resamples=0)
    assert leaky["rmse"] < 1e-6 < honest["rmse"]
    assert leaky["train_rmse"] > leaky["rmse"], "a model better on test than on train has seen the test"


def test_settings_side_by_side_give_what_each_gives_alone(split):
    wanted = [{"seed": 3, "n_factors": 4}, {"seed": 4, "n_factors": 2}]
    found = evaluate_each("svd", wanted, split)
    for one, options in zip(found, wanted, strict=True):
        alone = evaluate("svd", split, ks=(), keep=False, n_resamples=0, **options)
        assert (one["rmse"], one["train_mae"], one.seed) == (alone["rmse"], alone["train_mae"], alone.seed)
    assert found[0]["rmse"] != found[1]["rmse"]


def test_hits_tell_the_same_of_lists_as_lists_do(split):
    parts, ks = {"train": split.train, "test": split.test}, [3, 10]
    whole, hits = (
        fit_and_measure(parts, Fit("ease", {"l2": 20.0}, measure=measure))
        for measure in ({"lists": {"k": 10}}, {"hits": {"ks": ks, "threshold": 3.5}})
    )
    assert "items" not in hits and hits["hits"].shape == (split.train.n_users, 2)
    found = [rankings_in(one, split.test, split.train, ks=ks, threshold=3.5) for one in (whole, hits)]
    for k in ks:
        first, second = (one[k] for one in found)
        np.testing.assert_array_equal(first.users, second.users)
        assert (first.n_left_out, first.coverage) == (second.n_left_out, second.coverage)
        assert first.metrics() == pytest.approx(second.metrics(), rel=1e-6)
        np.testing.assert_array_equal(first.values["ndcg"], second.values["ndcg"])
    assert rankings_in({}, split.test, split.train, ks=ks, threshold=3.5) == {}
    with pytest.raises(ValueError, match=r"threshold 3\.5, not 4"):
        rankings_in(hits, split.test, split.train, ks=ks, threshold=4.0)
    nobody = replace(split.test, ratings=np.full(len(split.test), 1.0, split.test.ratings.dtype), origin=())
    nothing = fit_and_measure({**parts, "test": nobody}, Fit("ease", measure={"hits": {"ks": [3], "threshold": 4.0}}))
    with pytest.raises(ValueError, match="no user has a test rating of at least 4"):
        rankings_in(nothing, nobody, split.train, ks=[3], threshold=4.0)
