"""Published errors and ours on one axis, a panel a protocol."""

import textwrap
from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lib.report.figures import PALETTE

PUBLISHED, OURS = PALETTE["vermilion"], PALETTE["blue"]
WIDTH, ROW, HEAD = 4.8, 0.18, 0.5  # inches: of the figure, of a row, and of what a panel has besides its rows


def drawn_rows(table: pd.DataFrame, best: pd.Series | None, label: str = "") -> pd.DataFrame:
    """Return the rows of one panel: ours at its best on top, then published figures, lowest first.

    `table` has rows of `lib.claims.anchors.anchor_table` of one protocol and one metric; `best` is a row of
    `lib.claims.anchor_measurements.measured`, if any, and `label` what a reader sees for its model. Returned are ``name``,
    ``published``, ``comparable``, ``ours``, ``low``, ``high``, ``alike``; a model of several sources is named with its source.
    """
    columns = ["name", "published", "comparable", "ours", "low", "high", "alike"]
    rows = table.sort_values("published", kind="stable")
    twice = rows["model"].duplicated(keep=False)
    names = np.where(twice, rows["model"] + " (" + rows["source"] + ")", rows["model"])
    rows = rows.assign(name=names)[columns]
    if best is None:
        return rows.reset_index(drop=True)
    name = textwrap.fill(f"lowest here: {label}", 36)
    top = pd.DataFrame([(name, np.nan, True, best["value"], best["low"], best["high"], True)], columns=columns)
    return pd.concat([top, rows], ignore_index=True)


def draw_anchors(panels: Mapping[str, pd.DataFrame], xlabel: str) -> Figure:
    """Draw panels of `drawn_rows`: published errors as crosses, ours as dots with intervals; hollow where not comparable."""
    panels = {title: rows for title, rows in panels.items() if len(rows)}
    if not panels:
        raise ValueError("no published figure to draw; was everything above the limit?")
    counts = [len(rows) for rows in panels.values()]
    size, heights = (WIDTH, ROW * sum(counts) + HEAD * len(panels) + 0.3), [count + 1 for count in counts]
    figure, axes = plt.subplots(len(panels), 1, figsize=size, squeeze=False, sharex=True, height_ratios=heights)
    for axis, (title, rows) in zip(axes[:, 0], panels.items(), strict=True):
        _draw(axis, title, rows)
    axes[-1, 0].set_xlabel(xlabel)
    cross: dict[str, Any] = {"linestyle": "", "marker": "X", "color": PUBLISHED}
    handles = [
        Line2D([], [], **cross, label="published"),
        Line2D([], [], **cross, markerfacecolor="white", label="published, not comparable"),
        Line2D([], [], marker="o", color=OURS, label="ours, with 95% interval"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _draw(axis, title: str, rows: pd.DataFrame) -> None:
    places, filled = np.arange(len(rows)), rows["comparable"].to_numpy(dtype=bool)
    for chosen, face in ((filled, PUBLISHED), (~filled, "white")):
        look = {"color": PUBLISHED, "markerfacecolor": face, "markersize": 6}
        axis.plot(rows["published"][chosen], places[chosen], "X", **look)
    axis.hlines(places, rows["low"], rows["high"], color=OURS, linewidth=2, alpha=0.5)
    alike = rows["alike"].to_numpy(dtype=bool)
    for chosen, face in ((alike, OURS), (~alike, "white")):
        axis.plot(rows["ours"][chosen], places[chosen], "o", color=OURS, markerfacecolor=face, markersize=4.5)
    lowest = rows["ours"].min()
    if np.isfinite(lowest):
        axis.axvline(lowest, color=OURS, linewidth=0.8, linestyle=":")
    axis.set_yticks(places, rows["name"])
    axis.tick_params(axis="y", labelsize=7)
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.grid(axis="y", visible=False)
    axis.set_title(title)
