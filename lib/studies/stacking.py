"""Stacking: members' predictions joined by weights that were learned on ratings which no member had seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import KFold
from threadpoolctl import threadpool_limits

from lib.data.interactions import RatingScale
from lib.studies.moment_features import MEANS

STEPS = {"max_iter": 500, "learning_rate": 0.03, "max_features": 0.3, "l2_regularization": 20.0}
BOOSTING: dict[str, Any] = {**STEPS, "max_leaf_nodes": 31, "min_samples_leaf": 150}
"""Settings of the boosted trees, chosen on level-one ratings of MovieLens 1M's training part."""

PENALTY = 10.0
"""On the squared weights of standardised columns, in units of one rating's squared error."""


@dataclass(frozen=True)
class LevelOne:
    """Ratings as the stack sees them: clipped predictions by member, and moment features, if any, shape (n, m)."""

    predictions: Mapping[str, np.ndarray]
    moments: np.ndarray | None = None

    def __len__(self) -> int:
        return len(next(iter(self.predictions.values())))

    def of(self, *members: str, moments: bool = True) -> LevelOne:
        """Keep some members, with or without what is known beside them."""
        return LevelOne({n: self.predictions[n] for n in members}, self.moments if moments else None)

    def take(self, rows: np.ndarray) -> LevelOne:
        """Keep some ratings."""
        moments = None if self.moments is None else self.moments[rows]
        return LevelOne({n: p[rows] for n, p in self.predictions.items()}, moments)

    def columns(self, kept: Any = slice(None)) -> np.ndarray:
        """Join the predictions and the moment features, or some columns of these, shape (n, columns)."""
        found = np.column_stack(list(self.predictions.values()))
        return found if self.moments is None else np.hstack([found, self.moments[:, kept]])


class Stack:
    r"""A linear blend of members and moment features, with boosted trees on what it leaves (Wolpert 1992).

    .. math:: \hat r = w_0 + \sum_m w_m \hat r_m + \sum_f v_f x_f + g(\hat r_1, \dots, x_1, \dots)

    w and v are least squares with a penalty on their squares, columns being standardised, and of the features those in
    `lib.studies.moment_features.MEANS`; g is a sum of regression trees fitted to the rest by gradient boosting
    (scikit-learn's histogram form) on all features, with `seed` for their choice. There is none without `boosted`.
    """

    def __init__(self, scale: RatingScale, *, boosted: bool = True, seed: int = 0):
        self.scale, self.boosted, self.seed = scale, boosted, seed

    def fit(self, data: LevelOne, ratings: np.ndarray) -> Self:
        """Learn from ratings that no member was trained on; a prediction that is not finite is a ValueError."""
        ratings = np.asarray(ratings, dtype=np.float64)
        columns = data.columns(MEANS)
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
                self.trees_.fit(data.columns(), ratings - self._linear(data))
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
                found = found + self.trees_.predict(data.columns())
        return self.scale.clip(found)

    def _linear(self, data: LevelOne) -> np.ndarray:
        return self.mean_ + (data.columns(MEANS) - self.centre_) / self.spread_ @ self.standard_weights_


def cross_validated(
    data: LevelOne, ratings: np.ndarray, scale: RatingScale, *, seed: int = 0, boosted: bool = True
) -> np.ndarray:
    """Predict every level-one rating by a stack that was fitted on the other four fifths."""
    ratings = np.asarray(ratings, dtype=np.float64)
    found = np.empty(len(ratings))
    for learn, ask in KFold(5, shuffle=True, random_state=seed).split(ratings):
        stack = Stack(scale, boosted=boosted, seed=seed).fit(data.take(learn), ratings[learn])
        found[ask] = stack.predict(data.take(ask))
    return found
