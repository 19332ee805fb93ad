"""How alike are many models: correlation of predictions and of errors, shared films, whether families explain it; the map of it."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from scipy import sparse
from scipy.cluster import hierarchy

from lib.report.charts.apart_figure import note_figure
from lib.report.figures import SEQUENTIAL, family_colours, family_legend
from lib.statistics.significance import adjust


def correlation_maps(table: pd.DataFrame, models: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return Pearson's correlations between models over the test ratings, models x models, of predictions and of errors.

    `table` has a row a test rating, with its ``rating`` and a column of predictions a model. The noise of the ratings is in
    every model's error, so errors correlate even where the models have nothing in common. NaN for a constant column.
    """
    predictions = table[list(models)].astype(float)
    return predictions.corr(), predictions.sub(table["rating"], axis=0).corr()


def list_maps(lists: pd.DataFrame, models: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    r"""Count the films that every pair of models' lists share, models x models: for the same user, and for two different users.

    With :math:`L^a_u` model a's list for user u, the mean over users of :math:`|L^a_u \cap L^b_u|`, and the mean over
    all ordered pairs of different users,

    .. math:: \frac{1}{n(n-1)} \sum_{u \ne v} |L^a_u \cap L^b_v|
              = \frac{\sum_i c^a_i c^b_i - \sum_u |L^a_u \cap L^b_u|}{n(n-1)},

    :math:`c^a_i` being the number of users to whom a recommends film i. The second is what remains when one model's
    users are permuted at random: agreement on which films are recommendable, without any on who likes them.

    `lists` have ``model``, ``user``, ``item``: one row a film in a list, no film twice in one. Raises ValueError: a
    model without lists, lists for different users, or fewer than two users.
    """
    lists = lists[lists["model"].isin(models)]
    n = lists["user"].nunique()
    served = lists.groupby("model")["user"].nunique().reindex(list(models), fill_value=0)
    if n < 2 or (served != n).any():
        raise ValueError(
            f"lists must be for the same users, at least two, with every model; of {n} users "
            + ", ".join(f"{name} serves {m}" for name, m in served.items() if m != n or m < 2)
        )
    rows, pairs = pd.Index(models).get_indexer(pd.Index(lists["model"])), lists.groupby(["user", "item"]).ngroup()
    listed = sparse.csr_array((np.ones(len(lists)), (rows, pairs)))
    same = pd.DataFrame((listed @ listed.T).toarray(), models, models)
    counts = pd.crosstab(lists["model"], lists["item"]).loc[models].to_numpy()
    return same / n, (counts @ counts.T - same) / (n * (n - 1))


def family_effects(
    squares: Mapping[str, pd.DataFrame], families: Mapping[str, str], *, n_permutations: int, seed: int
) -> pd.DataFrame:
    r"""Test whether the family predicts agreement, by permuting the models' family labels.

    .. math:: T = \frac{1}{|W|} \sum_{(a,b) \in W} s_{ab} - \frac{1}{|B|} \sum_{(a,b) \in B} s_{ab}

    W holds the pairs of models with the same family, B all others; families keep their sizes under permutation.
    :math:`p = (1 + \#\{T^* \ge T\}) / (1 + n)`. The model is what is permuted, not the pair, as pairs that share a
    model are not independent.

    `squares` are similarities by name: models x models, symmetric, without NaN; the diagonal does not count. Returns a row
    a similarity that has pairs of both kinds: its name as ``agreement``; ``within`` and ``between``, mean similarities over
    W and B; ``difference``, T; ``p_value``, one-sided; ``n_within``, ``n_between``; and ``p_adjusted`` by Holm.
    """
    rows = []
    for name, square in squares.items():
        codes = np.unique([families[model] for model in square.index], return_inverse=True)[1]
        first, second = np.triu_indices(len(codes), 1)
        n_within = int((codes[first] == codes[second]).sum())
        n_between = len(first) - n_within
        if n_within == 0 or n_between == 0:
            continue
        values = square.to_numpy(dtype=np.float64)[first, second]
        permuted = np.random.default_rng(seed).permuted(np.tile(codes, (n_permutations, 1)), axis=1)
        labels = np.vstack([codes, permuted])
        same = labels[:, first] == labels[:, second]
        within = same @ values / n_within
        between = (values.sum() - same @ values) / n_between
        gaps = within - between
        # Sums that are equal but for the order of adding must count as equal.
        p_value = (gaps >= gaps[0] - 1e-12).mean()
        rows.append((name, within[0], between[0], gaps[0], p_value, n_within, n_between))
    columns = ["agreement", "within", "between", "difference", "p_value", "n_within", "n_between"]
    found = pd.DataFrame(rows, columns=columns)
    return found.assign(p_adjusted=adjust(found["p_value"].to_numpy(dtype=np.float64)))


def pairs_of(square: pd.DataFrame, name: str) -> pd.DataFrame:
    """Turn a symmetric models x models table into a row a pair: ``model_a``, ``model_b`` and the value as `name`."""
    first, second = np.triu_indices(len(square), 1)
    names = square.index.to_numpy()
    return pd.DataFrame({"model_a": names[first], "model_b": names[second], name: square.to_numpy()[first, second]})


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
