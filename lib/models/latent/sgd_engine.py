"""What the models of Koren's family share: hyperparameters, training with or without early stopping, answers."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np

from lib.data.interactions import Interactions
from lib.data.splits import validation_from
from lib.models.base import Recommender, lookup
from lib.models.baselines.bias import Bias
from lib.models.latent.item_similarity import neighbour_lists
from lib.models.latent.sgd_answers import neighbour_sums, pair_products, user_vectors
from lib.models.latent.sgd_parameters import (
    Groups,
    Parameters,
    Ratings,
    by_appearance,
    compressed,
    no_ratings,
    starting_parameters,
)
from lib.models.latent.sgd_schedule import Descent, descend
from lib.models.latent.sgd_time import Calendar

MOST_ITEMS = 20_000
"""Largest catalogue with a weight for every pair of films: two arrays of 1.6 GB each in single precision."""

REMEMBERED = ("start", "items", "residuals", "known_start", "known_items", "neighbour_start", "neighbours")
"""What of the ratings the predictions of neighbours, and explanations, need."""

COUNTS = ("n_factors", "n_neighbours", "n_epochs", "n_threads", "n_bins", "patience")
AMOUNTS = ("learning_rate", "regularisation", "shrinkage", "initial_scale")
"""Names, or ends of names, of hyperparameters with the same bounds."""


class Learned(NamedTuple):
    """What an answer is made of; `ratings` with `REMEMBERED` alone once a model is fitted."""

    mean: float
    ratings: Ratings
    parameters: Parameters
    calendar: Calendar | None


class KorenModel(Recommender):
    r"""A model whose rating is a sum of biases, a product of factors, and weights of neighbours.

    A subclass names its parts (`personal`, `implicit`, `explicit`, `neighbourly`); its formula is then the one at the
    beginning of `lib.models.latent.sgd_kernels`, without the other terms. Each rating moves each parameter :math:`\theta` of
    its prediction by :math:`\gamma (e\,\partial \hat r / \partial \theta - \lambda \theta)`, e being the error.

    A user without training ratings has no :math:`b_u` and no vector, a film without them no :math:`b_i` and no factors:
    what is left of the sum is the prediction, :math:`\mu` for a pair of two such. That also goes for codes outside the
    id maps.

    Default hyperparameters suit data of the size of MovieLens 100K to 1M; those of the papers, for Netflix, regularise
    less.

    Parameters
    ----------
    n_epochs : int
        Passes over the ratings; with early stopping, the most.
    bias_learning_rate, factor_learning_rate, implicit_learning_rate, weight_learning_rate : float
        :math:`\gamma` of :math:`b_u, b_i`; of :math:`p_u, q_i`; of :math:`y_j, x_j`; of :math:`w_{ij}, c_{ij}`. A model
        has those of its own parts.
    bias_regularisation, factor_regularisation, implicit_regularisation, weight_regularisation : float
        :math:`\lambda` of the same, a rating.
    learning_rate_decay : float
        All learning rates are multiplied by it after each epoch.
    initial_scale : float
        Standard deviation of the normal distribution that factors start from. Biases and weights start at 0.
    patience : int or None
        None runs all epochs; validation data are then only measured. With a number, training stops after so many epochs
        without a lower validation RMSE, and the best epoch is kept. Where ``fit`` is given no validation data it then
        cuts `validation_share` of each user's ratings from train, finds the number of epochs, and, with `refit`, trains
        again from the same start on all of train for that number of epochs.
    validation_share : float
    refit : bool
    shuffle : bool
        Users, and each user's ratings, are visited in a new random order in each epoch. False takes users in the order in
        which they first appear in train, and ratings in row order, as scikit-surprise does.
    dtype : {"float32", "float64"}
        Of the parameters and of the arithmetic in training.
    n_threads : int
        With more than one, threads visit different users at once and write to the same films without locks: faster, but
        results then differ slightly from run to run. One gives the same bits every time.
    seed : int
        Of the start, of the order of the ratings and of the validation data that it cuts.

    Attributes
    ----------
    mean_ : float
        :math:`\mu`, the mean training rating.
    user_bias_, item_bias_, item_factors_, user_factors_, implicit_factors_, explicit_factors_ : ndarray
        Of the parts that there are, else empty; see `lib.models.latent.sgd_parameters.Parameters`.
    user_vectors_ : ndarray of float64, shape (n_users, n_factors)
        The sum that a film's factors are multiplied with.
    history_ : ndarray, shape (epochs run, 2)
        Training RMSE, each rating's error taken just before it was learned from, and validation RMSE (NaN without).
    n_epochs_ : int
        Epochs behind the parameters that are kept.
    """

    personal = implicit = explicit = neighbourly = False

    n_factors: int = 0
    initial_scale: float = 0.0
    n_neighbours: int | None = None
    factor_learning_rate = factor_regularisation = 0.0
    implicit_learning_rate = implicit_regularisation = 0.0
    weight_learning_rate = weight_regularisation = 0.0
    time_bias_learning_rate = time_bias_regularisation = 0.0
    time_factor_learning_rate = time_factor_regularisation = 0.0

    # -- learning --------------------------------------------------------------------------------------------------
    def fit_transductive(self, train: Interactions, pairs, *, validation: Interactions | None = None) -> Self:
        r"""Fit, and let N(u) hold the films of `pairs` too, whose ratings stay unknown.

        This is the setting of the Netflix prize, where the pairs to be predicted were handed out: that somebody rated a
        film at all says something, here before it is known. **Never for a table of results beside other models**,
        which do not get to see which pairs the test set holds.

        Parameters
        ----------
        train : Interactions
        pairs : Interactions or (users, items)
            Codes; ratings, where there are any, are not looked at. Pairs of validation data are added to them.
        validation : Interactions, optional
            As in ``fit``.

        Raises
        ------
        TypeError
            The model has no term with N(u).
        ValueError
            A code lies outside the id maps.
        """
        if not (self.implicit or self.neighbourly):
            raise TypeError(f"{type(self).__name__} makes no use of which pairs are rated: call fit(train)")
        users, items = (pairs.users, pairs.items) if isinstance(pairs, Interactions) else pairs
        self._extra = (np.asarray(users), np.asarray(items))
        try:
            return self.fit(train, validation=validation)
        finally:
            del self._extra

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        self._check()
        if validation is not None and len(validation) == 0:
            validation = None
        part, refit = train, False
        if self.patience is not None and validation is None:
            cut = validation_from(train, share=self.validation_share, seed=self.seed)
            if len(cut.test):
                part, validation, refit = cut.train, cut.test, self.refit
        learned, descent = self._train(part, validation, self.n_epochs)
        if refit:
            learned, _ = self._train(train, None, descent.n_epochs)
        self._keep(learned, descent)

    def _train(self, train: Interactions, validation: Interactions | None, n_epochs: int):
        """Train from the start; return what was learned, and the `Descent`."""
        ratings, calendar = self._compress(train, validation)
        mean = float(train.ratings.mean(dtype=np.float64))
        learned = Learned(mean, ratings, self._start(train, ratings), calendar)

        def error() -> float:
            vectors = user_vectors(ratings, learned.parameters)
            asked = validation.users, validation.items, validation.timestamps
            found = self._estimate(learned, vectors, *asked)
            return float(np.sqrt(np.mean((found - validation.ratings) ** 2)))

        descent = descend(
            ratings,
            learned.parameters,
            by_appearance(train.users),
            mean=mean,
            n_epochs=n_epochs,
            rates=self._group("learning_rate"),
            penalties=self._group("regularisation"),
            decay=self.learning_rate_decay,
            shuffled=self.shuffle,
            seed=self.seed,
            n_threads=self.n_threads,
            patience=self.patience,
            error=None if validation is None else error,
            name=type(self).__name__,
        )
        return learned, descent

    def _compress(self, train: Interactions, validation: Interactions | None):
        """Make `Ratings`, and the calendar where the model has one."""
        extra = getattr(self, "_extra", None)
        if extra is not None and validation is not None:
            asked = validation.users, validation.items
            extra = tuple(np.concatenate(pair) for pair in zip(extra, asked, strict=True))
        residuals, neighbours, calendar = None, None, None
        if self.explicit or self.neighbourly:
            residuals = train.ratings - Bias().fit(train).predict(train.users, train.items)
        if self.neighbourly and self.n_neighbours is None and train.n_items > MOST_ITEMS:
            raise ValueError(
                f"{type(self).__name__}: weights of all pairs of {train.n_items:,} films ask for "
                f"{8e-9 * train.n_items**2:.0f} GB; it takes at most {MOST_ITEMS:,} films: set n_neighbours"
            )
        if self.neighbourly and self.n_neighbours is not None:
            neighbours = neighbour_lists(train, k=self.n_neighbours, shrinkage=self.shrinkage)[:2]
        if self.uses_time:
            calendar = Calendar.of(train, n_bins=self.n_bins, exponent=self.exponent)
        known = {"residuals": residuals, "extra": extra, "neighbours": neighbours, "calendar": calendar}
        return compressed(train, **known, dtype=self.dtype), calendar

    def _start(self, train: Interactions, ratings: Ratings) -> Parameters:
        """Make the parameters that training starts from."""
        tables = ["user_factors"] * self.personal + ["item_factors"] * (self.n_factors > 0)
        tables += ["implicit_factors"] * self.implicit + ["explicit_factors"] * self.explicit
        n_weights = 0
        if self.neighbourly:
            n_weights = train.n_items**2 if self.n_neighbours is None else len(ratings.neighbours)
        return starting_parameters(
            train,
            tables,
            self.n_factors,
            self.initial_scale,
            n_weights=n_weights,
            seed=self.seed,
            dtype=self.dtype,
        )

    def _group(self, kind: str) -> Groups:
        names = ("bias", "factor", "implicit", "weight", "time_bias", "time_factor")
        return Groups(*(getattr(self, f"{name}_{kind}") for name in names))

    def _keep(self, learned: Learned, descent: Descent) -> None:
        self.mean_ = learned.mean
        for name, value in learned.parameters._asdict().items():
            setattr(self, f"{name}_", value)
        for name in REMEMBERED:
            value = getattr(learned.ratings, name)
            setattr(self, f"{name}_", value if self.explicit or self.neighbourly else value[:0])
        if learned.calendar is not None:
            for name, value in learned.calendar._asdict().items():
                setattr(self, f"{name}_", value)
        self.user_vectors_ = user_vectors(learned.ratings, learned.parameters)
        self.n_epochs_, self.history_ = descent.n_epochs, descent.history

    def _learned(self) -> Learned:
        """Gather what `_keep` has kept."""
        ratings = no_ratings()._replace(**{name: getattr(self, f"{name}_") for name in REMEMBERED})
        parameters = Parameters(*(getattr(self, f"{name}_") for name in Parameters._fields))
        calendar = None
        if self.uses_time:
            calendar = Calendar(*(getattr(self, f"{name}_") for name in Calendar._fields))
        return Learned(self.mean_, ratings, parameters, calendar)

    def _check(self) -> None:
        for name, value in self.parameters.items():
            must = None
            if name in COUNTS and value is not None and value < 1:
                must = "be at least 1"
            elif name.endswith(AMOUNTS) and not 0 <= value < np.inf:
                must = "be finite and not negative"
            elif name in ("learning_rate_decay", "validation_share") and not 0 < value <= 1:
                must = "lie in (0, 1]"
            elif name == "dtype" and value not in ("float32", "float64"):
                must = "be 'float32' or 'float64'"
            if must:
                raise ValueError(f"{type(self).__name__}: {name} must {must}; got {value!r}")

    # -- answering -------------------------------------------------------------------------------------------------
    def predict(self, users, items, times=None) -> np.ndarray:
        """Predict pairs; terms of a cold user or film drop out."""
        users, items = self._pairs(users, items, times)
        return self._estimate(self._learned(), self.user_vectors_, users, items, None)

    def score(self, users) -> np.ndarray:
        """Score the catalogue by one product of vectors, and neighbours' weights on top."""
        self._check_fitted()
        users, learned = np.asarray(users), self._learned()
        parameters = learned.parameters
        scores = lookup(self.user_vectors_, users) @ parameters.item_factors.T.astype(np.float64)
        scores += self.mean_ + lookup(parameters.user_bias, users)[:, None] + parameters.item_bias
        if self.neighbourly:
            pairs = np.repeat(users, self.n_items_), np.tile(np.arange(self.n_items_), len(users))
            scores += neighbour_sums(*pairs, learned.ratings, parameters).reshape(scores.shape)
        return scores

    def _estimate(
        self,
        learned: Learned,
        vectors: np.ndarray,
        users: np.ndarray,
        items: np.ndarray,
        times: np.ndarray | None,
    ) -> np.ndarray:
        """Predict pairs, at given times where the model knows of time."""
        parameters = learned.parameters
        found = learned.mean + lookup(parameters.user_bias, users).astype(np.float64)
        found += lookup(parameters.item_bias, items)
        found += pair_products(users, items, vectors, parameters.item_factors)
        if self.neighbourly:
            found += neighbour_sums(users, items, learned.ratings, parameters)
        return found

    @property
    def n_parameters_(self) -> int:
        """Numbers learned: biases, factors and weights, without the sums made of them."""
        self._check_fitted()
        return sum(value.size for value in self._learned().parameters)
