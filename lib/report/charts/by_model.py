"""What several pages draw of models side by side: intervals, lines over a hyperparameter, errors by epoch, rings, sweeps."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lib.report import figures
from lib.report.figures import PALETTE
from lib.statistics.significance import Interval

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


def draw_intervals(
    found: Mapping[str, Interval], quantity: str, labels: Mapping[str, str], colours: Mapping[str, str] | None = None
) -> tuple[Figure, pd.DataFrame]:
    """Draw a row a model, the first on top, and return the numbers: ``model`` (its label), the `quantity`, ``low``, ``high``."""
    rows = [(labels[name], one.value, one.low, one.high) for name, one in found.items()]
    data = pd.DataFrame(rows, columns=["model", quantity, "low", "high"])
    shades = [(colours or {}).get(name) or figures.colour(name) for name in found]
    figure, axis = plt.subplots(figsize=(4.8, 0.28 * len(data) + 0.8))
    figures.interval_plot(axis, data["model"], data[quantity], data["low"], data["high"], colours=shades)
    return figure, data


def draw_lines(
    axis: Axes,
    frame: pd.DataFrame,
    x: str,
    y: str,
    by: str,
    colours: Mapping,
    labels: Mapping,
    styles: Mapping | None = None,
) -> None:
    """Draw a line for each value of the column `by`, in the order in which they come: with points, or in its own style."""
    for value, mine in frame.groupby(by, sort=False):
        style = styles[value] if styles else "o-"
        axis.plot(mine[x], mine[y], style, color=colours[value], label=labels[value])


def ticks_at(axis: Axes, places: Sequence[float]) -> None:
    """Put the x axis on a logarithmic scale with ticks at these places only."""
    axis.set_xscale("log")
    axis.set_xticks(places, [f"{place:,}" for place in places])
    axis.minorticks_off()


def draw_epochs(
    axis: Axes,
    curves: Mapping[str, Sequence[float]],
    labels: Mapping[str, str],
    colours: Mapping[str, str],
    dashed: Collection[str] = (),
) -> pd.DataFrame:
    """Draw each model's validation error by epoch, with a ring at its lowest; models without epochs are left out.

    Returned are the numbers: ``model``, ``epoch`` (from 1) and ``validation_rmse``.
    """
    rows: list[tuple] = []
    for name, curve in curves.items():
        if len(curve) == 0:
            continue
        values, epochs = np.asarray(curve, dtype=float), np.arange(1, len(curve) + 1)
        dash = "--" if name in dashed else "-"
        axis.plot(epochs, values, dash, color=colours[name], label=labels[name])
        best = int(np.nanargmin(values))
        ring(axis, best + 1, values[best], colour=colours[name], size=8.5)
        rows += [(name, epoch, value) for epoch, value in zip(epochs, values, strict=True)]
    axis.set(xlabel="epoch", ylabel="validation RMSE")
    return pd.DataFrame(rows, columns=["model", "epoch", "validation_rmse"])
