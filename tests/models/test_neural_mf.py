"""NeuralMF: an oracle written out in double precision, equal ways of computing it, dropout, stopping, learning rates."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import warnings
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest

from lib import ROOT
from lib.data.splits import per_user_holdout, validation_from
from lib.metrics import rmse
from lib.models.early_stopping import EarlyStopping
from lib.models.networks import neural_mf
from lib.models.networks.neural_mf import NeuralMF, pair_ratings

SMALL = {"n_factors": 6, "hidden_size": 5, "batch_size": 128, "learning_rate": 0.01}
warnings.filterwarnings("ignore", message="__array__ implementation", category=DeprecationWarning)


@pytest.fixture(scope="module")
def split(planted):
    return per_user_holdout(planted)


@pytest.fixture(scope="module")
def small(split):
    return NeuralMF(**SMALL, epochs=3).fit(split.train)


def network(*, batch_size=64, dropout=0.0, l2=0.0, seed=1):
    from lib.models.networks.neural_mf_network import NeuralMFNetwork

    return NeuralMFNetwork(
        30, 20, n_factors=4, hidden_size=6, dropout=dropout, l2=l2, init_scale=0.5, mean=3.5, batch_size=batch_size,
        seed=seed,
    )  # fmt: skip


def some_pairs(n, seed=0):
    rng = np.random.default_rng(seed)
    pairs = np.column_stack([rng.integers(0, 30, n), rng.integers(0, 20, n)]).astype(np.int32)
    return pairs, rng.uniform(1, 5, n).astype(np.float32)


def training(net, n=300, *, error=None, rates=None, learning_rate=0.01, epochs=3):
    from lib.models.networks import keras_training

    stopping = EarlyStopping(learning_rate, patience=99, plateau_patience=2, plateau_factor=0.5)
    stopping.plateau_margin = 0.0
    options = {"epochs": epochs, "batch_size": 64, "error": error, "rates": rates}
    with keras_training.seeded(0):
        keras_training.train(net, *some_pairs(n), stopping, **options)
    return stopping


# -- the network ---------------------------------------------------------------------------------------------------
def test_rating_follows_the_published_network(small, split):
    """D's call(), line by line, one pair at a time, in double precision."""
    w = {name: array.astype(np.float64) for name, array in small.weights_.items()}

    def dense(x, name):
        return np.maximum(x @ w[f"{name}/kernel"] + w[f"{name}/bias"], 0)

    for user, item in [(0, 0), (3, 17), (78, 5), (41, 41)]:
        gu, gm = w["user/embedding"][user], w["item/embedding"][item]
        g_out = gu * gm
        x_res = np.concatenate([gu, gm]) @ w["residual/kernel"]
        x = dense(dense(x_res, "block0/dense0"), "block0/dense1")
        x = dense(dense(x + x_res, "block1/dense0"), "block1/dense1")
        x = dense(dense(x + g_out, "block2/dense0"), "block2/dense1")
        y = (np.concatenate([g_out, x]) @ w["output/kernel"] + w["output/bias"])[0]
        expected = w["mean"] + w["user/bias"][user] + w["item/bias"][item] + y
        assert small.predict([user], [item])[0] == pytest.approx(expected, abs=1e-5)
        assert small.score([user])[0, item] == pytest.approx(expected, abs=1e-5)
    shapes = {name: array.shape for name, array in small.weights_.items() if "kernel" in name}
    assert shapes == {
        "residual/kernel": (12, 5), "block0/dense0/kernel": (5, 5), "block0/dense1/kernel": (5, 5),
        "block1/dense0/kernel": (5, 6), "block1/dense1/kernel": (6, 6), "block2/dense0/kernel": (6, 6),
        "block2/dense1/kernel": (6, 6), "output/kernel": (12, 1),
    }  # fmt: skip


@pytest.mark.parametrize("batch_size", [64, 1])
def test_network_equals_its_numpy_twin(batch_size):
    net = network(batch_size=batch_size, dropout=0.4)  # which is off outside training
    pairs, _ = some_pairs(50)
    weights = net.weights_by_name()
    for side in ("user", "item"):
        weights[f"{side}/bias"] = np.linspace(-1, 1, len(weights[f"{side}/bias"]), dtype=np.float32)
        getattr(net, side).bias.assign(weights[f"{side}/bias"])
    expected = pair_ratings(weights, pairs[:, 0], pairs[:, 1])
    np.testing.assert_allclose(np.asarray(net(pairs)), expected, atol=1e-5)
    assert np.ptp(expected) > 1


