"""Project D's networks: what a training leaves, and the leak beside its mending."""

import subprocess
import sys

import numpy as np
import pytest

from lib import ROOT
from lib.metrics.rating import rmse
from lib.models import create
from lib.neural_study import AS_PUBLISHED, averaged_errors, evaluation_of, leaks, measure, variants
from lib.scale_study import epochs_at_scale, where_measured
from lib.splits import per_user_holdout, random_holdout
from lib.stored_grids import MADE

SMALL = {"hidden_sizes": [8], "max_epochs": 15, "batch_size": 16}


@pytest.fixture(scope="module")
def split(planted):
    return per_user_holdout(planted)


@pytest.fixture(scope="module")
def context(split):
    inner = random_holdout(split.train, test_share=0.1, seed=3)
    return {"train": inner.train, "validation": inner.test, "whole": split.train, "test": split.test, "k": 5}


@pytest.fixture(scope="module")
def fits(context):
    return [{"seed": s, **measure(context, variant="autorec_leaky", seed=s, changes=SMALL)} for s in range(2)]


def test_every_variant_makes_its_model():
    for name, variant in variants().items():
        assert variant.name == name
        create(variant.model, **variant.fixed)
    assert set(AS_PUBLISHED) < set(variants())


def test_a_training_is_measured_on_clipped_predictions(fits, split):
    for fit in fits:
        assert fit["predictions"].min() >= split.test.scale.low
        assert fit["test_rmse"] == pytest.approx(rmse(split.test.ratings, fit["predictions"]), abs=1e-5)
        assert fit["items"].shape == (split.train.n_users, 5)
        assert len(fit["curve"]) == fit["epochs_run"] >= fit["n_epochs"]


def test_only_the_published_ones_leave_their_validation_ratings_out(context, monkeypatch):
    import lib.neural_study as study

    seen = {}

    class Watched:
        def __init__(self, made):
            self.made = made

        def fit(self, train, validation=None):
            seen["train"], seen["validation"] = train, validation
            raise InterruptedError

    monkeypatch.setattr(study, "create", lambda name, **parameters: Watched(None))
    for name in variants():
        with pytest.raises(InterruptedError):
            measure(context, variant=name, seed=0, changes={})
        published = name in AS_PUBLISHED
        assert seen["train"] is (context["train"] if published else context["whole"])
        assert (seen["validation"] is not None) == published


def test_the_leak_copies_what_it_is_shown(split):
    """Where ratings are noise there is nothing to predict; what can be repeated can only have been shown."""
    rng = np.random.default_rng(0)
    train, test = (
        part.with_ratings(rng.integers(1, 6, len(part)).astype(np.float32), (1, 5))
        for part in (split.train, split.test)
    )
    settings = {"form": "user", "hidden_sizes": [64], "epochs": 200, "l2": 0.0, "batch_size": 16}
    model = create("autorec", **settings, input_dropout=0.0, averaging=0.0, learning_rate=0.01).fit(train)
    found = leaks(model, train, test)
    honest = model.predict(test.users, test.items)
    assert found["honest_rmse"] == pytest.approx(rmse(test.ratings, honest), rel=1e-5)
    assert found["leak_rmse"] < 0.95 * found["honest_rmse"]
    assert found["both_rmse"] < 0.95 * found["honest_rmse"]


def test_what_is_kept_has_errors_lists_and_intervals(fits, split):
    found = evaluation_of("autorec_leaky", fits[0], split, ks=[3, 5], threshold=4.0, n_resamples=50)
    value, low, high = found.values["rmse"]
    assert low < value < high and value == pytest.approx(fits[0]["test_rmse"], abs=1e-5)
    assert {"ndcg@3", "ndcg@5", "mae", "train_rmse", "n_parameters"} <= set(found.values)
    assert len(found.top_k) == 5 * split.train.n_users
    assert len(found.records()) == len(found.values)


def test_squared_errors_are_averaged_over_starts(fits, split):
    mean = averaged_errors(fits, split.test)
    expected = np.sqrt(np.mean([fit["test_rmse"] ** 2 for fit in fits]))
    assert mean.value == pytest.approx(expected, abs=1e-5)


def test_epochs_are_timed_on_made_up_data(tmp_path):
    small = {"Item AutoRec": ("autorec", {"form": "item", "hidden_sizes": (8,), "epochs": 1})}
    rows = epochs_at_scale(small, 3000, 200, 100, modules=["lib.models.autorec"], runs_dir=tmp_path, say=None)
    assert rows[0]["model"] == "Item AutoRec" and rows[0]["ratings"] == 3000
    assert rows[0]["seconds"] > 0 and rows[0]["mebibytes"] > 10
    again = epochs_at_scale(
        small, 3000, 200, 100, modules=["lib.models.autorec"], runs_dir=tmp_path / "new", say=None,
        stored=tmp_path / MADE,
    )  # fmt: skip
    assert again == rows, "a kept measurement is not made again"
    assert rows[0]["day"] in where_measured(rows)


def test_the_peak_of_memory_is_what_was_held():
    """In a process of its own, whose peak nothing has raised before."""
    script = (
        "import numpy as np; from lib.scale_study import forget_peak, peak_mebibytes; forget_peak(); "
        "before = peak_mebibytes(); held = np.ones(40_000_000); during = peak_mebibytes(); print(before, during)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    before, during = map(float, done.stdout.split())
    assert 250 < during - before < 400  # forty million doubles take 305 MiB
