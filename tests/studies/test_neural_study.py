"""Project D's networks: what a training leaves, and the leak beside its mending; epochs on made-up data."""

from types import SimpleNamespace

import numpy as np
import pytest

from lib.data.splits import per_user_holdout
from lib.experiment import fit as fitting
from lib.experiment.evaluation import evaluation_of
from lib.experiment.fit import Fit, fit_and_measure
from lib.metrics import recommend
from lib.metrics.rating import rmse
from lib.models import create
from lib.models.fitting import fit_model
from lib.studies.neural_study import (
    AS_PUBLISHED,
    fits_of_run,
    network_fit,
    network_fits,
    network_parts,
    noise_parts,
    variants,
)

LISTS = {"ks": (3, 5), "threshold": 4.0}
SMALL = {"hidden_sizes": [8], "max_epochs": 15, "batch_size": 16}


@pytest.fixture(scope="module")
def split(planted):
    return per_user_holdout(planted)


@pytest.fixture(scope="module")
def parts(split):
    return network_parts(split, seed=3)


@pytest.fixture(scope="module")
def fits(parts):
    return [fit_and_measure(parts, network_fit("autorec_leaky", SMALL, seed=s, ks=(3, 5))) for s in range(2)]


def test_every_variant_makes_its_model():
    for name, variant in variants().items():
        assert variant.name == name
        create(variant.model, **variant.fixed)
    assert set(AS_PUBLISHED) < set(variants())


def test_no_network_is_trained_for_more_than_asked_and_changes_are_by_network():
    names, changes = ["neural_mf_published", "autorec"], {"autorec": {"hidden_sizes": (8,), "max_epochs": 3}}
    found = network_fits(names, changes, most_epochs=60, n_starts=2, **LISTS)
    assert found == [
        *(network_fit(names[0], {"max_epochs": 60}, seed=seed, repeat=seed > 0, **LISTS) for seed in range(2)),
        *(network_fit(names[1], changes["autorec"], seed=seed, repeat=seed > 0, **LISTS) for seed in range(2)),
    ]
    first, again = found[:2]
    assert first.keep == "" and {"predictions", "lists"} <= set(first.measure)
    assert again.keep == "neural" and {"by_user", "hits"} <= set(again.measure)
    assert not {"predictions", "lists"} & set(again.measure)
    (own,) = network_fits(names[:1], {}, most_epochs=150)
    assert own.parameters["max_epochs"] == 100, "the setting says less"


def test_another_run_s_networks_are_the_fits_that_it_made(parts):
    told = {"split": "random_90_10", "seed": 10, "threshold": 3.5, "ks": [3, 5], "changes": {}}
    told |= {"networks": ["autorec", "autorec_leaky"], "most_epochs": 9, "n_starts": 2}
    stored = SimpleNamespace(run="networks", provenance={"dataset": "toy", "parameters": told})
    ours = {"dataset": "toy", "split": "random_90_10", "seed": 10, "threshold": 3.5}
    made = network_fits(["autorec"], {}, most_epochs=9, n_starts=2, ks=[3, 5], threshold=3.5)
    assert fits_of_run(stored, ks=[5], **ours) == made, "the leaking one draws no lists that count"
    for wrong in ({"seed": 11}, {"dataset": "other"}, {"ks": [5, 7]}):
        with pytest.raises(ValueError, match="run networks has"):
            fits_of_run(stored, **{"ks": [5], **ours, **wrong})


def test_a_training_is_measured_on_clipped_predictions(fits, split):
    for fit in fits:
        assert fit["predictions"].min() >= split.test.scale.low
        assert fit["test_rmse"] == pytest.approx(rmse(split.test.ratings, fit["predictions"]), abs=1e-5)
        assert fit["items"].shape == (split.train.n_users, 5)
        assert len(fit["curve"]) == fit["epochs_run"] >= fit["n_epochs"]


def test_only_the_published_ones_leave_their_validation_ratings_out(parts, monkeypatch):
    seen = {}

    def watched(model, train, validation=None, **parameters):
        seen["train"], seen["validation"] = train, validation
        raise InterruptedError

    monkeypatch.setattr(fitting, "fit_model", watched)
    for name in variants():
        with pytest.raises(fitting.FitFailed, match="InterruptedError"):
            fit_and_measure(parts, network_fit(name, {}, seed=0))
        published = name in AS_PUBLISHED
        assert seen["train"] is parts["inner_train" if published else "train"]
        assert seen["validation"] is (parts["inner_test"] if published else None)


