"""What a search of hyperparameters may choose from: one of Optuna's distributions a hyperparameter; lists as their JSON."""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution as Choice
from optuna.distributions import FloatDistribution as Real
from optuna.distributions import IntDistribution as Integer

Dimension = Real | Integer | Choice
PROJECTION = "projection_penalty_"  # before a group's name: its penalty, where each parameter is one number


class Space(dict[str, Dimension]):
    """Distributions by the name of their hyperparameter; at least one."""

    def __init__(self, dimensions: Mapping[str, BaseDistribution]):
        super().__init__()
        for name, dimension in dimensions.items():
            if not isinstance(dimension, Dimension):
                raise TypeError(f"{name} must be searched over Real, Integer or Choice; got {dimension!r}")
            self[name] = dimension
        if not dimensions:
            raise ValueError("a space needs at least one hyperparameter")

    def as_text(self) -> dict[str, Any]:
        """Return every dimension in what JSON can hold."""
        found: dict[str, Any] = {}
        for name, d in self.items():
            if isinstance(d, Choice):
                found[name] = {"kind": "Choice", "values": list(d.choices)}
            else:
                kind = "Integer" if isinstance(d, Integer) else "Real"
                found[name] = {"kind": kind, "low": d.low, "high": d.high, "log": d.log}
        return found

    def table(self) -> pd.DataFrame:
        """Return a row a hyperparameter: ``parameter`` and ``range``, in words."""
        return pd.DataFrame({"parameter": list(self), "range": [_words(d) for d in self.values()]})


def _words(d: Dimension) -> str:
    if isinstance(d, Choice):
        return " or ".join(map(str, d.choices))
    whole = ", whole" if isinstance(d, Integer) else ""
    return f"{d.low:g} to {d.high:g}{whole}{', by order of magnitude' if d.log else ''}"


def hyperparameters(point: Mapping[str, Any], fixed: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Turn a point of a search into hyperparameters: penalties of groups become one mapping, what is fixed drops out."""
    taken = {name: value for name, value in point.items() if name not in (fixed or {})}
    taken |= {n: json.loads(v) for n, v in taken.items() if isinstance(v, str) and v.startswith("[")}
    groups = [name for name in taken if name.startswith(PROJECTION)]
    penalties = {name.removeprefix(PROJECTION): taken.pop(name) for name in groups}
    return {**taken, "projection_penalties": penalties} if penalties else taken
