"""Project E's experiment: gradient descent on all ratings at once, with each of its choices to be changed by itself."""

from typing import Any

import numpy as np

from lib.data.interactions import Interactions
from lib.models.adam import Adam
from lib.models.base import Recommender
from lib.models.baselines.bias import Bias
from lib.models.fitting import fit_model
from lib.models.latent.item_similarity import neighbour_lists
from lib.models.sparse_kernels import products_at, weighted_sums
from lib.studies.full_batch_kernels import add_neighbour_slopes, add_neighbours

WEIGHT = 0.01
WEIGHTS = {"baseline": 2e-3, "correlation": 2e-3}  # Project E's weight of the regulariser, where it is not `WEIGHT`

FACTORS = {  # which of the factors each model has
    "baseline": (),
    "correlation": (),
    "svd": ("user_factors", "item_factors"),
    "nsvd": ("item_factors", "implicit_factors"),
    "asymmetric_svd": ("item_factors", "rated_factors", "implicit_factors"),
    "svdpp": ("user_factors", "item_factors", "implicit_factors"),
    "neighbourhood": (),
    "integrated": ("user_factors", "item_factors", "implicit_factors"),
}

NEIGHBOURS = ("correlation", "neighbourhood", "integrated")  # models with a sum over a film's neighbours

UNIFORM = {  # what project E starts uniformly between 0 and 1 (``torch.rand``); everything else is standard normal
    "svdpp": ("user_factors", "implicit_factors"),
    "neighbourhood": ("neighbour_weights", "neighbour_offsets"),
    "integrated": ("user_factors", "implicit_factors", "neighbour_weights", "neighbour_offsets"),
}

Arrays = dict[str, np.ndarray]
NeighbourTerms = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, bool, bool]


class FullBatch(Recommender):
    r"""One of project E's models, trained as E did; every hyperparameter left out is E's choice.

    An epoch is one step against the gradient of the loss over all training ratings (`Objective`). As squared errors are
    summed, not averaged, the loss has curvature :math:`2 n_i` along a film's bias: gradient descent is stable only
    below a rate of about :math:`1/n_i` of the most rated film, while one with fewer ratings moves less.

    ``fit`` needs validation ratings, whose error is followed, as E does with its test ratings; nothing is chosen by
    them. Divergence is a result here, not an error. A user without a training rating has no implicit part; a film
    without one keeps the parameters that it started with, as in E. It answers no requests.

    `kind` is one of `FACTORS`, in E's words Baseline, CorNgbr, SVD, NSVD, Asymmetric-SVD, SVD++, Revised-Ngbr and
    Integrated; `optimiser` "gradient" or "adam", E not naming its own. Parameters are drawn as in E's code (`UNIFORM`),
    times `initial_scale`. `regulariser` is "norm" for :math:`\lambda |\theta|` (E), "squared" for the square of that
    length, or "none", summed over the arrays of parameters; `weight` is :math:`\lambda`, None for E's. A film that the
    user has not rated counts as rated -1 in the sum over neighbours, or, with `missing` "left_out", not at all;
    `divide` divides CorNgbr's sum by the similarities'. With `residual_weights` Asymmetric SVD weighs :math:`x_j` by
    :math:`r_{uj} - b_{uj}`, as in the paper. With `fitted_baseline` biases are those of
    `lib.models.baselines.bias.Bias` and stay. With `clip` predictions are brought onto the rating scale before errors
    are taken. With `averaged` the squared errors are averaged instead of summed. `clip_gradient` bounds each number of the
    gradient, or with `clip_by` "norm" the length of all of it together; E names gradient clipping and shows none.

    Attributes
    ----------
    train_rmse_, validation_rmse_ : ndarray of float64, shape (n + 1,)
        In rating units, before the first epoch and after each one; all finite. Shorter than asked where it diverged.
    diverged_ : bool
        Whether a further epoch would have left the range of floats: nothing was learned from there on.
    arrays_ : dict of str to ndarray
        The parameters after the last of those epochs.
    """

    def __init__(
        self,
        *,
        kind: str = "svd",
        n_factors: int = 10,
        n_neighbours: int = 10,
        optimiser: str = "gradient",
        learning_rate: float = 5e-5,
        n_epochs: int = 500,
        initial_scale: float = 1.0,
        regulariser: str = "norm",
        weight: float | None = None,
        missing: str = "minus_one",
        divide: bool = False,
        residual_weights: bool = False,
        fitted_baseline: bool = False,
        clip: bool = False,
        averaged: bool = False,
        clip_gradient: float | None = None,
        clip_by: str = "value",
        seed: int = 0,
    ):
        self._store(locals())

    keeps_order = True

    def _fit(self, train: Interactions, validation: Any) -> None:  # which it needs
        objective, held_out = Objective(self, train), Pairs(validation)
        parameters = objective.start(np.random.default_rng(self.seed))
        adam = Adam(parameters, self.learning_rate) if self.optimiser == "adam" else None

        def error(predictions: np.ndarray, pairs: Pairs) -> float:
            predictions = train.scale.clip(predictions) if self.clip else predictions
            return float(np.sqrt(np.mean((predictions - pairs.ratings) ** 2)))

        errors: list[tuple[float, float]] = []
        before, self.diverged_ = parameters, False
        with np.errstate(over="ignore", invalid="ignore"):
            for epoch in range(self.n_epochs + 1):
                predictions, gradients = objective.gradients(parameters)
                asked = objective.predict(parameters, held_out)
                found = error(predictions, objective.pairs), error(asked, held_out)
                self.diverged_ = not np.isfinite([*found, np.vdot(predictions, predictions)]).all()
                if self.diverged_:
                    parameters = before
                    break
                errors.append(found)
                if epoch == self.n_epochs:
                    break
                before = {name: value.copy() for name, value in parameters.items()}
                self._clip(gradients)
                if adam:
                    adam.step(gradients)
                else:
                    for name, gradient in gradients.items():
                        parameters[name] -= self.learning_rate * gradient
        self.train_rmse_, self.validation_rmse_ = np.array(errors).reshape(-1, 2).T
        self.arrays_ = parameters

    def _clip(self, gradients: Arrays) -> None:
        if self.clip_gradient is None:
            return
        if self.clip_by == "value":
            for gradient in gradients.values():
                np.clip(gradient, -self.clip_gradient, self.clip_gradient, out=gradient)
            return
        length = np.sqrt(sum(np.vdot(gradient, gradient) for gradient in gradients.values()))
        for gradient in gradients.values():
            gradient *= min(1.0, self.clip_gradient / length) if length > 0 else 1.0

    def predict(self, users, items, times=None) -> np.ndarray:
        """Refuse: only the course of a training is asked for."""
        raise NotImplementedError("FullBatch answers no requests; its errors by epoch are validation_rmse_")

    @property
    def n_parameters_(self) -> int:
        """Numbers in all arrays of parameters."""
        self._check_fitted()
        return sum(array.size for array in self.arrays_.values())


