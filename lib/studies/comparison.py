"""What the comparison of project A's models asks: errors by segment, correlations, and matrices in another order."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lib.data.interactions import Interactions
from lib.metrics.rating import user_errors
from lib.metrics.segments import rating_by_segment
from lib.models import label
from lib.statistics.agreement import ScoreMatrix, agreement, mislabelled, shuffled
from lib.statistics.significance import paired_difference

GROUPS = {  # kind and names of the segments (`lib.metrics.segments`) that tell a model's strengths and weaknesses
    "sparse_users": ("user_activity", ("1–19", "20–39")),
    "busy_users": ("user_activity", ("160–319", "320 or more")),
    "rare_films": ("film_popularity", ("1–4", "5–19")),
    "popular_films": ("film_popularity", ("200 or more",)),
    "cold_pairs": ("cold", ("cold film", "cold user", "cold user and film")),
}


def errors_by_segment(table: pd.DataFrame, models: Sequence[str], labels: pd.Categorical) -> pd.DataFrame:
    """RMSE and MAE of each model in each segment of the test ratings; segments without ratings are left out."""
    users, ratings = table["user"].to_numpy(), table["rating"].to_numpy()
    parts = {m: rating_by_segment(labels, users, ratings, table[m].to_numpy()) for m in models}
    together = pd.concat(parts, names=["model"]).reset_index()
    columns = ["segment", "model", "n_ratings", "share", "rmse", "mae"]
    return together.loc[together["n_ratings"] > 0, columns].reset_index(drop=True)


def test_correlations(table: pd.DataFrame, models: Sequence[str]) -> pd.DataFrame:
    r"""Correlate pairs of models over the test ratings: their predictions, and their errors :math:`\hat r - r`.

    Errors that correlate leave an average little to gain: of two models with equal error variance
    :math:`\sigma^2` and error correlation :math:`\rho`, the mean has :math:`\sigma^2 (1 + \rho) / 2`.
    """
    predictions = table[list(models)].to_numpy().T
    errors = predictions - table["rating"].to_numpy(dtype=np.float64)
    (first, second), names = np.triu_indices(len(models), 1), np.array(models)
    found = {"model_a": names[first], "model_b": names[second]}
    found |= {"predictions": np.corrcoef(predictions)[first, second]}
    return pd.DataFrame(found | {"errors": np.corrcoef(errors)[first, second]})


def put_back(matrix: ScoreMatrix, train: Interactions) -> ScoreMatrix:
    """Put the training ratings into a score matrix, as an imputer's completed matrix has them."""
    rows = pd.Index(matrix.user_ids).get_indexer(train.user_ids[train.users])
    columns = pd.Index(matrix.item_ids).get_indexer(train.item_ids[train.items])
    if (rows < 0).any() or (columns < 0).any():
        raise ValueError("a training pair's user or item is not in the score matrix")
    values = matrix.values.copy()
    values[rows, columns] = train.ratings
    return ScoreMatrix(matrix.user_ids, matrix.item_ids, values)


def order_of_appearance(ids: np.ndarray, sequence: np.ndarray) -> np.ndarray:
    """Places of sorted `ids` in the order of ``pandas.unique(sequence)``; ids that never appear come last."""
    places = pd.Index(ids).get_indexer(pd.unique(np.asarray(sequence)))
    return np.concatenate([places, np.setdiff1d(np.arange(len(ids)), places)])


def orders(matrix: ScoreMatrix, data: Interactions, n_shuffles: int) -> dict[str, list[ScoreMatrix]]:
    """Put a matrix into other orders under unchanged ids, as a slip in matching rows or columns would.

    By words: matched; users, films or both as they first appear in `data`; `n_shuffles` shuffles of each.
    """
    frame = data.frame()
    rows = order_of_appearance(matrix.user_ids, frame["user"].to_numpy())
    columns = order_of_appearance(matrix.item_ids, frame["item"].to_numpy())
    slips = {"users": {"rows": rows}, "films": {"columns": columns}}
    slips["users and films"] = slips["users"] | slips["films"]
    axes = {"users": "users", "films": "items", "users and films": "both"}
    found = {"matched by id": [matrix]}
    found |= {f"{words} in order of first appearance": [mislabelled(matrix, **slip)] for words, slip in slips.items()}
    for words, axis in axes.items():
        found[f"{words} shuffled"] = [shuffled(matrix, seed=seed, axis=axis) for seed in range(n_shuffles)]
    return found


