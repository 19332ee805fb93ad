"""The one table: what is measured of a record, the table made of fits, and labels that keep apart."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lib.experiment.fit import fit_and_measure
from lib.experiment.protocol import make_splits, parts_of, table_fits
from lib.metrics import evaluate_ranking, recommend, rmse
from lib.models.fitting import fit_model
from lib.studies.contenders import chosen_from
from lib.studies.one_table import (
    board,
    by_split,
    choice_table,
    evaluations_of,
    fit_table,
    in_words,
    protocol_of,
)

KEYS = ["per_user_80_20", "per_user_80_20/1"]
CONTENDERS = chosen_from(only=["bias", "most_popular"])


@pytest.fixture(scope="module")
def parted(planted):
    data = SimpleNamespace(interactions=planted, name="planted")
    return make_splits(data, [["per_user_80_20", 42], ["per_user_80_20", 1]])


@pytest.fixture(scope="module")
def fits(parted):
    choices = {name: {"parameters": {}} for name in CONTENDERS}
    wanted = table_fits(CONTENDERS, choices, parted, k=5, listed=parted)
    return [{**fit_and_measure(parts_of(parted), fit), **fit.labels} for fit in wanted]


def test_a_model_of_lists_leaves_no_predictions(fits, parted):
    found = next(fit for fit in fits if fit["contender"] == "most_popular")
    assert "predictions" not in found and np.isnan(found["seconds_predict"])
    evaluation = evaluations_of(fits, CONTENDERS, parted, k=5, threshold=4.0)["most_popular", KEYS[0]]
    assert evaluation.errors is None and evaluation.predictions is None and evaluation.seed is None
    assert "rmse" not in evaluation.values and evaluation["ndcg@5"] > 0


def test_an_evaluation_measures_what_the_fit_left(fits, parted):
    split = parted[KEYS[1]]
    found = next(fit for fit in fits if (fit["contender"], fit["split"]) == ("bias", KEYS[1]))
    made = evaluations_of(fits, CONTENDERS, parted, k=5, threshold=4.0, n_resamples=50)
    evaluation = made["bias", KEYS[1]]
    assert evaluation["rmse"] == pytest.approx(rmse(split.test.ratings, found["predictions"]), rel=1e-6)
    for metric in ("rmse", "mae", "ndcg@5"):
        value, low, high = evaluation.values[metric]
        assert low < value < high
    assert np.isnan(evaluation.values["recall@5"][1:]).all(), "three metrics have intervals, no more"
    model = fit_model("bias", split.train)
    top = recommend(model, split.train, 5)
    wanted = evaluate_ranking(top, split.test, k=5, threshold=4.0, train=split.train)
    for metric in ("ndcg@5", "precision@5", "recall@5", "mrr@5", "coverage@5"):
        assert evaluation[metric] == pytest.approx(wanted.metrics()[metric])
    assert {row["fold"] for row in evaluation.records()} == {"1"}
    frame = evaluation.predictions.merge(split.test.frame(), on=["user", "item"], suffixes=("", "_test"))
    assert len(frame) == len(split.test) and (frame["rating"] == frame["rating_test"]).all()
    assert frame["prediction"].dtype == np.float32
    table = fit_table({("bias", KEYS[1]): evaluation}, CONTENDERS, k=5)
    assert table.loc[0, "protocol"] == "per_user_80_20" and table.loc[0, "rmse"] == evaluation["rmse"]


def fits_of(rows):
    frame = pd.DataFrame(rows, columns=["name", "key", "rmse", "ndcg"])
    frame["protocol"] = frame["key"].str.split("/").str[0].map(protocol_of)
    for column in ("mae", "precision", "recall", "mrr", "coverage", "seconds_fit", "seconds_predict", "seconds_rank", "n_parameters", "peak_mib"):  # fmt: skip
        frame[column] = 1.0
    return frame.assign(label=frame["name"].str.upper(), family="networks", project="A")


def test_the_board_holds_means_and_spreads_by_protocol():
    nothing = np.nan
    found = board(
        fits_of([
            ("slow", "p", 0.8, 0.1), ("good", "p", 0.9, 0.2), ("good", "p/1", 1.1, nothing), ("list", "p", nothing, 0.5),
            ("list", "p/1", nothing, nothing), ("best", "p", nothing, 0.7), ("best", "p/1", nothing, nothing),
            ("good", "u1", 0.7, 0.3), ("good", "u2", 0.9, nothing),
        ])
    ).set_index(["protocol", "name"])  # fmt: skip
    assert list(found.index) == [
        ("p", "slow"),
        ("p", "good"),
        ("p", "best"),
        ("p", "list"),
        ("u1 to u5", "good"),
    ]
    good = found.loc["p", "good"]
    assert good["rmse"] == pytest.approx(1.0) and good["rmse_spread"] == pytest.approx(0.2 / np.sqrt(2))
    assert good["ndcg"] == pytest.approx(0.2) and np.isnan(good["ndcg_spread"])
    assert (good["n_splits"], bool(good["whole"])) == (2, True)
    assert (found.loc["p", "slow"]["n_splits"], bool(found.loc["p", "slow"]["whole"])) == (1, False)
    assert found.loc["u1 to u5", "good"]["rmse"] == pytest.approx(0.8)


def test_a_table_by_split_puts_those_with_gaps_last():
    found = by_split(fits_of([("once", "u1", 0.5, 0.0), ("all", "u1", 0.8, 0.0), ("all", "u2", 1.0, 0.0), ("list", "u1", np.nan, 0.0)]), ["u1", "u2"])  # fmt: skip
    assert list(found["name"]) == ["all", "once"]
    assert found.loc[0, "mean"] == pytest.approx(0.9) and found.loc[0, "spread"] == pytest.approx(0.2 / np.sqrt(2))
    assert found.loc[1, "mean"] == 0.5 and np.isnan(found.loc[1, "u2"]) and np.isnan(found.loc[1, "spread"])
    assert list(by_split(fits_of([("all", "p", 0.8, 0.0)]), [])) == [
        "name",
        "label",
        "project",
        "mean",
        "spread",
    ]


def test_choices_are_written_in_words():
    assert in_words({"n_factors": 3, "penalties": {"year": 0.12345}, "groups": ()}) == "n factors 3; penalties year 0.123; groups none"  # fmt: skip
    choice = {"parameters": {}, "n_epochs": None, "trials": None, "validation": np.nan, "metric": "", "chosen_on": "", "how": "nothing to choose"}  # fmt: skip
    row = choice_table(chosen_from(only=["bias"]), {"bias": choice}).iloc[0]
    assert row["from"] == "nothing to choose" and row["trials"] is pd.NA
