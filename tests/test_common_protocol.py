"""The common protocol: what one fit leaves, the table made of fits, labels that keep apart, and memory."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lib.common_protocol import code_of, fit, fit_all, jobs, make_splits, measure
from lib.contenders import chosen_from, contenders
from lib.label_columns import label_sides, spread
from lib.metrics import evaluate_ranking, recommend, rmse
from lib.models import create
from lib.one_table import board, by_split, choice_table, evaluation_of, fit_table, in_words, protocol_of
from lib.peak_memory import PeakMemory
from lib.splits import chronological, per_user_holdout, validation_from

SGD = {"n_factors": 3, "factor_learning_rate": 0.08, "factor_regularisation": 0.001}


@pytest.fixture(scope="module")
def parted(planted):
    return make_splits(SimpleNamespace(interactions=planted, name="planted"), [["per_user_80_20", 42], ["per_user_80_20", 1], ["chronological", 0]])  # fmt: skip


@pytest.fixture(scope="module")
def context(parted):
    return {"splits": {key: {"train": s.train, "test": s.test} for key, s in parted.items()}, "k": 5}


def asked(name, key="per_user_80_20", **changes):
    one = contenders()[name]
    stopping = {"limit": one.limit, "most": 30, "patience": one.patience, "cuts_itself": one.cuts_itself}
    job = {"contender": name, "split": key, "seed": 0, "model": one.model, "parameters": {}, "stopping": stopping if one.limit else {}, "lists": True}  # fmt: skip
    return {**job, **changes}


# -- splits and jobs -----------------------------------------------------------------------------------------------
def test_repeated_splits_are_told_apart_by_their_seed(parted, planted):
    assert list(parted) == ["per_user_80_20", "per_user_80_20/1", "chronological"]
    assert [(s.name, s.fold, s.seed) for s in parted.values()] == [("per_user_80_20", "", 42), ("per_user_80_20", "1", 1), ("chronological", "", None)]  # fmt: skip
    np.testing.assert_array_equal(
        parted["per_user_80_20/1"].test.items, per_user_holdout(planted, seed=1).test.items
    )
    np.testing.assert_array_equal(parted["chronological"].test.items, chronological(planted).test.items)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ([["chronological", 0], ["chronological", 1]], "in the list twice"),
        ([["per_user_80_20", 1], ["per_user_80_20", 2], ["per_user_80_20", 2]], "in the list twice"),
        (["per_user_80_20"], r"given as \[name, seed\]"),
    ],
)
def test_a_list_of_splits_that_makes_no_sense_is_refused(planted, wanted, message):
    with pytest.raises(ValueError, match=message):
        make_splits(SimpleNamespace(interactions=planted, name="planted"), wanted)


def test_slow_contenders_come_first_and_on_their_splits_only(parted):
    some = chosen_from(only=["bias", "svdpp", "ease"])
    choices = {n: {"parameters": {"of": n}} for n in some}
    made = jobs(some, choices, parted, listed=["chronological"], once=["ease"], once_on=["chronological"], changes={"bias": {"new": 1}}, most_epochs=2, seed=9)  # fmt: skip
    assert [(j["contender"], j["split"]) for j in made[:2]] == [
        ("ease", "chronological"),
        ("bias", "per_user_80_20"),
    ]
    assert len(made) == 1 + 3 + 3
    bias, svdpp = made[1], made[-1]
    assert bias["parameters"] == {"of": "bias", "new": 1} and bias["stopping"] == {} and bias["seed"] == 0
    assert svdpp["stopping"] == {"limit": "n_epochs", "most": 2, "patience": 3, "cuts_itself": False}
    assert svdpp["seed"] == 9
    assert [j["lists"] for j in made if j["contender"] == "bias"] == [False, False, True]
    for wrong in ({"once": ["hare"]}, {"once_on": ["u9"]}, {"changes": {"hare": {}}}):
        with pytest.raises(ValueError, match=r"unknown (hare|u9)"):
            jobs(some, choices, parted, **{"listed": [], **wrong})


def test_code_tells_models_apart_and_not_the_registry():
    assert code_of("bias") != code_of("ease")
    assert len(code_of("bias")) == 16


# -- one fit -------------------------------------------------------------------------------------------------------
def test_epochs_come_from_validation_ratings_and_weights_from_all_of_train(parted, context):
    split = parted["per_user_80_20"]
    found = measure(context, **asked("svdpp", parameters=SGD))
    cut = validation_from(split.train)
    stopped = create("svdpp", **SGD, n_epochs=30, patience=3, seed=0).fit(cut.train, validation=cut.test)
    assert found["n_epochs"] == stopped.n_epochs_ < 30
    model = create("svdpp", **SGD, n_epochs=stopped.n_epochs_, seed=0).fit(split.train)
    wanted = np.clip(model.predict(split.test.users, split.test.items), 1, 5).astype(np.float32)
    np.testing.assert_array_equal(found["predictions"], wanted)
    np.testing.assert_array_equal(found["items"], recommend(model, split.train, 5).items)
    assert found["n_parameters"] == model.n_parameters_
    assert min(found[s] for s in ("seconds_fit", "seconds_predict", "seconds_rank")) > 0


def test_alternating_least_squares_repeats_the_iterations_it_stopped_at(parted):
    train = parted["per_user_80_20"].train
    stopping = {"limit": "n_iterations", "most": 40, "patience": None, "cuts_itself": False}
    model, n = fit("side_information_als", {"groups": (), "n_factors": 2, "user_penalty": 0.1, "item_penalty": 0.1}, stopping, train)  # fmt: skip
    assert 1 <= n < 40
    assert model.n_iterations_ == n and model.parameters["n_iterations"] == n
    assert len(model.validation_rmse_) == 0  # trained on all of train, without validation data


def test_a_network_cuts_its_own_validation_ratings(parted):
    train = parted["per_user_80_20"].train
    stopping = {"limit": "max_epochs", "most": 3, "patience": None, "cuts_itself": True}
    model, n = fit("autorec", {"hidden_sizes": (4,), "seed": 0}, stopping, train)
    assert model.parameters["max_epochs"] == 3
    assert n == model.n_epochs_ <= 3
    assert np.isfinite(np.asarray(model.history_)[:, 1]).all()


def test_a_model_of_time_is_told_when_the_test_ratings_were_given(parted, context):
    split = parted["chronological"]
    parameters = SGD | {"time_bias_learning_rate": 0.01, "n_epochs": 6}
    found = measure(
        context, **asked("timesvdpp", "chronological", parameters=parameters, stopping={}, lists=False)
    )
    model = create("timesvdpp", **parameters, seed=0).fit(split.train)
    test = split.test
    with_time = test.scale.clip(model.predict(test.users, test.items, test.timestamps)).astype(np.float32)
    without = test.scale.clip(model.predict(test.users, test.items)).astype(np.float32)
    np.testing.assert_array_equal(found["predictions"], with_time)
    assert (with_time != without).any()
    assert "items" not in found


def test_a_model_of_lists_leaves_no_predictions(context, parted):
    found = measure(context, **asked("most_popular"))
    assert "predictions" not in found and np.isnan(found["seconds_predict"])
    evaluation = evaluation_of(contenders()["most_popular"], found | {"seed": 0}, parted["per_user_80_20"], k=5, threshold=4.0)  # fmt: skip
    assert evaluation.errors is None and evaluation.predictions is None and evaluation.seed is None
    assert "rmse" not in evaluation.values and evaluation["ndcg@5"] > 0


def test_predictions_that_are_not_finite_are_refused_by_name(context, monkeypatch):
    monkeypatch.setattr("lib.common_protocol.answers", lambda model, test: np.full(len(test), np.nan))
    with pytest.raises(ValueError, match="bias on chronological: predictions that are not finite"):
        measure(context, **asked("bias", "chronological"))


def test_kept_fits_come_back_as_they_were(parted, tmp_path):
    some = chosen_from(only=["bias", "random_order"])
    made = jobs(some, {n: {"parameters": {}} for n in some}, parted, listed=["chronological"])
    once, again = (fit_all(made, parted, k=3, runs_dir=tmp_path, workers=0, say=None) for _ in range(2))
    assert len(list((tmp_path / ".grids" / "one_table").glob("*.npz"))) == len(made) == 6
    for a, b in zip(once, again, strict=True):
        assert a["seconds_fit"] == b["seconds_fit"] and (a["contender"], a["split"]) == (
            b["contender"],
            b["split"],
        )


# -- the table -----------------------------------------------------------------------------------------------------
def test_an_evaluation_measures_what_the_fit_left(parted, context):
    split = parted["per_user_80_20/1"]
    one = contenders()["bias"]
    found = measure(context, **asked("bias", "per_user_80_20/1")) | {"seed": 0}
    evaluation = evaluation_of(one, found, split, k=5, threshold=4.0, n_resamples=50)
    assert evaluation["rmse"] == pytest.approx(rmse(split.test.ratings, found["predictions"]), rel=1e-6)
    value, low, high = evaluation.values["rmse"]
    assert low < value < high
    model = create("bias").fit(split.train)
    wanted = evaluate_ranking(
        recommend(model, split.train, 5), split.test, k=5, threshold=4.0, train=split.train
    )
    for metric in ("ndcg@5", "precision@5", "recall@5", "mrr@5", "coverage@5"):
        assert evaluation[metric] == pytest.approx(wanted.metrics()[metric])
    assert {row["fold"] for row in evaluation.records()} == {"1"}
    frame = evaluation.predictions.merge(split.test.frame(), on=["user", "item"], suffixes=("", "_test"))
    assert len(frame) == len(split.test) and (frame["rating"] == frame["rating_test"]).all()
    table = fit_table({("bias", "per_user_80_20/1"): evaluation}, {"bias": one}, k=5)
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
    assert found.loc[0, "mean"] == pytest.approx(0.9) and found.loc[0, "spread"] == pytest.approx(
        0.2 / np.sqrt(2)
    )
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


# -- labels and memory ---------------------------------------------------------------------------------------------
def test_labels_move_apart_by_as_little_as_possible():
    np.testing.assert_allclose(spread(np.array([0.0, 5.0]), 1.0), [0.0, 5.0])
    np.testing.assert_allclose(spread(np.array([1.0, 1.0, 1.0]), 2.0), [-1.0, 1.0, 3.0])
    # 0 and 0.5 are pushed to -0.25 and 0.75, in the order of the input; 9 stays.
    np.testing.assert_allclose(spread(np.array([9.0, 0.5, 0.0]), 1.0), [9.0, 0.75, -0.25])
    assert len(spread(np.array([]), 1.0)) == 0
    with pytest.raises(ValueError, match="finite"):
        spread(np.array([np.nan]), 1.0)
    with pytest.raises(ValueError, match="negative"):
        spread(np.array([1.0]), -1.0)


def test_no_label_stands_over_another_or_leaves_the_axis():
    figure = Figure(figsize=(7.2, 4), layout="constrained")
    axis = figure.add_subplot()
    rng = np.random.default_rng(0)
    x, y = rng.normal(0.9, 0.01, 24), rng.normal(0.1, 0.005, 24)  # crowded
    axis.scatter(x, y)
    figure.draw_without_rendering()
    label_sides(axis, x, y, [f"A model with a long name, {n}" for n in range(24)])
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axis.texts]
    inside = axis.get_window_extent()
    assert len(boxes) == 24
    assert all(box.x0 >= inside.x0 and box.x1 <= inside.x1 for box in boxes)
    assert all(box.y0 >= inside.y0 and box.y1 <= inside.y1 for box in boxes)
    assert not any(a.overlaps(b) for n, a in enumerate(boxes) for b in boxes[:n])


@pytest.mark.parametrize("use_mark", [True, False])
def test_memory_is_that_of_the_block_alone(use_mark):
    before = np.ones(8_000_000)  # 61 MiB held before the block do not count, nor what was freed
    del before
    with PeakMemory(use_mark=use_mark, every=0.001) as memory:
        held = np.ones(4_000_000)
        total = sum(np.sort(held[:1_000_000]).sum() for _ in range(5))
        del held
    if memory.method == "none":
        pytest.skip("this system has no /proc to read memory from")
    assert total > 0
    assert 25 < memory.mib < 55  # 31 MiB, and a sorted part
    with PeakMemory(use_mark=use_mark) as little:
        pass
    assert little.mib < 5
