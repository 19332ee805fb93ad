"""TF-IDF nearest neighbours: films by the company they keep, where users who rate little tell more."""

import numpy as np
from scipy import sparse

from lib.data.interactions import Interactions
from lib.models.card import Card
from lib.models.lists.item_weights import ItemWeights, check


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
