"""How alike are many models: correlation of predictions and of errors, shared films, and whether families explain it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from lib.statistics.multiple_testing import adjust


def correlation_maps(table: pd.DataFrame, models: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    r"""Pearson's correlation between models over the test ratings, of predictions and of errors.

    With :math:`\hat r^a_n` model a's prediction of the test rating :math:`r_n`: the correlation of
    :math:`\hat r^a` and :math:`\hat r^b`, and that of :math:`\hat r^a - r` and :math:`\hat r^b - r`. The noise of the
    ratings is in every model's error, so errors correlate even where the models have nothing in common.

    Parameters
    ----------
    table : DataFrame
        A column ``rating`` and a column of predictions a model, one row a test rating, on the rating scale.
    models : sequence of str
        At least two.

    Returns
    -------
    (DataFrame, DataFrame)
        Models x models, of predictions and of errors; 1 on the diagonal. NaN for a model whose column is constant.

    Raises
    ------
    ValueError
        Fewer than two models, fewer than two ratings, or a NaN.
    """
    models = list(models)
    if len(models) < 2 or len(table) < 2:
        raise ValueError(
            f"a map needs at least two models and two ratings, got {len(models)} and {len(table)}"
        )
    predictions = table[models].to_numpy(dtype=np.float64)
    errors = predictions - table["rating"].to_numpy(dtype=np.float64)[:, None]
    if not np.isfinite(errors).all():
        name = models[int(np.argmax(~np.isfinite(errors).all(axis=0)))]
        raise ValueError(f"{name}: a prediction is missing; leave the model out or predict every test rating")
    return _correlations(predictions, models), _correlations(errors, models)


def list_maps(lists: pd.DataFrame, models: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    r"""Shared films of every pair of models' lists: for the same user, and for two different users.

    With :math:`L^a_u` model a's list for user u, the mean over users of :math:`|L^a_u \cap L^b_u|`, and the mean over
    all ordered pairs of different users,

    .. math:: \frac{1}{n(n-1)} \sum_{u \ne v} |L^a_u \cap L^b_v|
              = \frac{\sum_i c^a_i c^b_i - \sum_u |L^a_u \cap L^b_u|}{n(n-1)},

    :math:`c^a_i` being the number of users to whom a recommends film i. The second is what remains when one model's
    users are permuted at random: agreement on which films are recommendable, without any on who likes them. It is
    computed in closed form, over all pairs of users, not drawn.

    Parameters
    ----------
    lists : DataFrame
        ``model``, ``user``, ``item``: one row a film in a list.
    models : sequence of str
        At least one; all have lists for the same users.

    Returns
    -------
    (DataFrame, DataFrame)
        Models x models, in films: same user, different users. The first's diagonal holds the mean length of the lists.

    Raises
    ------
    ValueError
        A model without lists, lists for different users, a film twice in a list, or a single user.
    """
    models = list(models)
    lists = lists[lists["model"].isin(models)]
    users, user_codes = np.unique(lists["user"].to_numpy(), return_inverse=True)
    items, item_codes = np.unique(lists["item"].to_numpy(), return_inverse=True)
    served = lists.groupby("model")["user"].nunique().reindex(models, fill_value=0)
    if len(users) < 2 or (served != len(users)).any():
        raise ValueError(
            f"lists must be for the same users, at least two, with every model; of {len(users)} users "
            + ", ".join(f"{name} serves {n}" for name, n in served.items() if n != len(users) or n < 2)
        )
    rows = pd.Index(models).get_indexer(lists["model"])
    shape = len(models), len(users) * len(items)
    listed = sparse.coo_array((np.ones(len(lists)), (rows, user_codes * len(items) + item_codes)), shape)
    listed = listed.tocsr()
    if listed.nnz and listed.data.max() > 1:
        raise ValueError(
            "a list holds a film twice, which would count it twice; keep one row a model, user and film"
        )
    same = (listed @ listed.T).toarray()
    counts = np.bincount(rows * len(items) + item_codes, minlength=len(models) * len(items))
    counts = counts.reshape(len(models), len(items)).astype(np.float64)
    n = len(users)
    other = (counts @ counts.T - same) / (n * (n - 1))
    return _square(same / n, models), _square(other, models)


def cluster(similarity: pd.DataFrame, *, most: float = 1.0) -> np.ndarray:
    """Cluster models by average linkage of the distance ``1 - similarity / most``, leaves in their best order.

    Parameters
    ----------
    similarity : DataFrame
        Models x models, symmetric: correlations, or shared films with their greatest possible number as `most`.
    most : float
        Similarity at distance 0; positive.

    Returns
    -------
    ndarray, shape (n - 1, 4)
        As `scipy.cluster.hierarchy.linkage` gives it, for `dendrogram` and `leaves_list`.

    Raises
    ------
    ValueError
        Fewer than two models, or a NaN: a model whose predictions are constant correlates with nothing.
    """
    values = similarity.to_numpy(dtype=np.float64)
    if len(values) < 2:
        raise ValueError(f"clustering needs at least two models, got {list(similarity.index)}")
    if np.isnan(values).any():
        unknown = similarity.index[np.isnan(values).mean(axis=1) > 0.5]
        raise ValueError(f"no similarity is known for {', '.join(map(str, unknown))}; leave such models out")
    distances = 1 - (values + values.T) / (2 * most)
    np.fill_diagonal(distances, 0.0)
    # Rounding may leave a perfect agreement just below zero.
    condensed = squareform(np.maximum(distances, 0.0), checks=False)
    return hierarchy.linkage(condensed, method="average", optimal_ordering=True)


@dataclass(frozen=True)
class FamilyEffect:
    """Whether models of one family are more alike than models of different families; see `family_effect`.

    `within` and `between` are mean similarities over pairs of the same family and of different ones, `difference` the first
    minus the second, `p_value` one-sided: of a difference at least as large under permuted families.
    """

    within: float
    between: float
    difference: float
    p_value: float
    n_within: int
    n_between: int
    n_permutations: int


def family_effect(
    similarity: pd.DataFrame, families: Mapping[str, str], *, n_permutations: int = 10_000, seed: int = 42
) -> FamilyEffect:
    r"""Test whether the family predicts agreement, by permuting the models' family labels.

    .. math:: T = \frac{1}{|W|} \sum_{(a,b) \in W} s_{ab} - \frac{1}{|B|} \sum_{(a,b) \in B} s_{ab}

    W holds the pairs of models with the same family, B all others; families keep their sizes under permutation.
    :math:`p = (1 + \#\{T^* \ge T\}) / (1 + n)`. The model is what is permuted, not the pair, as pairs that share a
    model are not independent.

    Parameters
    ----------
    similarity : DataFrame
        Models x models, symmetric, without NaN; the diagonal does not count.
    families : mapping of str to str
        Of every model. A family of one has no pair within.
    n_permutations : int
    seed : int

    Raises
    ------
    ValueError
        A model without a family, a NaN, or no pair within a family or between two.
    """
    names = list(similarity.index)
    missing = [name for name in names if name not in families]
    if missing:
        raise ValueError(f"no family is known for {', '.join(missing)}; name one for each model")
    codes = np.unique([families[name] for name in names], return_inverse=True)[1]
    first, second = np.triu_indices(len(names), 1)
    values = similarity.to_numpy(dtype=np.float64)[first, second]
    if np.isnan(values).any():
        raise ValueError("a similarity is NaN; leave out models whose predictions are constant")
    rng = np.random.default_rng(seed)
    permuted = rng.permuted(np.tile(codes, (n_permutations, 1)), axis=1)
    labels = np.vstack([codes, permuted])
    same = labels[:, first] == labels[:, second]
    n_within = int(same[0].sum())
    n_between = len(values) - n_within
    if n_within == 0 or n_between == 0:
        raise ValueError(
            f"the test needs pairs within a family and between two; there are {n_within} and {n_between}"
        )
    within = same @ values / n_within
    between = (values.sum() - same @ values) / n_between
    gaps = within - between
    # Sums that are equal but for the order of adding must count as equal.
    extreme = int((gaps[1:] >= gaps[0] - 1e-12).sum())
    return FamilyEffect(
        float(within[0]),
        float(between[0]),
        float(gaps[0]),
        (1 + extreme) / (1 + n_permutations),
        n_within,
        n_between,
        n_permutations,
    )


def family_effects(
    squares: Mapping[str, pd.DataFrame], families: Mapping[str, str], **options: int
) -> pd.DataFrame:
    """Test several similarities with `family_effect`, `options` being its; those without pairs of both kinds are left out.

    Returns
    -------
    DataFrame
        A row a similarity: ``agreement``, its name, and ``within``, ``between``, ``difference``, ``p_value``, ``n_within``,
        ``n_between`` of `FamilyEffect`, with ``p_adjusted`` by Holm.
    """
    rows = []
    for name, square in squares.items():
        sizes = pd.Series([families[model] for model in square.index], dtype=object).value_counts()
        if len(sizes) > 1 and sizes.max() > 1:
            rows.append({"agreement": name, **asdict(family_effect(square, families, **options))})
    columns = ["agreement", "within", "between", "difference", "p_value", "n_within", "n_between"]
    found = pd.DataFrame(rows, columns=columns)
    return found.assign(p_adjusted=adjust(found["p_value"].to_numpy(dtype=np.float64)))


def pairs_of(square: pd.DataFrame, name: str) -> pd.DataFrame:
    """Turn a symmetric models x models table into a row a pair: ``model_a``, ``model_b`` and the value as `name`."""
    first, second = np.triu_indices(len(square), 1)
    names = square.index.to_numpy()
    return pd.DataFrame(
        {"model_a": names[first], "model_b": names[second], name: square.to_numpy()[first, second]}
    )


# -- helpers -------------------------------------------------------------------------------------------------------
def _correlations(columns: np.ndarray, models: list[str]) -> pd.DataFrame:
    centred = columns - columns.mean(axis=0)
    # A constant column centres to rounding errors, which correlate with anything.
    varies = np.ptp(columns, axis=0) > 0
    lengths = np.where(varies, np.linalg.norm(centred, axis=0), np.nan)
    units = centred / lengths
    found = np.clip(units.T @ units, -1.0, 1.0)
    np.fill_diagonal(found, np.where(varies, 1.0, np.nan))
    return _square(found, models)


def _square(values: np.ndarray, models: list[str]) -> pd.DataFrame:
    return pd.DataFrame(values, index=models, columns=models)
