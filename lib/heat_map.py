"""A clustered heat map of models: dendrogram above, a strip of family colours beside, numbered columns.

Thirty labels under as many narrow columns cannot be read; the rows carry the labels and both sides the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from scipy.cluster import hierarchy

from lib.figures import PALETTE, SEQUENTIAL


def family_colours(families: Mapping[str, str]) -> dict[str, str]:
    """Give each family a colour of the palette, in the order in which they first appear; they repeat past eight."""
    shades = list(PALETTE.values())
    names = dict.fromkeys(families.values())
    return {name: shades[place % len(shades)] for place, name in enumerate(names)}


def heat_map(
    similarity: pd.DataFrame,
    tree: np.ndarray,
    labels: Mapping[str, str],
    families: Mapping[str, str],
    title: str,
    *,
    low: float | None = None,
    high: float | None = None,
) -> tuple[Figure, list[str]]:
    """Draw a clustered heat map.

    Parameters
    ----------
    similarity : DataFrame
        Models x models.
    tree : ndarray
        Of `lib.agreement_map.cluster`, of the same models.
    labels, families : mapping of str to str
        Of every model.
    title : str
        Of the colour bar: the quantity, with its unit.
    low, high : float, optional
        Ends of the colour scale; the least and the greatest value off the diagonal where not given.

    Returns
    -------
    (Figure, list of str)
        The figure, and the models in the order of its rows.

    Raises
    ------
    ValueError
        The tree is of another number of models.
    """
    if len(tree) + 1 != len(similarity):
        raise ValueError(
            f"the tree is of {len(tree) + 1} models, the map of {len(similarity)}; cluster the same ones"
        )
    names = [similarity.index[place] for place in hierarchy.leaves_list(tree)]
    n = len(names)
    values = similarity.loc[names, names].to_numpy(dtype=np.float64)
    apart = values[~np.eye(n, dtype=bool)]
    low = float(apart.min()) if low is None else low
    high = float(apart.max()) if high is None else high
    shades = family_colours(families)
    present = list(dict.fromkeys(families[name] for name in families if name in names))
    legend_rows = -(-len(present) // 3)
    height = 0.165 * n + 1.5 + 0.17 * legend_rows
    figure = plt.figure(figsize=(7.2, height))
    grid = figure.add_gridspec(
        2, 3, width_ratios=[0.12, 4.6, 0.14], height_ratios=[0.7, 0.165 * n], hspace=0.01, wspace=0.01
    )
    above = figure.add_subplot(grid[0, 1])
    with plt.rc_context({"lines.linewidth": 0.9}):
        hierarchy.dendrogram(
            tree, ax=above, color_threshold=0, above_threshold_color=PALETTE["grey"], no_labels=True
        )
    above.axis("off")
    strip = figure.add_subplot(grid[1, 0])
    order = list(shades)
    strip.imshow(
        np.array([[order.index(families[name])] for name in names]),
        cmap=ListedColormap([shades[name] for name in order]),
        vmin=-0.5,
        vmax=len(order) - 0.5,
        aspect="auto",
    )
    size = 7.5 if n <= 34 else 6.5
    strip.set_yticks(
        range(n),
        [f"{labels.get(name, name)}  {place}" for place, name in enumerate(names, start=1)],
        fontsize=size,
    )
    strip.set_xticks([])
    strip.tick_params(length=0)
    strip.grid(visible=False)
    axis = figure.add_subplot(grid[1, 1])
    shown = np.where(np.eye(n, dtype=bool), np.nan, values)
    image = axis.imshow(shown, cmap=SEQUENTIAL, vmin=low, vmax=high, aspect="auto", interpolation="nearest")
    axis.set_xticks(range(n), range(1, n + 1), fontsize=size - 1)
    axis.set_yticks([])
    axis.tick_params(length=0)
    axis.grid(visible=False)
    figure.colorbar(image, cax=figure.add_subplot(grid[1, 2]), label=title)
    figure.legend(
        handles=[Patch(color=shades[name], label=name) for name in present],
        loc="outside lower center",
        ncols=3,
        handlelength=1.0,
    )
    return figure, names
