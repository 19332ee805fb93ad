"""Which runs a call is about, and the presets of parameters that the project keeps for them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lib import ROOT
from lib.data.near_miss import near_miss
from lib.runner.errors import UsageError
from lib.runner.plan import Plan, Run
from lib.runner.store import Store

PRESETS = ROOT / "data" / "presets"
"""Files of parameters, each under a name."""


def preset_file(name: str) -> Path:
    """Return the file of a preset, or the file itself if it is one.

    Raises UsageError: no preset has the name; the message tells the near miss.
    """
    known = [path.stem for path in PRESETS.glob("*.yaml")]
    if name not in known and not Path(name).is_file():
        raise UsageError(f"no preset is called {name!r}{near_miss(name, known)}; presets lie in data/presets, any other file is given by its path")  # fmt: skip
    return PRESETS / f"{name}.yaml" if name in known else Path(name)


def select(plan: Plan, store: Store, only: Iterable[str], skip: Iterable[str]) -> tuple[set[str], set[str]]:
    """Return the runs of this call, and those of them that were asked for rather than needed.

    Raises UsageError: a pattern names nothing, nothing is left, or a skipped run has no results for one that needs them.
    """
    skipped = plan.match(skip)
    asked_for = (plan.match(only) if only else set(plan.ids)) - skipped
    if not asked_for:
        raise UsageError("--only and --skip leave nothing to do")

    def lacking(run: Run) -> list[str]:
        # Results that the project keeps are without the predictions that a notebook may need.
        lacks = [name for name in run.needs if store.record(name) is None or store.as_made(name)]
        if gone := set(lacks) & skipped:
            raise UsageError(f"{run.id} needs the results of {min(gone)}, which is skipped and has none yet")
        return lacks

    return asked_for | plan.upstream(asked_for, lacking), asked_for


def outside(plan: Plan, profile: str, required: Iterable[str] = ()) -> dict[str, str]:
    """Return the runs that a profile does not execute, each with the profile that does; none of those required."""
    return {run.id: other for run in plan.runs if run.id not in required and (other := run.outside(profile))}
