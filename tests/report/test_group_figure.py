"""Groups of users and films: a row each, in order, with a gap between attributes."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from lib.report.charts.group_figures import group_figure
from lib.studies import exploration
from tests.conftest import planted_interactions


@pytest.mark.parametrize(("side", "units"), [("user", "users"), ("item", "films")])
def test_a_row_a_group_the_first_on_top_and_attributes_apart(side, units):
    data = planted_interactions(n_users=30, n_items=20, seed=3)
    groups = exploration.described_groups(data, side)
    figure = group_figure(groups, 3.5, units)
    left, right = figure.axes
    rows = left.get_yticks()
    assert [text.get_text() for text in left.get_yticklabels()] == groups["group"].tolist()
    assert left.get_ylim()[0] > rows[-1] > rows[0] > left.get_ylim()[1]
    gaps = np.diff(rows) > 1.5
    assert gaps.tolist() == (groups["attribute"] != groups["attribute"].shift()).tolist()[1:]
    widths = [bar.get_width() for bar in left.containers[1]]
    assert widths == pytest.approx((100 * groups["rating_share"]).tolist())
    assert right.lines[0].get_xdata().tolist() == groups["mean"].tolist()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [f"of {units}", "of ratings"]
    plt.close(figure)


def test_without_groups_it_says_so():
    data = planted_interactions(n_users=5, n_items=4, tables=False)
    figure = group_figure(exploration.described_groups(data), 3.5, "users")
    assert figure.axes[0].texts[0].get_text() == "This data set says nothing of its users."
    plt.close(figure)
