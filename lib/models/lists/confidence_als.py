"""Implicit ALS on counts, such as plays: how often a user has had a film says how sure it is that the user likes it."""

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from lib.data.interactions import Interactions
from lib.models.card import Card
from lib.models.lists.implicit_als import ImplicitALS
from lib.models.lists.item_weights import check


class ConfidenceALS(ImplicitALS):
    r"""`ImplicitALS` with a confidence of its own for each pair, :math:`c_{ui} = 1 + \alpha r_{ui}` (Hu, Koren and Volinsky 2008).

    A rating :math:`r_{ui}` is a count here, or its logarithm, and not below zero. All ratings count.
    """

    card = Card(
        "confidence_als",
        "Implicit ALS by counts",
        "implicit feedback lists",
        "A cold user has the mean vector of the others; a cold film scores 0.",
        starts=True,
        needs="counts",
        small={"n_factors": 8, "n_iterations": 5},
    )

    def __init__(self, *, n_factors: int = 64, l2: float = 10.0, alpha: float = 1.0, n_iterations=15, seed: int = 0):
        self._store(locals())

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        check(self, counts=("n_factors", "n_iterations"), positive=("l2", "alpha"))
        confidences = sparse.csr_matrix(train.matrix * self.alpha, dtype=np.float32)
        confidences.data += 1.0
        with threadpool_limits(1, user_api="blas"):
            from implicit.cpu.als import AlternatingLeastSquares

            told = {"factors": self.n_factors, "regularization": self.l2, "iterations": self.n_iterations}
            model = AlternatingLeastSquares(**told, alpha=1.0, num_threads=1, random_state=self.seed)
            model.fit(confidences, show_progress=False)
        users, items = model.user_factors, model.item_factors
        self.mean_user_ = users[train.user_counts > 0].mean(axis=0, dtype=np.float64)
        users[train.user_counts == 0], items[train.item_counts == 0] = self.mean_user_, 0.0
        self.user_embeddings_, self.item_embeddings_ = users, items
