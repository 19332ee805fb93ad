"""Training that goes on: the same bits as training through, on the same ratings only."""

from dataclasses import replace

import numpy as np
import pytest

from lib.models import create
from tests.conftest import planted_interactions

KINDS = {
    "matrix_factorisation": {"n_factors": 3, "batch_size": 64, "initial_scale": 0.3, "learning_rate": 1.0},
    "softmax": {"n_factors": 3, "hidden_sizes": [4], "groups": ["genres"], "n_samples": 8, "batch_size": 16},
}


@pytest.mark.parametrize("name", KINDS)
def test_training_on_has_the_bits_of_training_through(name):
    train = planted_interactions(n_users=30, n_items=20, seed=4)
    through = create(name, **KINDS[name], n_epochs=7).fit(train)
    stopped = create(name, **KINDS[name], n_epochs=3).fit(train.take(np.random.default_rng(0).permutation(len(train))))
    before = stopped.score(np.arange(30)).copy()
    stopped.fit_further(train, n_epochs=2).fit_further(train, n_epochs=2)
    assert stopped.n_epochs == 7 and not np.array_equal(before, stopped.score(np.arange(30)))
    np.testing.assert_array_equal(stopped.score(np.arange(30)), through.score(np.arange(30)))
    for curve in stopped.curves:
        np.testing.assert_array_equal(getattr(stopped, curve), getattr(through, curve))
    again = stopped.fit(train)  # a fit begins anew
    np.testing.assert_array_equal(again.score(np.arange(30)), through.score(np.arange(30)))


@pytest.mark.parametrize("name", KINDS)
def test_it_goes_on_with_its_own_ratings_only(name, tmp_path):
    train = planted_interactions(n_users=30, n_items=20, seed=4)
    with pytest.raises(ValueError, match="call fit"):
        create(name, **KINDS[name]).fit_further(train, n_epochs=1)
    model = create(name, **KINDS[name], n_epochs=1).fit(train)
    other = replace(train, ratings=train.ratings[::-1].copy(), origin=())
    with pytest.raises(ValueError, match="no others"):
        model.fit_further(other, n_epochs=1)
    model.save(tmp_path / "model.npz")
    with pytest.raises(ValueError, match="only where it was fitted"):
        type(model).load(tmp_path / "model.npz").fit_further(train, n_epochs=1)
