"""The softmax model: its gradients against finite differences, and the sampled loss against the full one."""

import numpy as np
import pytest
from scipy import sparse

from lib.data.splits import per_user_holdout
from lib.metrics import evaluate_ranking, recommend
from lib.models.baselines.orders import MostPopular
from lib.models.networks.softmax import Softmax, shares
from lib.models.networks.softmax_loss import full_softmax, sampled_softmax
from lib.models.networks.softmax_network import Network
from tests.conftest import planted_interactions


def some_bags(n, n_inputs, seed=0):
    dense = np.random.default_rng(seed).random((n, n_inputs)) < 0.3
    dense[:, 0] = True
    return shares(sparse.csr_array(dense.astype(float)))


def loss_of(network, bags, labels):
    return full_softmax(network.forward(bags)[-1], network.weights["items"], labels).loss


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("hidden_sizes", [(), (5,), (5, 4)])
def test_every_gradient_is_the_finite_difference(shared, hidden_sizes):
    rng = np.random.default_rng(3)
    network = Network(7, 9, n_factors=3, hidden_sizes=hidden_sizes, shared=shared, rng=rng)
    for name in ("items", "inputs"):
        network.weights[name] *= 7.0
    bags, labels = some_bags(6, 9), some_bags(6, 7, seed=1)
    layers = network.forward(bags)
    slopes = full_softmax(layers[-1], network.weights["items"], labels)
    gradients = network.backward(bags, layers, slopes.users)
    gradients["items"] = gradients.get("items", 0.0) + slopes.items
    assert set(gradients) == set(network.weights)
    for name, weight in network.weights.items():
        for place in list(np.ndindex(weight.shape))[:: max(1, weight.size // 7)]:
            value, losses = weight[place], []
            for shift in (1e-6, -1e-6):
                weight[place] = value + shift
                losses.append(loss_of(network, bags, labels))
            weight[place] = value
            slope = (losses[0] - losses[1]) / 2e-6
            assert gradients[name][place] == pytest.approx(slope, rel=1e-4, abs=1e-7), (name, place)


def test_the_full_loss_is_the_written_out_cross_entropy():
    rng = np.random.default_rng(0)
    users, items, labels = rng.normal(size=(4, 3)), rng.normal(size=(6, 3)), some_bags(4, 6)
    total = 0.0
    for b in range(4):
        scores = np.exp([users[b] @ item for item in items])
        for i in range(6):
            total -= labels.toarray()[b, i] * np.log(scores[i] / scores.sum())
    assert full_softmax(users, items, labels).loss == pytest.approx(total / 4, rel=1e-12)


def test_a_user_without_a_label_counts_for_nothing():
    rng = np.random.default_rng(0)
    users, items = rng.normal(size=(2, 3)), rng.normal(size=(5, 3))
    labels = sparse.csr_array(np.array([[0.5, 0.5, 0, 0, 0], [0, 0, 0, 0, 0.0]]))
    chances = np.full(5, 0.2)
    for found in (
        full_softmax(users, items, labels),
        sampled_softmax(users, items, labels, n_samples=50, chances=chances, rng=rng),
    ):
        np.testing.assert_array_equal(found.users[1], 0.0)


class TestSampledSoftmax:
    @pytest.fixture
    def problem(self):
        rng = np.random.default_rng(5)
        chances = rng.random(40) + 0.2
        return rng.normal(size=(6, 4)), rng.normal(size=(40, 4)), some_bags(6, 40), chances / chances.sum()

    def test_it_tends_to_the_full_one(self, problem):
        users, items, labels, chances = problem
        full = full_softmax(users, items, labels)
        gaps = []
        for n_samples in (30, 3_000, 300_000):
            found = sampled_softmax(
                users, items, labels, n_samples=n_samples, chances=chances, rng=np.random.default_rng(0)
            )
            gaps.append(
                [abs(found.loss - full.loss), np.abs(found.users - full.users).max(), np.abs(found.items - full.items).max()]
            )  # fmt: skip
        assert (np.array(gaps[1]) < 0.5 * np.array(gaps[0])).all()
        assert max(gaps[2]) < 0.01

    def test_its_gradients_are_its_own_finite_differences(self, problem):
        users, items, labels, chances = problem

        def loss(users, items):
            return sampled_softmax(users, items, labels, n_samples=15, chances=chances, rng=np.random.default_rng(2))

        found = loss(users, items)
        for values, slopes in ((users, found.users), (items, found.items)):
            for place in list(np.ndindex(values.shape))[::9]:
                before, losses = values[place], []
                for shift in (1e-6, -1e-6):
                    values[place] = before + shift
                    losses.append(loss(users, items).loss)
                values[place] = before
                assert slopes[place] == pytest.approx((losses[0] - losses[1]) / 2e-6, rel=1e-4, abs=1e-7)

    def test_large_scores_do_not_overflow(self, problem):
        users, items, labels, chances = problem
        found = sampled_softmax(500 * users, items, labels, n_samples=20, chances=chances, rng=np.random.default_rng(0))
        assert np.isfinite(found.loss) and np.isfinite(found.users).all() and np.isfinite(found.items).all()


@pytest.fixture(scope="module")
def split():
    return per_user_holdout(planted_interactions(n_users=120, n_items=60, seed=2))


@pytest.mark.parametrize("settings", [{}, {"n_samples": 200}, {"shared": False}])
def test_it_learns_from_what_was_rated(split, settings):
    model = Softmax(n_factors=8, n_epochs=40, **settings).fit(split.train, validation=split.test)
    assert model.train_loss_[-1] < model.train_loss_[0]
    assert len(model.train_loss_) == len(model.validation_loss_) == 40
    inputs = 0 if settings.get("shared", True) else split.train.n_items
    assert model.n_parameters_ == (split.train.n_items + inputs) * 8


def test_two_crowds_get_their_own_films(two_crowds):
    train, test = two_crowds
    found = {
        name: evaluate_ranking(recommend(model.fit(train), train, 5), test, threshold=0.0).metrics()
        for name, model in (("softmax", Softmax(n_factors=4, n_epochs=60)), ("popular", MostPopular()))
    }
    key = next(name for name in found["softmax"] if name.startswith("ndcg"))
    assert found["softmax"][key] > 1.5 * found["popular"][key]


@pytest.fixture
def two_crowds():
    """Two groups of users, each rating films of its own half at random."""
    whole = planted_interactions(n_users=80, n_items=60, seed=3)
    same = (whole.users % 2) == (whole.items % 2)
    split = per_user_holdout(whole.take(np.flatnonzero(same)))
    return split.train, split.test


def test_a_cold_user_gets_the_mean_bag(split):
    train = split.train.take(np.flatnonzero(split.train.users != 4))
    model = Softmax(n_factors=4, n_epochs=5).fit(train)
    active = np.flatnonzero(train.user_counts)
    np.testing.assert_allclose(model.user_embeddings_[4], model.user_embeddings_[active].mean(axis=0))


def test_bad_values_are_named(split):
    for settings, message in (
        ({"n_samples": -1}, "n_samples must not be negative"),
        ({"hidden_sizes": [4, 0]}, "hidden_sizes must hold positive sizes"),
        ({"n_epochs": 0}, "n_epochs must be at least 1"),
    ):
        with pytest.raises(ValueError, match=message):
            Softmax(**settings).fit(split.train)
    with pytest.raises(FloatingPointError, match="learning_rate"):
        Softmax(learning_rate=1e160, n_epochs=20).fit(split.train)
