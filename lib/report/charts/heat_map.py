"""A clustered heat map of models: trees, a strip of family colours, labelled rows and numbered columns."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from lib.report.charts.agreement_map import cluster, pairs_of
from lib.report.charts.apart_figure import note_figure
from lib.report.figures import SEQUENTIAL, family_colours, family_legend


def heat_map(
    similarity: pd.DataFrame,
    tree: np.ndarray,
    labels: Mapping[str, str],
    families: Mapping[str, str],
    title: str,
) -> tuple[Figure, list[str]]:
    """Draw a clustered heat map, its colours from the least to the greatest value off the diagonal.

    `similarity` is models x models, `tree` of `lib.report.charts.agreement_map.cluster`, of the same models; `title` is the quantity, with
    its unit. Returned are the figure and the models in the order of its rows.

    Raises
    ------
    ValueError
        The tree is of another number of models.
    """
    n = len(similarity)
    if len(tree) + 1 != n:
        raise ValueError(f"the tree is of {len(tree) + 1} models, the map of {n}; cluster the same ones")
    same = np.eye(n, dtype=bool)
    apart = similarity.to_numpy(dtype=np.float64)[~same]
    shades = family_colours(families)
    height = 0.165 * n + 2.2
    with plt.rc_context({"figure.constrained_layout.use": False}):
        grid = sns.clustermap(
            similarity,
            row_linkage=tree,
            col_linkage=tree,
            mask=same,
            vmin=apart.min(),
            vmax=apart.max(),
            cmap=SEQUENTIAL,
            row_colors=[shades[families[name]] for name in similarity.index],
            colors_ratio=0.025,
            dendrogram_ratio=(0.12, 0.8 / height),
            figsize=(7.2, height),
            rasterized=True,
            cbar_kws={"label": title, "orientation": "horizontal"},
        )
    names = [similarity.index[place] for place in grid.dendrogram_row.reordered_ind]
    axis, places, size = grid.ax_heatmap, np.arange(n) + 0.5, 7.5 if n <= 34 else 6.5
    numbered = [f"{place}  {labels.get(name, name)}" for place, name in enumerate(names, start=1)]
    axis.set_yticks(places, numbered, fontsize=size, rotation=0)
    axis.set_xticks(places, range(1, n + 1), fontsize=size - 1, rotation=0)
    for one in (axis, grid.ax_row_colors):
        one.tick_params(length=0)
        one.set(xlabel="", ylabel="")
        one.grid(visible=False)
    grid.ax_row_colors.set_xticks([])
    family_legend(grid.figure, families, names, "lower center")
    grid.figure.subplots_adjust(bottom=0.85 / height, right=0.62)
    grid.cax.set_position((0.66, 1 - 0.25 / height, 0.3, 0.12 / height))
    return grid.figure, names


def agreement_figure(
    similarity: pd.DataFrame,
    labels: Mapping[str, str],
    families: Mapping[str, str],
    title: str,
    most: float = 1.0,
) -> tuple[Figure, pd.DataFrame]:
    """Cluster models by a similarity and draw its `heat_map`; fewer than three models give a figure that says so.

    Returns
    -------
    (Figure, DataFrame)
        With the numbers behind it: a row a pair, in the order of the map, ``model_a``, ``model_b``, ``value``, ``label_a``,
        ``label_b``.
    """
    if len(similarity) < 3:
        return note_figure("Fewer than three models were measured.")
    figure, order = heat_map(similarity, cluster(similarity, most=most), labels, families, title)
    pairs = pairs_of(similarity.loc[order, order], "value")
    return figure, pairs.assign(label_a=pairs["model_a"].map(labels), label_b=pairs["model_b"].map(labels))
