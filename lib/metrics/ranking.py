"""Quality of recommendation lists over the full catalogue: a value a user first, then the mean."""

from dataclasses import dataclass

import numpy as np

from lib.data.interactions import Interactions
from lib.metrics.lists import TopK
from lib.metrics.per_user import PerUser


@dataclass(frozen=True, eq=False)
class Ranking:
    """Ranking metrics at k of one model, test ratings of at least `threshold` being relevant.

    `values` has each metric for the `users`, codes of those that have a relevant test film, float64 of shape (n,), in 0
    to 1 but novelty (bits). `n_left_out` users are in no mean: with a list but without a relevant test film, of which
    there is no recall, or the other way round. `coverage` is the share of the catalogue that stands in at least one
    list, over all lists.
    """

    k: int
    threshold: float
    users: np.ndarray
    values: dict[str, np.ndarray]
    n_left_out: int
    coverage: float

    def metrics(self) -> dict[str, float]:
        """Means over users by name, such as ``"ndcg@10"``, and the coverage."""
        means = {f"{name}@{self.k}": float(values.mean()) for name, values in self.values.items()}
        return {**means, f"coverage@{self.k}": self.coverage}

    def per_user(self, metric: str) -> PerUser:
        """Return one metric (``"ndcg"`` or ``"ndcg@10"``) in the form that bootstraps resample; ValueError if unknown."""
        name = metric.removesuffix(f"@{self.k}")
        if name not in self.values:
            raise ValueError(f"no ranking metric is called {metric!r}; there are {', '.join(self.values)}")
        return PerUser.mean(f"{name}@{self.k}", self.users, self.values[name])


def evaluate_ranking(
    top: TopK, test: Interactions, *, k: int | None = None, threshold=4.0, train: Interactions | None = None
) -> Ranking:
    r"""Measure recommendation lists against the relevant test ratings.

    With :math:`h_j \in \{0, 1\}` telling whether the film at rank :math:`j` is relevant, and :math:`R` the user's
    number of relevant test films (films unseen in train included):

    ========= ====================================================================================================
    precision :math:`\sum_{j \le k} h_j / k`; the divisor stays k for a list that is shorter
    recall    :math:`\sum_{j \le k} h_j / R`; below 1 by construction where :math:`R > k`
    ndcg      :math:`\sum_{j \le k} h_j / \log_2(j + 1)`, divided by the same sum for the best list, which has
              :math:`\min(k, R)` hits in front (binary gain; the discount is that of trec_eval and of Burges and
              others 2005, where Järvelin and Kekäläinen 2002 divide from the second rank on by :math:`\log_2 j`)
    map       mean average precision, :math:`\sum_{j \le k} h_j\,P_j / \min(k, R)`, :math:`P_j` the precision at j
    mrr       mean reciprocal rank: 1 / rank of the first hit, 0 without a hit in the first k
    hit_rate  1 with a hit in the first k, else 0
    novelty   mean of :math:`-\log_2 \frac{n_i + 1}{n_\text{users} + 1}` over the list, :math:`n_i` being film i's
              training ratings (self-information, Vargas and Castells 2011, smoothed so that an unrated film counts
              finitely); only with `train`
    ========= ====================================================================================================

    Raises ValueError: k is larger than the lists, the catalogues differ in size, or no user has a relevant test film.

    `top` are lists over the full catalogue, training films masked; `test` and `train` share its id maps. `k` is at most
    the lists' length, the default; a test rating of at least `threshold`, on the rating scale, is relevant.
    """
    for name, other in (("test", test), ("train", train)):
        if other is not None and other.n_items != top.n_items:
            raise ValueError(f"the lists rank {top.n_items} films, {name} has a catalogue of {other.n_items}")
    top = top if k is None else top.first(k)
    k = top.k
    relevant = test.ratings >= threshold
    n_relevant = np.bincount(test.users[relevant], minlength=test.n_users)[top.users]
    n_listless = len(np.setdiff1d(test.users[relevant], top.users))
    kept = n_relevant > 0
    if not kept.any():
        raise ValueError(
            f"no user has a test rating of at least {threshold:g}; lower the threshold (scale {test.scale.low:g} to "
            f"{test.scale.high:g})"
        )
    users, items, n_relevant = top.users[kept], top.items[kept], n_relevant[kept]
    hits = hits_of(top, test, threshold=threshold)[kept]
    values = _relevance_metrics(hits, n_relevant)
    if train is not None:
        values["novelty"] = novelty_of(items, train)
    listed = np.unique(top.items)
    coverage = np.count_nonzero(listed >= 0) / top.n_items
    return Ranking(k, float(threshold), users, values, int((~kept).sum()) + n_listless, float(coverage))


def hits_of(top: TopK, test: Interactions, *, threshold: float) -> np.ndarray:
    """Tell which listed films are test ratings of at least `threshold`, bool of shape (n, k): what relevance is measured from."""
    relevant = test.ratings >= threshold
    width = test.n_items
    # Each pair as one number; the last one is that of no pair.
    wanted = np.sort(test.users[relevant].astype(np.int64) * width + test.items[relevant])
    wanted = np.append(wanted, np.iinfo(np.int64).max)
    asked = np.where(top.items >= 0, top.users[:, None].astype(np.int64) * width + top.items, -1)
    return wanted[np.searchsorted(wanted, asked)] == asked


def ranking_of_hits(
    hits: np.ndarray, test: Interactions, *, k: int, threshold: float, novelty: np.ndarray, coverage: float
) -> Ranking:
    """Measure everybody's lists as `evaluate_ranking` does, from the hits of all users (`hits_of`) and what lists tell besides.

    `hits` has a row a user code and at least `k` ranks, `novelty` is that of each user's first `k` films.
    """
    n_relevant = np.bincount(test.users[test.ratings >= threshold], minlength=test.n_users)
    users = np.flatnonzero(n_relevant)
    if not len(users):
        raise ValueError(f"no user has a test rating of at least {threshold:g}; lower the threshold")
    values = _relevance_metrics(hits[users, :k], n_relevant[users]) | {"novelty": novelty[users]}
    return Ranking(k, float(threshold), users.astype(np.int32), values, test.n_users - len(users), float(coverage))


def _relevance_metrics(hits: np.ndarray, n_relevant: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the metrics of relevance for each user from the hits by rank, shape (n, k), and the numbers of relevant films, at least 1."""
    k = hits.shape[1]
    ranks = np.arange(1, k + 1)
    found = hits.sum(axis=1)
    reachable = np.minimum(n_relevant, k)
    discounts = 1 / np.log2(ranks + 1)
    ideal = np.cumsum(discounts)[reachable - 1]
    precisions = np.cumsum(hits, axis=1) / ranks
    first = np.where(found > 0, hits.argmax(axis=1) + 1, np.inf)
    return {
        "precision": found / k,
        "recall": found / n_relevant,
        "ndcg": (hits * discounts).sum(axis=1) / ideal,
        "map": (hits * precisions).sum(axis=1) / reachable,
        "mrr": 1 / first,
        "hit_rate": (found > 0).astype(np.float64),
    }


def novelty_of(items: np.ndarray, train: Interactions) -> np.ndarray:
    """Return the mean self-information of each list of `items`, shape (n, k), -1 where it has ended; 0 without any film."""
    information = -np.log2((train.item_counts + 1) / (train.n_users + 1))
    present = items >= 0
    total = np.where(present, information[items], 0.0).sum(axis=1)
    return total / np.maximum(present.sum(axis=1), 1)