def order_agreement(reference: ScoreMatrix, variants: Mapping[str, Sequence[ScoreMatrix]], *, k: int) -> pd.DataFrame:
    """Measure how well a matrix agrees with another one that stands in several orders, of `orders`.

    ``correlation`` and ``overlap`` of lists of k are means over users and variants, the others extremes of any user.
    """
    rows = []
    for order, matrices in variants.items():
        pairs = [{"reference": reference, "variant": one} for one in matrices]
        each = pd.concat([agreement(pair, k=k, n_resamples=100) for pair in pairs])
        mean, overlap = (each[f"{of}_mean"].to_numpy().mean() for of in ("correlation", "overlap"))
        ends = each["correlation_min"].min(), each["correlation_max"].max()
        rows.append([order, mean, *ends, overlap, each["overlap_max"].max()])
    columns = ["order", "correlation", "lowest", "highest", "overlap", "overlap_max"]
    return pd.DataFrame(rows, columns=columns)


def blend_table(table: pd.DataFrame, blends: Sequence[Sequence[str]], *, n_resamples: int) -> pd.DataFrame:
    """Average models with equal weights, and test the RMSE against the best member's by resampling users."""
    users, ratings = table["user"].to_numpy(), table["rating"].to_numpy()
    rows = []
    for members in blends:
        alone = {model: user_errors(users, ratings, table[model].to_numpy()) for model in members}
        mixed = user_errors(users, ratings, table[list(members)].mean(axis=1).to_numpy())
        best = min(alone, key=lambda model: alone[model].rmse)
        gap = paired_difference(mixed.per_user("rmse"), alone[best].per_user("rmse"), n_resamples=n_resamples)
        differences = gap.difference, gap.low, gap.high, gap.p_value
        words = " + ".join(map(label, members))
        rows.append([words, mixed.rmse, mixed.mae, best, alone[best].rmse, *differences])
    columns = ["blend", "rmse", "mae", "best_member", "best_member_rmse", "difference", "low", "high", "p"]
    return pd.DataFrame(rows, columns=columns)


def pooled_rmse(segments: pd.DataFrame) -> pd.DataFrame:
    """RMSE over the segments of each of `GROUPS`, from `errors_by_segment` with ``kind``; NaN without ratings."""
    rows, found = segments.assign(squares=segments["rmse"] ** 2 * segments["n_ratings"]), {}
    for group, (kind, names) in GROUPS.items():
        inside = rows[(rows["kind"] == kind) & rows["segment"].isin(names)]
        sums = inside.groupby("model")[["squares", "n_ratings"]].sum()
        found[group] = np.sqrt(sums["squares"] / sums["n_ratings"])
    return pd.DataFrame(found, index=segments["model"].unique())


def taste_explained(scores: np.ndarray, features: np.ndarray) -> float:
    """Return the share of what tells users' scores apart that is linear in films' features, in each user's own way.

    That is the variance of `scores`, shape (n_users, n_items), less each film's mean and each user's; NaN where it is none.
    """
    taste = scores - scores.mean(axis=0)
    taste -= taste.mean(axis=1, keepdims=True)
    columns, left = features - features.mean(axis=0), (taste**2).sum()
    fitted = columns @ np.linalg.lstsq(columns, taste.T, rcond=None)[0]
    return float((fitted**2).sum() / left) if left > 1e-9 * (scores**2).sum() else np.nan


def pair_labels(pairs: pd.DataFrame, joint: str = " and ") -> list[str]:
    """Return the labels of ``model_a`` and ``model_b`` of each row, joined."""
    return [f"{label(a)}{joint}{label(b)}" for a, b in zip(pairs["model_a"], pairs["model_b"], strict=True)]
