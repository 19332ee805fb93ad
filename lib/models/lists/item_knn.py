"""Item-kNN: films by the company they keep in users' histories, all alike or weighted by TF-IDF."""

import numpy as np
from scipy import sparse

from lib.data.interactions import Interactions
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


class TfIdfKNN(ItemWeights):
    r"""Score a film by its cosines with those that a user has rated, which the library `implicit` finds.

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
        most_searched={"ratings": 500_000},
    )

    threshold = None  # all ratings count

    def __init__(self, *, n_neighbours: int = 100, by_count: bool = False):
        self._store(locals())

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        self._counts = train.matrix.data if self.by_count else np.ones(len(train))  # in the order of X's entries
        super()._fit(train, validation)
        del self._counts

    def _weights(self, history: sparse.csr_array) -> sparse.csr_array:
        from implicit.nearest_neighbours import ItemItemRecommender, normalize, tfidf_weight

        check(self, counts=("n_neighbours",))
        counts = sparse.csr_matrix((self._counts, history.indices, history.indptr), history.shape)
        model = ItemItemRecommender(self.n_neighbours + 1, num_threads=1)  # a film is its own neighbour there
        model.fit(sparse.csr_matrix(normalize(tfidf_weight(counts.T)).T), show_progress=False)
        near = sparse.coo_array(model.similarity)
        kept = (near.row != near.col) & (near.data > 0)
        return sparse.csr_array((near.data[kept], (near.row[kept], near.col[kept])), shape=near.shape)
