"""Stacking: members' predictions joined by weights that were learned on ratings which no member had seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import KFold
from threadpoolctl import threadpool_limits

from lib.data.interactions import Interactions, RatingScale
from lib.models.baselines.bias import Bias
from lib.models.fitting import fit_model
from lib.studies.moment_features import MEANS

BOOSTING: dict[str, Any] = {
    "max_iter": 200,
    "learning_rate": 0.03,
    "max_leaf_nodes": 16,
    "min_samples_leaf": 100,
    "max_features": 0.3,
    "l2_regularization": 50.0,
}
"""Settings of the boosted trees, chosen on level-one ratings inside u1's training part."""

N_BOOSTED = 4
"""Sums of trees that are averaged: each has a seed of its own for the features that it may split by."""

PENALTY = 10.0
"""On the squared weights of standardised columns, in units of one rating's squared error."""

DAMPING = 5.0
"""Ratings of average variance that a user's, or a film's, own are drawn towards."""

BENDING = [0, 1, 4, 5]
"""Facts whose products with the first member's prediction the linear part has: few ratings call for tamer predictions."""


def facts_of(train: Interactions, asked: Interactions, share: float = 1.0) -> np.ndarray:
    """Return what the training ratings say of the asked users and films, whatever their times; float64, shape (n, 6).

    Logarithms of counts, of which `train` has a `share`; biases; variances, damped. Who has no ratings has the mean of all.
    """
    train = train.ordered()  # sums have other bits in another order
    ratings, bias = train.ratings.astype(np.float64), fit_model(Bias, train)
    sides = (train.users, train.user_counts, asked.users), (train.items, train.item_counts, asked.items)
    counts, variances = [], []
    for codes, known, of in sides:
        counts.append(np.log1p(known[of] / share))
        means = np.bincount(codes, ratings, minlength=len(known)) / np.maximum(known, 1)
        squares = np.bincount(codes, (ratings - means[codes]) ** 2, minlength=len(known))
        variances.append(((squares + DAMPING * ratings.var()) / (known + DAMPING))[of])
    return np.column_stack([*counts, bias.user_bias_[asked.users], bias.item_bias_[asked.items], *variances])


@dataclass(frozen=True)
class LevelOne:
    """Ratings as the stack sees them: clipped predictions by member, `facts` (of `facts_of`) and moment features, if any."""

    predictions: Mapping[str, np.ndarray]
    facts: np.ndarray | None = None
    moments: np.ndarray | None = None

    def __len__(self) -> int:
        return len(next(iter(self.predictions.values())))

    def of(self, members: Sequence[str] = (), *, facts: bool = True, moments: bool = True) -> LevelOne:
        """Keep some members (none named: all), with or without what is known beside them."""
        kept = {name: self.predictions[name] for name in members} or self.predictions
        return LevelOne(kept, self.facts if facts else None, self.moments if moments else None)

    def take(self, rows: np.ndarray) -> LevelOne:
        """Keep some ratings."""
        known = {n: None if (of := getattr(self, n)) is None else of[rows] for n in ("facts", "moments")}
        return replace(self, predictions={n: p[rows] for n, p in self.predictions.items()}, **known)

    def columns(self, kept: Any = slice(None)) -> np.ndarray:
        """Join the predictions, the facts and the moment features, or some columns of these, shape (n, columns)."""
        moments = None if self.moments is None else self.moments[:, kept]
        return np.column_stack(
            [*self.predictions.values(), *(x for x in (self.facts, moments) if x is not None)]
        )


class Stack:
    r"""A linear blend of members and of what is known beside them, with boosted trees on what it leaves (Wolpert 1992).

    .. math:: \hat r = w_0 + \sum_m w_m \hat r_m + \sum_f v_f x_f + \sum_b u_b\,(\hat r_1 - c)\,x_b + \bar g(\hat r_1, \dots, x_1, \dots)

    w, u and v are least squares with a penalty on their squares, columns being standardised. x are the facts (`facts_of`),
    those in `BENDING` also times the first member's prediction less the scale's middle c, and the moment features in
    `lib.studies.moment_features.MEANS`; :math:`\bar g` is the mean of `boosted` sums of regression trees fitted to the
    rest by gradient boosting (scikit-learn's histogram form) on all features, zero without any.
    """

    def __init__(self, scale: RatingScale, *, boosted: int = N_BOOSTED, seed: int = 0):
        self.scale, self.boosted, self.seed = scale, boosted, seed

    def fit(self, data: LevelOne, ratings: np.ndarray) -> Self:
        """Learn from ratings that no member was trained on; a prediction that is not finite is a ValueError."""
        ratings = np.asarray(ratings, dtype=np.float64)
        self.offsets_ = None if data.facts is None else data.facts[:, BENDING].mean(axis=0)
        columns = self._columns(data)
        if not np.isfinite(columns).all():
            raise ValueError("a member's prediction is not finite")
        self.centre_, spread = columns.mean(axis=0), columns.std(axis=0)
        self.spread_ = np.where(spread > 0, spread, 1.0)
        standard = (columns - self.centre_) / self.spread_
        gram = standard.T @ standard + PENALTY * np.eye(columns.shape[1])
        self.mean_ = float(ratings.mean())
        self.standard_weights_ = np.linalg.solve(gram, standard.T @ (ratings - self.mean_))
        self.members_ = tuple(data.predictions)
        seeds = range(self.boosted * self.seed, self.boosted * (self.seed + 1))
        self.trees_ = [HistGradientBoostingRegressor(**BOOSTING, random_state=seed) for seed in seeds]
        # Threads that wait for a busy core take minutes where one takes seconds.
        with threadpool_limits(1):
            for trees in self.trees_:
                trees.fit(data.columns(), ratings - self._linear(data))
        return self

    @property
    def weights_(self) -> dict[str, float]:
        """The members' weights in the linear blend, in rating units."""
        weights = self.standard_weights_ / self.spread_
        return dict(zip(self.members_, weights[: len(self.members_)].tolist(), strict=True))

    def predict(self, data: LevelOne) -> np.ndarray:
        """Predict ratings, clipped to the scale, from the same members."""
        found = self._linear(data)
        if self.trees_:
            with threadpool_limits(1):
                found = found + np.mean([trees.predict(data.columns()) for trees in self.trees_], axis=0)
        return self.scale.clip(found)

    def _columns(self, data: LevelOne) -> np.ndarray:
        found = data.columns(MEANS)
        if data.facts is None:
            return found
        lead = next(iter(data.predictions.values())) - np.mean(self.scale)
        return np.hstack([found, lead[:, None] * (data.facts[:, BENDING] - self.offsets_)])

    def _linear(self, data: LevelOne) -> np.ndarray:
        return self.mean_ + (self._columns(data) - self.centre_) / self.spread_ @ self.standard_weights_


def cross_validated(
    data: LevelOne, ratings: np.ndarray, scale: RatingScale, *, seed: int = 0, boosted: bool = True
) -> np.ndarray:
    """Predict every level-one rating by a stack, of one sum of trees if `boosted`, that was fitted on the other four fifths."""
    ratings = np.asarray(ratings, dtype=np.float64)
    found = np.empty(len(ratings))
    for learn, ask in KFold(5, shuffle=True, random_state=seed).split(ratings):
        stack = Stack(scale, boosted=int(boosted), seed=seed).fit(data.take(learn), ratings[learn])
        found[ask] = stack.predict(data.take(ask))
    return found
