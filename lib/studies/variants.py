"""A model of a study: what defines it, and what is searched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from optuna.distributions import BaseDistribution

from lib.experiment.space import Integer, Real, Space, hyperparameters
from lib.models import label


def magnitudes(**ranges: tuple[float, float]) -> dict[str, BaseDistribution]:
    """Return ranges that are searched by order of magnitude: whole numbers where the lower end is written as one."""
    return {
        name: Integer(low, int(high), log=True) if isinstance(low, int) else Real(low, high, log=True)
        for name, (low, high) in ranges.items()
    }


@dataclass(frozen=True)
class Variant:
    """One model of a study: registered name, what is fixed, and the space that is searched, None where nothing is."""

    name: str
    label: str = field(repr=False)  # the rest says what a search depends on
    model: str
    fixed: Mapping[str, Any]
    space: Space | None = field(default=None, repr=False)

    @classmethod
    def of(cls, model: str, searched: Mapping[str, BaseDistribution] | None = None, **fixed) -> Self:
        """Return a model under its own name and label."""
        return cls(model, label(model), model, fixed, Space(searched) if searched else None)

    def parameters(self, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """Turn a point of any variant's search into this one's hyperparameters; what does not apply drops out.

        With the point of another variant this is project B's way: the full model's settings, parts taken out.
        """
        searched = {name: value for name, value in chosen.items() if name in (self.space or {})}
        return {**hyperparameters(searched, self.fixed), **self.fixed}


def by_name(variants: Iterable[Variant]) -> dict[str, Variant]:
    """Return variants by their names."""
    return {one.name: one for one in variants}
