"""Project E's experiment: gradient descent on all ratings at once, with each of its choices to be changed by itself."""

from __future__ import annotations

import numpy as np

from lib.data.interactions import Interactions
from lib.models.adam import Adam
from lib.models.base import Recommender
from lib.models.baselines.bias import Bias
from lib.models.fitting import fit_model
from lib.models.latent.item_similarity import neighbour_lists
from lib.models.sparse_kernels import products_at, weighted_sums
from lib.studies.full_batch_kernels import add_neighbour_slopes, add_neighbours

LEARNING_RATES = {
    "baseline": 2e-3, "correlation": 2e-3, "svd": 5e-5, "nsvd": 5e-6, "neighbourhood": 5e-6, "asymmetric_svd": 5e-7,
    "svdpp": 5e-7, "integrated": 5e-7,
}  # fmt: skip
"""What project E reports for each model."""

WEIGHTS = {"baseline": 2e-3, "correlation": 2e-3}
"""Project E's weight of the regulariser, where it is not `WEIGHT`."""

WEIGHT = 0.01

FACTORS = {
    "baseline": (),
    "correlation": (),
    "svd": ("user_factors", "item_factors"),
    "nsvd": ("item_factors", "implicit_factors"),
    "asymmetric_svd": ("item_factors", "rated_factors", "implicit_factors"),
    "svdpp": ("user_factors", "item_factors", "implicit_factors"),
    "neighbourhood": (),
    "integrated": ("user_factors", "item_factors", "implicit_factors"),
}
"""Which of the factors each model has."""

NEIGHBOURS = ("correlation", "neighbourhood", "integrated")
"""Models with a sum over a film's neighbours."""

UNIFORM = {
    "svdpp": ("user_factors", "implicit_factors"),
    "neighbourhood": ("neighbour_weights", "neighbour_offsets"),
    "integrated": ("user_factors", "implicit_factors", "neighbour_weights", "neighbour_offsets"),
}
"""What project E starts uniformly between 0 and 1 (``torch.rand``); everything else is standard normal."""


