"""Project E's experiment: gradient descent on all ratings at once, with each of its choices to be changed by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.full_batch_objective import Form, Objective, Pairs
from lib.interactions import Interactions, RatingScale
from lib.models.adam import Adam

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


@dataclass(frozen=True, eq=False)
class FullBatchHistory:
    """What a run of `train_full_batch` went through.

    Parameters
    ----------
    train_rmse, test_rmse : ndarray of float64, shape (n + 1,)
        In rating units, before the first epoch and after each one; all finite. Shorter than asked where it diverged.
    diverged : bool
        Whether a further epoch would have left the range of floats: nothing was learned from there on.
    parameters : dict of str to ndarray
        After the last of those epochs.
    """

    train_rmse: np.ndarray
    test_rmse: np.ndarray
    diverged: bool
    parameters: dict[str, np.ndarray]

    def frame(self) -> pd.DataFrame:
        """Return a table with one row an epoch (from 0): train_rmse, test_rmse."""
        index = pd.RangeIndex(len(self.train_rmse), name="epoch")
        return pd.DataFrame({"train_rmse": self.train_rmse, "test_rmse": self.test_rmse}, index=index)


def train_full_batch(
    train: Interactions,
    test: Interactions,
    *,
    model: str = "svd",
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
) -> FullBatchHistory:
    r"""Train one of project E's models as E did; every argument left out is E's choice.

    An epoch is one step against the gradient of the loss over all training ratings (`lib.full_batch_objective`). That
    the ratings' squared errors are summed, not averaged, couples the step to the data: along a film's bias the loss has
    curvature :math:`2 n_i`, so that gradient descent is stable only below a rate of about :math:`1/n_i` of the most rated
    film, while a film or user with a hundredth of those ratings moves a hundredth as far.

    Parameters
    ----------
    train, test : Interactions
        Over the same id maps. Nothing is chosen on `test`: its error is followed, as E does.
    model : {"baseline", "correlation", "svd", "nsvd", "asymmetric_svd", "svdpp", "neighbourhood", "integrated"}
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

    Returns
    -------
    FullBatchHistory
        Divergence is a result here, not an error. A user without a training rating has no implicit part; a film without
        one keeps the parameters that it started with, as in E.

    Raises
    ------
    ValueError
        A parameter is out of range, the id maps differ, or there are no ratings.
    """
    _check(train, test, optimiser, start, n_epochs, learning_rate, gradient_norm, gradient_value)
    form = Form(
        model=model, n_factors=n_factors, n_neighbours=n_neighbours, shrinkage=shrinkage, regulariser=regulariser,
        weight=WEIGHTS.get(model, WEIGHT) if weight is None else weight, reduction=reduction, missing=missing,
        divide=divide, own_film=own_film, residual_weights=residual_weights, fitted_baseline=fitted_baseline,
    )  # fmt: skip
    objective, held_out = Objective(form, train), Pairs(test)
    parameters = objective.start(np.random.default_rng(seed), initial_scale, start)
    rate = LEARNING_RATES[model] if learning_rate is None else learning_rate
    adam = Adam(parameters, rate) if optimiser == "adam" else None
    scale = train.scale if clip else None
    errors: tuple[list[float], list[float]] = ([], [])
    before = parameters
    with np.errstate(over="ignore", invalid="ignore"):
        for epoch in range(n_epochs + 1):
            predictions, gradients = objective.gradients(parameters)
            found = (
                _rmse(predictions, objective.pairs, scale),
                _rmse(objective.predict(parameters, held_out), held_out, scale),
            )
            if not np.isfinite([*found, np.vdot(predictions, predictions)]).all():
                return _history(errors, True, before)
            for values, value in zip(errors, found, strict=True):
                values.append(value)
            if epoch == n_epochs:
                break
            before = {name: value.copy() for name, value in parameters.items()}
            _clip(gradients, gradient_norm, gradient_value)
            if adam:
                adam.step(gradients)
            else:
                for name, gradient in gradients.items():
                    parameters[name] -= rate * gradient
    return _history(errors, False, parameters)


def _history(errors, diverged: bool, parameters: dict[str, np.ndarray]) -> FullBatchHistory:
    return FullBatchHistory(np.array(errors[0]), np.array(errors[1]), diverged, parameters)


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


def _check(train, test, optimiser, start, n_epochs, learning_rate, gradient_norm, gradient_value) -> None:
    if (train.n_users, train.n_items) != (test.n_users, test.n_items):
        raise ValueError(
            "train_full_batch: train and test do not share their id maps; use the parts of one split"
        )
    for name, data in (("train", train), ("test", test)):
        if len(data) == 0:
            raise ValueError(f"train_full_batch: {name} holds no ratings")
    for name, value, allowed in (
        ("optimiser", optimiser, ("gradient", "adam")),
        ("start", start, ("reported", "normal", "uniform")),
    ):
        if value not in allowed:
            raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {value!r}")
    if n_epochs < 1:
        raise ValueError(f"n_epochs must be at least 1; got {n_epochs}")
    for name, value in (
        ("learning_rate", learning_rate), ("gradient_norm", gradient_norm), ("gradient_value", gradient_value),
    ):  # fmt: skip
        if value is not None and not value > 0:
            raise ValueError(f"{name} must be positive; got {value}")
