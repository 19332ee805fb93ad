"""The figure of who can be told apart: models in order of a metric, with a bar beside each group of equals.

Demšar's diagram hangs the labels on leader lines; with thirty models those cross, and on a phone nothing of them is
left. Here each model has a row of its own and the bars stand upright beside the rows.
"""

import textwrap
from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from lib.report.figures import PALETTE, family_colours, family_legend, interval_plot
from lib.statistics.indistinguishable import Standing

WIDTH, LANE = 5.8, 0.13  # inches: of the figure, and between two bars side by side


def note_figure(text: str) -> tuple[Figure, pd.DataFrame]:
    """Return a small figure that holds a sentence, as a cell with a figure's label has to show one, and its data."""
    figure, axis = plt.subplots(figsize=(WIDTH, 0.7))
    axis.axis("off")
    axis.text(0.5, 0.5, textwrap.fill(text, 75), ha="center", va="center", parse_math=False)
    return figure, pd.DataFrame({"note": [text]})


def apart_figure(
    found: Standing | None,
    xlabel: str,
    labels: Mapping[str, str],
    families: Mapping[str, str],
    *,
    most: int,
    why_not: str,
    always: str = "",
) -> tuple[Figure, pd.DataFrame]:
    """Draw which models can be told apart by a metric: the best `most`, and `always` wherever it stands.

    Without a `found` the figure says `why_not`. `xlabel` is the metric, with its unit. Returned are the figure and the
    numbers behind it; their ``groups`` are the bars that a model stands beside, counted from 1.
    """
    if found is None:
        return note_figure(why_not)
    names, groups = found.table["model"].tolist(), list(enumerate(found.groups, start=1))
    bars = [", ".join(str(place) for place, group in groups if name in group) for name in names]
    numbers = found.table.assign(label=found.table["model"].map(labels), groups=bars)
    most = max(most, names.index(always) + 1 if always else 0)
    return difference_figure(found.first(most), labels, xlabel, families), numbers


def difference_figure(found: Standing, labels: Mapping[str, str], xlabel: str, families: Mapping[str, str]) -> Figure:
    """Draw models best first, their value with its interval, and a bar beside each group of equals."""
    table = found.table
    rows = {name: place for place, name in enumerate(table["model"])}
    spans = [(rows[group[0]], rows[group[-1]]) for group in found.groups]
    # A bar takes the first lane in which it touches no other; `ends` has each lane's last row so far.
    ends: list[int] = []
    lanes = []
    for first, last in spans:
        lanes.append(next((lane for lane, end in enumerate(ends) if end < first), len(ends)))
        ends[lanes[-1] : lanes[-1] + 1] = [last]
    margin, height = LANE * (len(ends) + 1), 0.2 * len(table) + 0.7 + 0.4  # rows, axis and legend
    widths = [WIDTH - margin, margin]
    figure, (axis, bars) = plt.subplots(1, 2, figsize=(WIDTH, height), sharey=True, width_ratios=widths)
    colours = family_colours(families)
    shades = [colours[families[name]] for name in rows]
    names = [labels.get(name, name) for name in rows]
    interval_plot(axis, names, table["value"], table["low"], table["high"], colours=shades)
    axis.set(xlabel=xlabel)
    for lane, (first, last) in zip(lanes, spans, strict=True):
        ends_of_bar = [first - 0.25, last + 0.25]
        bars.plot([lane, lane], ends_of_bar, color=PALETTE["black"], linewidth=3, solid_capstyle="butt")
    bars.set_xlim(-0.8, max(len(ends), 1) - 0.2)
    bars.axis("off")
    family_legend(figure, families, rows, "outside lower center")
    return figure
