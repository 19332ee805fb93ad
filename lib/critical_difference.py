"""The figure of who can be told apart: models in order of a metric, with a bar beside each group of equals.

Demšar's diagram hangs the labels on leader lines; with thirty models those cross, and on a phone nothing of them is
left. Here each model has a row of its own and the bars stand upright beside the rows.
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from lib.figures import PALETTE, interval_plot
from lib.heat_map import family_colours
from lib.indistinguishable import Standing

LANE = 0.13
"""Inches between two bars side by side."""


def lanes_of(spans: list[tuple[int, int]]) -> list[int]:
    """Give each span of rows the first lane in which it touches no other.

    Parameters
    ----------
    spans : list of (first, last)
        Rows, both ends included, in the order of their first row.

    Returns
    -------
    list of int
        A lane a span, from 0.
    """
    ends: list[int] = []
    lanes = []
    for first, last in spans:
        lane = next((place for place, end in enumerate(ends) if end < first), len(ends))
        if lane == len(ends):
            ends.append(last)
        else:
            ends[lane] = last
        lanes.append(lane)
    return lanes


def difference_figure(
    found: Standing,
    labels: Mapping[str, str],
    xlabel: str,
    *,
    families: Mapping[str, str] | None = None,
    width: float = 7.2,
) -> Figure:
    """Draw models best first, their value with its interval, and a bar beside each group of equals.

    Parameters
    ----------
    found : Standing
    labels : mapping of str to str
        What a reader sees; a model without one is shown by its name.
    xlabel : str
        The metric, with its unit.
    families : mapping of str to str, optional
        Of every model, for the points' colours and a legend; the same mapping gives the same colours elsewhere.
    width : float
        Inches.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        There is no model.
    """
    table = found.table
    if table.empty:
        raise ValueError("there is no model to draw; choose at least one")
    rows = {name: place for place, name in enumerate(table["model"])}
    spans = [(rows[group[0]], rows[group[-1]]) for group in found.groups]
    lanes = lanes_of(spans)
    n_lanes = max(lanes, default=-1) + 1
    margin = LANE * (n_lanes + 1)
    present = list(dict.fromkeys(families[name] for name in families if name in rows)) if families else []
    height = 0.2 * len(table) + 0.7 + 0.17 * -(-len(present) // 3)
    figure, (axis, bars) = plt.subplots(
        1, 2, figsize=(width, height), sharey=True, width_ratios=[width - margin, margin]
    )
    colours = family_colours(families) if families else {}
    shades = [colours[families[name]] if families else PALETTE["blue"] for name in table["model"]]
    interval_plot(
        axis,
        [labels.get(name, name) for name in table["model"]],
        table["value"],
        table["low"],
        table["high"],
        colours=shades,
    )
    axis.set(xlabel=xlabel)
    for lane, (first, last) in zip(lanes, spans, strict=True):
        bars.plot(
            [lane, lane],
            [first - 0.25, last + 0.25],
            color=PALETTE["black"],
            linewidth=3,
            solid_capstyle="butt",
        )
    bars.set_xlim(-0.8, max(n_lanes, 1) - 0.2)
    bars.axis("off")
    if present:
        figure.legend(
            handles=[Patch(color=colours[name], label=name) for name in present],
            loc="outside lower center",
            ncols=3,
            handlelength=1.0,
        )
    return figure
