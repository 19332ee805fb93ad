"""What the two-tower chapter measures, on cases small enough to follow by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lib.data.splits import per_user_holdout, validation_from
from lib.experiment.fit import Fitted
from lib.experiment.records import model_of
from lib.experiment.run import run_fits
from lib.metrics import mae, rmse
from lib.metrics.rating import user_errors
from lib.models.baselines.bias import Bias
from lib.models.baselines.means import GlobalMean
from lib.studies.target_scaling import LABELS, target_scaling, unit_errors
from lib.studies.two_tower_study import (
    architecture_name,
    architecture_sizes,
    architectures,
    beside_published,
    errors_by_activity,
    errors_of_starved,
    evaluate_starts,
    grid_table,
    importance,
    mean_errors,
    published_tables,
    starts_of,
    starve,
    training,
)

SMALL = {"embedding_size": 6, "user_dense_size": 8, "item_dense_size": 8, "final_size": 8, "batch_size": 128}


@pytest.fixture(scope="module")
def split(planted):
    return per_user_holdout(planted)


@pytest.mark.parametrize("name", LABELS)
def test_scalings_invert_and_stay_within_one(split, name):
    scaling = target_scaling(name, split.train)
    scaled = scaling.transform(split.train)
    back = scaling.inverse(split.train.users, scaled.ratings.astype(np.float64))
    np.testing.assert_allclose(back, split.train.ratings, atol=1e-5)
    if name not in ("centred_2", "centred_2.5"):
        assert np.abs(scaled.ratings).max() <= 1 + 1e-6
    assert np.isfinite(scaling.offsets).all()
    assert (scaling.widths > 0).all()


def test_errors_in_stars_are_told_on_a_unit_scale(split):
    test, predicted = split.test, np.full(len(split.test), 3.0)
    in_stars = rmse(test.ratings, predicted), mae(test.ratings, predicted)
    assert unit_errors("centred_2.5", split.train, test, predicted) == pytest.approx(np.array(in_stars) / 2.5, rel=1e-5)
    widths = target_scaling("centred_user", split.train).widths[test.users]
    by_user = unit_errors("centred_user", split.train, test, predicted)
    assert by_user == pytest.approx((rmse(test.ratings / widths, 3 / widths), mae(test.ratings / widths, 3 / widths)))
    # Users of whom all is known to lie beyond 1 on the scale: with the rest cut off nothing is left of the error.
    far = test.with_ratings(target_scaling("centred_2", split.train).offsets[test.users] + 3, test.scale)
    assert unit_errors("centred_2", split.train, far, far.ratings + 1, cut=True) == (0, 0)
    assert unit_errors("centred_2", split.train, far, far.ratings + 1)[0] == pytest.approx(0.5)


@pytest.mark.parametrize("name", LABELS)
def test_scalings_are_finite_where_nobodys_ratings_vary(split, name):
    same = split.train.with_ratings(np.full(len(split.train), 4.0), split.train.scale)
    scaling = target_scaling(name, same)
    scaled = scaling.transform(same).ratings
    assert np.isfinite(scaled).all()
    assert np.allclose(scaling.inverse(same.users, scaled.astype(np.float64)), 4.0)


def test_scalings_by_hand(split):
    train = split.train
    mine = train.users == 4
    ratings = train.ratings[mine].astype(np.float64)
    mean = ratings.mean()
    largest = np.abs(ratings - mean).max()
    expected = {
        "linear": (ratings - 3) / 2,
        "centred_4": (ratings - mean) / 4,
        "centred_user": (ratings - mean) / largest,
        "user_range": 2 * (ratings - ratings.min()) / (ratings.max() - ratings.min()) - 1,
    }
    for name, values in expected.items():
        found = target_scaling(name, train).transform(train).ratings[mine]
        np.testing.assert_allclose(found, values, atol=1e-6, err_msg=name)
    with pytest.raises(ValueError, match="centred_user"):
        target_scaling("centred_users", train)


def test_a_training_is_measured_on_both_scales_and_its_model_comes_back(split):
    inner = validation_from(split.train)
    parts = {"train": split.train, "test": split.test, "inner": inner.train, "validation": inner.test}
    stopped = training(
        train="inner", validation="validation", scaling="centred_user", max_epochs=3, seed=1,
        measure={"curve": {}}, **SMALL,
    )  # fmt: skip
    fixed, repeat = starts_of(2, repeats=2, epochs=2, **SMALL)
    assert (fixed.keep, repeat.keep) == ("", "two_tower")
    again = training(train="inner", max_epochs=2, seed=0, **SMALL)
    row, kept, other, both = run_fits([stopped, fixed, repeat, again], parts, here=True)
    assert row["scaling"] == "centred_user" and row["seed"] == 1
    assert row["unit_test_rmse"] < row["test_rmse"]
    assert row["epochs_run"] == len(row["curve"]) == 3
    assert both["epochs_run"] == 2 + both["n_epochs"], "stopped on ratings that it cut, then trained again"
    # The unit scale's own RMSE is what training minimised and history records.
    assert row["unit_validation_rmse"] == pytest.approx(row["curve"].min(), rel=1e-4)
    model = model_of(kept, fixed, split.train)
    clipped = split.test.scale.clip(model.predict(split.test.users, split.test.items))
    assert rmse(split.test.ratings, clipped) == kept["test_rmse"]
    assert kept["unit_test_rmse"] == pytest.approx(kept["test_rmse"] / 2, rel=1e-6)
    assert model.n_parameters_ == kept["n_parameters"]
    assert {name for name, *_ in kept["importance"]} == {
        "user/id",
        "user/age",
        "user/gender",
        "user/occupation",
        "item/id",
        "item/genres",
    }
    assert len(kept["importance"]) == len(other["importance"]) == 12
    assert kept["importance"] != other["importance"], "each start has permutations of its own"
    constant = model.replace_features({"item/id": np.zeros((60, 6), np.float32)})
    same = importance(Fitted(fixed, constant, parts, parts), repeats=2)["importance"]
    np.testing.assert_allclose([rise for name, _, rise in same if name == "item/id"], 0, atol=1e-12)
    starts = evaluate_starts("two_tower", model, [kept, other], split, k=5, n_resamples=20)
    assert [len(one.ranking) for one in starts] == [1, 0] and starts[1].seed == 1
    for one, record in zip(starts, (kept, other), strict=True):
        assert one["rmse"] == pytest.approx(record["test_rmse"], rel=1e-6)
        assert one["train_mae"] == pytest.approx(record["train_mae"], rel=1e-6)
    with pytest.raises(ValueError, match="no model"):
        model_of(other, repeat, split.train)
    with pytest.raises(ValueError, match="no model"):
        model_of(row, stopped, split.train)


def test_errors_averaged_over_trainings_by_hand(split):
    records = [{"predictions": m.predict(split.test.users, split.test.items)} for m in means_of(split)]
    each = [user_errors(split.test.users, split.test.ratings, one["predictions"]).rmse for one in records]
    found = mean_errors(records, split.test)
    assert found.value == pytest.approx(np.sqrt(np.mean(np.square(each))))
    some = mean_errors(records, split.test, np.arange(split.test.n_users) < 3)
    assert some.users.tolist() == [0, 1, 2]


def means_of(split):
    return GlobalMean().fit(split.train), GlobalMean().fit(split.test)


def test_a_grid_is_ranked_by_validation_error():
    sizes = architectures([16], [8], [8, 16], [64])
    errors = dict.fromkeys(("train_rmse", "test_mae", "train_mae"), 1.0)
    rows = [
        {
            **one,
            **errors,
            "validation_rmse": value,
            "test_rmse": value,
            "scaling": "linear",
            "seconds_refit": 0,
        }
        for one, value in zip(sizes, (0.9, 0.8), strict=True)
    ]
    found = grid_table(rows)
    assert found["architecture"].tolist() == ["emb16_user8_movie8_final64", "emb16_user8_movie16_final64"]
    assert found["rank_test_rmse"].tolist() == [1, 2]
    assert found["rank_test_mae"].tolist() == [1, 1]


def test_our_figures_stand_beside_the_published_ones_of_the_same_metric():
    table = published_tables()
    name = table["architecture"].iloc[0]
    ours = {f"unit_{part}_{metric}": f"{part} {metric}" for part in ("train", "test") for metric in ("rmse", "mae")}
    found = beside_published({name: ours})
    assert found["architecture"].unique().tolist() == [name]
    assert (found["train_ours"] == "train " + found["metric"]).all()
    assert (found["test_ours"] == "test " + found["metric"]).all()


def test_starved_and_active_users_are_compared_by_the_same_errors(split):
    fitted = Bias().fit(split.train), GlobalMean().fit(split.train)
    good, bad = ({"predictions": m.predict(split.test.users, split.test.items)} for m in fitted)
    levels = np.where(np.arange(split.train.n_users) < 30, 2, -1)
    models = {"bias": [good], "global_mean": [bad]}
    draws = [(split.train, levels)]
    errors, gaps = errors_of_starved(models, draws, split.test, ["global_mean"], n_resamples=50)
    alone = mean_errors([good], split.test, levels == 2)
    assert errors["rmse"].tolist() == [alone.value, mean_errors([bad], split.test, levels == 2).value]
    assert gaps["difference"].tolist() == [errors["rmse"][0] - errors["rmse"][1]]
    found = errors_by_activity([good], [bad], split, n_resamples=50, least=1)
    assert found["users"].sum() == np.count_nonzero(split.test.user_counts)
    np.testing.assert_allclose(found["difference"], found["full"] - found["ids_only"])
    assert errors_by_activity([good], [bad], split, n_resamples=50, least=1000).empty


def test_architectures_are_all_combinations_with_names_of_a():
    found = architectures([16, 32, 64], [8, 16, 32, 64, 128], [8, 16, 32, 64, 128], [64, 128])
    names = [architecture_name(sizes) for sizes in found]
    assert len(set(names)) == 150
    assert names[0] == "emb64_user128_movie128_final128"
    assert [architecture_sizes(name) for name in names] == found
    with pytest.raises(ValueError, match="emb16_user16"):
        architecture_sizes("user16_emb16")
    assert set(published_tables()["architecture"]) <= set(names)
    assert len(published_tables()) == 20


def test_starved_users_keep_as_many_ratings_as_their_level(planted):
    starved, level = starve(planted, levels=(0, 2, 5), share=0.5, seed=3)
    before, after = planted.user_counts, starved.user_counts
    assert (after[level < 0] == before[level < 0]).all()
    assert (after[level >= 0] == np.minimum(level, before)[level >= 0]).all()
    sizes = np.bincount(level[level >= 0])[[0, 2, 5]]
    assert sizes.max() - sizes.min() <= 1
    assert sizes.sum() == round(0.5 * (before > 0).sum())
    kept = set(zip(starved.users, starved.items, starved.ratings, strict=True))
    assert kept <= set(zip(planted.users, planted.items, planted.ratings, strict=True))
    again, _ = starve(planted, levels=(0, 2, 5), share=0.5, seed=3)
    np.testing.assert_array_equal(starved.items, again.items)
    other, _ = starve(planted, levels=(0, 2, 5), share=0.5, seed=4)
    assert not np.array_equal(starved.items, other.items)
