"""Project E's nine models as it wrote them: predictions, the loss over all ratings at once, and its gradients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lib.experiment.fit import fit_model
from lib.full_batch_kernels import add_neighbour_slopes, add_neighbours
from lib.interactions import Interactions
from lib.item_similarity import neighbour_lists
from lib.models.bias import Bias
from lib.models.sparse_kernels import products_at, weighted_sums

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


@dataclass(frozen=True)
class Form:
    r"""What is predicted and what is minimised, apart from how.

    Parameters
    ----------
    model : str
        A key of `FACTORS`.
    n_factors : int
    n_neighbours : int
    shrinkage : float
        Of the similarities that choose neighbours, in common raters.
    regulariser : {"norm", "squared", "none"}
        :math:`\lambda |\theta|` (project E), :math:`\lambda |\theta|^2`, or nothing, summed over the arrays of
        parameters.
    weight : float
        :math:`\lambda`.
    reduction : {"sum", "mean"}
        Of the squared errors.
    missing : {"minus_one", "left_out"}
        How the sum over neighbours reads a film that the user has not rated: as one rated -1 (project E) or not at all.
    divide : bool
        CorNgbr: whether the sum is divided by the similarities' (project E does not).
    own_film : bool
        Whether a film is the first of its own neighbours, as the diagonal of a correlation matrix would have it.
    residual_weights : bool
        Asymmetric SVD: whether :math:`x_j` is weighted by :math:`r_{uj} - b_{uj}` (the paper) or not (project E's code).
    fitted_baseline : bool
        Whether biases are those of `lib.models.bias.Bias` and stay; otherwise they are learned with the rest.
    """

    model: str
    n_factors: int
    n_neighbours: int
    shrinkage: float
    regulariser: str
    weight: float
    reduction: str
    missing: str
    divide: bool
    own_film: bool
    residual_weights: bool
    fitted_baseline: bool

    def __post_init__(self):
        choices = {
            "model": tuple(FACTORS),
            "regulariser": ("norm", "squared", "none"),
            "reduction": ("sum", "mean"),
            "missing": ("minus_one", "left_out"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {getattr(self, name)!r}")
        for name in ("n_factors", "n_neighbours"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        if not self.weight >= 0:
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
    r"""The loss of one `Form` on the training ratings.

    .. math:: \sum_{(u,i)} (r_{ui} - \hat r_{ui})^2 + \lambda \sum_\theta |\theta|

    Project E forms the users x films matrix of predictions and multiplies the squared errors by a mask of the rated
    places. Only those places are visited here, which gives the same loss and the same gradients; what a *missing* rating
    adds to a sum over neighbours is kept. Of the films x films weights of E's neighbourhood models those of a film's
    neighbours are kept; the others reach no prediction, and their share in the norm is left out. All numbers are
    float64.

    Parameters
    ----------
    form : Form
    train : Interactions
    """

    def __init__(self, form: Form, train: Interactions):
        self.form, self.pairs = form, Pairs(train)
        self.n_users, self.n_items = train.n_users, train.n_items
        self.mean = float(self.pairs.ratings.mean())
        self.by_item = np.argsort(self.pairs.items, kind="stable")
        self.item_starts = np.concatenate(([0], np.cumsum(train.item_counts)))
        self.item_users = self.pairs.users[self.by_item]
        self.share = 1.0 / np.sqrt(train.user_counts[self.pairs.users])
        if form.fitted_baseline:
            bias = fit_model(Bias, train)
            self.mean, self.fixed = float(bias.mean_), (bias.user_bias_, bias.item_bias_)
        if form.model in NEIGHBOURS:
            self.neighbours, self.similarities = self._lists(train)

    def _lists(self, train: Interactions) -> tuple[np.ndarray, np.ndarray]:
        k, own = self.form.n_neighbours, int(self.form.own_film)
        starts, films, values = neighbour_lists(
            train, k=max(k - own, 1), shrinkage=self.form.shrinkage, centre="common_mean"
        )
        found, similar = np.full((self.n_items, k), -1, np.int32), np.zeros((self.n_items, k))
        places = np.arange(len(films)) - np.repeat(starts[:-1], np.diff(starts)) + own
        rows = np.repeat(np.arange(self.n_items), np.diff(starts))
        kept = places < k
        found[rows[kept], places[kept]] = films[kept]
        similar[rows[kept], places[kept]] = values[kept]
        if own:
            found[:, 0] = np.arange(self.n_items)
            similar[:, 0] = train.item_counts / np.maximum(train.item_counts + self.form.shrinkage, 1)
        return found, similar

    def start(self, rng: np.random.Generator, scale: float, start: str) -> dict[str, np.ndarray]:
        """Draw the parameters; `start` is ``"reported"`` (project E's mixture), ``"normal"`` or ``"uniform"``."""
        form, found = self.form, {}
        shapes = {} if form.fitted_baseline else {"user_bias": self.n_users, "item_bias": self.n_items}
        for name in FACTORS[form.model]:
            shapes[name] = (self.n_users if name == "user_factors" else self.n_items, form.n_factors)
        if form.model in ("neighbourhood", "integrated"):
            shapes["neighbour_weights"] = shapes["neighbour_offsets"] = self.neighbours.shape
        for name, shape in shapes.items():
            uniform = start == "uniform" or (start == "reported" and name in UNIFORM.get(form.model, ()))
            found[name] = scale * (rng.random(shape) if uniform else rng.standard_normal(shape))
        return found

    def predict(self, parameters: dict[str, np.ndarray], pairs: Pairs) -> np.ndarray:
        """Predict pairs in their order, unclipped, shape (n,)."""
        return self._predict(parameters, pairs, self._user_vectors(parameters))

    def loss(self, parameters: dict[str, np.ndarray]) -> float:
        """Return the regularised loss."""
        errors = self.predict(parameters, self.pairs) - self.pairs.ratings
        fit = errors @ errors / (1 if self.form.reduction == "sum" else len(errors))
        return float(fit + sum(self._penalty(value) for value in parameters.values()))

    def gradients(self, parameters: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return the training predictions and the loss's gradient by each array of parameters."""
        form, pairs = self.form, self.pairs
        vectors = self._user_vectors(parameters)
        predictions = self._predict(parameters, pairs, vectors)
        slopes = 2.0 * (predictions - pairs.ratings) / (1 if form.reduction == "sum" else len(pairs))
        found = {name: np.zeros_like(value) for name, value in parameters.items()}
        of_biases = (
            self._factor_gradients(parameters, vectors, slopes, found) if vectors is not None else slopes
        )
        of_users = np.bincount(pairs.users, of_biases, minlength=self.n_users)
        of_items = np.bincount(pairs.items, of_biases, minlength=self.n_items)
        if form.model in NEIGHBOURS:
            empty = np.empty((0, 0))
            add_neighbour_slopes(
                (pairs.starts, pairs.items), *self._neighbour_terms(parameters), slopes, of_users, of_items,
                found.get("neighbour_weights", np.zeros(self.neighbours.shape)),
                found.get("neighbour_offsets", empty),
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
        correlation = self.form.model == "correlation"
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
        if self.form.model in NEIGHBOURS:
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

    def _penalty(self, value: np.ndarray) -> float:
        squares = float(np.vdot(value, value))
        kinds = {"norm": np.sqrt(squares), "squared": squares, "none": 0.0}
        return self.form.weight * kinds[self.form.regulariser]

    def _penalty_slope(self, value: np.ndarray) -> np.ndarray | float:
        if self.form.regulariser == "none" or self.form.weight == 0:
            return 0.0
        if self.form.regulariser == "squared":
            return 2.0 * self.form.weight * value
        length = np.linalg.norm(value)
        return self.form.weight * value / length if length > 0 else 0.0
