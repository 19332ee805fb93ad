"""Figures of one model beside all others: paired differences with their intervals, and agreement."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lib.figures import PALETTE, interval_plot
from lib.own_model_comparison import BETTER, SAME, WORSE

SHADES = {BETTER: PALETTE["blue"], SAME: PALETTE["grey"], WORSE: PALETTE["vermilion"]}
ROW = 0.185
"""Inches a model."""


def differences_figure(tests: pd.DataFrame, own: str, labels: Mapping[str, str], xlabel: str) -> Figure:
    """Draw how far one model is from each other one, with intervals; colours tell what the tests find.

    Parameters
    ----------
    tests : DataFrame
        Of `lib.own_model_comparison.against_each`.
    own : str
        What a reader calls the model.
    labels : mapping of str to str
        Of the other models.
    xlabel : str
        The difference, with its unit and sign.
    """
    figure, axis = plt.subplots(figsize=(7.2, ROW * len(tests) + 1.1))
    interval_plot(
        axis, [labels.get(name, name) for name in tests["model"]], tests["difference"], tests["low"], tests["high"],
        colours=[SHADES[verdict] for verdict in tests["verdict"]],
    )  # fmt: skip
    axis.tick_params(axis="y", labelsize=7)
    axis.axvline(0, color=PALETTE["black"], linewidth=0.8)
    axis.set(xlabel=xlabel)
    # A model far off would press all others together.
    low, high = np.quantile(tests["difference"], [0.25, 0.75])
    inside = tests["difference"].between(low - 4 * (high - low), high + 4 * (high - low))
    if not inside.all():
        left, right = tests.loc[inside, "low"].min(), tests.loc[inside, "high"].max()
        room = 0.05 * (max(right, 0) - min(left, 0))
        axis.set_xlim(min(left, 0) - room, max(right, 0) + room)
    present = [verdict for verdict in SHADES if verdict in set(tests["verdict"])]
    handles = [
        Line2D([], [], marker="o", linestyle="", color=SHADES[verdict], label=f"{own}: {verdict}")
        for verdict in present
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=7)
    return figure


def agreement_figure(agreement: pd.DataFrame, labels: Mapping[str, str], k: int) -> Figure:
    """Draw correlations of predictions and of errors, and shared films, a row another model.

    Parameters
    ----------
    agreement : DataFrame
        Of `lib.own_model_comparison.agreement_with`; a panel whose columns are all NaN is left out.
    labels : mapping of str to str
        Of the other models.
    k : int
        Length of the lists.
    """
    panels = {
        "correlation": {"predictions": ("predictions", PALETTE["blue"]), "errors": ("errors", PALETTE["amber"])},
        f"shared films of {k}": {
            "shared": ("same user", PALETTE["green"]), "strangers": ("different users", PALETTE["grey"]),
        },
    }  # fmt: skip
    panels = {title: of for title, of in panels.items() if agreement[list(of)].notna().any(axis=None)}
    size = (7.2, ROW * len(agreement) + 1.1)
    figure, axes = plt.subplots(1, max(len(panels), 1), figsize=size, sharey=True, squeeze=False)
    for axis, (title, of) in zip(axes[0], panels.items(), strict=False):
        for column, (text, shade) in of.items():
            axis.plot(agreement[column], range(len(agreement)), "o", color=shade, label=text)
        axis.set(xlabel=title)
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, 1.0), fontsize=7, ncols=2).set_in_layout(True)
    axes[0][0].set_yticks(
        range(len(agreement)), [labels.get(name, name) for name in agreement["model"]], fontsize=7
    )
    axes[0][0].set_ylim(len(agreement) - 0.4, -2.2)  # room for the legends
    return figure
