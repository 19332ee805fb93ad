"""Drawings of models side by side: what is drawn where, and the numbers behind it."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from lib.report import figures
from lib.report.charts.by_model import draw_epochs, draw_intervals, draw_lines, ticks_at
from lib.statistics.significance import Interval

LABELS = {"svd": "SVD", "bias": "Bias model"}
SHADES = {"svd": "#112233", "bias": "#445566"}


@pytest.fixture
def axis():
    figure, axis = plt.subplots()
    yield axis
    plt.close(figure)


def test_intervals_stand_in_the_order_given_in_the_models_colours():
    found = {n: Interval(v, v - 0.1, v + 0.2, 10) for n, v in (("svd", 0.8), ("bias", 0.9))}
    figure, data = draw_intervals(found, "rmse", LABELS, {"svd": "#112233"})
    (axis,) = figure.axes
    assert [text.get_text() for text in axis.get_yticklabels()] == ["SVD", "Bias model"]
    assert data.columns.tolist() == ["model", "rmse", "low", "high"]
    assert data["rmse"].tolist() == [0.8, 0.9] and data["high"].tolist() == pytest.approx([1.0, 1.1])
    points = [line.get_color() for line in axis.lines if line.get_marker() == "o"]
    assert points == ["#112233", figures.colour("bias")]
    plt.close(figure)


def test_lines_are_told_apart_by_a_column_and_may_have_their_own_styles(axis):
    frame = pd.DataFrame({"model": ["svd", "bias", "svd"], "k": [1, 1, 2], "rmse": [0.9, 1.0, 0.8]})
    draw_lines(axis, frame, "k", "rmse", "model", SHADES, LABELS)
    draw_lines(axis, frame, "k", "rmse", "model", SHADES, LABELS, {"svd": "--", "bias": ":"})
    assert [line.get_label() for line in axis.lines] == ["SVD", "Bias model"] * 2
    assert [line.get_linestyle() for line in axis.lines] == ["-", "-", "--", ":"]
    assert axis.lines[0].get_xydata().tolist() == [[1, 0.9], [2, 0.8]]
    assert axis.lines[0].get_color() == "#112233" and axis.lines[0].get_marker() == "o"


def test_ticks_stand_at_the_places_only(axis):
    ticks_at(axis, [10, 1000])
    assert axis.get_xscale() == "log"
    assert [text.get_text() for text in axis.get_xticklabels()] == ["10", "1,000"]
    assert axis.get_xticks(minor=True).size == 0


def test_a_ring_marks_the_epoch_that_is_kept(axis):
    curves = {"svd": np.array([1.0, np.nan, 0.8, 0.9]), "bias": []}
    data = draw_epochs(axis, curves, LABELS, SHADES, dashed=["svd"])
    line, ring = axis.lines
    assert line.get_linestyle() == "--"
    assert ring.get_xydata().tolist() == [[3, 0.8]] and ring.get_markerfacecolor() == "none"
    assert data["model"].tolist() == ["svd"] * 4 and data["epoch"].tolist() == [1, 2, 3, 4]
    empty = draw_epochs(axis, {"bias": []}, LABELS, SHADES)
    assert empty.empty and list(empty) == list(data)
