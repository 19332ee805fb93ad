"""The design of a stack, chosen by cross-validation over the level-one ratings of one split and logged, trial by trial."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import product
from typing import Any

import numpy as np
from sklearn.model_selection import KFold

from lib.data.interactions import RatingScale
from lib.studies.stacking import STAGES, Design, LevelOne, Stack

SIZES = tuple(product((8, 16, 32), (50, 200)))  # leaves of a tree, least ratings in a leaf: a search finds one pair
PENALTIES = (1.0, 100.0, 1000.0)  # what a search tries beside the penalty of a `Design`


class DesignSearch:
    """The choice of a stack's design by cross-validation over level-one ratings; ``trials`` is its log.

    Members are left out one by one as long as the error falls; then facts, their products and the penalty are tried, then
    trees of several `SIZES` at all `STAGES`. Each trial is fitted on two thirds and asked for the third, in turn; with `times`,
    as under a split by time, on the earlier half and asked for the later one.
    """

    def __init__(
        self, data: LevelOne, ratings: np.ndarray, scale: RatingScale, *, times: np.ndarray | None = None, seed: int = 0
    ):
        self.data, self.ratings, self.scale, self.seed = data, np.asarray(ratings, np.float64), scale, seed
        if times is None:
            self.parts = list(KFold(3, shuffle=True, random_state=seed).split(self.ratings))
        else:
            later = later_half(times)
            self.parts = [(np.setdiff1d(np.arange(len(times)), later), later)]
        self.trials: list[dict[str, Any]] = []

    def judge(self, design: Design) -> tuple[float, Design]:
        """Return the error of a design, of those with fewer trees the best, and that one."""
        errors: dict[int, list[float]] = {}
        for learn, ask in self.parts:
            stack = Stack(self.scale, design, boosted=1, seed=self.seed)
            stack.fit(self.data.take(learn), self.ratings[learn])
            for n, found in stack.stages(self.data.take(ask)).items():
                errors.setdefault(n, []).append(((found - self.ratings[ask]) ** 2).sum())
        n_asked = sum(len(ask) for _, ask in self.parts)
        rmses = {n: float(np.sqrt(np.sum(of) / n_asked)) for n, of in errors.items()}
        told = [(error, replace(design, trees=n)) for n, error in rmses.items()]
        self.trials += [{"rmse": error, **asdict(one)} for error, one in told]
        return min(told, key=lambda one: one[0])

    def best(self) -> tuple[float, Design]:
        """Search, and return the lowest error and its design."""
        told = self.data.facts is not None
        best = self.judge(Design(tuple(self.data.predictions), facts=told, bends=told))
        while len(names := best[1].members) > 1:
            fewer = [replace(best[1], members=tuple(n for n in names if n != out)) for out in names]
            if (found := self._least(fewer))[0] >= best[0]:
                break
            best = found
        known = [{"bends": False}, {"facts": False, "bends": False}] if told else []
        for changes in (known, [{"penalty": penalty} for penalty in PENALTIES]):
            best = self._least([replace(best[1], **one) for one in changes], best)
        sizes = [replace(best[1], leaves=n, least=of, trees=STAGES[-1]) for n, of in SIZES]
        return self._least(sizes, best)

    def _least(self, designs: Sequence[Design], *others: tuple[float, Design]) -> tuple[float, Design]:
        return min([*others, *map(self.judge, designs)], key=lambda one: one[0])


def later_half(times: np.ndarray) -> np.ndarray:
    """Return the places of the later half of some ratings."""
    return np.array_split(np.argsort(times, kind="stable"), 2)[1]
