"""Errors of predicted ratings: sums a user first, every metric from those."""

from dataclasses import dataclass

import numpy as np

from lib.metrics.per_user import PerUser

METRICS = {"rmse": "squared", "mae": "absolute", "mean_error": "signed"}
"""Metrics that `UserErrors` knows, each with the sums that it is made of."""


@dataclass(frozen=True, eq=False)
class UserErrors:
    r"""Sums of the errors :math:`e = \hat r - r` of each user with at least one rating.

    Nothing is clipped here: clip predictions first where the protocol says so. Errors are in units of the rating scale.

    `users`, int of shape (n,), are codes, sorted, unique; `counts`, int64, their ratings, at least 1. `squared`,
    `absolute` and `signed`, float64, are the sums of :math:`e^2`, :math:`|e|` and :math:`e`.
    """

    users: np.ndarray
    counts: np.ndarray
    squared: np.ndarray
    absolute: np.ndarray
    signed: np.ndarray

    @property
    def rmse(self) -> float:
        """Root mean squared error, each rating weighing alike."""
        return self.per_user("rmse").value

    @property
    def mae(self) -> float:
        """Mean absolute error, each rating weighing alike."""
        return self.per_user("mae").value

    def per_user(self, metric: str) -> PerUser:
        r"""Return what each user contributes to one of `METRICS`, ready to be resampled; ValueError for another metric.

        Over N ratings ``rmse`` is :math:`\sqrt{\sum e^2 / N}`, ``mae`` :math:`\sum |e| / N`, and ``mean_error``
        :math:`\sum e / N`, above zero where the model rates too high.
        """
        if metric not in METRICS:
            raise ValueError(f"no rating metric is called {metric!r}; there are {', '.join(METRICS)}")
        return PerUser(metric, self.users, getattr(self, METRICS[metric]), self.counts, root=metric == "rmse")


def user_errors(users: np.ndarray, ratings: np.ndarray, predictions: np.ndarray) -> UserErrors:
    """Sum the errors of each user, in float64 whatever the input's precision.

    `users` are the codes of the test pairs, in any order, `ratings` and `predictions` on the rating scale; all have
    shape (n,). Raises ValueError: no pairs, lengths that differ, or a value that is NaN or infinite: skipping pairs
    would flatter the model.
    """
    ratings, predictions = _checked(ratings, predictions)
    users = np.asarray(users)
    if users.shape != ratings.shape:
        raise ValueError(f"users and ratings differ in length: {users.shape} and {ratings.shape}")
    errors = predictions - ratings
    found, places = np.unique(users, return_inverse=True)
    sums = [np.bincount(places, weights=w, minlength=len(found)) for w in (errors**2, np.abs(errors), errors)]
    return UserErrors(found, np.bincount(places, minlength=len(found)), *sums)


def rmse(ratings: np.ndarray, predictions: np.ndarray) -> float:
    r"""Root mean squared error, :math:`\sqrt{\frac{1}{N}\sum (\hat r - r)^2}`; raises what `user_errors` does."""
    ratings, predictions = _checked(ratings, predictions)
    return float(np.sqrt(np.mean((predictions - ratings) ** 2)))


def mae(ratings: np.ndarray, predictions: np.ndarray) -> float:
    r"""Mean absolute error, :math:`\frac{1}{N}\sum |\hat r - r|`; raises what `user_errors` does."""
    ratings, predictions = _checked(ratings, predictions)
    return float(np.mean(np.abs(predictions - ratings)))


def _checked(ratings, predictions) -> tuple[np.ndarray, np.ndarray]:
    ratings = np.asarray(ratings, dtype=np.float64)
    predictions = np.asarray(predictions, dtype=np.float64)
    if ratings.shape != predictions.shape or ratings.ndim != 1:
        raise ValueError(f"ratings {ratings.shape} and predictions {predictions.shape} are not equally long")
    if len(ratings) == 0:
        raise ValueError("there are no ratings to measure; check that the test set is not empty")
    for name, values in (("ratings", ratings), ("predictions", predictions)):
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise ValueError(
                f"{len(bad)} of {len(values)} {name} are NaN or infinite (the first at row {bad[0]}); "
                "a model must give every pair, cold ones too, a finite answer"
            )
    return ratings, predictions