def test_whole_catalogue_first_trains_like_batch_first():
    """The same gradient, repeated ids in a batch included, so the same weights after training."""
    found = []
    for batch_size in (64, 1):  # of the network, which then takes the one way or the other
        net = network(batch_size=batch_size, l2=1e-3)
        assert net.user.whole == net.item.whole == (batch_size == 64)
        found.append(training(net).weights)
    assert found[0].keys() == found[1].keys()
    for name in found[0]:
        np.testing.assert_allclose(found[0][name], found[1][name], atol=3e-4, err_msg=name)


def test_a_network_of_the_same_form_is_trained_anew_to_the_same_bits(monkeypatch):
    """Other seeds and another dropout in between, which the shapes don't tell."""
    from lib.models.networks import keras_training

    def trained(seed, dropout=0.4):
        return training(network(seed=seed, dropout=dropout, l2=1e-3)).weights

    fresh = {}
    for seed in (1, 2):
        monkeypatch.setattr(keras_training, "_kept", {})
        fresh[seed] = trained(seed)
    (kept,) = keras_training._kept.values()
    for seed in (1, 2):
        for name, array in trained(seed).items():
            np.testing.assert_array_equal(array, fresh[seed][name], err_msg=name)
        other = trained(seed, dropout=0.2)
        assert not np.array_equal(other["residual/kernel"], fresh[seed]["residual/kernel"])
    assert len(keras_training._kept) == 2
    assert kept in keras_training._kept.values()


def test_small_blocks_of_pairs_change_nothing(small, split, monkeypatch):
    expected = small.score([0, 3, -1]), small.predict(split.test.users, split.test.items)
    monkeypatch.setattr(neural_mf, "BLOCK_FLOATS", 6 * 7)  # seven pairs: less than the catalogue
    np.testing.assert_allclose(small.score([0, 3, -1]), expected[0], rtol=1e-6)
    np.testing.assert_allclose(small.predict(split.test.users, split.test.items), expected[1], rtol=1e-6)


def test_l2_is_in_the_loss_for_embeddings_and_biases():
    net = network(l2=0.01)
    net.user.bias.assign(np.full(30, 2.0))
    weights = net.weights_by_name()
    squares = sum((weights[f"{side}/{name}"] ** 2).sum() for side in ("user", "item") for name in ("embedding", "bias"))
    assert float(sum(net.losses)) == pytest.approx(0.01 * squares, rel=1e-5)
    assert not network().losses


def test_the_mean_starts_at_the_training_mean_and_is_learned(split):
    before, after = (NeuralMF(**SMALL | {"learning_rate": rate}, epochs=2).fit(split.train) for rate in (1e-9, 1e-2))
    mean = split.train.ratings.mean()
    assert before.weights_["mean"] == pytest.approx(mean, abs=1e-6)
    assert abs(after.weights_["mean"] - mean) > 1e-3


# -- dropout -------------------------------------------------------------------------------------------------------
def test_masks_leave_out_their_share_independently_of_each_other():
    from keras.random import SeedGenerator

    from lib.models.networks.neural_mf_network import dropout_masks

    seeds = SeedGenerator(3)
    masks = [np.asarray(mask) for mask in dropout_masks((400, 50), 4, 0.2, seeds)]
    kept = np.array([mask > 0 for mask in masks]).reshape(4, -1)
    share = 51 / 256  # the nearest to 0.2
    for mask in masks:
        np.testing.assert_allclose(np.unique(mask), [0, 1 / (1 - share)], rtol=1e-6)
    assert np.abs(kept.mean(axis=1) - (1 - share)).max() < 4 * np.sqrt(share * (1 - share) / 20_000)
    between = np.corrcoef(np.vstack([kept[:, 1:], kept[:, :-1]]))  # masks, and each against its neighbours
    assert np.abs(between - np.eye(8)).max() < 5 / np.sqrt(20_000)
    again = np.asarray(dropout_masks((400, 50), 4, 0.2, seeds)[0])
    assert not np.array_equal(again, masks[0]), "each step draws anew"


def test_dropout_follows_each_dense_layer_in_training_only(monkeypatch):
    from lib.models.networks import neural_mf_network

    rng = np.random.default_rng(5)
    masks = {width: rng.integers(0, 3, (4, 50, width)).astype(np.float32) for width in (6, 4)}
    monkeypatch.setattr(neural_mf_network, "dropout_masks", lambda shape, count, *_: masks[shape[1]][:count])
    net = network(dropout=0.5)
    pairs, _ = some_pairs(50)
    w = net.weights_by_name()
    p, q = w["user/embedding"][pairs[:, 0]], w["item/embedding"][pairs[:, 1]]

    def block(x, number, first, second):
        for place, mask in enumerate((first, second)):
            layer = f"block{number}/dense{place}"
            x = np.maximum(x @ w[f"{layer}/kernel"] + w[f"{layer}/bias"], 0) * mask
        return x

    residual = np.hstack([p, q]) @ w["residual/kernel"]
    x = block(residual, 0, *masks[6][:2])
    x = block(x + residual, 1, *masks[4][:2])
    x = block(x + p * q, 2, *masks[4][2:])
    expected = 3.5 + (np.hstack([p * q, x]) @ w["output/kernel"])[:, 0]
    np.testing.assert_allclose(np.asarray(net(pairs, training=True)), expected, atol=1e-5)
    np.testing.assert_array_equal(np.asarray(net(pairs)), np.asarray(network()(pairs, training=True)))


