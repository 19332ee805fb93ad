"""Who can be told apart: hand-made tables of differing pairs, and the tests against `compare_models`."""

import numpy as np
import pandas as pd
import pytest

from lib.metrics import PerUser
from lib.report.charts.apart_figure import difference_figure
from lib.statistics.indistinguishable import Standing, maximal_groups, standing
from lib.statistics.significance import compare_models


def table(names, *pairs):
    """Symmetric table in which the given pairs differ."""
    differs = np.zeros((len(names), len(names)), dtype=bool)
    for a, b in pairs:
        i, j = names.index(a), names.index(b)
        differs[i, j] = differs[j, i] = True
    return differs


def test_two_pairs_alike_and_one_not_give_two_overlapping_groups():
    names = ["a", "b", "c"]
    assert maximal_groups(names, table(names, "ac")) == [["a", "b"], ["b", "c"]]


@pytest.mark.parametrize(
    "apart, groups",
    [
        ([], [["a", "b", "c", "d"]]),
        (["ab", "ac", "ad", "bc", "bd", "cd"], []),
        (["ad"], [["a", "b", "c"], ["b", "c", "d"]]),
        (["ac", "ad", "bd"], [["a", "b"], ["b", "c"], ["c", "d"]]),
        (["ab", "ac", "ad"], [["b", "c", "d"]]),
        # Not monotone: b and c differ, a and d do not; a bar from a to d would claim that b and c are alike.
        (["bc"], [["a", "b"], ["c", "d"]]),
    ],
)
def test_groups_are_the_maximal_runs_without_a_differing_pair(apart, groups):
    names = list("abcd")
    assert maximal_groups(names, table(names, *apart)) == groups


def test_groups_agree_with_every_run_tried_one_by_one():
    rng = np.random.default_rng(3)
    names = [f"m{i}" for i in range(9)]
    for _ in range(200):
        differs = np.triu(rng.random((9, 9)) < rng.uniform(0.02, 0.5), 1)
        differs |= differs.T
        runs = [(i, j) for i in range(9) for j in range(i + 1, 9) if not differs[i : j + 1, i : j + 1].any()]
        most = [(i, j) for i, j in runs if not any((a, b) != (i, j) and a <= i and j <= b for a, b in runs)]
        assert maximal_groups(names, differs) == [names[i : j + 1] for i, j in most]


@pytest.fixture(scope="module")
def models():
    """Four models of 200 users: two alike, one a little worse, one much worse."""
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 30, 200)
    squared = counts * rng.gamma(4, 0.2, 200)
    noise = {name: rng.normal(1, 0.1, 200) for name in ("same", "worse", "bad")}
    of = {
        "bad": squared * noise["bad"] * 1.5,
        "best": squared,
        "same": squared * noise["same"],
        "worse": squared * noise["worse"] * 1.05,
    }
    return {name: PerUser("rmse", np.arange(200), sums, counts, root=True) for name, sums in of.items()}


def test_order_p_values_and_correction_are_those_of_compare_models(models):
    found = standing(models, lower_is_better=True, n_flips=500, n_resamples=50)
    values = {name: sample.value for name, sample in models.items()}
    assert list(found.table["model"]) == sorted(values, key=values.get)
    whole = compare_models({name: models[name] for name in found.table["model"]}, n_resamples=500, correction="holm")
    for column in ("model_a", "model_b"):
        assert list(found.pairs[column]) == list(whole[column])
    for column in ("difference", "p_value", "p_adjusted"):
        np.testing.assert_allclose(found.pairs[column], whole[column], atol=1e-12)
    assert found.groups == [["best", "same"]] or found.groups == [["same", "best"]]
    assert found.n_apart == 5
    assert found.best_equals == found.groups[0][1:]
    assert found.n_unmarked == 0


def test_a_gain_is_ordered_the_other_way(models):
    found = standing(models, lower_is_better=False, n_flips=500, n_resamples=50)
    assert found.table["model"].iloc[0] == "bad"
    assert (found.pairs["difference"] >= 0).all()


def test_too_few_flips_for_any_pair_to_differ_is_an_error(models):
    # Six pairs and 100 flips: the least corrected p-value is 6 / 101 > 0.05.
    with pytest.raises(ValueError, match="at least 120"):
        standing(models, lower_is_better=True, n_flips=100)
    standing(models, lower_is_better=True, n_flips=120, n_resamples=10)


def test_the_first_keep_the_tests_of_all_and_no_group_within_another(models):
    found = standing(models, lower_is_better=True, n_flips=500, n_resamples=20)
    cut = found.first(3)
    assert list(cut.table["model"]) == list(found.table["model"][:3])
    assert len(cut.pairs) == 3
    best = found.first(1)
    assert best.groups == []
    assert len(best.pairs) == 0


def test_bars_that_share_a_row_stand_in_lanes_of_their_own():
    names = [str(row) for row in range(10)]
    table = pd.DataFrame({"model": names, "value": range(10), "low": np.nan, "high": np.nan})
    spans = [(0, 3), (2, 5), (4, 6), (6, 8), (7, 9)]
    groups = [names[first : last + 1] for first, last in spans]
    figure = difference_figure(Standing(table, pd.DataFrame(), groups, 0.05), {}, "RMSE", dict.fromkeys(names, "f"))
    assert [line.get_xdata()[0] for line in figure.axes[1].lines] == [0, 1, 0, 1, 0]


def test_the_figure_has_a_row_a_model_and_a_bar_a_group(models):
    found = standing(models, lower_is_better=True, n_flips=500, n_resamples=20)
    figure = difference_figure(found, {"best": "The best"}, "RMSE", dict.fromkeys(found.table["model"], "f"))
    rows, bars = figure.axes
    assert [text.get_text() for text in rows.get_yticklabels()] == [
        "The best" if name == "best" else name for name in found.table["model"]
    ]
    assert len(bars.lines) == len(found.groups) == 1
    np.testing.assert_allclose(bars.lines[0].get_ydata(), [-0.25, 1.25])
