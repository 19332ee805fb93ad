import numpy as np
import pytest

from lib.metrics import PerUser
from lib.metrics.per_user import check_paired


def test_ratio_of_sums_and_its_root():
    sample = PerUser("rmse", [7, 2], [9.0, 1.0], [1, 4], root=True)
    assert sample.users.tolist() == [2, 7]
    assert sample.value == pytest.approx(np.sqrt(10 / 5))
    assert sample.values.tolist() == [0.5, 3.0]
    assert PerUser.mean("ndcg@10", [0, 1], [0.5, 1.0]).value == 0.75


@pytest.mark.parametrize(
    ("users", "numerators", "denominators", "message"),
    [
        ([], [], [], "no user has anything to measure"),
        ([1, 1], [1, 1], [1, 1], "occurs twice"),
        ([1, 2], [1, np.nan], [1, 1], "NaN"),
        ([1, 2], [1, 1], [1, 0], "not positive"),
        ([1, 2], [1, 1], [1], "equally long"),
    ],
)
def test_refuses_sums_that_make_no_metric(users, numerators, denominators, message):
    with pytest.raises(ValueError, match=message):
        PerUser("mae", users, numerators, denominators)


def test_pairs_only_the_same_measurement():
    first = PerUser("mae", [1, 2], [1, 2], [1, 2])
    check_paired(first, PerUser("mae", [2, 1], [5, 6], [2, 1]))
    with pytest.raises(ValueError, match="cannot compare mae with rmse"):
        check_paired(first, PerUser("rmse", [1, 2], [1, 2], [1, 2]))
    with pytest.raises(ValueError, match="2 users are measured for one model only"):
        check_paired(first, PerUser("mae", [1, 3], [1, 2], [1, 2]))
    with pytest.raises(ValueError, match="different numbers of ratings"):
        check_paired(first, PerUser("mae", [1, 2], [1, 2], [1, 3]))
