"""Multi-VAE: a variational autoencoder of the films that a user has rated, with a multinomial likelihood."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace

import numpy as np
from scipy import sparse

from lib.data.interactions import Interactions
from lib.metrics.lists import CELLS, recommend
from lib.metrics.ranking import evaluate_ranking
from lib.models.adam import Adam
from lib.models.card import Card
from lib.models.early_stopping import EarlyStopping
from lib.models.lists.item_weights import as_ones, implicit_matrix
from lib.models.networks.multi_vae_network import VariationalAutoencoder
from lib.models.networks.network_model import SOME_LAYERS, NetworkModel, Weights, known, with_mean

VALIDATION_USERS = 10_000
"""Users at most whose lists are made after each epoch, drawn evenly; as many as Liang et al. validate on."""

VALIDATION_K = 10
"""Length of those lists."""


class MultiVAE(NetworkModel):
    r"""Variational autoencoder for collaborative filtering (Liang, Krishnan, Hoffman and Jebara 2018).

    With x the films of a user as ones, the network of `lib.models.networks.multi_vae_network.VariationalAutoencoder` turns
    :math:`x / |x|`, part of it dropped at random, into a normal distribution of a latent vector z, and z into a softmax
    over all films. Adam maximises

    .. math:: \mathbb E_{z \sim q(z | x)} \Big[\sum_i x_i \log p_i(z)\Big]
        - \beta\,\mathrm{KL}\big(q(z | x) \,\|\, \mathcal N(0, I)\big),

    whose first term is a multinomial log-likelihood; :math:`\beta` rises linearly from 0 to `beta_max`, well below the 1
    of the evidence lower bound. Work of a batch of users is O(users x films x width), memory O(users x films) for the
    batch alone.

    Scores are the logits at the mean of z: they order a user's films and say nothing about ratings. An unrated film was
    pushed away from every user; a code outside the id map scores as the mean film does.

    Parameters
    ----------
    hidden_sizes : sequence of int
        Encoder's hidden layers from the input's side, tanh; the decoder's mirror them.
    n_latent : int
        Length of z.
    input_dropout : float
        Share of a user's films that is left out of the input, anew in each epoch; all remain labels.
    beta_max : float
    anneal_epochs : int
        Epochs in which :math:`\beta` rises; 0 starts at `beta_max`. Liang et al. count 200,000 steps to 1, which they
        stop at 0.2: 171 epochs of their 116,677 users.
    learning_rate : float
    batch_size : int
        Users a step.
    n_epochs : int
        With validation data, the weights of the epoch with the highest nDCG are kept: of lists of the best
        `VALIDATION_K` films that are not in train, every validation film being relevant.
    seed : int
        Of starting weights, order, dropout and latent noise.

    Attributes
    ----------
    n_epochs_ : int
        Epochs behind the weights that are kept.
    history_ : ndarray of float64, shape (n_epochs, 4)
        By epoch: cross-entropy and divergence of a training user in nats, :math:`\beta` at the end, and validation nDCG
        (NaN without validation data).
    latent_ : ndarray of float64, shape (n_users + 1, n_latent)
        Mean z of each user; the last row is the mean user's.
    weights_ : dict of str to ndarray
        The network's, ``output/kernel`` and ``output/bias`` with a last row for the mean film. They were trained in
        single precision and answer in double.
    """

    card = Card(
        "multi_vae",
        "Multi-VAE",
        "implicit feedback lists",
        "A cold user has the mean z of all training users; an unrated film comes last for most.",
        starts=True,
        stopping={"limit": "n_epochs", "most": 100},
        small={"hidden_sizes": [20], "n_latent": 6, "n_epochs": 10, "batch_size": 32, "anneal_epochs": 5},
    )

    predicts_ratings = False

    def __init__(
        self,
        *,
        hidden_sizes: Sequence[int] = (600,),
        n_latent: int = 200,
        input_dropout: float = 0.5,
        beta_max: float = 0.2,
        anneal_epochs: int = 100,
        learning_rate: float = 1e-3,
        batch_size: int = 500,
        n_epochs: int = 100,
        seed: int = 0,
    ):
        self._store(locals())

    # -- learning --------------------------------------------------------------------------------------------------
    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        self._check(SOME_LAYERS)
        bags = implicit_matrix(train).astype(np.float32)
        network = self._network()
        weights = self._train(network, bags, train, validation)
        self.weights_ = {name: value.astype(np.float64) for name, value in weights.items()}
        latent = network.encode(self.weights_, bags.astype(np.float64))
        self.latent_ = with_mean(latent, train.user_counts > 0)
        rated = train.item_counts > 0
        for name in (network.output.kernel, network.output.bias):
            values = self.weights_[name]
            self.weights_[name] = np.concatenate([values, values[rated].mean(axis=0)[None]])

    def _train(
        self,
        network: VariationalAutoencoder,
        bags: sparse.csr_array,
        train: Interactions,
        validation: Interactions | None,
    ) -> Weights:
        rng, active = np.random.default_rng(self.seed), np.flatnonzero(train.user_counts)
        weights, n_steps = network.start(rng), -(-len(active) // self.batch_size)
        optimiser, stopping = Adam(weights, self.learning_rate), EarlyStopping(self.learning_rate)
        rising, betas = self.anneal_epochs * n_steps, []

        def step(users: np.ndarray) -> tuple[np.ndarray, Weights]:
            betas.append(self.beta_max * (min(1.0, optimiser.n_steps / rising) if rising else 1.0))
            bound, gradients = network.step(
                weights, bags[users], beta=betas[-1], input_dropout=self.input_dropout, rng=rng
            )
            return len(users) * np.array(bound), gradients

        error = None
        if validation is not None and len(validation):
            error = self._ranking_error(network, bags, train, validation)
        sums = self._descend(optimiser, stopping, step, active, rng, epochs=self.n_epochs, error=error)
        self.n_epochs_ = stopping.best + 1
        ends = betas[n_steps - 1 :: n_steps]
        self.history_ = np.column_stack([sums / len(active), ends, -np.array(stopping.errors)])
        return stopping.weights

    def _ranking_error(
        self,
        network: VariationalAutoencoder,
        bags: sparse.csr_array,
        train: Interactions,
        validation: Interactions,
    ) -> Callable[[Weights], float]:
        """Make the function that takes weights and gives minus the nDCG of validation lists."""
        users = np.unique(validation.users)
        if len(users) > VALIDATION_USERS:
            users = np.sort(np.random.default_rng(self.seed).permutation(users)[:VALIDATION_USERS])

        def error(weights: Weights) -> float:
            def score(batch: np.ndarray) -> np.ndarray:
                return network.logits(weights, network.encode(weights, bags[batch]))

            k = min(VALIDATION_K, train.n_items)
            top = recommend(SimpleNamespace(score=score), train, k, users=users)
            found = evaluate_ranking(top, validation, threshold=validation.scale.low)
            return -float(found.values["ndcg"].mean())

        return error

    def _network(self) -> VariationalAutoencoder:
        return VariationalAutoencoder(self.n_items_, self.hidden_sizes, self.n_latent)

    # -- answering -------------------------------------------------------------------------------------------------
    def predict(self, users, items, times=None) -> np.ndarray:
        """Score pairs: the film's logit, the logarithm of its chance up to a constant a user."""
        users, items = self._pairs(users, items, times)
        asked, place = np.unique(known(users, self.n_users_), return_inverse=True)
        items, found = known(items, self.n_items_), np.empty(len(users))
        order = np.argsort(place, kind="stable")
        step = max(1, CELLS // self.n_items_)
        for low in range(0, len(asked), step):
            first, last = np.searchsorted(place[order], [low, low + step])
            rows = order[first:last]
            found[rows] = self._logits(self.latent_[asked[low : low + step]])[place[rows] - low, items[rows]]
        return found

    def score(self, users) -> np.ndarray:
        """Score the catalogue by the decoder."""
        self._check_fitted()
        return self._logits(self.latent_[known(users, self.n_users_)])[:, :-1]

    def score_histories(self, histories: sparse.csr_array) -> np.ndarray:
        """Score the catalogue for anybody, in training or not, from the films that they have rated.

        Raises ValueError: the histories are of another catalogue. Returns float64 of shape (n, n_items): a row without
        entries gets the mean training user's scores. The films of the history are not masked.

        Parameters
        ----------
        histories : sparse array, shape (n, n_items)
            A stored entry means rated, whatever its value. Left as it is.
        """
        bags = as_ones(histories, self)
        latent = self._network().encode(self.weights_, bags)
        latent[np.diff(bags.indptr) == 0] = self.latent_[-1]
        return self._logits(latent)[:, :-1]

    def _logits(self, latent: np.ndarray) -> np.ndarray:
        """Logits of all films and of the mean film, shape (n, n_items + 1)."""
        return self._network().logits(self.weights_, latent)

    @property
    def n_parameters_(self) -> int:
        """Trained weights of encoder and decoder, without the mean film's."""
        return super().n_parameters_ - self.weights_["output/kernel"].shape[1] - 1
