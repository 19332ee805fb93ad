"""The figure of groups of users or films: each group's weight, and its mean rating with an interval."""

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