# -- stopping and learning rates -----------------------------------------------------------------------------------
def test_early_stopping_keeps_the_best_epoch(split):
    inner = validation_from(split.train)
    model = NeuralMF(**SMALL, max_epochs=40, patience=4).fit(inner.train, validation=inner.test)
    errors = model.history_[:, 1]
    assert model.n_epochs_ == errors.argmin() + 1
    assert len(errors) in (model.n_epochs_ + 4, 40)
    found = model.scale_.clip(model.predict(inner.test.users, inner.test.items))
    assert rmse(inner.test.ratings, found) == pytest.approx(errors.min(), rel=1e-5)


def test_learning_rate_halves_on_a_plateau():
    """Errors by hand; the patience of two counts from the lowest error or from the last fall."""
    errors = iter([5.0, 4.0, 4.5, 4.5, 4.5, 4.5, 3.0, 3.0, 3.5, 3.5])
    done = training(network(), epochs=10, error=lambda weights: next(errors), learning_rate=0.08)
    assert done.rates == pytest.approx([0.08] * 4 + [0.04] * 2 + [0.02] * 3 + [0.01])
    assert done.best == 6
    assert len(done.errors) == 10


def test_known_learning_rates_are_the_optimisers():
    """At a rate of nearly nothing nothing moves: so the rates that are reported are those that were used."""
    seen = []

    def watch(weights):
        seen.append(weights["user/embedding"].copy())
        return 1.0

    rates = training(network(), epochs=4, error=watch, rates=[0.01, 1e-12, 0.01, 1e-12]).rates
    moved = [np.abs(after - before).max() for before, after in pairwise(seen)]
    assert rates == [0.01, 1e-12, 0.01, 1e-12]
    assert moved[0] < 1e-6 < 1e-3 < moved[1]
    assert moved[2] < 1e-6


def test_refit_repeats_epochs_and_learning_rates_on_all_of_train(split):
    options = SMALL | {"max_epochs": 14, "patience": 5, "plateau_patience": 1, "l2": 0.0}
    model = NeuralMF(**options).fit(split.train)
    rates = model.history_[: model.n_epochs_, 2]
    _, again = NeuralMF(**options)._train(split.train.ordered(), None, model.n_epochs_, list(rates))
    assert again.rates == list(rates)
    np.testing.assert_array_equal(again.weights["block1/dense0/kernel"], model.weights_["block1/dense0/kernel"])


def test_validation_is_never_learned_from(split):
    inner = validation_from(split.train)
    shifted = inner.test.with_ratings(6 - inner.test.ratings, inner.test.scale)
    options = {**SMALL, "max_epochs": 4, "patience": 9, "plateau_patience": 9}
    first, second = (NeuralMF(**options).fit(inner.train, validation=v) for v in (inner.test, shifted))
    np.testing.assert_array_equal(first.history_[:, 0], second.history_[:, 0])


def test_fitting_leaves_global_generators_alone(split):
    np.random.seed(3)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    NeuralMF(**SMALL, epochs=1).fit(split.train)
    assert np.random.random() == expected  # noqa: NPY002


def test_diverging_is_an_error(split):
    with pytest.raises(FloatingPointError, match="smaller learning_rate"):
        NeuralMF(**{**SMALL, "learning_rate": 1e30}, epochs=4).fit(split.train)


# -- answers -------------------------------------------------------------------------------------------------------
def test_cold_entities_have_the_mean_embedding_and_no_bias(small, split):
    warm = split.train.item_counts > 0
    assert not warm[-1], "the fixture's last item has no rating"
    mean = small.weights_["item/embedding"][warm].mean(axis=0)
    np.testing.assert_allclose(small.weights_["item/embedding"][-1], mean, rtol=1e-5, atol=1e-8)
    np.testing.assert_array_equal(small.mean_item_, small.weights_["item/embedding"][-1])
    assert small.weights_["item/bias"][-1] == 0
    assert np.abs(small.weights_["item/bias"][warm]).min() > 0
    assert small.predict([0], [-1])[0] == small.predict([0], [10**6])[0]
    last = split.train.n_items - 1
    assert small.predict([-1], [3])[0] == pytest.approx(small.predict([split.train.n_users - 1], [3])[0], rel=1e-6)
    assert small.predict([0], [-1])[0] == pytest.approx(small.predict([0], [last])[0], rel=1e-6)
    np.testing.assert_allclose(small.score([-1])[0, 3], small.predict([-1], [3])[0], rtol=1e-6)


