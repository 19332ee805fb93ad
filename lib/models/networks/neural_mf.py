"""NeuralMF: biases, a product of embeddings, and a residual network of dense layers over both embeddings."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lib.data.interactions import Interactions
from lib.data.splits import validation_from
from lib.models.base import Recommender, lookup
from lib.models.card import Card

BLOCK_FLOATS = 2**18
"""Floats of the widest layer that are computed at a time: a megabyte, which stays in the cache."""


class NeuralMF(Recommender):
    r"""Project D's neural matrix factorisation, in Keras on any of its backends.

    .. math::

        \hat r_{ui} = \mu + b_u + b_i + w^\top [p_u \odot q_i; x_3] + c, \qquad
        x_1 = f_1(W [p_u; q_i]), \quad x_2 = f_2(x_1 + W [p_u; q_i]), \quad x_3 = f_3(x_2 + p_u \odot q_i)

    p and q are embeddings of `n_factors`, shared by the product and by the network; each block f is two dense layers
    with relu, both followed by dropout, of width `hidden_size` in the first block and `n_factors` in the others; W has
    no bias. The mean :math:`\mu` is learned and starts at the training mean. This is the NeuMF of He et al. 2017
    ("Neural collaborative filtering") for ratings, with shared embeddings, residual links and biases. Squared error
    plus `l2` times the squared norms of the embeddings and of the biases is minimised by Adam (Kingma and Ba 2015).

    Training stops early by the RMSE on validation data, predictions clipped to the scale, and the best epoch's weights
    are kept; where that error has stalled for `plateau_patience` epochs, the learning rate is multiplied by
    `plateau_factor`. Where ``fit`` is given no validation data it cuts `validation_share` of each user's ratings from
    train, finds the number of epochs and their learning rates on that, and, with `refit`, trains again from the same
    start on all of train with those. (Where too few ratings leave nothing to cut, it trains for `max_epochs` at the
    first learning rate.)

    Saved models answer without Keras. The same seed gives the same bits on one backend thread, which is what
    `lib.models.networks.keras_training` asks for where the environment says nothing else.

    Parameters
    ----------
    n_factors : int
        Length of the embeddings; D has 256.
    hidden_size : int
        Width of the residual branch and of the first block.
    dropout : float
        Share of each dense layer's outputs, to the nearest 1/256, that is left out in training.
    learning_rate : float
        Of the first epochs; D has 1e-3.
    batch_size : int
        D has 32000.
    l2 : float
        Beside a mean over ratings, so that fewer ratings ask for a larger one; D has 0.
    init_scale : float
        Embeddings start uniform in plus or minus this; D has 0.05.
    averaging : float
        Momentum, an epoch, of the moving average of the weights that is measured and kept; 0, as in D, for the epoch's
        own weights.
    epochs : int or None
        A fixed number of epochs at one learning rate, without validation data.
    max_epochs, patience : int
        Early stopping: at most `max_epochs`, and `patience` epochs without a lower validation RMSE.
    plateau_patience : int
    plateau_factor : float
    validation_share : float
    refit : bool
    seed : int
        Of starting weights, dropout, shuffling and the validation data that it cuts.

    Attributes
    ----------
    n_epochs_ : int
        Epochs behind the weights that are kept.
    history_ : ndarray, shape (epochs run, 3)
        By epoch of the training that stopped early: the objective (mean squared error under dropout plus penalty), the
        validation RMSE (NaN where there were no validation data) and the learning rate.
    weights_ : dict of str to ndarray of float32
        By names such as ``user/embedding`` or ``block1/dense0/kernel``; ``mean`` is :math:`\mu`.
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
        small={"n_factors": 6, "hidden_size": 16, "batch_size": 128, "learning_rate": 0.01, "max_epochs": 40},
    )

    loaded_first = ("lib.models.networks.keras_training",)

    def __init__(
        self,
        *,
        n_factors: int = 64,
        hidden_size: int = 64,
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
        validation_share: float = 0.1,
        refit: bool = True,
        seed: int = 0,
    ):
        self._store(locals())

    # -- learning --------------------------------------------------------------------------------------------------
    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        self._check_parameters()
        epochs, part, refit, rates = self.epochs, train, False, [self.learning_rate]
        if epochs is None and validation is None:
            cut = validation_from(train, share=self.validation_share, seed=self.seed)
            if len(cut.test):
                part, validation, refit = cut.train, cut.test, self.refit
        if epochs is not None or validation is None or len(validation) == 0:
            epochs, validation, refit = epochs or self.max_epochs, None, False
        training, used = self._train(part, validation, epochs or self.max_epochs, rates)
        self.n_epochs_ = training.best + 1
        errors = training.errors or [np.nan] * len(used)
        self.history_ = np.column_stack([training.objectives, errors, used])
        if refit:
            part, (training, _) = train, self._train(train, None, self.n_epochs_, used[: self.n_epochs_])
        self._keep(training.weights, part)

    def _train(self, train: Interactions, validation: Interactions | None, epochs: int, rates: list[float]):
        """Train from the start, with early stopping where there are validation data."""
        from lib.models.networks import keras_training
        from lib.models.networks.neural_mf_network import NeuralMFNetwork
        from lib.models.networks.neural_mf_training import train as run

        def error(weights) -> float:
            found = pair_ratings(weights, validation.users, validation.items)
            return float(np.sqrt(np.mean((train.scale.clip(found) - validation.ratings) ** 2)))

        with keras_training.seeded(self.seed):
            network = NeuralMFNetwork(
                train.n_users, train.n_items, n_factors=self.n_factors, hidden_size=self.hidden_size,
                dropout=self.dropout, l2=self.l2, init_scale=self.init_scale, mean=float(train.ratings.mean()),
                batch_size=self.batch_size, seed=self.seed,
            )  # fmt: skip
            return run(
                network, np.column_stack([train.users, train.items]), train.ratings,
                read=NeuralMFNetwork.weights_by_name, epochs=epochs, batch_size=self.batch_size, rates=rates,
                averaging=self.averaging, error=error if validation is not None else None, patience=self.patience,
                plateau_patience=self.plateau_patience, plateau_factor=self.plateau_factor, seed=self.seed,
            )  # fmt: skip

    def _keep(self, weights: dict[str, np.ndarray], train: Interactions) -> None:
        """Give cold entities the mean embedding and no bias."""
        for side, counts in (("user", train.user_counts), ("item", train.item_counts)):
            embedding = weights[f"{side}/embedding"]
            mean = embedding[counts > 0].mean(axis=0)
            embedding[counts == 0], weights[f"{side}/bias"][counts == 0] = mean, 0.0
            setattr(self, f"mean_{side}_", mean)
        self.weights_ = weights

    def _check_parameters(self) -> None:
        sizes = ("n_factors", "hidden_size", "batch_size", "max_epochs", "patience", "plateau_patience")
        rules = [
            ("be at least 1", sizes, lambda value: value >= 1),
            ("be at least 1, or None to stop early", ["epochs"], lambda value: value is None or value >= 1),
            ("be positive", ["learning_rate"], lambda value: 0 < value < np.inf),
            ("not be negative", ["l2", "init_scale"], lambda value: 0 <= value < np.inf),
            ("lie in [0, 1)", ["dropout", "averaging"], lambda value: 0 <= value < 1),
            ("lie in (0, 1)", ["validation_share"], lambda value: 0 < value < 1),
            ("lie in (0, 1], 1 to keep the rate", ["plateau_factor"], lambda value: 0 < value <= 1),
        ]
        for words, names, holds in rules:
            for name in names:
                if not holds(getattr(self, name)):
                    raise ValueError(f"NeuralMF: {name} must {words}; got {getattr(self, name)}")

    # -- answering -------------------------------------------------------------------------------------------------
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

    @property
    def n_parameters_(self) -> int:
        """Trained weights of the network."""
        self._check_fitted()
        return sum(array.size for array in self.weights_.values())

    # -- saving ----------------------------------------------------------------------------------------------------
    def _state(self) -> dict[str, np.ndarray]:
        state = super()._state()
        del state["weights_"]
        return state | {f"weights_/{name}": array for name, array in self.weights_.items()}

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        super()._restore({name: value for name, value in state.items() if not name.startswith("weights_/")})
        self.weights_ = {
            name.removeprefix("weights_/"): value
            for name, value in state.items()
            if name.startswith("weights_/")
        }


