"""What figures tell about places in them, and labels beside points."""

import re
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from lib import ROOT
from lib.report import figures
from lib.report.charts.by_model import draw_sweep


@pytest.fixture(autouse=True)
def style():
    figures.use_style()


def test_no_two_models_of_a_figure_have_one_colour():
    models = ["ease", "neural_mf", "svd", "svd_tuned", "implicit_als", "item_knn", "bpr", "most_popular"]
    found = figures.colours(models)
    assert list(found) == models and len(set(found.values())) == len(models)
    assert found["svd"] == figures.colour("svd") and found["most_popular"] == figures.colour("most_popular")
    assert set(figures.colours([*models, "softmax"]).values()) == set(found.values())


def test_hover_points_are_shares_from_the_upper_left():
    figure = plt.figure(figsize=(4, 2), layout="none")
    axis = figure.add_axes((0.25, 0.5, 0.5, 0.5))
    axis.set(xlim=(0, 10), ylim=(0, 100))
    found = figures.hover_points(figure, axis, [0, 10, 5], [0, 100, 50], ["corner", "other", "<middle>"])
    assert found == [[0.25, 0.5, "corner"], [0.75, 0.0, "other"], [0.5, 0.25, "<middle>"]]
    plt.close(figure)


def test_hover_points_are_where_the_saved_figure_has_them():
    """A dot's place in the SVG, whose layout is settled again while it is drawn, at another resolution."""
    figure, axis = plt.subplots()
    axis.set(xlabel="a long label\non two lines", title="a title")
    (dot,) = axis.plot([3], [7], "o", markersize=1)
    axis.set(xlim=(0, 10), ylim=(0, 10))
    dot.set_gid("the-dot")
    [[x, y, _]] = figures.hover_points(figure, axis, [3], [7], ["dot"])
    width, height = figure.get_size_inches() * 72
    text = figures.svg_text(figure)
    place = text[text.index('id="the-dot"') :]
    use = place[place.index("<use") :].partition("/>")[0]
    at = {name: float(use.split(f'{name}="')[1].partition('"')[0]) for name in ("x", "y")}
    assert (x * width, y * height) == pytest.approx((at["x"], at["y"]), abs=0.5), "within half a point"


def test_labels_stand_in_a_column_in_the_order_of_their_points_and_none_over_another():
    figure, axis = plt.subplots()
    axis.set(xlim=(0, 1), ylim=(0, 1))
    y = [0.9, 0.5, 0.5, 0.5, 1.0, 1.0]
    figures.label_column(axis, [0.5] * 6, y, list("abcdef"), colours=["red"] * 6)
    places = {text.get_text(): text.xyann[1] for text in axis.texts}
    assert sorted(places, key=places.get) == list("bcdaef") and max(places.values()) <= 1
    heights = sorted(places.values())
    assert min(b - a for a, b in pairwise(heights)) > 0.02
    assert places["c"] == pytest.approx(0.5)
    plt.close(figure)


@pytest.mark.parametrize(("gap", "named"), [(8, ["first"]), (20, ["first", "next"])])
def test_a_name_is_left_out_where_it_would_read_as_one_with_another(gap, named):
    figure, axis = plt.subplots(layout="none", dpi=100)
    axis.set(xlim=(0, 1), ylim=(0, 1))
    figures.label_points(axis, [(0.2, 0.5)], ["first"])
    end = axis.texts[0].get_window_extent().x1
    axis.texts[0].remove()
    beside = axis.transData.inverted().transform((end + gap - 3 * 100 / 72, 0))[0]  # a name is 3 pt from its dot
    figures.label_points(axis, [(0.2, 0.5), (beside, 0.5)], ["first", "next"])
    assert [text.get_text() for text in axis.texts] == named
    plt.close(figure)


def test_a_sweep_shows_means_and_ranges_evenly_spaced():
    table = pd.DataFrame({"weight": [1, 0, 1, 0.01], "rmse": [3.0, 5.0, 1.0, 4.0]})
    figure, axis = plt.subplots()
    draw_sweep(axis, table, "weight", "rmse", colour="#222222", label="error")
    line, _, (bars,) = axis.containers[0]
    np.testing.assert_array_equal(line.get_xydata(), [[0, 5], [1, 4], [2, 2]])
    assert [segment[:, 1].tolist() for segment in bars.get_segments()] == [[5, 5], [4, 4], [1, 3]]
    assert [text.get_text() for text in axis.get_xticklabels()] == ["0", "0.01", "1"]
    plt.close(figure)


def test_letters_of_the_published_figures_are_readable_on_a_phone():
    """A phone 390 pixels wide shows a figure 370 wide; the smallest letters are to be 7 pixels high there."""
    small = {}
    for path in (ROOT / "reports" / "figures").glob("*.svg"):
        text = path.read_text()
        width = float(re.search(r'viewBox="0 0 ([\d.]+)', text)[1])
        sizes = re.findall(r"scale\((0\.\d+) -0\.\d+\)", text)  # of the outlines of letters, in hundredths of a point
        assert sizes, f"{path.name} has no letters"
        least = min(map(float, sizes)) * 100 * 370 / width
        if least < 7:
            small[path.name] = round(least, 1)
    assert small == {}, "drawn too wide for their letters"