def test_loading_and_answering_needs_no_keras(small, tmp_path):
    small.save(tmp_path / "model.npz")
    script = """
import sys
from lib.models.networks.neural_mf import NeuralMF
model = NeuralMF.load(sys.argv[1])
print(model.predict([0, 1], [2, 3]).tolist())
assert not {"keras", "tensorflow"} & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "model.npz")], cwd=ROOT, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    np.testing.assert_array_equal(ast.literal_eval(done.stdout), small.predict([0, 1], [2, 3]))


def test_parameters_are_counted_as_keras_counts_them(small, split):
    net_size = (12 * 5) + 2 * (5 * 5 + 5) + (5 * 6 + 6) + 3 * (6 * 6 + 6) + (12 + 1) + 1
    assert small.n_parameters_ == (split.train.n_users + split.train.n_items) * (6 + 1) + net_size


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n_factors": 0}, "n_factors"),
        ({"patience": 0}, "patience"),
        ({"plateau_patience": 0}, "plateau_patience"),
        ({"epochs": 0}, "epochs"),
        ({"dropout": 1.0}, "dropout"),
        ({"averaging": 1.0}, "averaging"),
        ({"l2": -1.0}, "l2"),
        ({"init_scale": np.nan}, "init_scale"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"plateau_factor": 1.5}, "plateau_factor"),
    ],
)
def test_impossible_parameters_are_named(split, changes, words):
    with pytest.raises(ValueError, match=words):
        NeuralMF(**changes).fit(split.train)


# -- backends ------------------------------------------------------------------------------------------------------
def test_nothing_of_one_backend_in_the_model():
    for name in ("neural_mf.py", "neural_mf_network.py"):
        tree = ast.parse((ROOT / "lib" / "models" / "networks" / name).read_text(encoding="utf-8"))
        nodes = list(ast.walk(tree))
        imported = {a.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for a in node.names}
        imported |= {(node.module or "").split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
        assert not imported & {"tensorflow", "jax", "torch"}, name


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_trains_on_another_backend(backend):
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed; the project needs one backend only, and has TensorFlow")
    script = """
import sys, numpy as np, keras
from lib.metrics import rmse
from lib.models.networks.neural_mf import NeuralMF
from lib.data.splits import per_user_holdout
from tests.conftest import planted_interactions
from lib.models import card_of
assert keras.backend.backend() == sys.argv[1]
split = per_user_holdout(planted_interactions())
options = card_of("neural_mf").small
errors = []
for batch_size in (options["batch_size"], 32):  # whole catalogue first, batch first
    model = NeuralMF(**options | {"batch_size": batch_size}).fit(split.train)
    assert model.history_[-1, 2] < model.history_[0, 2]
    errors.append(rmse(split.test.ratings, model.predict(split.test.users, split.test.items)))
print(errors)
assert max(errors) < 0.8 * split.test.ratings.std()
"""
    done = subprocess.run(
        [sys.executable, "-c", script, backend], env={**os.environ, "KERAS_BACKEND": backend}, cwd=ROOT,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]


def test_features_add_a_linear_part_to_the_embeddings(split):
    """What is kept are whole embeddings, so that answering needs no features; a film's genres move it from the start."""
    from lib.models.networks.neural_mf_network import Entities

    known = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    shared = {"init_scale": 0.1, "l2": 0.0, "whole": False, "seed": 1, "name": "item"}
    table = Entities(6, 2, **shared, features=known)
    expected = np.array(table.embedding) + known @ np.array(table.of_features)
    np.testing.assert_allclose(np.array(table.table()), expected, rtol=1e-5)
    embeddings, parts, _ = table(np.array([4, 1]), np.eye(2, dtype=np.float32))
    np.testing.assert_allclose(np.array(embeddings), expected[[4, 1]], rtol=1e-5)
    np.testing.assert_allclose(np.array(parts), expected[[4, 1]], rtol=1e-5)
    told = {"n_factors": 4, "hidden_size": 6, "batch_size": 128, "learning_rate": 0.01, "epochs": 3}
    plain, model = (NeuralMF(**told, groups=groups).fit(split.train) for groups in ((), ("genres", "age")))
    assert set(model.weights_) == set(plain.weights_)
    users, items = np.arange(10), np.arange(10)
    assert np.abs(plain.predict(users, items) - model.predict(users, items)).max() > 1e-4
    again = NeuralMF(**told, groups=("genres", "age")).fit(split.train)
    np.testing.assert_array_equal(again.predict(users, items), model.predict(users, items))
