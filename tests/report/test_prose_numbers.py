import copy
import json
import math
import pickle

import numpy as np
import pytest

from lib.report.prose import Numbers, enumerated, shown


@pytest.mark.parametrize(
    ("value", "quantity", "text"),
    [
        (0.93512, "rmse", "0.9351"),
        (np.float32(0.5), "test_rmse", "0.5000"),
        (-0.00121, "difference", "−0.0012"),
        (20000, "count", "20,000"),
        (np.int64(-7), "", "−7"),
        (0.256, "share", "25.6%"),
        (3.14159, "{:.2f} s", "3.14 s"),
        (3.14159, "", "3.142"),
        (float("nan"), "rmse", "–"),
        (None, "rmse", "–"),
    ],
)
def test_a_number_shows_itself_as_its_quantity(value, quantity, text):
    number = shown(value, quantity)
    assert (repr(number), str(number), f"{number}") == (text, text, text)


def test_it_is_a_number():
    error, users = shown(0.93512, "rmse"), shown(np.int64(943), "count")
    assert isinstance(error, float) and isinstance(users, int)
    assert error == 0.93512 and error < shown(0.93514, "rmse") and users > 942
    assert error * 2 == 0.93512 * 2 and f"{error:.2f}" == "0.94" and list(range(users))[-1] == 942
    assert json.loads(json.dumps([error, users])) == [0.93512, 943]
    assert np.array([error]).dtype == np.float64
    assert math.isnan(shown(None, "rmse"))


@pytest.mark.parametrize("remake", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_shows_itself_alike(remake):
    assert repr(remake(shown(0.9, "rmse"))) == "0.9000" and repr(remake(shown(1234, "count"))) == "1,234"


def test_what_is_no_number_stays():
    assert shown("SVD") == "SVD" and shown(True) is True and shown([1]) == [1]


@pytest.mark.parametrize("value", ["0.9", True, [0.9]])
def test_a_quantity_needs_a_number(value):
    with pytest.raises(TypeError, match="is no number"):
        shown(value, "rmse")


def test_an_unknown_quantity_names_the_near_ones():
    with pytest.raises(KeyError, match="no quantity is called 'rsme'; did you mean 'rmse'"):
        shown(0.9, "rsme")
    with pytest.raises(KeyError, match="rsme"):
        Numbers(best=("rsme", 0.9))


def test_numbers_are_named():
    sweep = Numbers(best=("rmse", 0.93512), test_rmse=0.9, users=943, gap=("{:.1f}", 0.25), model="SVD", no=None)
    assert [repr(one) for one in (sweep.best, sweep.test_rmse, sweep.users, sweep.gap)] == [
        "0.9351",
        "0.9000",
        "943",
        "0.2",
    ]
    assert sweep.model == "SVD" and repr(sweep.no) == "–"
    with pytest.raises(AttributeError, match="nothing here is called 'bets'; did you mean 'best'"):
        assert sweep.bets


def test_numbers_of_one_quantity_leave_texts_alone():
    found = Numbers.of("rmse", {"svd": 0.93512, "bias": None, "best": "svd", "tested": True, "inner": {"low": 1.0}})
    assert [repr(one) for one in (found.svd, found.bias)] == ["0.9351", "–"]
    assert (found.best, found.tested, found.inner) == ("svd", True, {"low": 1.0})


def test_words_are_enumerated():
    assert [enumerated(words) for words in ("", "a", "ab", "abc")] == ["none", "a", "a and b", "a, b and c"]
    assert enumerated(["SVD, tuned", "EASE", "BPR"]) == "SVD, tuned; EASE and BPR"
