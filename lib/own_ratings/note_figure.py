"""Figures that are drawn where there is something to draw, and else say in one line why not."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from lib.critical_difference import difference_figure
from lib.indistinguishable import Standing


def note_figure(text: str) -> Figure:
    """Return a small figure that holds a sentence, as a cell with a figure's label has to show one."""
    figure, axis = plt.subplots(figsize=(7.2, 0.7))
    axis.axis("off")
    axis.text(0.5, 0.5, textwrap.fill(text, 90), ha="center", va="center", parse_math=False)
    return figure


def apart_figure(
    standings: Mapping[str, Standing], metric: str, xlabel: str, labels: Mapping[str, str], families: Mapping[str, str],
    *, most: int, why_not: str,
) -> tuple[Figure, pd.DataFrame]:  # fmt: skip
    """Draw which models can be told apart by a metric.

    Parameters
    ----------
    standings : mapping of str to Standing
        By metric.
    metric, xlabel : str
    labels, families : mapping of str to str
        Of every model.
    most : int
        Only the best so many are drawn.
    why_not : str
        What the figure says where the metric is not among the standings.

    Returns
    -------
    (Figure, DataFrame)
        With the numbers behind it; their ``groups`` are the bars that a model stands beside, counted from 1.
    """
    if metric not in standings:
        return note_figure(f"{metric}: {why_not}"), pd.DataFrame({"note": [why_not]})
    one = standings[metric]
    bars = {
        model: ", ".join(str(place) for place, group in enumerate(one.groups, start=1) if model in group)
        for model in one.table["model"]
    }
    numbers = one.table.assign(label=one.table["model"].map(labels), groups=one.table["model"].map(bars))
    return difference_figure(one.first(most), labels, xlabel, families=families), numbers
