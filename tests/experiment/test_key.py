from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from lib.data.interactions import Interactions
from lib.experiment import key
from lib.experiment.key import code_digest, fingerprint, spec_digest


@pytest.fixture
def ratings():
    frame = pd.DataFrame({"user": [1, 1, 2], "item": [5, 6, 6], "rating": [3.0, 4.0, 5.0]})
    items = pd.DataFrame({"title": ["A", "B"]}, index=pd.Index([5, 6]))
    return Interactions.from_frame(frame, scale=(1, 5), item_table=items)


@dataclass
class Options:
    rate: float
    names: tuple = ()


def test_a_digest_of_code_is_the_same_until_the_code_changes():
    roots = ["lib.models.baselines.means:GlobalMean"]
    assert code_digest(roots) == code_digest(iter(roots))
    assert len(code_digest(roots)) == 16
    assert code_digest(roots) != code_digest(["lib.models.baselines.means:UserMean"])


def test_code_of_the_data_that_everything_is_handed_counts():
    reached = key._definitions.reached(["lib.models.baselines.bias:Bias", *key.HANDED])
    assert any(name.endswith(":Interactions.user_counts") for name in reached)


def test_interactions_are_told_by_content(ratings):
    found = fingerprint(ratings)
    assert found == fingerprint(ratings.take(np.arange(3))) == fingerprint(ratings)
    changed = [
        ratings.take(np.array([0, 1])),
        ratings.with_ratings(ratings.ratings, (0, 5)),
        ratings.with_ratings(ratings.ratings[::-1], (1, 5)),
        replace(ratings, item_table=None),
        replace(ratings, timestamps=np.arange(3)),
        replace(ratings, user_ids=np.array([1, 3])),
        replace(ratings, item_table=ratings.item_table.assign(title=["A", "C"])),
        replace(ratings, item_table=ratings.item_table.rename(columns={"title": "name"})),
    ]
    assert len({found, *map(fingerprint, changed)}) == len(changed) + 1


def test_interactions_are_looked_at_once(ratings, monkeypatch):
    found = fingerprint(ratings)
    monkeypatch.setattr(key, "_content", None)
    assert fingerprint(ratings) == found


def test_values_are_told_apart():
    values = [
        0,
        0.0,
        False,
        None,
        "0",
        np.nan,
        [],
        [0],
        ["0"],
        [[0]],
        Options(0.1),
        Options(0.2),
        np.zeros(2),
        np.zeros((2, 1)),
        np.zeros(2, np.float32),
        np.array(["a"], object),
        np.array(["b"], object),
        pd.DataFrame([1, 2]),
        pd.DataFrame([1, 3]),
    ]
    assert len({fingerprint(value) for value in values}) == len(values)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, "a"), [1, "a"]),
        ([np.int64(1)], [1]),
        (np.asfortranarray(np.arange(6).reshape(2, 3)), np.arange(6).reshape(2, 3)),
        (np.array(["a", "b"], object), np.array(["ab", "b"], object).astype("U1").astype(object)),
        (Options(0.1, [1]), Options(0.1, (1,))),
    ],
)
def test_what_is_alike_has_one_fingerprint(one, other):
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize("value", [object(), [object()], {1}, Options, np.array([object()])])
def test_a_value_without_content_is_an_error_that_names_its_type(value):
    with pytest.raises(TypeError, match=r"builtins\.\w+"):
        fingerprint(value)


def test_specifications_are_told_by_their_values():
    spec = {
        "model": "svd",
        "rates": (0.1, np.float64(0.2)),
        "n": np.int32(3),
        "most": float("nan"),
        "none": None,
    }
    same = {"none": None, "n": 3, "most": np.nan, "rates": [0.1, 0.2], "model": "svd"}
    assert spec_digest(spec) == spec_digest(same)
    assert len(spec_digest(spec)) == 24
    others = [{**same, "n": 4}, {**same, "n": 3.0}, {**same, "rates": [0.2, 0.1]}, {**same, "none": False}]
    assert len({spec_digest(one) for one in [spec, *others]}) == 5


@pytest.mark.parametrize("spec", [{"a": object()}, np.zeros(2), {"a": {1}}])
def test_a_specification_of_other_things_is_an_error(spec):
    with pytest.raises(TypeError, match="plain values"):
        spec_digest(spec)
