"""Bayesian personalised ranking: factors learned from pairs of films, one that a user has and one that the user has not."""

from collections.abc import Callable

import numpy as np

from lib.data.interactions import Interactions
from lib.models.adam import Adam
from lib.models.base import Recommender, lookup
from lib.models.card import Card
from lib.models.lists.bpr_engine import add_slopes, sgd_pass, shorten
from lib.models.lists.bpr_sampling import TripletSampler, stream
from lib.models.lists.item_weights import check, implicit_matrix

BLOCK = 8192  # triplets drawn at once where each has its own step

Three = tuple[np.ndarray, np.ndarray, np.ndarray]


class BPR(Recommender):
    r"""Matrix factorisation with film biases under Bayesian personalised ranking (Rendle et al. 2009).

    .. math:: s_{ui} = \langle p_u, q_i \rangle + b_i

    Triplets of a user u, one of the user's positives i and a film j that is none of them are drawn, and, for each batch B
    of them, a step is taken against the gradient of

    .. math:: -\frac{1}{|B|} \sum_{(u,i,j) \in B} \ln \sigma(s_{ui} - s_{uj})
        + \lambda \sum_{(u,i,j) \in B} \tfrac12 (|p_u|^2 + |q_i|^2 + |q_j|^2 + b_i^2 + b_j^2).

    With ``optimiser="sgd"`` a batch is one triplet: the paper's LearnBPR, and what the library `implicit` does. With
    ``"adam"`` it is `batch_size` of them, and Adam moves all weights at every step, as in project D. Note that
    :math:`\lambda` stands before a sum, as there: with a batch of 8192, `l2` means 8192 times as much beside the loss.

    The score orders films and says nothing about stars. A cold user, without positives, has the mean vector of the others
    and so gets a list much like that of most popular films. With `negative_power` 0 an unrated film is a negative like
    any other and sinks below nearly all. Otherwise it is never drawn; it is then given the mean vector of the films that
    are, and the least of their biases. A code outside the id maps stands for the mean user, or the mean film. Factors are
    of single precision, as `implicit` has them; scores are computed in double. Raises ValueError: a parameter is out of
    its range, no rating reaches `threshold`, or no user has a film that could be a negative. FloatingPointError: a
    weight or the loss is no longer finite after an epoch.

    An epoch is of as many triplets as there are positives, training ratings of at least `threshold`, or all where it is
    None. Where `sampling` is "rating" a positive is drawn evenly from all, as `implicit` does, with "user" a user
    evenly and then a positive of that user, as project D does. Negatives are drawn with a chance proportional to the
    film's number of positives to the power of `negative_power`: evenly over the catalogue at 0, as by the paper and
    project D; `implicit` has 1. After `n_tries` draws of a negative, all of them the user's positives, the triplet is
    skipped. 1 skips at once, as `implicit` does: its epoch then has fewer steps, and users with many positives count
    for less.

    `l2` is :math:`\lambda`. A step of Adam needs a far smaller `learning_rate` (3e-3 in project D) than one of "sgd".
    With "adam" all that a batch owes to one row is summed before it is squared, as by Keras 2, with which project D
    ran; Keras 3 on TensorFlow squares the parts of a gathered row one by one. `clip_norm` is the length to which "adam"
    shortens a longer gradient, over all weights and summed by row. (TensorFlow's ``clip_by_global_norm``, which project
    D calls, takes the norm of the unsummed parts of gathered rows.) `initial_scale` is the standard deviation of the
    vectors at the start; biases start at zero. `seed` is of the start and of the triplets.

    Attributes
    ----------
    user_embeddings_, item_embeddings_ : ndarray of float32, shapes (n_users, n_factors), (n_items, n_factors)
    item_biases_ : ndarray of float32, shape (n_items,)
    train_loss_ : ndarray of float64, shape (n_epochs,)
        Mean of :math:`-\ln \sigma` over an epoch's triplets, each before its step. Nothing is chosen by it, nor by
        validation data.
    n_skipped_ : int
        Triplets left out, over all epochs, since no negative was found.
    """

    card = Card(
        "bpr",
        "BPR",
        "implicit feedback lists",
        "A cold user has the mean vector of the others; an unrated film sinks below nearly all.",
        project="D",
        starts=True,
        small={"n_factors": 8, "n_epochs": 10},
    )

    predicts_ratings = False

    def __init__(
        self,
        *,
        n_factors: int = 64,
        learning_rate: float = 0.05,
        l2: float = 0.005,
        n_epochs: int = 50,
        threshold: float | None = None,
        optimiser: str = "sgd",
        batch_size: int = 8192,
        sampling: str = "rating",
        negative_power: float = 0.0,
        n_tries: int = 64,
        initial_scale: float = 0.05,
        clip_norm: float = 5.0,
        seed: int = 0,
    ):
        self._store(locals())

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        self._check()
        positives = implicit_matrix(train, self.threshold)
        if positives.nnz == 0:
            raise ValueError(f"BPR: no training rating reaches threshold={self.threshold}; choose a lower one")
        by_user = self.sampling == "user"
        sampler = TripletSampler(positives, by_user=by_user, negative_power=self.negative_power, n_tries=self.n_tries)
        weights = self._start(train.n_users, train.n_items)
        parts = self._parts(weights, train.n_users)
        single = self.optimiser == "sgd"
        take_step = self._sgd(parts) if single else self._adam(weights, parts)
        size = BLOCK if single else self.batch_size
        losses, n_skipped = [], 0
        for epoch in range(self.n_epochs):
            state = stream(self.seed, epoch, 0) if single else stream(self.seed, epoch)
            loss, n = 0.0, 0
            for low in range(0, positives.nnz, size):
                triplets = sampler.draw(state, min(size, positives.nnz - low))
                loss += take_step(triplets)
                n += len(triplets[0])
            losses.append(loss / max(n, 1))
            n_skipped += positives.nnz - n
            if not (np.isfinite(losses[-1]) and np.isfinite(weights).all()):
                raise FloatingPointError(
                    f"BPR diverged in epoch {epoch + 1} at learning_rate={self.learning_rate}; try a smaller one"
                )
        self._keep(*parts, positives)
        self.train_loss_, self.n_skipped_ = np.array(losses), n_skipped

    def _start(self, n_users: int, n_items: int) -> np.ndarray:
        """Return all weights in one vector, which is what Adam and the check of finiteness go over."""
        weights = np.zeros((n_users + n_items) * self.n_factors + n_items, np.float32)
        vectors = weights[:-n_items]
        np.random.default_rng(self.seed).standard_normal(dtype=np.float32, out=vectors)
        vectors *= np.float32(self.initial_scale)
        return weights

    def _parts(self, weights: np.ndarray, n_users: int) -> Three:
        """Return user vectors, film vectors and film biases as views of such a vector."""
        k = self.n_factors
        n_items = (len(weights) - n_users * k) // (k + 1)
        users, items, biases = np.split(weights, [n_users * k, (n_users + n_items) * k])
        return users.reshape(-1, k), items.reshape(-1, k), biases

    def _sgd(self, parts: Three) -> Callable[[Three], float]:
        """Return what takes a step for each of some triplets, and returns the sum of their losses."""
        return lambda triplets: sgd_pass(*parts, *triplets, self.learning_rate, self.l2)

    def _adam(self, weights: np.ndarray, parts: Three) -> Callable[[Three], float]:
        """Return the same for one step with all of them."""
        gradient = np.zeros_like(weights)
        slopes = self._parts(gradient, len(parts[0]))
        adam = Adam({"all": weights}, self.learning_rate)

        def take_step(triplets: Three) -> float:
            loss = add_slopes(*parts, *triplets, self.l2, *slopes)
            shorten(gradient, self.clip_norm)
            adam.step({"all": gradient})
            gradient[:] = 0
            return loss

        return take_step

    def _keep(self, users: np.ndarray, items: np.ndarray, biases: np.ndarray, positives) -> None:
        """Keep the weights, with those of cold users and of films that no step has touched filled in."""
        users, items, biases = users.copy(), items.copy(), biases.copy()
        active = np.diff(positives.indptr) > 0
        liked = np.bincount(positives.indices, minlength=len(items)) > 0
        self.mean_user_ = users[active].mean(axis=0, dtype=np.float64)
        self.mean_item_ = items[liked].mean(axis=0, dtype=np.float64)
        self.mean_bias_ = float(biases[liked].mean(dtype=np.float64))
        users[~active] = self.mean_user_
        if self.negative_power:
            items[~liked], biases[~liked] = self.mean_item_, biases[liked].min()
        self.user_embeddings_, self.item_embeddings_, self.item_biases_ = users, items, biases

    def _check(self) -> None:
        check(
            self,
            counts=("n_factors", "n_epochs", "batch_size", "n_tries"),
            positive=("learning_rate", "initial_scale", "clip_norm"),
            not_negative=("l2", "negative_power"),
        )
        for name, known in (("optimiser", ("sgd", "adam")), ("sampling", ("rating", "user"))):
            if getattr(self, name) not in known:
                raise ValueError(f"BPR: {name} must be {' or '.join(known)}; got {getattr(self, name)!r}")

    def predict(self, users, items, times=None) -> np.ndarray:
        """Score pairs: the difference of two scores of a user is the log odds that the first film is preferred."""
        users, items = self._pairs(users, items, times)
        biases = lookup(self.item_biases_, items, self.mean_bias_).astype(np.float64)
        return np.einsum("nf,nf->n", self._of_users(users), self._of_items(items)) + biases

    def score(self, users) -> np.ndarray:
        """Score the catalogue by one product of the vectors."""
        self._check_fitted()
        items = self.item_embeddings_.T.astype(np.float64)
        return self._of_users(np.asarray(users)) @ items + self.item_biases_

    @property
    def n_parameters_(self) -> int:
        """Numbers in the vectors and the biases."""
        self._check_fitted()
        return self.user_embeddings_.size + self.item_embeddings_.size + self.item_biases_.size

    def _of_users(self, codes: np.ndarray) -> np.ndarray:
        return lookup(self.user_embeddings_, codes, self.mean_user_).astype(np.float64)

    def _of_items(self, codes: np.ndarray) -> np.ndarray:
        return lookup(self.item_embeddings_, codes, self.mean_item_).astype(np.float64)
