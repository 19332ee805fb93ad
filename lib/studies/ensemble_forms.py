"""The ways of joining an ensemble's members, and which of them training ratings choose for each setting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lib.models import model_class
from lib.studies.stacking import LevelOne

Members = Mapping[str, Mapping[str, Any]]  # ``model`` and ``parameters`` by the name of a member
TELLS = "timesvdpp"  # the member whose residuals and film vectors the moment features are of: fitted within seconds


@dataclass(frozen=True)
class Form:
    """A way of joining `members` (none: all), with `moments` or not, by a `Design` or (None) the best that is found."""

    members: Sequence[str] = ()
    moments: bool = False
    design: Mapping[str, Any] | None = None

    def of(self, data: LevelOne) -> LevelOne:
        """Return what this form sees."""
        return data.of(self.members, moments=self.moments)


def forms_of(members: Members, *, searched: bool = True) -> dict[str, dict[str, Any]]:
    """Return the forms by name, as what JSON can hold.

    ``blend``, linear in the members; ``ensemble``, designed from all that is known; ``ensemble_timeless``, from members that
    know no time; ``linear``, of all that is known, and from it ``without_moments`` and ``without_<member>``. Unless their
    design is `searched`, the ensembles have a few trees.
    """
    timeless = [name for name, one in members.items() if not model_class(one["model"]).uses_time]
    known: dict[str, Any] = {"moments": TELLS in members}
    own: dict[str, Any] = {} if searched else {"design": {"trees": 50}}
    found: dict[str, dict[str, Any]] = {"blend": {"design": {"facts": False}}, "ensemble": {**known, **own}}
    if timeless:
        found["ensemble_timeless"] = {"members": timeless, **own}
    found |= {"linear": {**known, "design": {}}, "without_moments": {"design": {}}}
    for name in members if len(members) > 1 else ():
        rest = [other for other in members if other != name]
        found[f"without_{name}"] = {"members": rest, **known, "design": {}}
    return found


def settings_of(members: Members, forms: Mapping[str, Mapping[str, Any]], split: str) -> dict[str, str]:
    """Tell what each name knows of time: ``deployable`` all under a split by time, else ``no_time`` or ``time_known``."""
    names = [*members, "equal_weights", *forms]
    if split == "chronological":
        return dict.fromkeys(names, "deployable")
    sighted = {name for name, one in members.items() if model_class(one["model"]).uses_time}
    joined: dict[str, Mapping[str, Any]] = {"equal_weights": {}, **forms}
    sighted |= {n for n, of in joined.items() if of.get("moments") or sighted & set(of.get("members") or members)}
    return {name: "time_known" if name in sighted else "no_time" for name in names}


def headlines(settings: Mapping[str, str], found: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the one name a setting that has the lowest error on level one: training ratings alone have chosen it."""
    groups = {of: [name for name in found if settings[name] == of] for of in settings.values()}
    return {of: min(names, key=lambda name: found[name]["level_one"]) for of, names in groups.items() if names}
