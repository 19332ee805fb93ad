"""One run of the plan: a notebook under its parameters, what it reads, and which profiles execute it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PROFILES = ("quick", "full", "large")
"""quick: minutes, to see that all works; full: the report's figures; large: the bigger data sets."""

VARIANT = "--"
"""Between a run's name and what tells its variants of a sweep apart."""


@dataclass(frozen=True)
class Run:
    """One run of the plan.

    Attributes
    ----------
    id : str
        The name of the run and of its folder; lower case letters, digits, hyphens and underscores.
    notebook : str
        File name in ``notebooks/``. Several runs may share a notebook under different parameters.
    title, summary, part : str
        What the report calls the run, one sentence about it, and the part of the report it stands in.
    needs : tuple of str
        Runs whose results the notebook reads; they run first, and a change in theirs runs it again. Where one of them
        is left out for want of data, this run is left out too.
    wants : tuple of str
        The same, but the notebook copes where one of them was left out (`lib.results.MissingRun`).
    modules : tuple of str
        Modules of ``lib`` that count for the cache beside those the notebook imports.
    datasets : tuple of str
        Data sets that count for the cache; where the notebook has a parameter ``dataset``, its value counts too.
    files : tuple of str
        Other files that it reads, as paths from the plan's folder; they count for the cache.
    parameters, quick, full, large : dict
        Values of every profile, and what each of the three changes in them. What is absent keeps the
        notebook's own value.
    profiles : tuple of str
        The profiles that execute the run; all of them by default. Under another one its results are shown where they
        are there and still hold; else it is left out, and its page says how to make them.
    optional : bool
        Whether the report does without the run where no source can serve its data: a page then says what is missing
        and how to get it.
    seconds : float or None
        About how long the full profile takes on two cores; only used to start the longest first while
        nothing has been measured yet.
    """

    id: str
    notebook: str
    title: str
    summary: str = ""
    part: str = ""
    needs: tuple[str, ...] = ()
    wants: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    quick: dict[str, Any] = field(default_factory=dict)
    full: dict[str, Any] = field(default_factory=dict)
    large: dict[str, Any] = field(default_factory=dict)
    profiles: tuple[str, ...] = PROFILES
    optional: bool = False
    seconds: float | None = None

    def values(self, profile: str) -> dict[str, Any]:
        """Return the plan's parameters under a profile, without the notebook's own defaults."""
        changes = {"quick": self.quick, "full": self.full, "large": self.large}
        return {**self.parameters, **changes[profile]}

    def outside(self, profile: str) -> str:
        """Return the profile that makes the run where this one does not: the next larger, else the largest; or ""."""
        if profile in self.profiles:
            return ""
        own = [name for name in PROFILES if name in self.profiles]
        return next((name for name in own if PROFILES.index(name) > PROFILES.index(profile)), own[-1])

    @property
    def reads(self) -> tuple[str, ...]:
        """All runs whose results the notebook reads: those it needs, then those it wants."""
        return self.needs + self.wants
