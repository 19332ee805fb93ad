"""Gradients held against central differences of the objective that they claim to belong to."""

import numpy as np
import pytest


def in_double(weights):
    """Return weights in float64, in which differences show more than rounding."""
    return {name: value.astype(np.float64) for name, value in weights.items()}


def assert_gradients(objective, weights, gradients, *, shift=1e-6, rel=1e-5, abs=1e-8, places=9):
    """Check some places of every array of `weights`; `objective` takes nothing and reads them."""
    assert set(gradients) == set(weights)
    for name, weight in weights.items():
        assert gradients[name].shape == weight.shape, name
        for place in list(np.ndindex(weight.shape))[:: max(1, weight.size // places)]:
            value, found = weight[place], []
            for step in (shift, -shift):
                weight[place] = value + step
                found.append(objective())
            weight[place] = value
            slope = (found[0] - found[1]) / (2 * shift)
            assert gradients[name][place] == pytest.approx(slope, rel=rel, abs=abs), (name, place)
