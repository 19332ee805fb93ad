"""Multi-VAE: a variational autoencoder of the films that a user has rated, with a multinomial likelihood."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import sparse

from lib.data.interactions import Interactions
from lib.metrics.lists import CELLS, TopK, top_k
from lib.metrics.ranking import evaluate_ranking
from lib.models.adam import Adam
from lib.models.base import Recommender
from lib.models.card import Card
from lib.models.early_stopping import EarlyStopping
from lib.models.lists.item_weights import as_ones, implicit_matrix
from lib.models.networks.multi_vae_network import VariationalAutoencoder
from lib.models.networks.sparse_network import Weights

VALIDATION_USERS = 10_000
"""Users at most whose lists are made after each epoch, drawn evenly; as many as Liang et al. validate on."""


class MultiVAE(Recommender):
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
        All of them without validation data; else the most, and the best one's weights are kept.
    patience : int or None
        With validation data: epochs without a better list after which to stop; None goes on to the end.
    validation_k : int
        Length of the lists whose nDCG tells the best epoch: validation films among all that are not in train.
    threshold : float or None
        Least rating that counts, in validation too; None counts all.
    seed : int
        Of starting weights, order, dropout and latent noise.

    Attributes
    ----------
    n_epochs_ : int
        Epochs behind the weights that are kept.
    history_ : ndarray of float64, shape (epochs run, 4)
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
        patience: int | None = None,
        validation_k: int = 10,
        threshold: float | None = None,
        seed: int = 0,
    ):
        self._store(locals())

    # -- learning --------------------------------------------------------------------------------------------------
    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        self._check_parameters()
        bags = implicit_matrix(train, self.threshold).astype(np.float32)
        active = np.flatnonzero(np.diff(bags.indptr))
        if len(active) == 0:
            raise ValueError(f"MultiVAE: no training rating reaches threshold={self.threshold}; lower it")
        network = self._network()
        error = None
        if validation is not None and len(validation):
            error = self._ranking_error(network, bags, train, validation)
        with np.errstate(over="ignore", invalid="ignore"):  # divergence is told by the loss, in words
            weights = self._train(network, bags, active, error)
        self.weights_ = {name: value.astype(np.float64) for name, value in weights.items()}
        latent = network.encode(self.weights_, bags.astype(np.float64))
        mean = latent[active].mean(axis=0)
        latent[np.diff(bags.indptr) == 0] = mean
        self.latent_ = np.vstack([latent, mean])
        rated = train.item_counts > 0
        for name in (network.output.kernel, network.output.bias):
            values = self.weights_[name]
            self.weights_[name] = np.concatenate([values, values[rated].mean(axis=0)[None]])

    def _train(
        self, network: VariationalAutoencoder, bags: sparse.csr_array, active: np.ndarray,
        error: Callable[[Weights], float] | None,
    ) -> Weights:  # fmt: skip
        rng = np.random.default_rng(self.seed)
        weights = network.start(rng)
        optimiser = Adam(weights, self.learning_rate)
        stopping = EarlyStopping(self.learning_rate, patience=None if error is None else self.patience)
        rising = self.anneal_epochs * -(-len(active) // self.batch_size)  # steps
        parts, beta = [], 0.0
        for _ in range(self.n_epochs):
            order, total = rng.permutation(active), np.zeros(2)
            for low in range(0, len(order), self.batch_size):
                users = order[low : low + self.batch_size]
                beta = self.beta_max * (min(1.0, optimiser.n_steps / rising) if rising else 1.0)
                bound, gradients = network.step(
                    weights, bags[users], beta=beta, input_dropout=self.input_dropout, rng=rng
                )
                optimiser.step(gradients)
                total += len(users) * np.array([bound.cross_entropy, bound.divergence])
            parts.append([*total / len(order), beta])
            if not np.isfinite(total).all():
                raise FloatingPointError(
                    f"MultiVAE diverged at learning_rate={self.learning_rate}; try a smaller one"
                )
            kept = stopping.averaged(weights)
            stopping.record(kept, None if error is None else error(kept))
            if stopping.stopped:
                break
        self.n_epochs_ = stopping.best + 1
        self.history_ = np.column_stack([parts, -np.array(stopping.errors)])
        return stopping.weights

    def _ranking_error(
        self, network: VariationalAutoencoder, bags: sparse.csr_array, train: Interactions, validation: Interactions
    ) -> Callable[[Weights], float]:  # fmt: skip
        """Make the function that takes weights and gives minus the nDCG of validation lists."""
        threshold = validation.scale.low if self.threshold is None else self.threshold
        users = np.unique(validation.users[validation.ratings >= threshold])
        if len(users) == 0:
            raise ValueError(f"MultiVAE: no validation rating reaches threshold={self.threshold}; lower it")
        if len(users) > VALIDATION_USERS:
            users = np.sort(np.random.default_rng(self.seed).permutation(users)[:VALIDATION_USERS])
        k, step = min(self.validation_k, train.n_items), max(1, CELLS // train.n_items)

        def lists(weights: Weights, batch: np.ndarray) -> TopK:
            hidden = network.decode(weights, network.encode(weights, bags[batch]))
            return top_k(network.output.everywhere(weights, hidden), k, train.matrix[batch], users=batch)

        def error(weights: Weights) -> float:
            blocks = [lists(weights, users[low : low + step]) for low in range(0, len(users), step)]
            top = TopK(
                users, np.concatenate([b.items for b in blocks]), np.concatenate([b.scores for b in blocks]),
                train.n_items,
            )  # fmt: skip
            return -float(evaluate_ranking(top, validation, threshold=threshold).values["ndcg"].mean())

        return error

    def _network(self) -> VariationalAutoencoder:
        return VariationalAutoencoder(self.n_items_, self.hidden_sizes, self.n_latent)

    def _check_parameters(self) -> None:
        for name in ("n_latent", "batch_size", "n_epochs", "validation_k"):
            if getattr(self, name) < 1:
                raise ValueError(f"MultiVAE: {name} must be at least 1; got {getattr(self, name)}")
        for name in ("beta_max", "anneal_epochs", "learning_rate"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"MultiVAE: {name} must not be negative; got {getattr(self, name)}")
        if not len(self.hidden_sizes) or any(size < 1 for size in self.hidden_sizes):
            raise ValueError(f"MultiVAE: hidden_sizes must hold positive sizes; got {self.hidden_sizes}")
        if not 0 <= self.input_dropout < 1:
            raise ValueError(f"MultiVAE: input_dropout must lie in [0, 1); got {self.input_dropout}")
        if self.patience is not None and self.patience < 1:
            raise ValueError(f"MultiVAE: patience must be at least 1, or None; got {self.patience}")

    # -- answering -------------------------------------------------------------------------------------------------
    def predict(self, users, items, times=None) -> np.ndarray:
        """Score pairs: the film's logit, the logarithm of its chance up to a constant a user."""
        users, items = self._pairs(users, items, times)
        asked, place = np.unique(self._known(users, self.n_users_), return_inverse=True)
        items, found = self._known(items, self.n_items_), np.empty(len(users))
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
        return self._logits(self.latent_[self._known(users, self.n_users_)])[:, :-1]

    def score_histories(self, histories: sparse.csr_array) -> np.ndarray:
        """Score the catalogue for anybody, in training or not, from the films that they have rated.

        Parameters
        ----------
        histories : sparse array, shape (n, n_items)
            A stored entry means rated, whatever its value; `threshold`, which chose the training ratings, is not
            applied. Left as it is.

        Returns
        -------
        ndarray of float64, shape (n, n_items)
            A row without entries gets the mean training user's scores. The films of the history are not masked.

        Raises
        ------
        ValueError
            The histories are of another catalogue.
        """
        bags = as_ones(histories, self)
        latent = self._network().encode(self.weights_, bags)
        latent[np.diff(bags.indptr) == 0] = self.latent_[-1]
        return self._logits(latent)[:, :-1]

    def _logits(self, latent: np.ndarray) -> np.ndarray:
        """Logits of all films and of the mean film, shape (n, n_items + 1)."""
        network = self._network()
        return network.output.everywhere(self.weights_, network.decode(self.weights_, latent))

    @staticmethod
    def _known(codes, n: int) -> np.ndarray:
        codes = np.asarray(codes)
        return np.where((codes >= 0) & (codes < n), codes, n)

    @property
    def n_parameters_(self) -> int:
        """Trained weights of encoder and decoder."""
        self._check_fitted()
        return (
            sum(array.size for array in self.weights_.values()) - self.weights_["output/kernel"].shape[1] - 1
        )

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
