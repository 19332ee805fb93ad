"""What the models of Koren's family share: hyperparameters, training with or without early stopping, answers, and why."""

from typing import Any, Self

import numpy as np

from lib.data.interactions import Interactions
from lib.models.base import Recommender, lookup
from lib.models.early_stopping import EarlyStopping
from lib.models.latent.item_similarity import neighbour_lists, residuals
from lib.models.latent.sgd_answers import neighbour_sums, pair_products, user_vectors
from lib.models.latent.sgd_kernels import visit_users, visit_users_wide
from lib.models.latent.sgd_parameters import (
    Groups,
    Parameters,
    Ratings,
    by_appearance,
    compressed,
    no_parameters,
    no_ratings,
)
from lib.models.latent.sgd_time import Calendar
from lib.models.recommendations import Explanation, explanation

MOST_ITEMS = 20_000
"""Largest catalogue with a weight for every pair of films: two arrays of 1.6 GB each in single precision."""

REMEMBERED = ("start", "items", "residuals", "known_start", "known_items", "neighbour_start", "neighbours")
"""What of the ratings the predictions of neighbours, and explanations, need."""

COUNTS = ("n_factors", "n_neighbours", "n_epochs", "n_bins", "patience")
AMOUNTS = ("learning_rate", "regularisation", "shrinkage", "initial_scale")
"""Names, or ends of names, of hyperparameters with the same bounds."""


