"""Matrix factorisation by stochastic gradient descent: a plain dot product, with L2 and gravity as options."""

import numpy as np
from numba import njit
from threadpoolctl import threadpool_limits

from lib.data.interactions import Interactions
from lib.models.base import Recommender, lookup
from lib.models.card import Card
from lib.models.early_stopping import Continued
from lib.models.sparse_kernels import REORDERED


class MatrixFactorisation(Continued, Recommender):
    r"""Ratings as dot products of user and film embeddings, without means or biases: project C's model.

    With N users, M films and the observed pairs :math:`\Omega`, mini-batches of ratings change the embeddings of
    :math:`\hat r_{ui} = \langle U_u, V_i \rangle` along the gradient of

    .. math:: \frac{1}{|\Omega|} \sum_{(u,i) \in \Omega} (r_{ui} - \hat r_{ui})^2
        + \lambda_r \Big(\frac1N \sum_u |U_u|^2 + \frac1M \sum_i |V_i|^2\Big)
        + \lambda_g \frac{1}{NM} \sum_{u,i} \hat r_{ui}^2 .

    The last term, *gravity*, pulls the prediction of every pair towards zero, rated or not. It is exact: the sum over
    all pairs is :math:`\langle U^\top U, V^\top V \rangle`, two small Gram matrices, as in implicit ALS (Hu, Koren and
    Volinsky 2008). Memory is O(ratings + (users + items) x factors). Both regularisers are those of Google's course on
    recommendation systems, which project C follows.

    Without gravity and L2 an unrated film keeps the embedding it started with, and a rarely rated one some of it: part
    of what project C describes, so `item_embeddings_` shows it, and `predict` does not.

    `l2` is :math:`\lambda_r`, `gravity` :math:`\lambda_g`; `learning_rate` is of the loss above, a mean: values around
    10 are usual. A batch has at most `batch_size` ratings: an epoch's are shared out evenly, so that no step rests on a
    few left over. `initial_scale` is the standard deviation of the normal distribution that embeddings start from;
    `seed` is of them and of the order of the ratings.

    Attributes
    ----------
    user_embeddings_, item_embeddings_ : ndarray of float64, shapes (n_users, n_factors), (n_items, n_factors)
    train_error_, validation_error_ : ndarray of float64, shape (n_epochs + 1,)
        Mean squared error before training and after each epoch; the second is empty without validation data. Nothing is
        chosen by them.
    """

    card = Card(
        "matrix_factorisation",
        "Dot-product factorisation",
        "latent factors",
        "A cold user or film has the mean embedding of those with ratings.",
        project="C",
        starts=True,
        learns_taste=True,
        most={"cells": 50_000_000},
        films="item_embeddings_",
        small={"n_factors": 4, "learning_rate": 3.0, "n_epochs": 200, "initial_scale": 0.3, "l2": 0.02},
    )

    curves = ("train_error_",)

    def __init__(
        self,
        *,
        n_factors: int = 30,
        l2: float = 0.0,
        gravity: float = 0.0,
        learning_rate: float = 10.0,
        n_epochs: int = 100,
        batch_size: int = 8192,
        initial_scale: float = 0.5,
        seed: int = 0,
    ):
        self._store(locals())

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        self._check()
        rng = np.random.default_rng(self.seed)
        users = rng.normal(0.0, self.initial_scale, (train.n_users, self.n_factors))
        items = rng.normal(0.0, self.initial_scale, (train.n_items, self.n_factors))
        self._course, self._trained_on = (users, items, rng), train
        self._train(train, validation, self.n_epochs)

    def _train(self, train: Interactions, validation: Interactions | None, epochs: int) -> None:
        users, items, rng = self._course
        observed = [
            (data.users.astype(np.int64), data.items.astype(np.int64), data.ratings.astype(np.float64))
            for data in (train, validation)
            if data is not None and len(data)
        ]
        errors = [[squared_error(users, items, *data)] for data in observed]
        for _ in range(epochs):
            order = rng.permutation(len(train))
            n_steps = -(-len(order) // self.batch_size)
            with threadpool_limits(1, user_api="blas"):  # Gram matrices are too small to share out
                for drawn in np.array_split(order, n_steps):
                    self._step(users, items, [array[drawn] for array in observed[0]])
            for found, data in zip(errors, observed, strict=True):
                found.append(squared_error(users, items, *data))
            if not np.isfinite(errors[0][-1]):
                raise FloatingPointError(
                    f"MatrixFactorisation diverged at learning_rate={self.learning_rate}; try a smaller one"
                )
        self.user_embeddings_, self.item_embeddings_ = users, items
        self.mean_user_ = users[train.user_counts > 0].mean(axis=0)
        self.mean_item_ = items[train.item_counts > 0].mean(axis=0)
        self.known_users_, self.known_items_ = train.user_counts > 0, train.item_counts > 0
        self.train_error_ = np.array(errors[0])
        self.validation_error_ = np.array(errors[1]) if len(errors) > 1 else np.empty(0)

    def _step(self, users: np.ndarray, items: np.ndarray, batch: list[np.ndarray]) -> None:
        by_user, by_item = np.zeros_like(users), np.zeros_like(items)
        add_slopes(users, items, batch[0], batch[1], batch[2], by_user, by_item)
        for slopes in (by_user, by_item):
            slopes /= len(batch[0])
        if self.l2:
            by_user -= self.l2 / len(users) * users
            by_item -= self.l2 / len(items) * items
        if self.gravity:
            share = self.gravity / (len(users) * len(items))
            of_users, of_items = users.T @ users, items.T @ items
            by_user -= share * (users @ of_items)
            by_item -= share * (items @ of_users)
        users += 2.0 * self.learning_rate * by_user
        items += 2.0 * self.learning_rate * by_item

    def predict(self, users, items, times=None) -> np.ndarray:
        """Predict pairs by the dot product; a cold user or film is the mean one."""
        users, items = self._pairs(users, items, times)
        return np.einsum("nf,nf->n", self._embeddings("user", users), self._embeddings("item", items))

    def score(self, users) -> np.ndarray:
        """Score the catalogue by one product of the embeddings."""
        self._check_fitted()
        items = self._embeddings("item", np.arange(self.n_items_))
        return self._embeddings("user", np.asarray(users)) @ items.T

    @property
    def n_parameters_(self) -> int:
        """Numbers in the embeddings."""
        self._check_fitted()
        return self.user_embeddings_.size + self.item_embeddings_.size

    def _embeddings(self, side: str, codes: np.ndarray) -> np.ndarray:
        found = lookup(getattr(self, f"{side}_embeddings_"), codes)
        found[~lookup(getattr(self, f"known_{side}s_"), codes, False)] = getattr(self, f"mean_{side}_")
        return found

    def _check(self) -> None:
        for name, value in self.parameters.items():
            if name in ("n_factors", "n_epochs", "batch_size") and value < 1:
                raise ValueError(f"MatrixFactorisation: {name} must be at least 1; got {value}")
            if name in ("l2", "gravity", "learning_rate", "initial_scale") and not value >= 0:
                raise ValueError(f"MatrixFactorisation: {name} must not be negative; got {value}")


@njit(cache=True, fastmath=REORDERED)
def add_slopes(users, items, user_of, item_of, ratings, by_user, by_item):
    """Add each rating's error times the other side's embedding: minus half the gradient of the sum of squared errors."""
    k = users.shape[1]
    for n in range(len(ratings)):
        user, item = users[user_of[n]], items[item_of[n]]
        error = ratings[n]
        for f in range(k):
            error -= user[f] * item[f]
        to_user, to_item = by_user[user_of[n]], by_item[item_of[n]]
        for f in range(k):
            to_user[f] += error * item[f]
            to_item[f] += error * user[f]


@njit(cache=True, fastmath=REORDERED)
def squared_error(users, items, user_of, item_of, ratings):
    """Mean squared error of the ratings, by the embeddings of their pairs alone."""
    k = users.shape[1]
    total = 0.0
    for n in range(len(ratings)):
        user, item = users[user_of[n]], items[item_of[n]]
        error = ratings[n]
        for f in range(k):
            error -= user[f] * item[f]
        total += error * error
    return total / len(ratings)
