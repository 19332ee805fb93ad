"""What each input of the two-tower network adds to a prediction."""

from itertools import permutations

import numpy as np
import pytest

from lib.models import create
from lib.studies.two_tower_explanation import attributions


@pytest.fixture(scope="module")
def network(planted):
    small = {"embedding_size": 4, "user_dense_size": 6, "item_dense_size": 6, "final_size": 6, "batch_size": 128}
    return create("two_tower", **small, epochs=6, learning_rate=0.01, seed=1).fit(planted)


@pytest.fixture(scope="module")
def explained(network, planted):
    chosen = slice(0, 40, 4)
    return attributions(network, planted.users[chosen], planted.items[chosen], planted, n_background=20, seed=3)


def test_attributions_add_up_to_the_prediction_minus_the_base(network, explained, planted):
    inputs = list(network.inputs)
    assert {"user/id", "item/id", "item/genres"} < set(inputs) and list(explained)[2:] == inputs
    np.testing.assert_allclose(explained["base"] + explained[inputs].sum(axis=1), explained["prediction"], atol=1e-6)
    predicted = network.predict(planted.users[:40:4], planted.items[:40:4])
    np.testing.assert_allclose(explained["prediction"], predicted)
    drawn = np.random.default_rng(3).choice(len(planted), 20, replace=False)
    base = network.predict(planted.users[drawn], planted.items[drawn]).mean()
    np.testing.assert_allclose(explained["base"], base, atol=1e-6)
    assert explained[inputs].abs().mean().min() > 0


def test_they_are_the_mean_step_over_all_orders_in_which_inputs_are_told(network, explained, planted):
    drawn = np.random.default_rng(3).choice(len(planted), 20, replace=False)
    known = {}

    def value(told):
        if told not in known:
            mixed = {}
            for name, values in network.inputs.items():
                own, others = ("users", "items")[name.startswith("item/")], drawn
                codes = getattr(planted, own)[others]
                mixed[name] = values[np.full(20, getattr(planted, own)[0]) if name in told else codes]
            known[told] = network.replace_features(mixed).predict(np.arange(20), np.arange(20)).mean()
        return known[told]

    steps = {name: [] for name in network.inputs}
    for order in permutations(network.inputs):
        for place, name in enumerate(order):
            before = frozenset(order[:place])
            steps[name].append(value(before | {name}) - value(before))
    for name, of in steps.items():
        assert explained[name][0] == pytest.approx(np.mean(of), abs=1e-6)


def test_an_input_that_nothing_depends_on_gets_nothing(network, planted):
    values = network.inputs["item/genres"]
    deaf = network.replace_features({"item/genres": np.zeros_like(values)})
    found = attributions(deaf, planted.users[:5], planted.items[:5], planted, n_background=10, seed=0)
    assert np.abs(found["item/genres"]).max() < 1e-6 < np.abs(found["item/id"]).max()
