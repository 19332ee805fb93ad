"""What a search of hyperparameters may choose from: a range or a list a parameter."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import optuna
import pandas as pd

PROJECTION = "projection_penalty_"
"""Prefix of a group's penalty in a search, where each parameter is one number."""


@dataclass(frozen=True)
class Real:
    """Real numbers from `low` to `high`, both included, drawn evenly or (`log`) evenly by order of magnitude."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self):
        _check(self)

    def distribution(self) -> optuna.distributions.BaseDistribution:
        """Return Optuna's form of it."""
        return optuna.distributions.FloatDistribution(float(self.low), float(self.high), log=self.log)

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}{', by order of magnitude' if self.log else ''}"


@dataclass(frozen=True)
class Integer:
    """Whole numbers from `low` to `high`, both included."""

    low: int
    high: int
    log: bool = False

    def __post_init__(self):
        _check(self)

    def distribution(self) -> optuna.distributions.BaseDistribution:
        """Return Optuna's form of it."""
        return optuna.distributions.IntDistribution(self.low, self.high, log=self.log)

    def __str__(self) -> str:
        return f"{self.low} to {self.high}, whole{', by order of magnitude' if self.log else ''}"


@dataclass(frozen=True)
class Choice:
    """One of some values, none of them nearer to another."""

    values: tuple

    def __post_init__(self):
        if not self.values:
            raise ValueError("a Choice needs at least one value")

    def distribution(self) -> optuna.distributions.BaseDistribution:
        """Return Optuna's form of it."""
        return optuna.distributions.CategoricalDistribution(self.values)

    def __str__(self) -> str:
        return " or ".join(map(str, self.values))


class Space(Mapping):
    """Dimensions by the name of their hyperparameter."""

    def __init__(self, dimensions: Mapping[str, Real | Integer | Choice]):
        for name, dimension in dimensions.items():
            if not isinstance(dimension, (Real, Integer, Choice)):
                raise TypeError(f"{name} must be searched over Real, Integer or Choice; got {dimension!r}")
        if not dimensions:
            raise ValueError("a space needs at least one hyperparameter")
        self._dimensions = dict(dimensions)

    def __getitem__(self, name: str):
        return self._dimensions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._dimensions)

    def __len__(self) -> int:
        return len(self._dimensions)

    def __repr__(self) -> str:
        return f"Space({self._dimensions!r})"

    def distributions(self) -> dict[str, Any]:
        """Return every dimension in Optuna's form."""
        return {name: dimension.distribution() for name, dimension in self.items()}

    def as_text(self) -> dict[str, Any]:
        """Return every dimension in what JSON can hold."""
        return {name: {"kind": type(d).__name__, **asdict(d)} for name, d in self.items()}

    def table(self) -> pd.DataFrame:
        """Return a row a hyperparameter: ``parameter`` and ``range``, in words."""
        return pd.DataFrame({"parameter": list(self), "range": [str(d) for d in self.values()]})


def hyperparameters(point: Mapping[str, Any], fixed: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Turn a point of a search into hyperparameters: penalties of groups become one mapping, what is fixed drops out."""
    taken = {name: value for name, value in point.items() if name not in (fixed or {})}
    penalties = {
        name.removeprefix(PROJECTION): taken.pop(name) for name in list(taken) if name.startswith(PROJECTION)
    }
    return {**taken, "projection_penalties": penalties} if penalties else taken


def _check(dimension: Real | Integer) -> None:
    low, high = dimension.low, dimension.high
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ValueError(f"a range needs finite ends, the lower one first; got {low} to {high}")
    if dimension.log and low <= 0:
        raise ValueError(f"a range by order of magnitude starts above 0; got {low}")
