"""A model of a study: what defines it, and what is searched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from lib.experiment.space import Space, hyperparameters
from lib.models import label


@dataclass(frozen=True)
class Variant:
    """One model of a study: registered name, what is fixed, and the space that is searched, None where nothing is."""

    name: str
    label: str = field(repr=False)  # the rest says what a search depends on
    model: str
    fixed: Mapping[str, Any]
    space: Space | None = field(default=None, repr=False)

    @classmethod
    def of(cls, model: str, fixed: Mapping[str, Any], space: Space | None = None) -> Self:
        """Return a model under its own name and label."""
        return cls(model, label(model), model, fixed, space)

    def parameters(self, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """Turn a point of any variant's search into this one's hyperparameters; what does not apply drops out.

        With the point of another variant this is project B's way: the full model's settings, parts taken out.
        """
        searched = {name: value for name, value in chosen.items() if name in (self.space or {})}
        return {**hyperparameters(searched, self.fixed), **self.fixed}
