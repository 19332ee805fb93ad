"""The softmax model: which film is rated next, from the bag of films that a user has rated."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from lib.data.interactions import Interactions
from lib.models.base import lookup
from lib.models.card import Card
from lib.models.early_stopping import Continued, EarlyStopping
from lib.models.lists.item_weights import implicit_matrix
from lib.models.networks.network_model import NetworkModel, Weights
from lib.models.networks.side_features import joined, shares, side_features
from lib.models.networks.softmax_loss import full_softmax, sampled_softmax
from lib.models.networks.softmax_network import Adagrad, Network


class Softmax(Continued, NetworkModel):
    r"""A classifier over films: project C's softmax model, :math:`\hat p(x) = \operatorname{softmax}(\psi(x) V^\top)`.

    x is the bag of films that a user has rated, each with the same weight, weights summing to one, whatever the ratings
    were; :math:`\psi` is `lib.models.networks.softmax_network.Network`. The loss is the cross-entropy of a film drawn
    from the user's own; its expectation over that draw is taken exactly. Covington, Adams and Sargin 2016 ("Deep neural
    networks for YouTube recommendations") is the model's larger relative; Multi-VAE (Liang et al. 2018) shares its
    loss.

    The label is among the inputs, as in project C. Scores order films and say nothing about ratings. An unrated film
    has the embedding that the loss pushed it to, away from every user. A code outside the id maps scores as the mean
    film does.

    V are ``item_embeddings_``, :math:`\psi` of each user's training bag ``user_embeddings_``, of length `n_factors`;
    there are no hidden layers by default. `shared` makes a film's input embedding its output embedding, as in project
    C. `groups` are features beside the bag, of `lib.data.feature_groups`: a user's own, and those of the rated films,
    averaged. The sampled softmax draws `n_samples` films, by popularity to the power of 0.75 (Mikolov et al. 2013); 0
    takes the full one. `learning_rate` is of Adagrad; a batch is of users. ``train_loss_`` and ``validation_loss_`` are
    the cross-entropy after each epoch, of training and of validation ratings given the training bag, full softmax, nats
    a rating; the second is NaN without validation data. Nothing is chosen by them.
    """

    card = Card(
        "softmax",
        "Softmax model",
        "implicit feedback lists",
        "A cold user gets the mean bag of all users, plus features of its own; an unrated film comes last for most.",
        project="C",
        starts=True,
        most={"cells": 100_000_000},
        films="item_embeddings_",
        small={"n_factors": 8, "n_epochs": 20, "hidden_sizes": [6], "groups": ["genres", "age"]},
        without_tables={"groups": []},
    )

    predicts_ratings = False
    curves = "train_loss_", "validation_loss_"

    def __init__(
        self,
        *,
        n_factors: int = 32,
        hidden_sizes: Sequence[int] = (),
        shared: bool = True,
        groups: Sequence[str] = (),
        n_samples: int = 0,
        learning_rate: float = 0.1,
        n_epochs: int = 100,
        batch_size: int = 256,
        seed: int = 0,
    ):
        self._store(locals())

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        self._check()
        self._course, self._trained_on = None, train
        with threadpool_limits(1, user_api="blas"):  # the dense layers are too small to share out
            self._train(train, validation, self.n_epochs)

    def _train(self, train: Interactions, validation: Interactions | None, epochs: int) -> None:
        active = np.flatnonzero(train.user_counts)
        labels = shares(implicit_matrix(train))
        features = side_features(train, self.groups, "user", labels)
        bags = joined(labels, features)
        if self._course is None:
            rng = np.random.default_rng(self.seed)
            layers = {"n_factors": self.n_factors, "hidden_sizes": self.hidden_sizes, "shared": self.shared}
            network = Network(train.n_items, bags.shape[1], **layers, rng=rng)
            self._course = rng, network, Adagrad(network.weights, self.learning_rate)
        rng, network, optimiser = self._course
        weights, loss = network.weights, self._loss(train.item_counts, rng)

        def step(users: np.ndarray) -> tuple[float, Weights]:
            layers = network.forward(bags[users])
            slopes = loss(layers[-1], weights["items"], labels[users])
            gradients = network.backward(bags[users], layers, slopes.users)
            gradients["items"] = gradients.get("items", 0.0) + slopes.items
            return slopes.loss * len(users), gradients

        error = None
        if validation is not None and len(validation):
            error = partial(self._held_out_loss, network, bags, shares(implicit_matrix(validation)))
        stopping = EarlyStopping(self.learning_rate)
        sums = self._descend(optimiser, stopping, step, active, rng, epochs=epochs, error=error)
        self.train_loss_, self.validation_loss_ = sums / len(active), np.array(stopping.errors)
        mean_bag = sparse.csr_array(labels[active].mean(axis=0)[None, :])
        cold = sparse.csr_array((train.user_counts == 0).astype(np.float64)[:, None])
        self.user_embeddings_ = network.forward(joined(labels + cold @ mean_bag, features))[-1]
        self.weights_, self.item_embeddings_ = weights, weights["items"]
        self.mean_user_ = self.user_embeddings_[active].mean(axis=0)
        self.mean_item_ = self.item_embeddings_[train.item_counts > 0].mean(axis=0)

    def predict(self, users, items, times=None) -> np.ndarray:
        r"""Score pairs by :math:`\langle \psi, V_i \rangle`, the logarithm of a chance up to a constant a user."""
        users, items = self._pairs(users, items, times)
        return np.einsum("nf,nf->n", self._of_users(users), self._of_items(items))

    def score(self, users) -> np.ndarray:
        """Score the catalogue by one product of the embeddings."""
        self._check_fitted()
        return self._of_users(np.asarray(users)) @ self.item_embeddings_.T

    def _loss(self, item_counts: np.ndarray, rng: np.random.Generator):
        if not self.n_samples:
            return full_softmax
        chances = np.maximum(item_counts, 1) ** 0.75
        return partial(sampled_softmax, n_samples=self.n_samples, chances=chances / chances.sum(), rng=rng)

    def _held_out_loss(
        self, network: Network, bags: sparse.csr_array, labels: sparse.csr_array, weights: Weights
    ) -> float:
        users = np.flatnonzero(np.diff(labels.indptr))
        total = 0.0
        for low in range(0, len(users), self.batch_size):
            batch = users[low : low + self.batch_size]
            found = full_softmax(network.forward(bags[batch])[-1], weights["items"], labels[batch])
            total += found.loss * len(batch)
        return total / len(users)

    def _of_users(self, codes: np.ndarray) -> np.ndarray:
        return lookup(self.user_embeddings_, codes, self.mean_user_)

    def _of_items(self, codes: np.ndarray) -> np.ndarray:
        return lookup(self.item_embeddings_, codes, self.mean_item_)
