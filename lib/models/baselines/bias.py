"""The bias model: one number a user and one a film, jointly and exactly."""

import numpy as np
from scipy import sparse

from lib.data.interactions import Interactions
from lib.models.base import Recommender, lookup
from lib.models.card import Card

TOLERANCE = 1e-7  # largest change of a bias, in rating units, at which sweeps stop

MOST_SWEEPS = 500


class Bias(Recommender):
    r"""Regularised user and item effects (Koren 2008, "Factorization meets the neighborhood", section 2.1).

    .. math:: \hat r_{ui} = \mu + b_u + b_i, \qquad
        \min_b \sum_{(u,i)} (r_{ui} - \mu - b_u - b_i)^2 + \lambda_u \sum_u b_u^2 + \lambda_i \sum_i b_i^2

    with :math:`\mu` the mean training rating. Solved by alternating closed-form sweeps, each exact in one block, until
    the largest change falls below `TOLERANCE`: the objective is strictly convex, so the end does not depend on the
    order. :math:`\lambda_u` and :math:`\lambda_i`, `user_regularisation` and `item_regularisation`, are in ratings: a
    film with :math:`\lambda_i` ratings keeps half its mean residual.
    """

    card = Card("bias", "Bias model", "means and popularity", "A cold user or film has bias zero.", colour="black")

    def __init__(self, *, user_regularisation: float = 5.0, item_regularisation: float = 5.0):
        self._store(locals())

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        for name in ("user_regularisation", "item_regularisation"):
            if getattr(self, name) < 0:
                raise ValueError(f"Bias: {name} must not be negative; got {getattr(self, name)}")
        ratings = train.ratings.astype(np.float64)
        self.mean_ = np.float64(ratings.mean())
        shape = train.n_users, train.n_items
        user_sum = np.bincount(train.users, ratings - self.mean_, minlength=shape[0])
        item_sum = np.bincount(train.items, ratings - self.mean_, minlength=shape[1])
        # A sweep needs who rated what alone: in rows and columns, it adds up a bias of neighbours in memory.
        rated = sparse.csr_array((np.ones(len(ratings)), (train.users, train.items)), shape)
        raters = rated.T.tocsr()
        user_bias, item_bias = np.zeros(shape[0]), np.zeros(shape[1])
        user_weight = np.maximum(train.user_counts + self.user_regularisation, 1e-12)
        item_weight = np.maximum(train.item_counts + self.item_regularisation, 1e-12)
        for _ in range(MOST_SWEEPS):
            new_item = (item_sum - raters @ user_bias) / item_weight
            new_user = (user_sum - rated @ new_item) / user_weight
            change = max(np.abs(new_item - item_bias).max(), np.abs(new_user - user_bias).max())
            user_bias, item_bias = new_user, new_item
            if change < TOLERANCE:
                break
        self.user_bias_, self.item_bias_ = user_bias, item_bias

    def predict(self, users, items, times=None) -> np.ndarray:
        """Predict the mean plus both biases; a cold user or film adds nothing."""
        users, items = self._pairs(users, items, times)
        return self.mean_ + lookup(self.user_bias_, users) + lookup(self.item_bias_, items)
