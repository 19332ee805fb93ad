"""Figures with a row a group: of users or films, its weight and mean rating; a context, which model wins there."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.report.charts.apart_figure import note_figure
from lib.report.figures import PALETTE


def group_figure(groups: pd.DataFrame, mean: float, units: str) -> Figure:
    """Draw a row a group, the first on top, with a gap between attributes; where there is none, a line that says so.

    `groups` are of `lib.studies.exploration.described_groups`, of ``"users"`` or ``"films"``; the `mean` of all ratings
    is dashed.
    """
    if groups.empty:
        return note_figure(f"This data set says nothing of its {units}.")[0]
    blocks = (groups["attribute"] != groups["attribute"].shift()).cumsum() - 1
    rows = np.arange(len(groups)) + 0.8 * blocks.to_numpy()
    figure, (left, right) = plt.subplots(1, 2, figsize=(5.4, 0.22 * len(groups) + 1.0), sharey=True)
    for shift, share, shade, label in (
        (-0.2, f"{units[:-1]}_share", "amber", f"of {units}"),
        (0.2, "rating_share", "blue", "of ratings"),
    ):
        left.barh(rows + shift, 100 * groups[share], 0.38, color=PALETTE[shade], label=label)
    right.hlines(rows, groups["low"], groups["high"], color=PALETTE["blue"], linewidth=2, alpha=0.55)
    right.plot(groups["mean"], rows, "o", color=PALETTE["blue"])
    right.axvline(mean, color=PALETTE["black"], linestyle="--", linewidth=1)
    left.set_yticks(rows, groups["group"])
    left.set(xlabel="%", ylim=(rows[-1] + 0.7, -0.7))
    right.set(xlabel="mean rating")
    for axis in (left, right):
        axis.grid(axis="y", visible=False)
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return figure


def segment_figure(cells: pd.DataFrame, decisions: pd.DataFrame, labels: Mapping[str, str], xlabel: str) -> Figure:
    """Draw every model's value in every context, with the winner's name beside the row.

    `cells` have ``context``, ``model`` and ``shown``, the value drawn, such as a difference from a reference model; `xlabel` says
    what it is, with its unit. `decisions` have ``context``, ``winner``, ``choice``: a row a context, in the order drawn from the
    top; without one a line says so. A model without a label is shown by its name.
    """
    if decisions.empty:
        return note_figure("No context has enough users with results to decide on.")[0]
    places = {context: place for place, context in enumerate(decisions["context"])}
    values = cells.set_index(["context", "model"])["shown"]
    figure, axis = plt.subplots(figsize=(5.6, 0.23 * len(places) + 0.9))
    inside = cells[cells["context"].isin(list(places))]
    rows = inside["context"].map(places)
    axis.plot(inside["shown"], rows, "|", color="#9A9A9A", markersize=7, markeredgewidth=1, label="every model")
    winner: dict[str, Any] = {"color": PALETTE["blue"], "markersize": 6, "label": "best (named at the right)"}
    ring: dict[str, Any] = {"markerfacecolor": "none", "color": PALETTE["vermilion"], "markersize": 10}
    ring |= {"markeredgewidth": 1.6, "label": "simplest not told apart from it"}
    for column, style in (("winner", winner), ("choice", ring)):
        found = values.loc[pd.MultiIndex.from_frame(decisions[["context", column]])]
        axis.plot(found.to_numpy(), range(len(places)), "o", **style)
    axis.set_yticks(range(len(places)), list(places))
    axis.set_ylim(len(places) - 0.4, -0.6)
    axis.grid(axis="y", visible=False)
    axis.set(xlabel=xlabel)
    axis.locator_params(axis="x", nbins=5)
    names = axis.secondary_yaxis("right")
    names.set_yticks(range(len(places)), [labels.get(name, name) for name in decisions["winner"]])
    names.tick_params(length=0)
    names.spines["right"].set_visible(False)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def far_off(cells: pd.DataFrame, decisions: pd.DataFrame) -> list[str]:
    """Name the models far to the right in most contexts, nowhere best or chosen: they would press the others together."""
    middle = cells.groupby("model")["shown"].median()
    third = middle.quantile(0.75)
    far = middle[middle > third + 1.5 * (third - middle.quantile(0.25))]
    return [name for name in far.index if name not in {*decisions["winner"], *decisions["choice"]}]
