"""The baselines against hand-worked values and written-out solutions."""

import numpy as np
import pandas as pd
import pytest

from lib.data.interactions import Interactions
from lib.models import create


@pytest.fixture
def tiny():
    # Film c has no rating here; user 3 has none either.
    frame = pd.DataFrame({"user": [1, 1, 2], "item": ["a", "b", "a"], "rating": [5.0, 2.0, 3.0]})
    users = pd.DataFrame({"age": [1, 2, 3]}, index=[1, 2, 3])
    items = pd.DataFrame({"title": list("abc")}, index=list("abc"))
    return Interactions.from_frame(frame, scale=(1, 5), user_table=users, item_table=items)


def grid(model):
    return model.score(np.arange(3))


def test_means_by_hand(tiny):
    assert grid(create("global_mean").fit(tiny)) == pytest.approx(np.full((3, 3), 10 / 3))
    assert grid(create("user_mean").fit(tiny))[:, 0] == pytest.approx([3.5, 3, 10 / 3])
    assert grid(create("item_mean").fit(tiny))[0] == pytest.approx([4, 2, 10 / 3])


def test_most_popular_counts(tiny):
    model = create("most_popular").fit(tiny)
    assert not model.predicts_ratings
    assert grid(model)[2].tolist() == [2, 1, 0]


@pytest.mark.parametrize("strength", [0.5, 5.0, 50.0])
def test_bias_solves_its_normal_equations(planted, strength):
    model = create("bias", user_regularisation=strength, item_regularisation=2 * strength).fit(planted)
    n, n_users, n_items = len(planted), planted.n_users, planted.n_items
    design = np.zeros((n, n_users + n_items))
    design[np.arange(n), planted.users] = 1
    design[np.arange(n), n_users + planted.items] = 1
    penalty = np.diag(np.repeat([strength, 2 * strength], [n_users, n_items]))
    target = planted.ratings.astype(float) - planted.ratings.astype(float).mean()
    exact = np.linalg.solve(design.T @ design + penalty, design.T @ target)
    np.testing.assert_allclose(np.concatenate([model.user_bias_, model.item_bias_]), exact, atol=1e-5)


def test_bias_refuses_negative_strength(planted):
    with pytest.raises(ValueError, match="item_regularisation"):
        create("bias", item_regularisation=-1).fit(planted)
