"""The ways of joining an ensemble's members, and which of them training ratings choose for each setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lib.models import model_class
from lib.studies.stacking import LevelOne

Members = Mapping[str, Mapping[str, Any]]
"""``model`` and ``parameters`` by the name of a member."""

TELLS = "timesvdpp"
"""The member whose residuals and film vectors the moment features are made of: it is fitted within seconds."""


@dataclass(frozen=True)
class Form:
    """A way of joining `members` (none named: all); `judged` ones are measured on level one too, by cross-validation."""

    members: Sequence[str] = ()
    facts: bool = False
    moments: bool = False
    boosted: bool = False
    judged: bool = False

    def of(self, data: LevelOne) -> LevelOne:
        """Return what this form sees."""
        return data.of(self.members, facts=self.facts, moments=self.moments)


def forms_of(members: Members) -> dict[str, dict[str, Any]]:
    """Return the forms by name, as what JSON can hold.

    ``blend``, linear in the members; ``ensemble``, with all that is known; ``ensemble_timeless``, whose members know no
    time; ``linear``, the ensemble without its trees, and from it ``without_moments`` and ``without_<member>``.
    """
    timeless = [name for name, one in members.items() if not model_class(one["model"]).uses_time]
    known: dict[str, Any] = {"facts": True, "moments": TELLS in members}
    found: dict[str, dict[str, Any]] = {"blend": {"judged": True}}
    found["ensemble"] = {**known, "boosted": True, "judged": True}
    if timeless:
        found["ensemble_timeless"] = {"members": timeless, "facts": True, "boosted": True, "judged": True}
    found |= {"linear": known, "without_moments": {"facts": True}}
    for name in members if len(members) > 1 else ():
        rest = [other for other in members if other != name]
        found[f"without_{name}"] = {"members": rest, **known}
    return found


def settings_of(members: Members, forms: Mapping[str, Mapping[str, Any]], split: str) -> dict[str, str]:
    """Tell what each name knows of time: ``deployable`` all under a split by time, else ``no_time`` or ``time_known``."""
    names = [*members, "equal_weights", *forms]
    if split == "chronological":
        return dict.fromkeys(names, "deployable")
    sighted = {name for name, one in members.items() if model_class(one["model"]).uses_time}
    joined: dict[str, Mapping[str, Any]] = {"equal_weights": {}, **forms}
    sighted |= {
        n for n, of in joined.items() if of.get("moments") or sighted & set(of.get("members") or members)
    }
    return {name: "time_known" if name in sighted else "no_time" for name in names}


def headlines(settings: Mapping[str, str], found: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the one name a setting that has the lowest error on level one: training ratings alone have chosen it."""
    told = {name: one["level_one"] for name, one in found.items() if one["level_one"] is not None}
    groups = {of: [name for name in told if settings[name] == of] for of in settings.values()}
    return {of: min(names, key=lambda name: told[name]) for of, names in groups.items() if names}
