"""NeuralMF: biases, a product of embeddings, and a residual network of dense layers over both embeddings."""

from collections.abc import Sequence

import numpy as np

from lib.data.interactions import Interactions
from lib.models.base import lookup
from lib.models.card import Card
from lib.models.networks.keras_network import KerasNetwork
from lib.models.networks.network_model import Weights
from lib.models.networks.side_features import side_features

BLOCK_FLOATS = 2**18  # floats of the widest layer that are computed at a time: a megabyte, which stays in the cache


class NeuralMF(KerasNetwork):
    r"""Project D's neural matrix factorisation, a `KerasNetwork`.

    .. math::

        \hat r_{ui} = \mu + b_u + b_i + w^\top [p_u \odot q_i; x_3] + c, \qquad
        x_1 = f_1(W [p_u; q_i]), \quad x_2 = f_2(x_1 + W [p_u; q_i]), \quad x_3 = f_3(x_2 + p_u \odot q_i)

    p and q are embeddings of `n_factors`, shared by the product and by the network; each block f is two dense layers
    with relu, both followed by dropout, of width `hidden_size` in the first block and `n_factors` in the others; W has
    no bias. The mean :math:`\mu` is learned and starts at the training mean. This is the NeuMF of He et al. 2017
    ("Neural collaborative filtering") for ratings, with shared embeddings, residual links and biases. Squared error
    plus `l2` times the squared norms of the embeddings and of the biases is minimised.

    In training a share `dropout` of each dense layer's outputs, to the nearest 1/256, is left out. With `groups`,
    features of users and films (`lib.data.feature_groups`), an embedding is the entity's own one plus a linear function
    of its features. `l2` stands beside a mean over ratings, so that fewer ratings ask for a larger one; embeddings
    start uniform in plus or minus `init_scale`. The rest is as in `lib.models.networks.network_model.StoppedNetwork`;
    the objective is the mean squared error under dropout plus penalty, and validation predictions are clipped. Project
    D's values of all are `lib.studies.neural_study.PUBLISHED_NEURAL_MF`.

    Attributes
    ----------
    weights_ : dict of str to ndarray of float32
        By names such as ``user/embedding`` (with its features' part) or ``block1/dense0/kernel``; ``mean`` is
        :math:`\mu`.
    mean_user_, mean_item_ : ndarray of float32, shape (n_factors,)
        Embeddings of unknown codes.
    """

    card = Card(
        "neural_mf",
        "NeuralMF",
        "networks",
        "A cold user or film has the mean of the trained embeddings and no bias.",
        project="D",
        starts=True,
        learns_taste=True,
        stopping={"limit": "max_epochs", "most": 100, "by_model": True},
        small={"n_factors": 6, "groups": [], "hidden_size": 16, "batch_size": 128, "learning_rate": 0.01, "epochs": 30},
    )

    def __init__(
        self,
        *,
        n_factors: int = 64,
        hidden_size: int = 64,
        groups: Sequence[str] = (),
        dropout: float = 0.2,
        learning_rate: float = 3e-3,
        batch_size: int = 4096,
        l2: float = 2e-4,
        init_scale: float = 0.01,
        averaging: float = 0.7,
        epochs: int | None = None,
        max_epochs: int = 100,
        patience: int = 5,
        plateau_patience: int = 2,
        plateau_factor: float = 0.5,
        seed: int = 0,
    ):
        self._store(locals())

    def _network(self, train: Interactions):
        from lib.models.networks.neural_mf_network import NeuralMFNetwork

        sides = (side_features(train, self.groups, side) for side in ("user", "item"))
        return NeuralMFNetwork(
            train.n_users,
            train.n_items,
            features=[side.toarray().astype(np.float32) if side.shape[1] else None for side in sides],
            n_factors=self.n_factors,
            hidden_size=self.hidden_size,
            dropout=self.dropout,
            l2=self.l2,
            init_scale=self.init_scale,
            mean=float(train.ratings.mean()),
            batch_size=self.batch_size,
            seed=self.seed,
        )

    def _targets(self, train: Interactions) -> np.ndarray:
        return train.ratings

    def _error(self, validation: Interactions, weights: Weights) -> float:
        found = pair_ratings(weights, validation.users, validation.items)
        return float(np.sqrt(np.mean((self.scale_.clip(found) - validation.ratings) ** 2)))

    def _keep(self, weights: Weights, train: Interactions) -> None:
        """Give cold entities the mean embedding and no bias."""
        for side, counts in (("user", train.user_counts), ("item", train.item_counts)):
            setattr(self, f"mean_{side}_", weights[f"{side}/embedding"][counts > 0].mean(axis=0))
            weights[f"{side}/bias"][counts == 0] = 0.0
        super()._keep(weights, train)

    def predict(self, users, items, times=None) -> np.ndarray:
        """Predict pairs, a block at a time."""
        users, items = self._pairs(users, items, times)
        return pair_ratings(self.weights_, users, items, self.mean_user_, self.mean_item_)

    def score(self, users) -> np.ndarray:
        """Score the catalogue; a user's and a film's part of the first layer are computed once each."""
        self._check_fitted()
        users, weights = np.asarray(users), self.weights_
        of_user, of_item = np.split(weights["residual/kernel"], 2)
        p, q = lookup(weights["user/embedding"], users, self.mean_user_), weights["item/embedding"]
        user_parts, item_parts = p @ of_user, q @ of_item
        scores = np.empty((len(users), self.n_items_))
        n_users = max(1, block_rows(weights) // self.n_items_)
        n_items = min(self.n_items_, block_rows(weights))
        for user in range(0, len(users), n_users):
            some = slice(user, user + n_users)
            for item in range(0, self.n_items_, n_items):
                films = slice(item, item + n_items)
                products = p[some, None, :] * q[None, films, :]
                residuals = user_parts[some, None, :] + item_parts[None, films, :]
                found = network_output(
                    weights, products.reshape(-1, q.shape[1]), residuals.reshape(-1, of_user.shape[1])
                )
                scores[some, films] = found.reshape(products.shape[:2])
        scores += weights["item/bias"].astype(np.float64) + weights["mean"]
        scores += lookup(weights["user/bias"], users)[:, None]
        return scores


def pair_ratings(weights: Weights, users: np.ndarray, items: np.ndarray, mean_user=0.0, mean_item=0.0) -> np.ndarray:
    """Compute the network in numpy for pairs of codes, in float64; unknown ones have a mean embedding and no bias."""
    of_user, of_item = np.split(weights["residual/kernel"], 2)
    ratings, rows = np.empty(len(users)), block_rows(weights)
    for start in range(0, len(users), rows):
        some = slice(start, start + rows)
        p = lookup(weights["user/embedding"], users[some], mean_user)
        q = lookup(weights["item/embedding"], items[some], mean_item)
        ratings[some] = network_output(weights, p * q, p @ of_user + q @ of_item)
    biases = lookup(weights["user/bias"], users).astype(np.float64) + lookup(weights["item/bias"], items)
    return ratings + biases + weights["mean"]


def network_output(weights: Weights, products: np.ndarray, residuals: np.ndarray) -> np.ndarray:
    """Return what the network adds to mean and biases, shape (n,), in float32.

    `products` are of the embeddings, element by element, shape (n, n_factors); `residuals` the embeddings side by side
    times the first kernel, shape (n, hidden_size).
    """

    def block(number: int, x: np.ndarray) -> np.ndarray:
        for place in range(2):
            layer = f"block{number}/dense{place}"
            x = x @ weights[f"{layer}/kernel"]
            x += weights[f"{layer}/bias"]
            np.maximum(x, 0, out=x)
        return x

    x = block(0, residuals)
    x = block(1, x + residuals)
    x = block(2, x + products)
    of_products, of_x = np.split(weights["output/kernel"], 2)
    return (products @ of_products + x @ of_x)[:, 0] + weights["output/bias"]


def block_rows(weights: Weights) -> int:
    """Pairs to compute at a time."""
    widest = max(weights["residual/kernel"].shape[1], weights["user/embedding"].shape[1])
    return max(1, BLOCK_FLOATS // widest)
