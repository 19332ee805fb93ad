"""A clustered heat map of models: trees, a strip of family colours, labelled rows and numbered columns."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from scipy.cluster import hierarchy

from lib.report.charts.agreement_map import pairs_of
from lib.report.charts.apart_figure import note_figure
from lib.report.figures import SEQUENTIAL, family_colours, family_legend


def agreement_figure(
    similarity: pd.DataFrame, labels: Mapping[str, str], families: Mapping[str, str], title: str, most: float = 1.0
) -> tuple[Figure, pd.DataFrame]:
    """Draw models clustered by a similarity; fewer than three give a figure that says so.

    Models are joined by average linkage of the distance ``1 - similarity / most``; colours leave the diagonal out.
    `similarity` is models x models, symmetric, without NaN: correlations, or shared films with their greatest possible
    number as `most`; `title` is the quantity, with its unit. Returned are the figure and the numbers behind it: a row a
    pair, in the order of the map, ``model_a``, ``model_b``, ``value``, ``label_a``, ``label_b``.
    """
    n = len(similarity)
    if n < 3:
        return note_figure("Fewer than three models were measured.")
    apart = similarity.to_numpy(dtype=np.float64)[np.triu_indices(n, 1)]
    # Rounding may leave a perfect agreement just below zero; leaves stand in their best order.
    tree = hierarchy.linkage(np.maximum(1 - apart / most, 0.0), method="average", optimal_ordering=True)
    shades, height = family_colours(families), 0.165 * n + 2.2
    trees = {"row_linkage": tree, "col_linkage": tree, "dendrogram_ratio": (0.12, 0.8 / height)}
    strip = {"row_colors": [shades[families[name]] for name in similarity.index], "colors_ratio": 0.025}
    look = {"cmap": SEQUENTIAL, "vmin": apart.min(), "vmax": apart.max(), "mask": np.eye(n, dtype=bool)}
    look |= {"cbar_kws": {"label": title, "orientation": "horizontal"}, "rasterized": True}
    with plt.rc_context({"figure.constrained_layout.use": False}):
        grid = sns.clustermap(similarity, **trees, **strip, **look, figsize=(4.6, height))
    order = [similarity.index[place] for place in grid.dendrogram_row.reordered_ind]
    axis, places, size = grid.ax_heatmap, np.arange(n) + 0.5, 6.5
    numbered = [f"{place}  {labels.get(name, name)}" for place, name in enumerate(order, start=1)]
    axis.set_yticks(places, numbered, fontsize=size, rotation=0)
    right = 0.97 - max(label.get_window_extent().width for label in axis.get_yticklabels()) / grid.figure.bbox.width
    axis.set_xticks(places[4::5], range(5, n + 1, 5), fontsize=size, rotation=0)
    for one in (axis, grid.ax_row_colors):
        one.tick_params(length=0)
        one.set(xlabel="", ylabel="")
        one.grid(visible=False)
    grid.ax_row_colors.set_xticks([])
    family_legend(grid.figure, families, order, "lower center")
    grid.figure.subplots_adjust(bottom=0.85 / height, right=right)  # what the longest label leaves is the map's
    grid.cax.set_position((right + 0.05, 1 - 0.25 / height, 0.9 - right, 0.12 / height))
    pairs = pairs_of(similarity.loc[order, order], "value")
    return grid.figure, pairs.assign(label_a=pairs["model_a"].map(labels), label_b=pairs["model_b"].map(labels))
