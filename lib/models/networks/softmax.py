"""The softmax model: which film is rated next, from the bag of films that a user has rated."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from lib.data.feature_groups import feature_groups
from lib.data.interactions import Interactions
from lib.models.base import Recommender, lookup
from lib.models.card import Card
from lib.models.networks.softmax_loss import full_softmax, sampled_softmax
from lib.models.networks.softmax_network import Adagrad, Network


class Softmax(Recommender):
    r"""A classifier over films: project C's softmax model.

    .. math:: \hat p(x) = \operatorname{softmax}(\psi(x) V^\top)

    x is the bag of films that a user has rated, each with the same weight, weights summing to one, whatever the ratings
    were; :math:`\psi` is `lib.models.networks.softmax_network.Network`. The loss is the cross-entropy of a film drawn from the
    user's own; its expectation over that draw is taken exactly. Covington, Adams and Sargin 2016 ("Deep neural networks
    for YouTube recommendations") is the model's larger relative; Liang et al. 2018's Multi-VAE shares its loss.

    The label is among the inputs, as in project C; `input_dropout` takes films out of the bag at random, so that the
    model can't answer by repeating the question. It orders films and says nothing about ratings.

    An unrated film has the embedding that the loss pushed it to, away from every user. A code outside the id maps
    scores as the mean film does.

    Parameters
    ----------
    n_factors : int
        Length of the embeddings.
    hidden_sizes : sequence of int
        Sizes of hidden layers, none by default.
    shared : bool
        Whether a film's input embedding is its output embedding, as in project C.
    groups : sequence of str
        Features beside the bag, of `lib.data.feature_groups`: a user's own, and those of the rated films, averaged.
    n_samples : int
        Films drawn for the sampled softmax, by popularity to the power of 0.75 (Mikolov et al. 2013); 0 takes the full
        one.
    input_dropout : float
        Share of each bag's films that is left out, anew in each epoch.
    learning_rate : float
        Of Adagrad.
    n_epochs, batch_size : int
        A batch is of users.
    initial_scale : float
        Standard deviation of the embeddings at the start.
    seed : int

    Attributes
    ----------
    item_embeddings_ : ndarray of float64, shape (n_items, n_factors)
        V.
    user_embeddings_ : ndarray of float64, shape (n_users, n_factors)
        :math:`\psi` of each user's training bag.
    input_embeddings_ : ndarray of float64, shape (n_items, n_factors)
        The films' input embeddings; V itself where they are shared.
    train_loss_, validation_loss_ : ndarray of float64
        Cross-entropy after each epoch, of training and of validation ratings given the training bag, full softmax, nats
        a rating; the second is empty without validation data. Nothing is chosen by them.
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

    def __init__(
        self,
        *,
        n_factors: int = 32,
        hidden_sizes: Sequence[int] = (),
        shared: bool = True,
        groups: Sequence[str] = (),
        n_samples: int = 0,
        input_dropout: float = 0.0,
        learning_rate: float = 0.1,
        n_epochs: int = 100,
        batch_size: int = 256,
        initial_scale: float = 0.1,
        seed: int = 0,
    ):
        self._store(locals())

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        self._check()
        # Divergence is told by the loss, in words.
        with threadpool_limits(1, user_api="blas"), np.errstate(over="ignore", invalid="ignore"):
            self._train(train, validation)

    def _train(self, train: Interactions, validation: Interactions | None) -> None:
        rng = np.random.default_rng(self.seed)
        rated = rated_films(train)
        features = self._features(train, shares(rated))
        network = Network(
            train.n_items, train.n_items + features.shape[1], n_factors=self.n_factors, rng=rng,
            hidden_sizes=self.hidden_sizes, shared=self.shared, initial_scale=self.initial_scale,
        )  # fmt: skip
        labels, active = shares(rated), np.flatnonzero(train.user_counts)
        held_out = shares(rated_films(validation)) if validation is not None and len(validation) else None
        loss = self._loss(train.item_counts, rng)
        optimiser, losses, tested = Adagrad(network.weights, self.learning_rate), [], []
        for _ in range(self.n_epochs):
            bags = joined(shares(dropped(rated, self.input_dropout, rng)), features)
            order, total = rng.permutation(active), 0.0
            for low in range(0, len(order), self.batch_size):
                users = order[low : low + self.batch_size]
                done = network.forward(bags[users])
                slopes = loss(done.users, network.weights["items"], labels[users])
                gradients = network.backward(done, slopes.users)
                gradients["items"] = gradients.get("items", 0.0) + slopes.items
                optimiser.step(gradients)
                total += slopes.loss * len(users)
            losses.append(total / len(order))
            if not np.isfinite(losses[-1]):
                raise FloatingPointError(
                    f"Softmax diverged at learning_rate={self.learning_rate}; try a smaller one"
                )
            if held_out is not None:
                tested.append(self._held_out_loss(network, joined(labels, features), held_out))
        mean_bag = sparse.csr_array(labels[active].mean(axis=0)[None, :])
        cold = sparse.csr_array((train.user_counts == 0).astype(np.float64)[:, None])
        self.user_embeddings_ = network.forward(joined(labels + cold @ mean_bag, features)).users
        self.item_embeddings_ = network.weights["items"]
        self.input_embeddings_ = (
            self.item_embeddings_ if self.shared else network.weights["inputs"][: train.n_items]
        )
        self.mean_user_ = self.user_embeddings_[active].mean(axis=0)
        self.mean_item_ = self.item_embeddings_[train.item_counts > 0].mean(axis=0)
        self.n_weights_ = sum(value.size for value in network.weights.values())
        self.train_loss_, self.validation_loss_ = np.array(losses), np.array(tested)

    def predict(self, users, items, times=None) -> np.ndarray:
        r"""Score pairs by :math:`\langle \psi, V_i \rangle`, the logarithm of a chance up to a constant a user."""
        users, items = self._pairs(users, items, times)
        return np.einsum("nf,nf->n", self._of_users(users), self._of_items(items))

    def score(self, users) -> np.ndarray:
        """Score the catalogue by one product of the embeddings."""
        self._check_fitted()
        return self._of_users(np.asarray(users)) @ self.item_embeddings_.T

    @property
    def n_parameters_(self) -> int:
        """Weights of the network; user embeddings are computed from them."""
        self._check_fitted()
        return int(self.n_weights_)

    # -- inside ----------------------------------------------------------------------------------------------------
    def _loss(self, item_counts: np.ndarray, rng: np.random.Generator):
        if not self.n_samples:
            return full_softmax
        chances = np.maximum(item_counts, 1) ** 0.75
        return partial(sampled_softmax, n_samples=self.n_samples, chances=chances / chances.sum(), rng=rng)

    def _held_out_loss(self, network: Network, bags: sparse.csr_array, labels: sparse.csr_array) -> float:
        users = np.flatnonzero(np.diff(labels.indptr))
        total = 0.0
        for low in range(0, len(users), self.batch_size):
            batch = users[low : low + self.batch_size]
            found = full_softmax(network.forward(bags[batch]).users, network.weights["items"], labels[batch])
            total += found.loss * len(batch)
        return total / len(users)

    def _features(self, train: Interactions, bags: sparse.csr_array) -> sparse.csr_array:
        """Bring the groups' features to users: their own, or the mean of their films'."""
        found = [
            group.matrix if group.side == "user" else bags @ group.matrix
            for group in feature_groups(train, list(self.groups))
        ]
        return sparse.csr_array(sparse.hstack(found)) if found else sparse.csr_array((train.n_users, 0))

    def _of_users(self, codes: np.ndarray) -> np.ndarray:
        return lookup(self.user_embeddings_, codes, self.mean_user_)

    def _of_items(self, codes: np.ndarray) -> np.ndarray:
        return lookup(self.item_embeddings_, codes, self.mean_item_)

    def _check(self) -> None:
        for name, least in (("n_factors", 1), ("n_epochs", 1), ("batch_size", 1), ("n_samples", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"Softmax: {name} must be at least {least}; got {getattr(self, name)}")
        if not 0 <= self.input_dropout < 1:
            raise ValueError(f"Softmax: input_dropout must be from 0 to below 1; got {self.input_dropout}")
        if any(size < 1 for size in self.hidden_sizes):
            raise ValueError(f"Softmax: hidden_sizes must be positive; got {self.hidden_sizes}")


def rated_films(interactions: Interactions) -> sparse.csr_array:
    """Return who rated what as ones, shape (n_users, n_items)."""
    ones = np.ones(len(interactions))
    shape = (interactions.n_users, interactions.n_items)
    return sparse.csr_array((ones, (interactions.users, interactions.items)), shape=shape)


def shares(matrix: sparse.csr_array) -> sparse.csr_array:
    """Return the matrix with each row divided by its sum; an empty row stays empty."""
    sums = np.asarray(matrix.sum(axis=1)).ravel()
    found = matrix.copy()
    found.data = found.data / np.repeat(sums, np.diff(matrix.indptr))
    return found


def dropped(matrix: sparse.csr_array, share: float, rng: np.random.Generator) -> sparse.csr_array:
    """Take entries out at random, but leave each row that had any at least one."""
    if share == 0:
        return matrix
    keep = rng.random(matrix.nnz) >= share
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    lost = np.flatnonzero(
        (np.bincount(rows, keep, minlength=matrix.shape[0]) == 0) & (np.diff(matrix.indptr) > 0)
    )
    keep[matrix.indptr[lost] + rng.integers(np.diff(matrix.indptr)[lost])] = True
    return sparse.csr_array((matrix.data[keep], (rows[keep], matrix.indices[keep])), shape=matrix.shape)


def joined(bags: sparse.csr_array, features: sparse.csr_array) -> sparse.csr_array:
    """Put features beside bags."""
    return sparse.csr_array(sparse.hstack([bags, features])) if features.shape[1] else bags
