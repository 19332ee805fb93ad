"""Implicit ALS: a weighted factorisation of who rated what, or of counts, by the library `implicit`."""

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from lib.data.interactions import Interactions
from lib.models.base import Recommender, lookup
from lib.models.card import Card
from lib.models.lists.item_weights import check, implicit_matrix


class ImplicitALS(Recommender):
    r"""Collaborative filtering for implicit feedback (Hu, Koren and Volinsky 2008), fitted by the library `implicit`.

    With :math:`p_{ui} = 1` and confidence :math:`c_{ui} = 1 + \alpha` where user u has a training rating of film i (of at
    least `threshold`), :math:`p_{ui} = 0` and :math:`c_{ui} = 1` everywhere else, alternating least squares minimises

    .. math:: \sum_{u,i} c_{ui} (p_{ui} - \langle x_u, y_i \rangle)^2
        + \lambda \Big(\sum_u |x_u|^2 + \sum_i |y_i|^2\Big)

    over all pairs, in time of O(ratings) a pass. (The entries that `implicit` is given are whole confidences, so its own
    ``alpha`` is our :math:`1 + \alpha`. It takes three steps of conjugate gradients towards each least-squares solution,
    from the one before; Takács, Pilászy and Tikk 2011.)

    Scores are near 1 for films that belong to the user's, near 0 for others, and say nothing about stars. Raises
    ValueError: a parameter is out of its range, or no rating reaches `threshold`. FloatingPointError: the vectors are
    not finite. `l2` is :math:`\lambda`; `threshold` None counts all ratings. `user_embeddings_` and `item_embeddings_`,
    float32, are x and y. Films are solved last, so a user's vector is the solution for the films' vectors one pass
    before.
    """

    card = Card(
        "implicit_als",
        "Implicit ALS",
        "implicit feedback lists",
        "A cold user has the mean vector of the others; a cold film scores 0.",
        starts=True,
        films="item_embeddings_",
        small={"n_factors": 8, "n_iterations": 5},
    )

    predicts_ratings = False

    def __init__(
        self,
        *,
        n_factors: int = 64,
        l2: float = 10.0,
        alpha: float = 1.0,
        n_iterations: int = 15,
        threshold: float | None = None,
        seed: int = 0,
    ):
        self._store(locals())

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        check(self, counts=("n_factors", "n_iterations"), positive=("l2", "alpha"))
        positives = implicit_matrix(train, self.threshold)
        if positives.nnz == 0:
            raise ValueError(f"ImplicitALS: no training rating reaches threshold={self.threshold}; choose a lower one")
        confidences = sparse.csr_matrix(positives * (1.0 + self.alpha), dtype=np.float32)
        # More BLAS threads than one slow `implicit` down, and it would warn of that.
        with threadpool_limits(1, user_api="blas"), np.errstate(over="ignore", invalid="ignore"):
            from implicit.cpu.als import AlternatingLeastSquares
            from implicit.recommender_base import ModelFitError

            model = AlternatingLeastSquares(
                factors=self.n_factors,
                regularization=self.l2,
                alpha=1.0,
                iterations=self.n_iterations,
                num_threads=1,
                random_state=self.seed,
            )
            try:
                model.fit(confidences, show_progress=False)
                users, items = model.user_factors, model.item_factors
                finite = np.isfinite(users).all() and np.isfinite(items).all()
            except ModelFitError:
                finite = False
        if not finite:
            raise FloatingPointError(
                f"ImplicitALS: vectors are not finite at alpha={self.alpha}, l2={self.l2}; try a smaller alpha"
            )
        active = np.diff(positives.indptr) > 0
        rated = np.bincount(positives.indices, minlength=train.n_items) > 0
        self.mean_user_ = users[active].mean(axis=0, dtype=np.float64)
        users[~active], items[~rated] = self.mean_user_, 0.0
        self.user_embeddings_, self.item_embeddings_ = users, items

    def predict(self, users, items, times=None) -> np.ndarray:
        """Score pairs by the product of their vectors."""
        users, items = self._pairs(users, items, times)
        of_items = lookup(self.item_embeddings_, items).astype(np.float64)
        return np.einsum("nf,nf->n", self._of_users(users), of_items)

    def score(self, users) -> np.ndarray:
        """Score the catalogue by one product of the vectors."""
        self._check_fitted()
        return self._of_users(np.asarray(users)) @ self.item_embeddings_.T.astype(np.float64)

    @property
    def n_parameters_(self) -> int:
        """Numbers in the vectors."""
        self._check_fitted()
        return self.user_embeddings_.size + self.item_embeddings_.size

    def _of_users(self, codes: np.ndarray) -> np.ndarray:
        return lookup(self.user_embeddings_, codes, self.mean_user_).astype(np.float64)


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
