"""Project E's experiment: gradient descent on all ratings at once, with each of its choices to be changed by itself."""

from __future__ import annotations

import numpy as np

from lib.full_batch_objective import Form, Objective, Pairs
from lib.interactions import Interactions, RatingScale
from lib.models.adam import Adam
from lib.models.base import Recommender

LEARNING_RATES = {
    "baseline": 2e-3,
    "correlation": 2e-3,
    "svd": 5e-5,
    "nsvd": 5e-6,
    "neighbourhood": 5e-6,
    "asymmetric_svd": 5e-7,
    "svdpp": 5e-7,
    "integrated": 5e-7,
}
"""What project E reports for each model."""

WEIGHTS = {"baseline": 2e-3, "correlation": 2e-3}
"""Project E's weight of the regulariser, where it is not `WEIGHT`."""

WEIGHT = 0.01


class FullBatch(Recommender):
    r"""One of project E's models, trained as E did; every hyperparameter left out is E's choice.

    An epoch is one step against the gradient of the loss over all training ratings (`lib.full_batch_objective`). That
    the ratings' squared errors are summed, not averaged, couples the step to the data: along a film's bias the loss has
    curvature :math:`2 n_i`, so that gradient descent is stable only below a rate of about :math:`1/n_i` of the most rated
    film, while a film or user with a hundredth of those ratings moves a hundredth as far.

    ``fit`` asks for validation ratings, whose error is followed, as E does with its test ratings; nothing is chosen by
    them. Divergence is a result here, not an error. A user without a training rating has no implicit part; a film
    without one keeps the parameters that it started with, as in E. What is asked of it is the course of its training: it
    answers no requests.

    Parameters
    ----------
    kind : {"baseline", "correlation", "svd", "nsvd", "asymmetric_svd", "svdpp", "neighbourhood", "integrated"}
        In E's words Baseline, CorNgbr, SVD, NSVD, Asymmetric-SVD, SVD++, Revised-Ngbr, Integrated.
    n_factors, n_neighbours, shrinkage, regulariser, reduction, missing, divide, own_film, residual_weights, fitted_baseline
        See `lib.full_batch_objective.Form`.
    optimiser : {"gradient", "adam"}
        E does not name its own.
    learning_rate : float, optional
        E's of the model by default (`LEARNING_RATES`).
    gradient_norm, gradient_value : float, optional
        Clip gradients: all of them together to this Euclidean norm, or each number to plus or minus this value. E
        mentions gradient clipping, but neither which nor the bound.
    n_epochs : int
    start : {"reported", "normal", "uniform"}
        What parameters are drawn from: as in E's code (normal, or uniform in 0 to 1; `lib.full_batch_objective.UNIFORM`),
        or all alike.
    initial_scale : float
        The draws are multiplied by it.
    weight : float, optional
        :math:`\lambda` of the regulariser; E's by default.
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
        self,
        *,
        kind: str = "svd",
        n_factors: int = 10,
        n_neighbours: int = 10,
        shrinkage: float = 100.0,
        optimiser: str = "gradient",
        learning_rate: float | None = None,
        gradient_norm: float | None = None,
        gradient_value: float | None = None,
        n_epochs: int = 500,
        start: str = "reported",
        initial_scale: float = 1.0,
        regulariser: str = "norm",
        weight: float | None = None,
        reduction: str = "sum",
        missing: str = "minus_one",
        divide: bool = False,
        own_film: bool = False,
        residual_weights: bool = False,
        fitted_baseline: bool = False,
        clip: bool = False,
        seed: int = 0,
    ):
        self.kind = kind
        self.n_factors = n_factors
        self.n_neighbours = n_neighbours
        self.shrinkage = shrinkage
        self.optimiser = optimiser
        self.learning_rate = learning_rate
        self.gradient_norm = gradient_norm
        self.gradient_value = gradient_value
        self.n_epochs = n_epochs
        self.start = start
        self.initial_scale = initial_scale
        self.regulariser = regulariser
        self.weight = weight
        self.reduction = reduction
        self.missing = missing
        self.divide = divide
        self.own_film = own_film
        self.residual_weights = residual_weights
        self.fitted_baseline = fitted_baseline
        self.clip = clip
        self.seed = seed

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        self._check_parameters()
        if validation is None or len(validation) == 0:
            raise ValueError("FullBatch.fit: there are no validation ratings whose error could be followed")
        form = Form(
            model=self.kind, n_factors=self.n_factors, n_neighbours=self.n_neighbours, shrinkage=self.shrinkage,
            regulariser=self.regulariser, weight=WEIGHTS.get(self.kind, WEIGHT) if self.weight is None else self.weight,
            reduction=self.reduction, missing=self.missing, divide=self.divide, own_film=self.own_film,
            residual_weights=self.residual_weights, fitted_baseline=self.fitted_baseline,
        )  # fmt: skip
        objective, held_out = Objective(form, train), Pairs(validation)
        parameters = objective.start(np.random.default_rng(self.seed), self.initial_scale, self.start)
        rate = LEARNING_RATES[self.kind] if self.learning_rate is None else self.learning_rate
        adam = Adam(parameters, rate) if self.optimiser == "adam" else None
        scale = train.scale if self.clip else None
        errors: list[tuple[float, float]] = []
        before, self.diverged_ = parameters, False
        with np.errstate(over="ignore", invalid="ignore"):
            for epoch in range(self.n_epochs + 1):
                predictions, gradients = objective.gradients(parameters)
                found = (
                    _rmse(predictions, objective.pairs, scale),
                    _rmse(objective.predict(parameters, held_out), held_out, scale),
                )
                self.diverged_ = not np.isfinite([*found, np.vdot(predictions, predictions)]).all()
                if self.diverged_:
                    parameters = before
                    break
                errors.append(found)
                if epoch == self.n_epochs:
                    break
                before = {name: value.copy() for name, value in parameters.items()}
                _clip(gradients, self.gradient_norm, self.gradient_value)
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
        for name, allowed in (
            ("kind", tuple(LEARNING_RATES)),
            ("optimiser", ("gradient", "adam")),
            ("start", ("reported", "normal", "uniform")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {getattr(self, name)!r}")
        if self.n_epochs < 1:
            raise ValueError(f"n_epochs must be at least 1; got {self.n_epochs}")
        for name in ("learning_rate", "gradient_norm", "gradient_value"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be positive; got {value}")


def _rmse(predictions: np.ndarray, pairs: Pairs, scale: RatingScale | None) -> float:
    predictions = predictions if scale is None else scale.clip(predictions)
    return float(np.sqrt(np.mean((predictions - pairs.ratings) ** 2)))


def _clip(gradients: dict[str, np.ndarray], norm: float | None, value: float | None) -> None:
    """Clip gradients in place, as ``torch.nn.utils.clip_grad_norm_`` and ``clip_grad_value_`` do."""
    if value is not None:
        for gradient in gradients.values():
            np.clip(gradient, -value, value, out=gradient)
    if norm is not None:
        length = np.sqrt(sum(float(np.vdot(gradient, gradient)) for gradient in gradients.values()))
        if length > norm:
            for gradient in gradients.values():
                gradient *= norm / length