class KorenModel(Recommender):
    r"""A model whose rating is a sum of biases, a product of factors, and weights of neighbours.

    A subclass names its parts (`personal`, `implicit`, `explicit`, `neighbourly`); its formula is then the one at the
    beginning of `lib.models.latent.sgd_kernels`, without the other terms, and so is each rating's step.

    A user without training ratings has no :math:`b_u` and no vector, a film without them no :math:`b_i` and no factors:
    what is left of the sum is the prediction, :math:`\mu` for a pair of two such, or of codes outside the id maps.
    Default hyperparameters suit data of the size of MovieLens 100K to 1M; the papers', for Netflix, regularise less.

    Parameters
    ----------
    n_epochs : int
        Passes over the ratings; with early stopping, the most. Users, and each user's ratings, are visited in a new
        random order in each.
    bias_learning_rate, factor_learning_rate, implicit_learning_rate, weight_learning_rate, learning_rate_decay : float
        :math:`\gamma` of :math:`b_u, b_i`; of :math:`p_u, q_i`; of :math:`y_j, x_j`; of :math:`w_{ij}, c_{ij}`. A model
        has those of its own parts. All are multiplied by the decay after each epoch.
    bias_regularisation, factor_regularisation, implicit_regularisation, weight_regularisation : float
        :math:`\lambda` of the same, a rating.
    initial_scale, seed : float, int
        Standard deviation of the normal distribution that factors start from (biases and weights start at 0); the
        seed is of them and of the order of the ratings.
    patience : int or None
        None runs all epochs; validation data are then only measured. With a number, and validation data, training stops
        after so many epochs without a lower validation RMSE, and the best epoch is kept.

    Attributes
    ----------
    mean_, n_epochs_ : float, int
        :math:`\mu`, the mean training rating; epochs behind the parameters that are kept.
    user_bias_, item_bias_, item_factors_, user_factors_, implicit_factors_, explicit_factors_ : ndarray
        Of the parts that there are, else empty; see `lib.models.latent.sgd_parameters.Parameters`.
    user_vectors_ : ndarray of float64, shape (n_users, n_factors)
        The sum that a film's factors are multiplied with.
    history_ : ndarray, shape (epochs run, 2)
        Training RMSE, each rating's error taken just before it was learned from, and validation RMSE (NaN without).
    """

    personal = implicit = explicit = neighbourly = False
    n_factors, initial_scale = 0, 0.0
    shuffle, dtype = True, "float32"

    @property
    def keeps_order(self) -> bool:  # type: ignore[override]  # as asked for
        """Whether ratings are visited in the order of their rows."""
        return not self.shuffle

    def fit_transductive(self, train: Interactions, pairs: Interactions) -> Self:
        """Fit, and let N(u) hold the films of `pairs` too, whose ratings are not looked at.

        As in the Netflix prize, it is then known before that somebody rated a film at all. **Never for a table of
        results beside other models**, which do not get to see which pairs the test set holds. Raises TypeError: the
        model has no term with N(u). ValueError: as in ``fit``.
        """
        if not (self.implicit or self.neighbourly):
            raise TypeError(f"{type(self).__name__} makes no use of which pairs are rated: call fit(train)")
        self._begin(train, pairs)
        self._fit(train if self.keeps_order else train.ordered(), None, pairs)
        return self

    def _fit(self, train: Interactions, validation: Interactions | None, pairs: Interactions | None = None) -> None:
        self._check()
        ratings = self._compress(train, pairs)
        self.mean_ = float(train.ratings.mean(dtype=np.float64))
        parameters = self._start(train, ratings)
        remembered = {name: getattr(ratings, name) for name in REMEMBERED}
        if not (self.explicit or self.neighbourly):
            remembered = {name: value[:0] for name, value in remembered.items()}
        for name, value in {**parameters._asdict(), **remembered}.items():
            setattr(self, f"{name}_", value)
        self._descend(train, validation, ratings, parameters)
        self.user_vectors_ = user_vectors(ratings, parameters)

    def _compress(self, train: Interactions, pairs: Interactions | None) -> Ratings:
        known: dict[str, Any] = {"extra": pairs, "calendar": self._calendar(train), "dtype": self.dtype}
        if self.explicit or self.neighbourly:
            known["residuals"] = residuals(train)
        if self.neighbourly and self.n_neighbours is not None:
            known["neighbours"] = neighbour_lists(train, k=self.n_neighbours, shrinkage=self.shrinkage)[:2]
        elif self.neighbourly and train.n_items > MOST_ITEMS:
            raise ValueError(
                f"{type(self).__name__}: weights of all pairs of {train.n_items:,} films ask for "
                f"{8e-9 * train.n_items**2:.0f} GB; it takes at most {MOST_ITEMS:,} films: set n_neighbours"
            )
        return compressed(train, **known)

    def _calendar(self, train: Interactions) -> Calendar | None:
        """Read the times of the ratings, for a model that knows time."""
        return None

    def _start(self, train: Interactions, ratings: Ratings) -> Parameters:
        """Draw factors of whoever has ratings; all else starts at 0.

        Rows are drawn in the order in which users and films first appear in `train`, by numpy's ``RandomState``, one
        table after the other, as by scikit-surprise: the same seed gives the same start.
        """
        random, k = np.random.RandomState(self.seed), self.n_factors
        tables = {"user_factors": self.personal, "item_factors": k > 0}
        tables |= {"implicit_factors": self.implicit, "explicit_factors": self.explicit}
        users, films = by_appearance(train.users), by_appearance(train.items)
        sizes = {"user_bias": train.n_users, "item_bias": train.n_items, "item_factors": (train.n_items, 0)}
        values = {name: np.zeros(shape, self.dtype) for name, shape in sizes.items()}
        for name in (name for name, present in tables.items() if present):
            n, rows = (train.n_users, users) if name == "user_factors" else (train.n_items, films)
            values[name] = np.zeros((n, k), self.dtype)
            values[name][rows] = random.normal(0.0, self.initial_scale, (len(rows), k))
        if self.neighbourly:
            n_weights = train.n_items**2 if self.n_neighbours is None else len(ratings.neighbours)
            for name in ("explicit_weights", "implicit_weights"):
                values[name] = np.zeros(n_weights, self.dtype)
        return no_parameters(self.dtype)._replace(**values)

    def _descend(
        self, train: Interactions, validation: Interactions | None, ratings: Ratings, parameters: Parameters
    ) -> None:
        """Run the epochs, in which the parameters change in place, until the error is beyond any that comes back."""
        kind = parameters.item_bias.dtype.type
        rates, penalties = self._group("learning_rate"), Groups(*map(kind, self._group("regularisation")))
        stopping = EarlyStopping(1.0, patience=self.patience)
        trained = {key: value for key, value in parameters._asdict().items() if value.size}
        users, history = by_appearance(train.users), []
        limit = 1e3 * max(float(np.abs(ratings.ratings).max(initial=0)), 1.0)
        further = {*trained} - {"user_bias", "item_bias", "item_factors", "user_factors"}
        descend = visit_users if further or not self.personal else visit_users_wide
        for epoch in range(self.n_epochs):
            seeds = np.random.SeedSequence((self.seed, epoch))
            bits = seeds.generate_state(1, np.uint64)[0]
            order = np.random.default_rng(seeds).permutation(users) if self.shuffle else users
            stepped = Groups(*(kind(rate * self.learning_rate_decay**epoch) for rate in rates))
            visit = order, bits, self.shuffle, self.mean_
            found = np.sqrt(descend(*visit, ratings, parameters, stepped, penalties) / len(train))
            if not found < limit or not all(np.isfinite(value).all() for value in trained.values()):
                which = f"{type(self).__name__} diverged in epoch {epoch + 1}"
                raise FloatingPointError(f"{which}; try smaller learning rates or more regularisation")
            measured = np.nan
            if validation is not None and len(validation):
                self.user_vectors_ = user_vectors(ratings, parameters)
                asked = self.predict(validation.users, validation.items, validation.timestamps)
                measured = float(np.sqrt(np.mean((asked - validation.ratings) ** 2)))
            history.append((found, measured))
            if self.patience is not None and not np.isnan(measured):
                stopping.record(stopping.averaged(trained), measured)
                if stopping.stopped:
                    break
        for key, value in stopping.weights.items():
            trained[key][...] = value
        self.n_epochs_ = stopping.best + 1 if stopping.weights else len(history)
        self.history_ = np.array(history).reshape(-1, 2)

    def _group(self, kind: str) -> Groups:
        return Groups(*(getattr(self, f"{name}_{kind}", 0.0) for name in Groups._fields))

    def _check(self) -> None:
        for name, value in self.parameters.items():
            must = None
            if name in COUNTS and value is not None and value < 1:
                must = "be at least 1"
            elif name.endswith(AMOUNTS) and not 0 <= value < np.inf:
                must = "be finite and not negative"
            elif name == "learning_rate_decay" and not 0 < value <= 1:
                must = "lie in (0, 1]"
            elif name == "dtype" and value not in ("float32", "float64"):
                must = "be 'float32' or 'float64'"
            if must:
                raise ValueError(f"{type(self).__name__}: {name} must {must}; got {value!r}")

    def predict(self, users, items, times=None) -> np.ndarray:
        """Predict pairs; terms of a cold user or film drop out."""
        users, items = self._pairs(users, items, times)
        found = self.mean_ + lookup(self.user_bias_, users).astype(np.float64)
        found += lookup(self.item_bias_, items)
        found += pair_products(users, items, self.user_vectors_, self.item_factors_)
        if self.neighbourly:
            found += self._neighbours_say(users, items)
        return found

    def score(self, users) -> np.ndarray:
        """Score the catalogue by one product of vectors, and neighbours' weights on top."""
        self._check_fitted()
        users = np.asarray(users)
        scores = lookup(self.user_vectors_, users) @ self.item_factors_.T.astype(np.float64)
        scores += self.mean_ + lookup(self.user_bias_, users)[:, None] + self.item_bias_
        if self.neighbourly:
            pairs = np.repeat(users, self.n_items_), np.tile(np.arange(self.n_items_), len(users))
            scores += self._neighbours_say(*pairs).reshape(scores.shape)
        return scores

    def _neighbours_say(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        ratings = no_ratings()._replace(**{name: getattr(self, f"{name}_") for name in REMEMBERED})
        return neighbour_sums(users, items, ratings, self.explicit_weights_, self.implicit_weights_)

    @property
    def n_parameters_(self) -> int:
        """Numbers learned: biases, factors and weights, without the sums made of them."""
        self._check_fitted()
        return sum(getattr(self, f"{name}_").size for name in Parameters._fields)


class Explains(KorenModel):
    """A model whose predictions can be traced back to single films (Koren 2008, sections 3.2 and 5)."""

    def explain(self, user: int, item: int, n: int | None = 10) -> Explanation:
        r"""Say which of the user's films a prediction rests on.

        A film j adds :math:`|R^k|^{-1/2} e_{uj} w_{ij} + |N^k|^{-1/2} c_{ij}` where the model has weights of
        neighbours, and :math:`q_i^\top (|R|^{-1/2} e_{uj} x_j + |N|^{-1/2} y_j)` where it has those factors. Lists at
        most n films; None lists all that the user is known to have rated. With a cold code it rests on none.
        """
        self._check_fitted()
        prediction = float(self.predict(np.array([user]), np.array([item]))[0])
        if not (0 <= user < self.n_users_ and 0 <= item < self.n_items_):
            return Explanation(np.empty(0, dtype=np.int64), np.empty(0), prediction, 0.0)
        known = self.known_items_[self.known_start_[user] : self.known_start_[user + 1]].astype(np.int64)
        own = slice(self.start_[user], self.start_[user + 1])
        rated, left = self.items_[own], np.zeros(self.n_items_)
        left[rated] = self.residuals_[own]
        shares, film = np.zeros(self.n_items_), self.item_factors_[item].astype(np.float64)
        if self.implicit and len(known):
            shares[known] += self.implicit_factors_[known] @ film / np.sqrt(len(known))
        if self.explicit and len(rated):
            shares[rated] += left[rated] * (self.explicit_factors_[rated] @ film) / np.sqrt(len(rated))
        if self.neighbourly:
            low, near = item * self.n_items_, np.arange(self.n_items_)
            if len(self.neighbour_start_):
                low = self.neighbour_start_[item]
                near = self.neighbours_[low : self.neighbour_start_[item + 1]]
            terms = (rated, self.explicit_weights_, left), (known, self.implicit_weights_, np.ones_like(left))
            for films, weights, of in terms:
                places = np.flatnonzero(np.isin(near, films) & (near != item))
                j = near[places]
                if len(j) and len(weights):
                    shares[j] += of[j] * weights[low + places] / np.sqrt(len(j))
        return explanation(known, shares[known], prediction - float(shares[known].sum()), n)
