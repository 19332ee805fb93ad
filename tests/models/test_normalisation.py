import numpy as np
import pytest

from lib.data.splits import per_user_holdout
from lib.models import normalisation


@pytest.mark.parametrize("make", [normalisation.UserMean, normalisation.LinearScale])
def test_inverse_undoes_transform(planted, make):
    split = per_user_holdout(planted)
    scaling = make().fit(split.train)
    for part in (split.train, split.test):
        back = scaling.inverse(part.users, scaling.transform(part))
        np.testing.assert_allclose(back, part.ratings, atol=1e-6)


def test_user_means_come_from_train_alone(planted):
    split = per_user_holdout(planted)
    centre = normalisation.UserMean().fit(split.train)
    frame = split.train.frame()
    expected = frame["rating"].astype(float).groupby(split.train.users).mean()
    np.testing.assert_allclose(centre.means_[expected.index], expected)
    assert centre.means_[-1] == pytest.approx(split.train.ratings.mean(), rel=1e-6), "a user without ratings"
    assert centre.inverse(np.array([-1]), np.array([0.5]))[0] == pytest.approx(centre.global_mean_ + 0.5)


def test_linear_scale_maps_the_ends(planted):
    scaling = normalisation.LinearScale().fit(planted)
    assert scaling.inverse(None, np.array([-1, 0, 1])).tolist() == [1, 3, 5]
