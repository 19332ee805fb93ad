"""Figures that are drawn where there is something to draw, and else say in one line why not."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from lib.report.charts.critical_difference import difference_figure
from lib.statistics.indistinguishable import Standing


def note_figure(text: str) -> tuple[Figure, pd.DataFrame]:
    """Return a small figure that holds a sentence, as a cell with a figure's label has to show one, and its data."""
    figure, axis = plt.subplots(figsize=(7.2, 0.7))
    axis.axis("off")
    axis.text(0.5, 0.5, textwrap.fill(text, 90), ha="center", va="center", parse_math=False)
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

    Parameters
    ----------
    found : Standing or None
        Without one the figure says `why_not`.
    xlabel : str
        The metric, with its unit.
    labels, families : mapping of str to str
        Of every model.
    most : int
    why_not, always : str

    Returns
    -------
    (Figure, DataFrame)
        With the numbers behind it; their ``groups`` are the bars that a model stands beside, counted from 1.
    """
    if found is None:
        return note_figure(why_not)
    names = found.table["model"].tolist()
    bars = {
        name: ", ".join(str(place) for place, group in enumerate(found.groups, start=1) if name in group)
        for name in names
    }
    numbers = found.table.assign(
        label=found.table["model"].map(labels), groups=found.table["model"].map(bars)
    )
    most = max(most, names.index(always) + 1 if always else 0)
    return difference_figure(found.first(most), labels, xlabel, families=families), numbers
