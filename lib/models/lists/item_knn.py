"""Item-kNN: films by the company they keep in users' histories."""

import numpy as np
from scipy import sparse

from lib.metrics.lists import best_columns
from lib.models.card import Card
from lib.models.lists.co_occurrence import co_occurrences
from lib.models.lists.item_weights import ItemWeights, check

BLOCK_CELLS = 20_000_000  # similarities formed at a time (160 MB)


class ItemKNN(ItemWeights):
    r"""Score a film by its similarity to those that a user has rated (Deshpande and Karypis 2004).

    .. math:: s_{ij} = \frac{n_{ij}}{\sqrt{n_i n_j} + \gamma}, \qquad
        \hat y_{ui} = \sum_{j \in R(u)} s_{ij}\, [\,i \in \mathrm{kNN}(j)\,]

    with :math:`n_i` the users with a training rating of film i (of at least `threshold`), :math:`n_{ij}` those with
    both, and each film keeping its k most similar ones; of equal ones the lower code. k is `n_neighbours`, of which at
    most the catalogue less one counts; `shrinkage`, :math:`\gamma`, is against similarities that rest on few users;
    `threshold` None counts all ratings.
    """

    card = Card(
        "item_knn",
        "Item-kNN",
        "implicit feedback lists",
        "A cold user gets the mean score of all users; a film outside the id map scores 0.",
        most={"items": 40_000},
        most_searched={"items": 5_000},
    )

    def __init__(self, *, n_neighbours: int = 100, shrinkage: float = 10.0, threshold: float | None = None):
        self._store(locals())

    def _weights(self, history: sparse.csr_array) -> sparse.csr_array:
        check(self, counts=("n_neighbours",), not_negative=("shrinkage",))
        n_items = history.shape[1]
        roots = np.sqrt(np.bincount(history.indices, minlength=n_items))
        k = min(self.n_neighbours, n_items - 1)
        if k == 0:
            return sparse.csr_array((n_items, n_items))
        rows, columns, values = [], [], []
        step = max(1, BLOCK_CELLS // n_items)
        for low in range(0, n_items, step):
            block = co_occurrences(history, low, min(low + step, n_items))
            own = np.arange(len(block))
            block /= np.maximum(roots[low : low + step, None] * roots + self.shrinkage, 1e-12)
            block[own, low + own] = 0.0
            found, similar = best_columns(block, k)
            kept = similar > 0
            rows.append(np.repeat(low + own, kept.sum(axis=1)))
            columns.append(found[kept])
            values.append(similar[kept])
        entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
        return sparse.csr_array(entries, shape=(n_items, n_items))

    @property
    def n_parameters_(self) -> int:
        """Similarities kept."""
        self._check_fitted()
        return int(self.weights_.nnz)
