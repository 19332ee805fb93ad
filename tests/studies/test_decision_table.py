"""Segments, decisions and the order of simplicity on cases worked by hand."""

import numpy as np
import pandas as pd
import pytest

from lib.data.interactions import Interactions
from lib.data.splits import Split, per_user_holdout
from lib.metrics import PerUser, Ranking
from lib.report.charts.group_figures import far_off, segment_figure
from lib.studies.decision_table import (
    age_contexts,
    by_simplicity,
    counted_contexts,
    decide,
    decide_all,
    errors_within,
    of_users,
    tally,
)
from tests.conftest import planted_interactions

N = 60


def rmse_of(gaps, counts=4.0):
    """Per-user squared errors around 4 a user of four ratings."""
    return PerUser("rmse", np.arange(N), 4 + np.asarray(gaps), np.full(N, counts), root=True)


@pytest.fixture(scope="module")
def models():
    """A winner, one that differs from it by noise only, and one that is worse for everybody."""
    noise = np.tile([0.5, -0.49], N // 2)
    return {
        "worse": rmse_of(np.full(N, 1.0)),
        "level": rmse_of(noise),
        "winner": rmse_of(np.zeros(N)),
    }


def test_winner_equals_and_the_simplest_of_them(models):
    found = decide(models, ["worse", "level", "winner"], lower_is_better=True, n_resamples=400)
    assert list(found.values) == ["winner", "level", "worse"]
    assert (found.winner, found.runner_up) == ("winner", "level")
    assert found.equals == ["winner", "level"]
    assert found.choice == "level"  # "worse" would be simpler still, but is worse
    assert found.lead == pytest.approx(np.sqrt(4.005 / 4) - 1)
    assert found.lead_low < found.lead < found.lead_high
    assert found.lead_low < 0  # cannot be told apart, so the interval holds 0
    assert (found.cost, found.cost_low, found.cost_high) == (found.lead, found.lead_low, found.lead_high)


def test_the_winner_is_the_choice_where_it_is_the_simplest(models):
    found = decide(models, ["winner", "level", "worse"], lower_is_better=True, n_resamples=400)
    assert found.choice == "winner"
    assert (found.cost, found.cost_low, found.cost_high) == (0, 0, 0)


def test_a_lead_is_positive_for_a_gain_too():
    good = np.tile([0.6, 0.8], N // 2)
    models = {
        "low": PerUser.mean("ndcg@10", np.arange(N), good - 0.3 + np.tile([0.02, 0, 0], N // 3)),
        "high": PerUser.mean("ndcg@10", np.arange(N), good),
    }
    found = decide(models, ["low", "high"], lower_is_better=False, n_resamples=400)
    assert (found.winner, found.equals, found.choice) == ("high", ["high"], "high")
    assert found.lead == pytest.approx(0.3 - 0.02 / 3)
    assert 0 < found.lead_low < found.lead < found.lead_high


def test_of_equal_values_the_simpler_wins():
    models = {"complex": rmse_of(np.zeros(N)), "simple": rmse_of(np.zeros(N))}
    found = decide(models, ["simple", "complex"], lower_is_better=True, n_resamples=100)
    assert (found.winner, found.choice, found.lead) == ("simple", "simple", 0)


def test_bad_input_is_named(models):
    with pytest.raises(ValueError, match="worse stand nowhere"):
        decide(models, ["level", "winner"], lower_is_better=True)
    with pytest.raises(ValueError, match="take at least 40"):
        decide(models, list(models), lower_is_better=True, n_resamples=38)
    with pytest.raises(ValueError, match="at least two models"):
        decide({"winner": models["winner"]}, ["winner"], lower_is_better=True)


def test_simplicity_is_by_family_then_parameters_then_name():
    families = {"net": "networks", "svd": "factors", "big": "factors", "mean": "means", "odd": "zeta"}
    counts = {"net": 10, "svd": 100, "big": 1000, "mean": 5}
    order = by_simplicity(list(families), families, ["means", "factors", "networks"], counts)
    assert order == ["mean", "svd", "big", "net", "odd"]
    del counts["svd"]  # without a number: last of its family
    assert by_simplicity(list(families), families, ["means", "factors"], counts)[1:3] == ["big", "svd"]
    with pytest.raises(ValueError, match="no family is known for new"):
        by_simplicity(["new"], families, [], {})


def split_of(years, rated):
    """Split whose test ratings are of one user, film by film, at the start of the given years."""
    n = len(years)
    times = [int(pd.Timestamp(f"{year}-01-02", tz="UTC").timestamp()) for year in rated]
    films = np.arange(n)
    test = Interactions(
        np.zeros(n), films, np.full(n, 3.0), times, np.array([7]), films + 100, (1.0, 5.0),
        item_table=pd.DataFrame({"year": years}, index=films + 100),
    )  # fmt: skip
    return Split("toy", test.take(np.array([], dtype=int)), test)


def test_film_age_is_in_calendar_years_and_never_negative():
    split = split_of([1998, 1990, 1999, None], [1998, 1998, 1998, 1998])
    contexts = age_contexts(split, (0, 2, 5))
    assert [one.name for one in contexts] == [f"film {n} years old" for n in ("0–1", "2–4", "5 or more")]
    inside = np.array([one.inside for one in contexts])
    assert inside.astype(int).tolist() == [
        [1, 0, 1, 0],
        [0, 0, 0, 0],
        [0, 1, 0, 0],
    ]  # 0, 8 and 0 years, and unknown
    assert contexts[0].users is None
    untold = planted_interactions(n_users=5, n_items=4, tables=False)
    assert age_contexts(Split("toy", untold, untold), (0, 2)) == []


def test_contexts_part_the_test_ratings_by_counts_in_train():
    split = per_user_holdout(planted_interactions(n_users=30, n_items=25, seed=4))
    contexts = counted_contexts(split, (0, 1, 12), (0, 1, 10), ", so")
    assert [one.name for one in contexts][:3] == [f"user with {n} ratings, so" for n in ("0", "1–11", "12 or more")]
    for kind in (contexts[:3], contexts[3:]):
        assert sum(one.inside.astype(int) for one in kind).tolist() == [1] * len(split.test)
    active = contexts[2]
    assert (split.train.user_counts[split.test.users[active.inside]] >= 12).all()
    np.testing.assert_array_equal(active.users, np.flatnonzero(split.train.user_counts >= 12))
    rare = contexts[4]
    assert set(split.train.item_counts[split.test.items[rare.inside]]) <= set(range(1, 10))
    assert rare.users is None


def test_every_context_is_decided_by_errors_and_those_of_users_by_lists():
    split = per_user_holdout(planted_interactions(n_users=40, n_items=30, seed=4))
    test, rng = split.test, np.random.default_rng(1)
    table = test.frame()[["user", "item", "rating"]].reset_index(drop=True)
    near = test.ratings + rng.normal(0, 0.1, len(test))
    table = table.assign(near=near, off=near + 1.0)
    users = np.unique(test.users)
    rankings = {
        name: Ranking(10, 4.0, users, {"ndcg": np.full(len(users), value)}, 0, 0.1)
        for name, value in (("near", 0.2), ("off", 0.6))
    }
    contexts = counted_contexts(split, (0, 1, 12), (0, 100))
    decided, cells = decide_all(
        contexts, {split.name: (table, rankings)}, ["off", "near"], reference="off", min_users=5,
        level=0.05, n_resamples=200, seed=0,
    )  # fmt: skip
    known = decided[~decided["too_few"]].set_index(["context", "metric"])
    active = known.loc[("user with 12 or more ratings", "RMSE")]
    inside = contexts[2].inside
    assert active["winner"] == active["choice"] == "near" and active["n_equals"] == 1
    assert active["value"] == pytest.approx(np.sqrt(np.mean((near - test.ratings)[inside] ** 2)))
    assert active["n_ratings"] == inside.sum() and active["n_users"] == len(np.unique(test.users[inside]))
    assert known.loc[("user with 12 or more ratings", "nDCG@10"), "winner"] == "off"
    assert "nDCG@10" not in set(decided.loc[decided["context"].str.startswith("film"), "metric"])
    shown = cells.set_index(["context", "metric", "model"])["shown"]
    assert shown["user with 12 or more ratings", "RMSE", "off"] == 0
    assert shown["user with 12 or more ratings", "nDCG@10", "off"] == pytest.approx(0.6)
    few, _ = decide_all(contexts, {split.name: (table, rankings)}, ["off", "near"], reference="off", min_users=1000)
    assert few["too_few"].all() and "winner" not in few


def test_a_tally_counts_winners_and_choices():
    decided = pd.DataFrame(
        {
            "winner": ["a", "b", "a"], "choice": ["c", "b", "c"], "n_equals": [1, 3, 2], "lead": [0.1, 0.3, 0.2],
            "lead_low": [0.05, -0.1, 0.0],
        }
    )  # fmt: skip
    assert tally(decided, {"a": "Model A", "c": "Model C"}) == {
        "contexts": 3, "best": "Model A", "wins": 2, "winners": 2, "clear": 1, "lead": 0.2, "unsure": 2,
        "simplest": "Model C", "takes": 2,
    }  # fmt: skip
    assert tally(decided[:0], {})["best"] is None


def test_errors_within_keep_the_rows_inside_only():
    table = pd.DataFrame(
        {"user": [1, 1, 2], "item": [1, 2, 1], "rating": [3.0, 4, 5], "a": [3.0, 2, 2], "b": [4.0, 4, 4]}
    )
    found = errors_within(table, ["a", "b"], np.array([True, False, True]))
    assert found["a"].value == pytest.approx(np.sqrt((0 + 9) / 2))
    assert found["b"].value == pytest.approx(np.sqrt((1 + 1) / 2))
    assert errors_within(table, ["a"], np.zeros(3, dtype=bool)) == {}


def test_a_metric_of_some_users_alone():
    lists = Ranking(10, 4.0, np.array([0, 2, 5]), {"ndcg": np.array([0.1, 0.5, 0.9])}, 0, 0.1).per_user("ndcg@10")
    errors = PerUser("rmse", np.array([0, 2, 5]), np.array([9.0, 4, 2]), np.array([1.0, 3, 3]), root=True)
    found = of_users({"lists": lists, "errors": errors}, np.array([2, 5, 9]))
    assert found["lists"].value == pytest.approx(0.7) and found["lists"].metric == "ndcg@10"
    assert found["errors"].value == pytest.approx(1.0)
    assert of_users({"lists": lists}, np.array([1])) == {}


def test_errors_kept_by_user_decide_on_users_as_predictions_do():
    split = per_user_holdout(planted_interactions(n_users=40, n_items=30, seed=4))
    table = split.test.frame()[["user", "item", "rating"]].reset_index(drop=True)
    table = table.assign(near=table["rating"] + 0.5, off=table["rating"] + 1.0)
    by_user = errors_within(table, ["near", "off"], np.ones(len(table), dtype=bool))
    options = {"reference": "off", "min_users": 5, "n_resamples": 200}
    contexts, order = counted_contexts(split, (0, 1, 12), (0, 100)), ["off", "near"]
    whole, sums = (decide_all(contexts, {split.name: (of, {})}, order, **options)[0] for of in (table, by_user))
    of_users_only = whole[whole["context"].str.startswith("user")].reset_index(drop=True)
    pd.testing.assert_frame_equal(sums, of_users_only)


def test_the_figure_marks_the_winner_and_the_choice_of_each_context():
    cells = pd.DataFrame(
        [("few", "a", 0.1), ("few", "b", -0.2), ("many", "a", 0.0), ("many", "b", 0.3)],
        columns=["context", "model", "shown"],
    )
    decisions = pd.DataFrame(
        {"context": ["many", "few"], "winner": ["a", "b"], "choice": ["a", "a"]},
    )
    figure = segment_figure(cells, decisions, {"a": "Model A"}, "difference")
    axis = figure.axes[0]
    every, winners, choices = axis.lines
    assert len(every.get_xdata()) == 4
    np.testing.assert_allclose(winners.get_xdata(), [0.0, -0.2])
    np.testing.assert_allclose(choices.get_xdata(), [0.0, 0.1])
    assert [text.get_text() for text in axis.get_yticklabels()] == ["many", "few"]
    assert [text.get_text() for text in axis.child_axes[0].get_yticklabels()] == ["Model A", "b"]
    with pytest.raises(KeyError, match="few"):
        segment_figure(cells[cells["shown"] != -0.2], decisions, {}, "difference")


def test_models_far_to_the_right_are_named_but_for_winners_and_choices():
    shown = {name: place / 100 for place, name in enumerate("abcdefgh")} | {"far": 2.0, "chosen": 3.0}
    cells = pd.DataFrame({"model": shown.keys(), "shown": shown.values()})
    decisions = pd.DataFrame({"winner": ["a"], "choice": ["chosen"]})
    assert far_off(pd.concat([cells] * 3), decisions) == ["far"]