class Pairs:
    """Ratings in compressed rows by user."""

    def __init__(self, data: Interactions):
        order = np.lexsort((data.items, data.users))
        self.users, self.items = data.users[order], data.items[order]
        self.ratings = data.ratings[order].astype(np.float64)
        self.starts = np.concatenate(([0], np.cumsum(data.user_counts)))
        self.rows = self.starts, self.items, self.ratings


class Objective:
    r"""The loss of one `FullBatch` model on the training ratings.

    .. math:: \sum_{(u,i)} (r_{ui} - \hat r_{ui})^2 + \lambda \sum_\theta |\theta|

    Project E masks the users x films matrix of squared errors. Only the rated places are visited here, which gives the
    same loss and gradients; what a *missing* rating adds to a sum over neighbours is kept. Of the films x films weights
    of E's neighbourhood models those of a film's neighbours are kept; the others reach no prediction, and their share
    in the norm is left out. All numbers are float64.
    """

    def __init__(self, form: FullBatch, train: Interactions):
        self.form, self.pairs = form, Pairs(train)
        self.weight = WEIGHTS.get(form.kind, WEIGHT) if form.weight is None else form.weight
        self.n_users, self.n_items = train.n_users, train.n_items
        self.mean = float(self.pairs.ratings.mean())
        self.by_item = np.argsort(self.pairs.items, kind="stable")
        item_starts = np.concatenate(([0], np.cumsum(train.item_counts)))
        self.lists = item_starts, self.pairs.users[self.by_item]
        self.share = 1.0 / np.sqrt(train.user_counts[self.pairs.users])
        if form.fitted_baseline:
            bias = fit_model(Bias, train)
            self.mean, self.fixed = float(bias.mean_), (bias.user_bias_, bias.item_bias_)
        if form.kind in NEIGHBOURS:
            k = form.n_neighbours
            starts, films, values = neighbour_lists(train, k=k, common_mean=True)
            self.neighbours = np.full((self.n_items, k), -1, np.int32)
            self.similarities = np.zeros((self.n_items, k))
            rows = np.repeat(np.arange(self.n_items), np.diff(starts))
            places = np.arange(len(films)) - starts[rows]
            self.neighbours[rows, places], self.similarities[rows, places] = films, values

    def start(self, rng: np.random.Generator) -> Arrays:
        """Draw the parameters, as project E draws them (`UNIFORM`)."""
        form, found = self.form, {}
        shapes: dict = {} if form.fitted_baseline else {"user_bias": self.n_users, "item_bias": self.n_items}
        for name in FACTORS[form.kind]:
            shapes[name] = (self.n_users if name == "user_factors" else self.n_items, form.n_factors)
        if form.kind in ("neighbourhood", "integrated"):
            shapes["neighbour_weights"] = shapes["neighbour_offsets"] = self.neighbours.shape
        for name, shape in shapes.items():
            uniform = name in UNIFORM.get(form.kind, ())
            found[name] = form.initial_scale * (rng.random(shape) if uniform else rng.standard_normal(shape))
        return found

    def predict(self, parameters: Arrays, pairs: Pairs) -> np.ndarray:
        """Predict pairs in their order, unclipped, shape (n,)."""
        return self._predict(parameters, pairs, self._user_vectors(parameters))

    def gradients(self, parameters: Arrays) -> tuple[np.ndarray, Arrays]:
        """Return the training predictions and the loss's gradient by each array of parameters."""
        form, pairs = self.form, self.pairs
        vectors = self._user_vectors(parameters)
        predictions = self._predict(parameters, pairs, vectors)
        slopes = 2.0 * (predictions - pairs.ratings) / (len(predictions) if form.averaged else 1)
        found = {name: np.zeros_like(value) for name, value in parameters.items()}
        of_biases = slopes if vectors is None else self._factor_gradients(parameters, vectors, slopes, found)
        of_users = np.bincount(pairs.users, of_biases, minlength=self.n_users)
        of_items = np.bincount(pairs.items, of_biases, minlength=self.n_items)
        if form.kind in NEIGHBOURS:
            of_weights = found.get("neighbour_weights", np.zeros(self.neighbours.shape))
            gradients = of_users, of_items, of_weights, found.get("neighbour_offsets", np.empty((0, 0)))
            add_neighbour_slopes(pairs.rows, *self._neighbour_terms(parameters), slopes, gradients)
        if not form.fitted_baseline:
            found["user_bias"], found["item_bias"] = of_users, of_items
        for name, value in parameters.items():
            found[name] += self._penalty_slope(value)
        return predictions, found

    def _biases(self, parameters: Arrays) -> tuple[np.ndarray, np.ndarray]:
        return self.fixed if self.form.fitted_baseline else (parameters["user_bias"], parameters["item_bias"])

    def _shares(self, parameters: Arrays) -> Arrays:
        """Return each training rating's weight in its user's sums of :math:`y_j` and :math:`x_j`, as far as there are."""
        found: Arrays = {name: self.share for name in ("implicit_factors", "rated_factors") if name in parameters}
        if self.form.residual_weights:
            users, items = self.pairs.users, self.pairs.items
            of_users, of_items = self._biases(parameters)
            residuals = self.pairs.ratings - self.mean - of_users[users] - of_items[items]
            found["rated_factors"] = residuals * self.share
        return found

    def _user_vectors(self, parameters: Arrays) -> np.ndarray | None:
        r"""Return :math:`p_u + |R(u)|^{-1/2} \sum_j (x_j + y_j)`, as far as the model has these; None without factors."""
        if "item_factors" not in parameters:
            return None
        found = np.zeros((self.n_users, self.form.n_factors))
        if "user_factors" in parameters:
            found += parameters["user_factors"]
        work = np.empty_like(found)
        for name, share in self._shares(parameters).items():
            weighted_sums(self.pairs.starts, self.pairs.items, share, parameters[name], work)
            found += work
        return found

    def _neighbour_terms(self, parameters: Arrays) -> NeighbourTerms:
        form, (of_users, of_items) = self.form, self._biases(parameters)
        weights, offsets = self.similarities, np.empty((0, 0))
        if form.kind != "correlation":
            weights, offsets = parameters["neighbour_weights"], parameters["neighbour_offsets"]
        divide, read_missing = form.kind == "correlation" and form.divide, form.missing == "minus_one"
        return self.mean + of_users, of_items, self.neighbours, weights, offsets, read_missing, divide

    def _predict(self, parameters: Arrays, pairs: Pairs, vectors: np.ndarray | None) -> np.ndarray:
        of_users, of_items = self._biases(parameters)
        found = np.zeros(len(pairs.ratings))
        if vectors is not None:
            offsets = np.zeros(self.n_items)
            products_at(pairs.users, pairs.items, vectors, parameters["item_factors"], offsets, found)
        found += self.mean + of_users[pairs.users] + of_items[pairs.items]
        if self.form.kind in NEIGHBOURS:
            add_neighbours(pairs.rows, self.pairs.rows, *self._neighbour_terms(parameters), found)
        return found

    def _factor_gradients(self, parameters: Arrays, vectors, slopes, found: Arrays) -> np.ndarray:
        """Fill the gradients by the factors; return each training pair's derivative by its biases."""
        pairs, items = self.pairs, parameters["item_factors"]
        of_vectors = np.empty_like(vectors)
        weighted_sums(pairs.starts, pairs.items, slopes, items, of_vectors)
        weighted_sums(*self.lists, slopes[self.by_item], vectors, found["item_factors"])
        if "user_factors" in found:
            found["user_factors"] += of_vectors
        for name, share in self._shares(parameters).items():
            weighted_sums(*self.lists, share[self.by_item], of_vectors, found[name])
        if not self.form.residual_weights:
            return slopes
        through, zeros = np.empty(len(slopes)), np.zeros(self.n_items)
        products_at(pairs.users, pairs.items, of_vectors, parameters["rated_factors"], zeros, through)
        return slopes - self.share * through

    def _penalty_slope(self, value: np.ndarray) -> np.ndarray | float:
        if self.form.regulariser == "none" or self.weight == 0:
            return 0.0
        if self.form.regulariser == "squared":
            return 2.0 * self.weight * value
        length = np.linalg.norm(value)
        return self.weight * value / length if length > 0 else 0.0
