"""Stacking: members' predictions joined by weights that were learned on ratings which no member had seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from lib.data.interactions import Interactions, RatingScale
from lib.models.baselines.bias import Bias
from lib.models.fitting import fit_model
from lib.studies.moment_features import MEANS

BOOSTING: dict[str, Any] = {  # settings of the boosted trees that are not searched
    "learning_rate": 0.03,
    "max_features": 0.3,
    "l2_regularization": 50.0,
    "early_stopping": False,
}

STAGES = (50, 100, 200, 300)  # trees of a sum, of which a search finds the number
N_BOOSTED = 4  # sums of trees that are averaged: each has a seed of its own for the features that it may split by
DAMPING = 5.0  # ratings of average variance that a user's, or a film's, own are drawn towards
BENDING = [0, 1, 4, 5]  # facts also times the first member's prediction: few ratings call for tamer ones


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
class Design:
    """How a stack is built: which `members` it has (none named: all), with `facts` and their products (`bends`) or not.

    `penalty` is on the squared weights of standardised columns, in units of one rating's squared error; `trees`, `leaves`
    and `least` are trees of a sum (none: 0), leaves of a tree and ratings in a leaf.
    """

    members: tuple[str, ...] = ()
    facts: bool = True
    bends: bool = True
    penalty: float = 10.0
    trees: int = 0
    leaves: int = 16
    least: int = 100


LINEAR = Design()  # all members and facts, and no trees


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
        return np.column_stack([*self.predictions.values(), *(x for x in (self.facts, moments) if x is not None)])


class Stack:
    r"""A linear blend of members and of what is known beside them, with boosted trees on what it leaves (Wolpert 1992).

    .. math:: \hat r = w_0 + \sum_m w_m \hat r_m + \sum_f v_f x_f + \sum_b u_b\,(\hat r_1 - c)\,x_b + \bar g(\hat r_1, \dots, x_1, \dots)

    w, u and v are least squares with a penalty on their squares, columns being standardised. x are the facts (`facts_of`),
    those in `BENDING` also times the first member's prediction less the scale's middle c, and the moment features in
    `lib.studies.moment_features.MEANS`; :math:`\bar g` is the mean of `boosted` sums of regression trees fitted to the
    rest by gradient boosting (scikit-learn's histogram form) on all features, zero where the `design` has none.
    """

    def __init__(self, scale: RatingScale, design: Design = LINEAR, *, boosted: int = N_BOOSTED, seed: int = 0):
        self.scale, self.design, self.boosted, self.seed = scale, design, boosted, seed

    def fit(self, data: LevelOne, ratings: np.ndarray) -> Self:
        """Learn from ratings that no member was trained on; a prediction that is not finite is a ValueError."""
        ratings, data = np.asarray(ratings, dtype=np.float64), self._seen(data)
        facts = data.facts if self.design.bends else None
        self.offsets_ = None if facts is None else facts[:, BENDING].mean(axis=0)
        columns = self._columns(data)
        if not np.isfinite(columns).all():
            raise ValueError("a member's prediction is not finite")
        self.centre_, spread = columns.mean(axis=0), columns.std(axis=0)
        self.spread_ = np.where(spread > 0, spread, 1.0)
        standard = (columns - self.centre_) / self.spread_
        gram = standard.T @ standard + self.design.penalty * np.eye(columns.shape[1])
        self.mean_ = float(ratings.mean())
        self.standard_weights_ = np.linalg.solve(gram, standard.T @ (ratings - self.mean_))
        self.members_ = tuple(data.predictions)
        told = {"max_leaf_nodes": self.design.leaves, "min_samples_leaf": self.design.least, **BOOSTING}
        seeds = range(self.boosted * self.seed, self.boosted * (self.seed + 1)) if self.design.trees else ()
        told |= {"max_iter": self.design.trees}
        self.trees_ = [HistGradientBoostingRegressor(**told, random_state=seed) for seed in seeds]
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
        return self.scale.clip(self._told(data)[self.design.trees])

    def stages(self, data: LevelOne) -> dict[int, np.ndarray]:
        """Predict as from fewer trees, too: by their number, of `STAGES` and without any."""
        return {n: self.scale.clip(found) for n, found in self._told(data).items()}

    def _told(self, data: LevelOne) -> dict[int, np.ndarray]:
        data = self._seen(data)
        found = {0: self._linear(data)}
        if self.trees_:
            with threadpool_limits(1):
                sums = zip(*(trees.staged_predict(data.columns()) for trees in self.trees_), strict=True)
                for n, of in enumerate(sums, start=1):
                    if n in STAGES or n == self.design.trees:
                        found[n] = found[0] + np.mean(of, axis=0)
        return found

    def _seen(self, data: LevelOne) -> LevelOne:
        return data.of(self.design.members, facts=self.design.facts)

    def _columns(self, data: LevelOne) -> np.ndarray:
        found = data.columns(MEANS)
        if self.offsets_ is None or data.facts is None:
            return found
        lead = next(iter(data.predictions.values())) - np.mean(self.scale)
        return np.hstack([found, lead[:, None] * (data.facts[:, BENDING] - self.offsets_)])

    def _linear(self, data: LevelOne) -> np.ndarray:
        return self.mean_ + (self._columns(data) - self.centre_) / self.spread_ @ self.standard_weights_
