"""Stacking: members' predictions joined by weights that were learned on ratings which no member had seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import KFold
from threadpoolctl import threadpool_limits

from lib.data.interactions import RatingScale
from lib.studies.moment_features import MomentFeatures

BOOSTING = {
    "max_iter": 500, "learning_rate": 0.03, "max_leaf_nodes": 31, "min_samples_leaf": 150, "l2_regularization": 20.0,
    "max_features": 0.3,
}  # fmt: skip
"""Settings of the boosted trees, chosen on level-one ratings of MovieLens 1M's training part."""

PENALTY = 10.0
"""On the squared weights of standardised columns, in units of one rating's squared error."""


@dataclass(frozen=True)
class LevelOne:
    """Ratings as the stack sees them: clipped predictions by member, and what is known of the moment, if at all."""

    predictions: Mapping[str, np.ndarray]
    moments: MomentFeatures | None = None

    def __len__(self) -> int:
        return len(next(iter(self.predictions.values())))

    def of(self, *members: str, moments: bool = True) -> LevelOne:
        """Keep some members, with or without what is known beside them."""
        return LevelOne({n: self.predictions[n] for n in members}, self.moments if moments else None)

    def take(self, rows: np.ndarray) -> LevelOne:
        """Keep some ratings."""
        moments = self.moments
        if moments is not None:
            moments = moments._replace(values=moments.values[rows])
        return LevelOne({n: p[rows] for n, p in self.predictions.items()}, moments)


class Stack:
    r"""A linear blend of members and moment features, with boosted trees on what it leaves (Wolpert 1992).

    .. math:: \hat r = w_0 + \sum_m w_m \hat r_m + \sum_f v_f x_f + g(\hat r_1, \dots, x_1, \dots)

    w and v are least squares with a penalty on their squares, columns being standardised; g is a sum of regression
    trees fitted to the rest by gradient boosting (scikit-learn's histogram form). Predictions are clipped to the
    scale.

    Without `boosted` there is no g. `seed` is that of the trees' choice of features.
    """

    def __init__(self, scale: RatingScale, *, boosted: bool = True, seed: int = 0):
        self.scale, self.boosted, self.seed = scale, boosted, seed

    def fit(self, data: LevelOne, ratings: np.ndarray) -> Self:
        """Learn the weights from ratings that no member was trained on.

        Raises
        ------
        ValueError
            A prediction is not finite.
        """
        ratings = np.asarray(ratings, dtype=np.float64)
        columns = self._linear_columns(data)
        if not np.isfinite(columns).all():
            raise ValueError("a member's prediction is not finite")
        self.centre_, spread = columns.mean(axis=0), columns.std(axis=0)
        self.spread_ = np.where(spread > 0, spread, 1.0)
        standard = (columns - self.centre_) / self.spread_
        gram = standard.T @ standard + PENALTY * np.eye(columns.shape[1])
        self.mean_ = float(ratings.mean())
        self.standard_weights_ = np.linalg.solve(gram, standard.T @ (ratings - self.mean_))
        self.members_ = tuple(data.predictions)
        self.trees_ = None
        if self.boosted:
            self.trees_ = HistGradientBoostingRegressor(**BOOSTING, random_state=self.seed)
            # Threads that wait for a busy core take minutes where one takes seconds.
            with threadpool_limits(1):
                self.trees_.fit(self._all_columns(data), ratings - self._linear(data))
        return self

    @property
    def weights_(self) -> dict[str, float]:
        """The members' weights in the linear blend, in rating units."""
        weights = self.standard_weights_ / self.spread_
        return dict(zip(self.members_, weights[: len(self.members_)].tolist(), strict=True))

    def predict(self, data: LevelOne) -> np.ndarray:
        """Predict ratings, clipped to the scale, from the same members."""
        found = self._linear(data)
        if self.trees_ is not None:
            with threadpool_limits(1):
                found = found + self.trees_.predict(self._all_columns(data))
        return self.scale.clip(found)

    def _linear(self, data: LevelOne) -> np.ndarray:
        return (
            self.mean_ + (self._linear_columns(data) - self.centre_) / self.spread_ @ self.standard_weights_
        )

    @staticmethod
    def _linear_columns(data: LevelOne) -> np.ndarray:
        columns, moments = np.column_stack(list(data.predictions.values())), data.moments
        return columns if moments is None else np.hstack([columns, moments.values[:, list(moments.means)]])

    @staticmethod
    def _all_columns(data: LevelOne) -> np.ndarray:
        columns, moments = np.column_stack(list(data.predictions.values())), data.moments
        return columns if moments is None else np.hstack([columns, moments.values])


def cross_validated(
    data: LevelOne, ratings: np.ndarray, scale: RatingScale, *, n_folds: int = 5, seed: int = 0, boosted: bool = True
) -> np.ndarray:  # fmt: skip
    """Predict every level-one rating by a stack that was not fitted on it: for choices that must not see the test set."""
    ratings = np.asarray(ratings, dtype=np.float64)
    found = np.empty(len(ratings))
    for learn, ask in KFold(n_folds, shuffle=True, random_state=seed).split(ratings):
        stack = Stack(scale, boosted=boosted, seed=seed).fit(data.take(learn), ratings[learn])
        found[ask] = stack.predict(data.take(ask))
    return found
