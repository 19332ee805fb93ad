"""What the imputation chapter measures, on cases small enough to follow by hand."""

import numpy as np
import pandas as pd
import pytest

from lib.data.splits import per_user_holdout, validation_from
from lib.metrics import rmse
from lib.models.imputation.hard_impute import HardImpute
from lib.models.normalisation import UserMean
from lib.studies.imputation_study import guess, readings, shared, sweep


@pytest.fixture(scope="module")
def split(planted):
    return per_user_holdout(planted)


def test_a_path_is_measured_on_train_test_and_validation(split):
    inner = validation_from(split.train)
    found = sweep("soft_impute", [20, 5], split, inner)
    assert found["shrinkage"].tolist() == [5, 20], "rising, though fitted falling"
    assert found["rank"].iloc[0] >= found["rank"].iloc[1]
    assert found["train_rmse"].iloc[0] < found["train_rmse"].iloc[1]
    alone = HardImpute(rank=1).fit(split.train)
    kept = HardImpute(rank=1).fit(inner.train)
    (row,) = sweep("hard_impute", [1], split, inner).to_dict("records")
    for part, model, data in (("test", alone, split.test), ("validation", kept, inner.test)):
        clipped = data.scale.clip(model.predict(data.users, data.items))
        assert row[f"{part}_rmse"] == pytest.approx(rmse(data.ratings, clipped))


def test_a_guess_is_clipped_or_not_and_centred_by_what_it_is_given(split):
    model, test = HardImpute(rank=1).fit(split.train), split.test
    raw = model.predict(test.users, test.items)
    row = guess(model, "not clipped", name="Hard-Impute", split=split, clip=False)
    assert (row["guess"], row["model"]) == ("not clipped", "Hard-Impute")
    assert row["rmse"] == pytest.approx(np.sqrt(np.mean((raw - test.ratings) ** 2)))
    clipped = guess(model, "", name="", split=split)
    assert clipped["mae"] == pytest.approx(np.abs(test.scale.clip(raw) - test.ratings).mean())
    # The users' means over train, subtracted outside of the model, are what the model itself subtracts.
    outside = HardImpute(rank=1, centre="none")
    same = guess(outside, "", name="", split=split, means=UserMean().fit(split.train))
    assert same["rmse"] == pytest.approx(clipped["rmse"], abs=1e-6)


def test_figures_are_read_as_cut_or_as_rounded():
    rows = [("both", "S", 0.9299, 0.7201), ("both", "H", 0.9201, 0.7299), ("one", "S", 0.9151, 0.7249)]
    rows += [("one", "H", 0.9151, 0.7351), ("other", "S", 0.9250, 0.8000)]
    guesses = pd.DataFrame(rows, columns=["guess", "model", "rmse", "mae"])
    found = readings(guesses, {"S": [0.92, 0.72], "H": [0.92, 0.72]})
    assert found["model"].tolist() == ["S", "S", "S", "H", "H"]
    read = found.set_index(["guess", "model"])
    assert read.index[read["cut"]].tolist() == [("both", "S"), ("both", "H")]
    assert read.index[read["rounded"]].tolist() == [("one", "S")]
    assert read.index[read["rmse_cut"]].tolist() == [("other", "S"), ("both", "S"), ("both", "H")]
    assert shared(found, "rmse_cut") == ["both"]
    assert shared(found, "rounded") == []