def pair_ratings(
    weights: Mapping[str, np.ndarray], users: np.ndarray, items: np.ndarray, mean_user=0.0, mean_item=0.0
) -> np.ndarray:
    """Compute the network in numpy from its weights, for pairs of codes.

    Parameters
    ----------
    weights : mapping of str to ndarray
        From `NeuralMFNetwork.weights_by_name`.
    users, items : int arrays, shape (n,)
    mean_user, mean_item : ndarray, shape (n_factors,)
        Embeddings of codes outside the tables; such a code has no bias.

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    of_user, of_item = np.split(weights["residual/kernel"], 2)
    ratings, rows = np.empty(len(users)), block_rows(weights)
    for start in range(0, len(users), rows):
        some = slice(start, start + rows)
        p = lookup(weights["user/embedding"], users[some], mean_user)
        q = lookup(weights["item/embedding"], items[some], mean_item)
        ratings[some] = network_output(weights, p * q, p @ of_user + q @ of_item)
    biases = lookup(weights["user/bias"], users).astype(np.float64) + lookup(weights["item/bias"], items)
    return ratings + biases + weights["mean"]


def network_output(
    weights: Mapping[str, np.ndarray], products: np.ndarray, residuals: np.ndarray
) -> np.ndarray:
    """Return what the network adds to mean and biases, shape (n,), in float32.

    Parameters
    ----------
    weights : mapping of str to ndarray
    products : ndarray of float32, shape (n, n_factors)
        Of the embeddings, element by element.
    residuals : ndarray of float32, shape (n, hidden_size)
        Embeddings side by side, times the first kernel.
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


def block_rows(weights: Mapping[str, np.ndarray]) -> int:
    """Pairs to compute at a time."""
    return max(
        1, BLOCK_FLOATS // max(weights["residual/kernel"].shape[1], weights["user/embedding"].shape[1])
    )
