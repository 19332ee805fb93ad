"""Marks that figures share."""

import matplotlib.pyplot as plt
import pandas as pd

from lib.report.charts.by_model import PARTS, error_curves


def test_errors_are_a_line_a_part_with_a_ring_at_each_choice():
    frame = pd.DataFrame({"rank": [1, 2, 3], "train_rmse": [3.0, 2.0, 1.0], "test_rmse": [1.2, 1.0, 1.1]})
    figure, axis = plt.subplots()
    error_curves(axis, frame, "rank", {"test": frame.loc[1]}, parts=("train", "test"))
    *curves, ring = axis.get_lines()
    assert [line.get_label() for line in curves] == ["train", "test"]
    assert [line.get_color() for line in curves] == [PARTS["train"], PARTS["test"]]
    assert curves[1].get_ydata().tolist() == frame["test_rmse"].tolist()
    assert (ring.get_xdata(), ring.get_ydata()) == (2, 1.0)
    assert ring.get_markerfacecolor() == "none"
    plt.close(figure)
