"""How alike are many models: correlation of predictions and of errors, shared films, and whether families explain it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import sparse

from lib.statistics.multiple_testing import adjust


def correlation_maps(table: pd.DataFrame, models: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    r"""Pearson's correlation between models over the test ratings, of predictions and of errors.

    With :math:`\hat r^a_n` model a's prediction of the test rating :math:`r_n`: the correlation of
    :math:`\hat r^a` and :math:`\hat r^b`, and that of :math:`\hat r^a - r` and :math:`\hat r^b - r`. The noise of the
    ratings is in every model's error, so errors correlate even where the models have nothing in common.

    `table` has a column ``rating`` and a column of predictions a model, one row a test rating, on the rating scale;
    none missing. Returns two DataFrames: models x models, of predictions and of errors; 1 on the diagonal. NaN for a
    model whose column is constant.
    """
    predictions = table[list(models)].to_numpy(dtype=np.float64)
    errors = predictions - table["rating"].to_numpy(dtype=np.float64)[:, None]
    return _correlations(predictions, models), _correlations(errors, models)


def list_maps(lists: pd.DataFrame, models: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    r"""Shared films of every pair of models' lists: for the same user, and for two different users.

    With :math:`L^a_u` model a's list for user u, the mean over users of :math:`|L^a_u \cap L^b_u|`, and the mean over
    all ordered pairs of different users,

    .. math:: \frac{1}{n(n-1)} \sum_{u \ne v} |L^a_u \cap L^b_v|
              = \frac{\sum_i c^a_i c^b_i - \sum_u |L^a_u \cap L^b_u|}{n(n-1)},

    :math:`c^a_i` being the number of users to whom a recommends film i. The second is what remains when one model's
    users are permuted at random: agreement on which films are recommendable, without any on who likes them. It is
    computed in closed form, over all pairs of users, not drawn.

    `lists` have ``model``, ``user``, ``item``: one row a film in a list, no film twice in one. Raises ValueError: a
    model without lists, lists for different users, or fewer than two users. Returns two DataFrames: models x models, in
    films: same user, different users. The first's diagonal holds the mean length of the lists.
    """
    lists = lists[lists["model"].isin(models)]
    users, user_codes = np.unique(lists["user"].to_numpy(), return_inverse=True)
    items, item_codes = np.unique(lists["item"].to_numpy(), return_inverse=True)
    n = len(users)
    served = lists.groupby("model")["user"].nunique().reindex(list(models), fill_value=0)
    if n < 2 or (served != n).any():
        raise ValueError(
            f"lists must be for the same users, at least two, with every model; of {n} users "
            + ", ".join(f"{name} serves {m}" for name, m in served.items() if m != n or m < 2)
        )
    rows = pd.Index(models).get_indexer(pd.Index(lists["model"]))
    shape = len(models), n * len(items)
    listed = sparse.coo_array((np.ones(len(lists)), (rows, user_codes * len(items) + item_codes)), shape)
    listed = listed.tocsr()
    same = (listed @ listed.T).toarray()
    counts = np.bincount(rows * len(items) + item_codes, minlength=len(models) * len(items))
    counts = counts.reshape(len(models), len(items)).astype(np.float64)
    other = (counts @ counts.T - same) / (n * (n - 1))
    return pd.DataFrame(same / n, models, models), pd.DataFrame(other, models, models)


def family_effects(
    squares: Mapping[str, pd.DataFrame], families: Mapping[str, str], *, n_permutations: int, seed: int
) -> pd.DataFrame:
    r"""Test whether the family predicts agreement, by permuting the models' family labels.

    .. math:: T = \frac{1}{|W|} \sum_{(a,b) \in W} s_{ab} - \frac{1}{|B|} \sum_{(a,b) \in B} s_{ab}

    W holds the pairs of models with the same family, B all others; families keep their sizes under permutation.
    :math:`p = (1 + \#\{T^* \ge T\}) / (1 + n)`. The model is what is permuted, not the pair, as pairs that share a
    model are not independent.

    `squares` are similarities by name: models x models, symmetric, without NaN; the diagonal does not count. Returns a
    DataFrame: a row a similarity that has pairs of both kinds: ``agreement``, its name; ``within`` and ``between``,
    mean similarities over W and B; ``difference``, T; ``p_value``, one-sided; ``n_within``, ``n_between``; and
    ``p_adjusted`` by Holm.
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
        rng = np.random.default_rng(seed)
        permuted = rng.permuted(np.tile(codes, (n_permutations, 1)), axis=1)
        labels = np.vstack([codes, permuted])
        same = labels[:, first] == labels[:, second]
        within = same @ values / n_within
        between = (values.sum() - same @ values) / n_between
        gaps = within - between
        # Sums that are equal but for the order of adding must count as equal.
        extreme = int((gaps[1:] >= gaps[0] - 1e-12).sum())
        p_value = (1 + extreme) / (1 + n_permutations)
        rows.append((name, within[0], between[0], gaps[0], p_value, n_within, n_between))
    columns = ["agreement", "within", "between", "difference", "p_value", "n_within", "n_between"]
    found = pd.DataFrame(rows, columns=columns)
    return found.assign(p_adjusted=adjust(found["p_value"].to_numpy(dtype=np.float64)))


def pairs_of(square: pd.DataFrame, name: str) -> pd.DataFrame:
    """Turn a symmetric models x models table into a row a pair: ``model_a``, ``model_b`` and the value as `name`."""
    first, second = np.triu_indices(len(square), 1)
    names = square.index.to_numpy()
    return pd.DataFrame({"model_a": names[first], "model_b": names[second], name: square.to_numpy()[first, second]})


def _correlations(columns: np.ndarray, models: list[str]) -> pd.DataFrame:
    centred = columns - columns.mean(axis=0)
    # A constant column centres to rounding errors, which correlate with anything.
    varies = np.ptp(columns, axis=0) > 0
    lengths = np.where(varies, np.linalg.norm(centred, axis=0), np.nan)
    units = centred / lengths
    found = np.clip(units.T @ units, -1.0, 1.0)
    np.fill_diagonal(found, np.where(varies, 1.0, np.nan))
    return pd.DataFrame(found, models, models)
