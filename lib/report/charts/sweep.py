"""A quantity along a parameter: its mean over random starts at each value, and their range as a bar."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes


def draw_sweep(
    axis: Axes,
    table: pd.DataFrame,
    by: str,
    column: str,
    *,
    colour: str,
    label: str | None = None,
    marker="o",
) -> None:
    """Draw a column's mean and range at each value of another, evenly spaced so that zero stands beside any scale."""
    points = table.groupby(by)[column].agg(["mean", "min", "max"])
    places, reach = np.arange(len(points)), [points["mean"] - points["min"], points["max"] - points["mean"]]
    axis.errorbar(places, points["mean"], yerr=reach, fmt=f"{marker}-", color=colour, label=label, capsize=2)
    axis.set_xticks(places, [f"{value:g}" for value in points.index])
