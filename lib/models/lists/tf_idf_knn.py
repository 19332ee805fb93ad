"""TF-IDF nearest neighbours: films by the company they keep, where users who rate little tell more."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from lib.data.interactions import Interactions
from lib.metrics.lists import best_columns
from lib.models.card import Card
from lib.models.lists.item_weights import ItemWeights, check

BLOCK_CELLS = 20_000_000  # similarities formed at a time (160 MB)


class TfIdfKNN(ItemWeights):
    r"""Score a film by its cosines with those that a user has rated, as the library `implicit` does.

    .. math:: w_{ui} = \sqrt{c_{ui}} \, \ln\frac{n}{1 + n_u}, \qquad
        s_{ij} = \frac{\sum_u w_{ui} w_{uj}}{|w_i| |w_j|}, \qquad
        \hat y_{ui} = \sum_{j \in R(u)} s_{ij}\, [\,i \in \mathrm{kNN}(j)\,]

    with n films, of which user u has rated :math:`n_u`, and each film keeping its `n_neighbours` most similar ones. The
    confidence :math:`c_{ui}` is 1, or, `by_count`, the rating.
    """

    card = Card(
        "tf_idf_knn",
        "TF-IDF item-kNN",
        "implicit feedback lists",
        "A cold user gets the mean score of all users; a film outside the id map scores 0.",
        most={"items": 40_000},
        most_searched={"items": 5_000},
    )

    threshold = None  # all ratings count

    def __init__(self, *, n_neighbours: int = 100, by_count: bool = False):
        self._store(locals())

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        self._counts = train.matrix.data if self.by_count else np.ones(len(train))  # in the order of X's entries
        super()._fit(train, validation)
        del self._counts

    def _weights(self, history: sparse.csr_array) -> sparse.csr_array:
        check(self, counts=("n_neighbours",))
        n_items = history.shape[1]
        rarity = np.log(n_items / (1.0 + np.diff(history.indptr))).clip(1e-9)
        entries = np.sqrt(self._counts) * np.repeat(rarity, np.diff(history.indptr))
        lengths = np.sqrt(np.bincount(history.indices, entries**2, minlength=n_items))
        units = entries / lengths[history.indices], history.indices, history.indptr
        by_user = sparse.csr_array(units, shape=history.shape)
        by_item = by_user.T.tocsr()
        found = []
        step = max(1, BLOCK_CELLS // n_items)
        for low in range(0, n_items, step):
            block = (by_item[low : low + step] @ by_user).toarray()
            own = np.arange(len(block))
            block[own, low + own] = 0.0
            columns, similar = best_columns(block, min(self.n_neighbours, n_items))
            kept = similar > 0
            found.append((similar[kept], np.repeat(low + own, kept.sum(axis=1)), columns[kept]))
        values, rows, columns = map(np.concatenate, zip(*found, strict=True))
        return sparse.csr_array((values, (rows, columns)), shape=(n_items, n_items))
