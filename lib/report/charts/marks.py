"""Marks that figures of several studies share: rings around choices, errors of train, validation and test, sweeps."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from lib.report.figures import PALETTE

PARTS = {"train": PALETTE["grey"], "validation": PALETTE["blue"], "test": PALETTE["vermilion"]}
"""Colours of the ratings that an error is measured on."""


def ring(axis: Axes, x: float, y: float, *, colour: str = PALETTE["black"], size: float = 12) -> None:
    """Pick a point out by a ring around it."""
    axis.plot(x, y, "o", markersize=size, markerfacecolor="none", color=colour)


def error_curves(axis: Axes, frame: pd.DataFrame, setting: str, best: Mapping, parts: Iterable[str] = PARTS) -> None:
    """Draw the RMSE on each part, columns such as ``train_rmse``, over a setting; `best` has the row to ring by part."""
    for part in parts:
        axis.plot(frame[setting], frame[f"{part}_rmse"], "o-", color=PARTS[part], label=part, markersize=3.5)
    for part, row in best.items():
        ring(axis, row[setting], row[f"{part}_rmse"], colour=PARTS[part])


def draw_sweep(axis: Axes, table: pd.DataFrame, by: str, column: str, *, colour: str, label=None, marker="o") -> None:
    """Draw a column's mean and range at each value of another, evenly spaced so that zero stands beside any scale."""
    points = table.groupby(by)[column].agg(["mean", "min", "max"])
    places, reach = np.arange(len(points)), [points["mean"] - points["min"], points["max"] - points["mean"]]
    axis.errorbar(places, points["mean"], yerr=reach, fmt=f"{marker}-", color=colour, label=label, capsize=2)
    axis.set_xticks(places, [f"{value:g}" for value in points.index])
