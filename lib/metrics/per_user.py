"""One metric of one model as what each user contributes to it: the form that bootstraps resample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class PerUser:
    r"""A metric that is a ratio of sums over users, or the root of one.

    .. math:: m = f\left(\frac{\sum_u a_u}{\sum_u b_u}\right), \qquad f(x) = x \text{ or } \sqrt{x}

    With :math:`a_u` a user's sum of squared errors, :math:`b_u` the user's number of test ratings and the root, this is
    the RMSE per rating; with :math:`b_u = 1` it is the plain mean of a per-user metric such as nDCG.

    `users`, int of shape (n,), are codes, at least one, unique; sorted on construction, with the sums along.
    `numerators` and `denominators`, float64 of the same shape, are finite, the latter positive; else, a ValueError.
    `root` says whether f is the square root.
    """

    metric: str
    users: np.ndarray
    numerators: np.ndarray
    denominators: np.ndarray
    root: bool = False

    def __post_init__(self):
        users = np.asarray(self.users)
        numerators = np.asarray(self.numerators, dtype=np.float64)
        denominators = np.asarray(self.denominators, dtype=np.float64)
        if not (users.shape == numerators.shape == denominators.shape) or users.ndim != 1:
            raise ValueError(
                f"{self.metric}: users, numerators and denominators must be equally long lists, got shapes "
                f"{users.shape}, {numerators.shape} and {denominators.shape}"
            )
        if len(users) == 0:
            raise ValueError(f"{self.metric}: no user has anything to measure; check split and threshold")
        if not np.isfinite(numerators).all() or not np.isfinite(denominators).all():
            raise ValueError(f"{self.metric}: a user's sum is NaN or infinite; leave such users out")
        if (denominators <= 0).any():
            raise ValueError(f"{self.metric}: a denominator is not positive; leave out users without ratings")
        order = np.argsort(users, kind="stable")
        if (np.diff(users[order]) == 0).any():
            raise ValueError(f"{self.metric}: a user occurs twice; add up the user's sums first")
        for name, array in (("users", users), ("numerators", numerators), ("denominators", denominators)):
            array = array[order]
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @classmethod
    def mean(cls, metric: str, users: np.ndarray, values: np.ndarray) -> PerUser:
        """Build the plain mean over users of one value a user."""
        return cls(metric, users, values, np.ones(len(np.asarray(users))))

    def __len__(self) -> int:
        return len(self.users)

    @property
    def value(self) -> float:
        """The metric over all users."""
        return float(self.of(self.numerators.sum(), self.denominators.sum()))

    @property
    def values(self) -> np.ndarray:
        """The metric of each user alone, shape (n,)."""
        return self.of(self.numerators, self.denominators)

    def of(self, numerator, denominator):
        """Turn sums (numbers or arrays) into the metric."""
        ratio = numerator / denominator
        return np.sqrt(ratio) if self.root else ratio


def averaged(samples: Sequence[PerUser]) -> PerUser:
    """Average one metric of several random starts of a model, user by user."""
    for other in samples[1:]:
        check_paired(samples[0], other)
    return replace(samples[0], numerators=np.mean([sample.numerators for sample in samples], axis=0))


def pooled(samples: Sequence[PerUser]) -> PerUser:
    """Put folds, or draws of users, together: each user once, with sums over all of them."""
    users, places = np.unique(np.concatenate([sample.users for sample in samples]), return_inverse=True)
    sums: dict[str, Any] = {
        name: np.bincount(places, np.concatenate([getattr(sample, name) for sample in samples]))
        for name in ("numerators", "denominators")
    }
    return replace(samples[0], users=users, **sums)


def check_paired(first: PerUser, second: PerUser) -> None:
    """Raise ValueError unless both measure the same metric on the same users and the same number of ratings each."""
    if first.metric != second.metric:
        raise ValueError(f"cannot compare {first.metric} with {second.metric}: measure both models alike")
    if len(apart := np.setxor1d(first.users, second.users)):
        raise ValueError(f"{first.metric}: {len(apart)} users are measured for one model only; pair them")
    if not np.array_equal(first.denominators, second.denominators):
        raise ValueError(f"{first.metric}: the models have different numbers of ratings a user")