class FullBatch(Recommender):
    r"""One of project E's models, trained as E did; every hyperparameter left out is E's choice.

    An epoch is one step against the gradient of the loss over all training ratings (`Objective`). That the ratings'
    squared errors are summed, not averaged, couples the step to the data: along a film's bias the loss has curvature
    :math:`2 n_i`, so that gradient descent is stable only below a rate of about :math:`1/n_i` of the most rated film,
    while a film or user with a hundredth of those ratings moves a hundredth as far.

    ``fit`` asks for validation ratings, whose error is followed, as E does with its test ratings; nothing is chosen by
    them. Divergence is a result here, not an error. A user without a training rating has no implicit part; a film
    without one keeps the parameters that it started with, as in E. It answers no requests.

    Parameters
    ----------
    kind : {"baseline", "correlation", "svd", "nsvd", "asymmetric_svd", "svdpp", "neighbourhood", "integrated"}
        In E's words Baseline, CorNgbr, SVD, NSVD, Asymmetric-SVD, SVD++, Revised-Ngbr, Integrated.
    n_factors, n_neighbours : int
    optimiser : {"gradient", "adam"}
        E does not name its own.
    learning_rate : float, optional
        E's of the model by default (`LEARNING_RATES`).
    n_epochs : int
    initial_scale : float
        What parameters are drawn from, as in E's code (`UNIFORM`), is multiplied by it.
    regulariser : {"norm", "squared", "none"}
        :math:`\lambda |\theta|` (project E), :math:`\lambda |\theta|^2`, or nothing, summed over the arrays of
        parameters.
    weight : float, optional
        :math:`\lambda`; E's by default.
    missing : {"minus_one", "left_out"}
        How the sum over neighbours reads a film that the user has not rated: as one rated -1 (project E) or not at all.
    divide : bool
        CorNgbr: whether the sum is divided by the similarities' (project E does not).
    residual_weights : bool
        Asymmetric SVD: whether :math:`x_j` is weighted by :math:`r_{uj} - b_{uj}` (the paper) or not (project E's
        code).
    fitted_baseline : bool
        Whether biases are those of `lib.models.baselines.bias.Bias` and stay; otherwise they are learned with the rest.
    clip : bool
        Whether predictions are brought onto the rating scale before errors are taken.
    seed : int

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
        self, *, kind: str = "svd", n_factors: int = 10, n_neighbours: int = 10, optimiser: str = "gradient",
        learning_rate: float | None = None, n_epochs: int = 500, initial_scale: float = 1.0, regulariser: str = "norm",
        weight: float | None = None, missing: str = "minus_one", divide: bool = False, residual_weights: bool = False,
        fitted_baseline: bool = False, clip: bool = False, seed: int = 0,
    ):  # fmt: skip
        self._store(locals())

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        self._check_parameters()
        if validation is None or len(validation) == 0:
            raise ValueError("FullBatch.fit: there are no validation ratings whose error could be followed")
        objective, held_out = Objective(self, train), Pairs(validation)
        parameters = objective.start(np.random.default_rng(self.seed))
        rate = LEARNING_RATES[self.kind] if self.learning_rate is None else self.learning_rate
        adam = Adam(parameters, rate) if self.optimiser == "adam" else None

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
                if adam:
                    adam.step(gradients)
                else:
                    for name, gradient in gradients.items():
                        parameters[name] -= rate * gradient
        self.train_rmse_, self.validation_rmse_ = np.array(errors).reshape(-1, 2).T
        self.arrays_ = parameters

    def predict(self, users, items, times=None) -> np.ndarray:
        """Refuse: only the course of a training is asked for."""
        raise NotImplementedError("FullBatch answers no requests; its errors by epoch are validation_rmse_")

    @property
    def n_parameters_(self) -> int:
        """Numbers in all arrays of parameters."""
        self._check_fitted()
        return sum(array.size for array in self.arrays_.values())

    def _check_parameters(self) -> None:
        choices = {
            "kind": tuple(LEARNING_RATES), "optimiser": ("gradient", "adam"),
            "regulariser": ("norm", "squared", "none"), "missing": ("minus_one", "left_out"),
        }  # fmt: skip
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {getattr(self, name)!r}")
        for name in ("n_factors", "n_neighbours", "n_epochs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        if self.learning_rate is not None and not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be positive; got {self.learning_rate}")
        if self.weight is not None and not self.weight >= 0:
            raise ValueError(f"weight must not be negative; got {self.weight}")


class Pairs:
    """Ratings in compressed rows by user."""

    def __init__(self, data: Interactions):
        order = np.lexsort((data.items, data.users))
        self.users, self.items = data.users[order], data.items[order]
        self.ratings = data.ratings[order].astype(np.float64)
        self.starts = np.concatenate(([0], np.cumsum(data.user_counts)))

    def __len__(self) -> int:
        return len(self.ratings)


class Objective:
    r"""The loss of one `FullBatch` model on the training ratings.

    .. math:: \sum_{(u,i)} (r_{ui} - \hat r_{ui})^2 + \lambda \sum_\theta |\theta|

    Project E forms the users x films matrix of predictions and multiplies the squared errors by a mask of the rated
    places. Only those places are visited here, which gives the same loss and the same gradients; what a *missing*
    rating adds to a sum over neighbours is kept. Of the films x films weights of E's neighbourhood models those of a
    film's neighbours are kept; the others reach no prediction, and their share in the norm is left out. All numbers
    are float64.
    """

    def __init__(self, form: FullBatch, train: Interactions):
        self.form, self.pairs = form, Pairs(train)
        self.weight = WEIGHTS.get(form.kind, WEIGHT) if form.weight is None else form.weight
        self.n_users, self.n_items = train.n_users, train.n_items
        self.mean = float(self.pairs.ratings.mean())
        self.by_item = np.argsort(self.pairs.items, kind="stable")
        self.item_starts = np.concatenate(([0], np.cumsum(train.item_counts)))
        self.item_users = self.pairs.users[self.by_item]
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

    def start(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Draw the parameters, as project E draws them (`UNIFORM`)."""
        form, found = self.form, {}
        shapes = {} if form.fitted_baseline else {"user_bias": self.n_users, "item_bias": self.n_items}
        for name in FACTORS[form.kind]:
            shapes[name] = (self.n_users if name == "user_factors" else self.n_items, form.n_factors)
        if form.kind in ("neighbourhood", "integrated"):
            shapes["neighbour_weights"] = shapes["neighbour_offsets"] = self.neighbours.shape
        for name, shape in shapes.items():
            uniform = name in UNIFORM.get(form.kind, ())
            found[name] = form.initial_scale * (rng.random(shape) if uniform else rng.standard_normal(shape))
        return found

    def predict(self, parameters: dict[str, np.ndarray], pairs: Pairs) -> np.ndarray:
        """Predict pairs in their order, unclipped, shape (n,)."""
        return self._predict(parameters, pairs, self._user_vectors(parameters))

    def gradients(self, parameters: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return the training predictions and the loss's gradient by each array of parameters."""
        form, pairs = self.form, self.pairs
        vectors = self._user_vectors(parameters)
        predictions = self._predict(parameters, pairs, vectors)
        slopes = 2.0 * (predictions - pairs.ratings)
        found = {name: np.zeros_like(value) for name, value in parameters.items()}
        of_biases = slopes if vectors is None else self._factor_gradients(parameters, vectors, slopes, found)
        of_users = np.bincount(pairs.users, of_biases, minlength=self.n_users)
        of_items = np.bincount(pairs.items, of_biases, minlength=self.n_items)
        if form.kind in NEIGHBOURS:
            add_neighbour_slopes(
                (pairs.starts, pairs.items), *self._neighbour_terms(parameters), slopes, of_users, of_items,
                found.get("neighbour_weights", np.zeros(self.neighbours.shape)),
                found.get("neighbour_offsets", np.empty((0, 0))),
            )  # fmt: skip
        if not form.fitted_baseline:
            found["user_bias"], found["item_bias"] = of_users, of_items
        for name, value in parameters.items():
            found[name] += self._penalty_slope(value)
        return predictions, found

    # -- terms of a prediction -------------------------------------------------------------------------------------
    def _biases(self, parameters) -> tuple[np.ndarray, np.ndarray]:
        return self.fixed if self.form.fitted_baseline else (parameters["user_bias"], parameters["item_bias"])

    def _residual_share(self, parameters) -> np.ndarray:
        """Return each training rating's weight in its user's sum of :math:`x_j`."""
        if not self.form.residual_weights:
            return self.share
        of_users, of_items = self._biases(parameters)
        residuals = self.pairs.ratings - self.mean - of_users[self.pairs.users] - of_items[self.pairs.items]
        return residuals * self.share

    def _user_vectors(self, parameters) -> np.ndarray | None:
        r"""Return :math:`p_u + |R(u)|^{-1/2} \sum_j (x_j + y_j)`, as far as the model has these; None without factors."""
        if "item_factors" not in parameters:
            return None
        found = np.zeros((self.n_users, self.form.n_factors))
        if "user_factors" in parameters:
            found += parameters["user_factors"]
        work = np.empty_like(found)
        shares = {"implicit_factors": self.share}
        if "rated_factors" in parameters:
            shares["rated_factors"] = self._residual_share(parameters)
        for name, share in shares.items():
            if name in parameters:
                weighted_sums(self.pairs.starts, self.pairs.items, share, parameters[name], work)
                found += work
        return found

    def _neighbour_terms(self, parameters) -> tuple:
        correlation = self.form.kind == "correlation"
        return (
            self.pairs.ratings, self.mean, *self._biases(parameters), self.neighbours,
            self.similarities if correlation else parameters["neighbour_weights"],
            np.empty((0, 0)) if correlation else parameters["neighbour_offsets"],
            self.form.missing == "minus_one", not correlation, correlation and self.form.divide,
        )  # fmt: skip

    def _predict(self, parameters, pairs: Pairs, vectors: np.ndarray | None) -> np.ndarray:
        of_users, of_items = self._biases(parameters)
        found = np.zeros(len(pairs))
        if vectors is not None:
            offsets = np.zeros(self.n_items)
            products_at(pairs.users, pairs.items, vectors, parameters["item_factors"], offsets, found)
        found += self.mean + of_users[pairs.users] + of_items[pairs.items]
        if self.form.kind in NEIGHBOURS:
            train = self.pairs.starts, self.pairs.items
            add_neighbours((pairs.starts, pairs.items), train, *self._neighbour_terms(parameters), found)
        return found

    def _factor_gradients(self, parameters, vectors, slopes, found) -> np.ndarray:
        """Fill the gradients by the factors; return each training pair's derivative by its biases."""
        pairs, items = self.pairs, parameters["item_factors"]
        of_vectors = np.empty_like(vectors)
        weighted_sums(pairs.starts, pairs.items, slopes, items, of_vectors)
        lists = self.item_starts, self.item_users
        weighted_sums(*lists, slopes[self.by_item], vectors, found["item_factors"])
        if "user_factors" in found:
            found["user_factors"] += of_vectors
        if "implicit_factors" in found:
            weighted_sums(*lists, self.share[self.by_item], of_vectors, found["implicit_factors"])
        if "rated_factors" not in found:
            return slopes
        share = self._residual_share(parameters)
        weighted_sums(*lists, share[self.by_item], of_vectors, found["rated_factors"])
        if not self.form.residual_weights:
            return slopes
        through = np.empty(len(pairs))
        zeros = np.zeros(self.n_items)
        products_at(pairs.users, pairs.items, of_vectors, parameters["rated_factors"], zeros, through)
        return slopes - self.share * through

    def _penalty_slope(self, value: np.ndarray) -> np.ndarray | float:
        if self.form.regulariser == "none" or self.weight == 0:
            return 0.0
        if self.form.regulariser == "squared":
            return 2.0 * self.weight * value
        length = np.linalg.norm(value)
        return self.weight * value / length if length > 0 else 0.0