def test_a_published_one_is_measured_by_what_it_learned_from_and_lists_no_rated_film(parts, split):
    fit = network_fit("autorec_published", SMALL, seed=0, ks=(5,))
    found = fit_and_measure(parts, fit)
    model = fit_model("autorec", parts["inner_train"], validation=parts["inner_test"], **fit.parameters, seed=0)
    learned = parts["inner_train"]
    answer = learned.scale.clip(model.predict(learned.users, learned.items))
    assert found["train_rmse"] == rmse(learned.ratings, answer)
    assert found["n_epochs"] == model.n_epochs_
    np.testing.assert_array_equal(found["items"], recommend(model, split.train, 5).items)


def test_the_leak_copies_what_it_is_shown(split):
    """Where ratings are noise there is nothing to predict; what can be repeated can only have been shown."""
    rng = np.random.default_rng(0)
    train, test = (
        part.with_ratings(rng.integers(1, 6, len(part)).astype(np.float32), (1, 5))
        for part in (split.train, split.test)
    )
    settings = {"form": "user", "hidden_sizes": [64], "epochs": 200, "l2": 0.0, "batch_size": 16}
    settings |= {"input_dropout": 0.0, "averaging": 0.0, "learning_rate": 0.01}
    fit = Fit("autorec", settings, measure={"lib.studies.neural_study:leaks": {}})
    found = fit_and_measure({"train": train, "test": test}, fit)
    honest = fit_model("autorec", train, **settings).predict(test.users, test.items)
    assert found["honest_rmse"] == pytest.approx(rmse(test.ratings, honest), rel=1e-5)
    assert found["leak_rmse"] < 0.95 * found["honest_rmse"]
    assert found["both_rmse"] < 0.95 * found["honest_rmse"]


@pytest.mark.parametrize("noise", [0.5, 1.0])
def test_made_up_ratings_have_the_noise_that_is_told(noise):
    parts, floor = noise_parts(noise, seed=1)
    assert floor == pytest.approx(noise, rel=0.05)
    test, inner = parts["test"], parts["inner_test"]
    # Users' and films' means tell all that there is to tell: nearer to the noise than that they come only by its share.
    bias = fit_model("bias", parts["train"]).predict(test.users, test.items)
    assert floor < rmse(test.ratings, bias) < 1.1 * floor
    assert set(zip(inner.users, inner.items, strict=True)).isdisjoint(zip(test.users, test.items, strict=True))
    assert noise_parts(noise, seed=1)[1] == floor != noise_parts(noise, seed=2)[1]


def test_d_s_test_gives_an_error_below_the_noise_and_the_mended_one_does_not():
    parts, floor = noise_parts(1.0, seed=1)
    short = {"hidden_sizes": [64], "input_dropout": 0.2, "learning_rate": 0.005, "batch_size": 16, "max_epochs": 30}
    found = fit_and_measure(parts, network_fit("autorec_leaky", short, seed=0))
    assert found["leak_rmse"] < 0.95 * floor < floor < found["honest_rmse"]


def test_only_networks_that_are_given_users_can_leak():
    leaking = {name for name in variants() if "lib.studies.neural_study:leaks" in network_fit(name, {}, seed=0).measure}
    assert leaking == {"autorec_published", "autorec_leaky", "autorec_user"}


def test_what_is_kept_has_errors_lists_and_intervals(fits, split):
    found = evaluation_of(
        "autorec_leaky", fits[0], split, ks=[3, 5], threshold=4.0, n_resamples=50, list_metrics=("ndcg",)
    )
    value, low, high = found.values["rmse"]
    assert low < value < high and value == pytest.approx(fits[0]["test_rmse"], abs=1e-5)
    assert {"ndcg@3", "ndcg@5", "mae", "train_rmse", "n_parameters"} <= set(found.values)
    assert len(found.top_k) == 5 * split.train.n_users
    assert len(found.records()) == len(found.values)
