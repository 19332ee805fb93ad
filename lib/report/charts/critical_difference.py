"""The figure of who can be told apart: models in order of a metric, with a bar beside each group of equals.

Demšar's diagram hangs the labels on leader lines; with thirty models those cross, and on a phone nothing of them is
left. Here each model has a row of its own and the bars stand upright beside the rows.
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from lib.report.figures import PALETTE, family_colours, family_legend, interval_plot
from lib.statistics.indistinguishable import Standing

WIDTH, LANE = 7.2, 0.13
"""Inches: of the figure, and between two bars side by side."""


def difference_figure(
    found: Standing, labels: Mapping[str, str], xlabel: str, *, families: Mapping[str, str] | None = None
) -> Figure:
    """Draw models best first, their value with its interval, and a bar beside each group of equals.

    Parameters
    ----------
    found : Standing
        Of at least one model.
    labels : mapping of str to str
        What a reader sees; a model without one is shown by its name.
    xlabel : str
        The metric, with its unit.
    families : mapping of str to str, optional
        Of every model, for the points' colours and a legend; the same mapping gives the same colours elsewhere.
    """
    table = found.table
    rows = {name: place for place, name in enumerate(table["model"])}
    spans = [(rows[group[0]], rows[group[-1]]) for group in found.groups]
    # A bar takes the first lane in which it touches no other; `ends` has each lane's last row so far.
    ends: list[int] = []
    lanes = []
    for first, last in spans:
        lanes.append(next((lane for lane, end in enumerate(ends) if end < first), len(ends)))
        ends[lanes[-1] : lanes[-1] + 1] = [last]
    margin = LANE * (len(ends) + 1)
    height = 0.2 * len(table) + 0.7 + (0.4 if families else 0)
    figure, (axis, bars) = plt.subplots(
        1, 2, figsize=(WIDTH, height), sharey=True, width_ratios=[WIDTH - margin, margin]
    )
    colours = family_colours(families or {})
    shades = [colours[families[name]] if families else PALETTE["blue"] for name in rows]
    names = [labels.get(name, name) for name in rows]
    interval_plot(axis, names, table["value"], table["low"], table["high"], colours=shades)
    axis.set(xlabel=xlabel)
    for lane, (first, last) in zip(lanes, spans, strict=True):
        ends_of_bar = [first - 0.25, last + 0.25]
        bars.plot([lane, lane], ends_of_bar, color=PALETTE["black"], linewidth=3, solid_capstyle="butt")
    bars.set_xlim(-0.8, max(len(ends), 1) - 0.2)
    bars.axis("off")
    if families:
        family_legend(figure, families, rows, "outside lower center")
    return figure
