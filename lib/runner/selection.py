"""Which runs a call is about, and the presets of parameters that the project keeps for them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lib import ROOT
from lib.runner.errors import UsageError, near_miss
from lib.runner.plan import Plan
from lib.runner.store import Store

PRESETS = ROOT / "data" / "presets"
"""Files of parameters, each under a name."""


def preset_file(name: str, folder: Path = PRESETS) -> Path:
    """Return the file of a preset.

    Raises
    ------
    UsageError
        No preset has the name; the message tells the near miss.
    """
    known = [path.stem for path in folder.glob("*.yaml")]
    if name not in known:
        raise UsageError(
            f"no preset is called {name!r}{near_miss(name, known)}; presets lie in data/presets, "
            "and -f takes any other file"
        )
    return folder / f"{name}.yaml"


def select(plan: Plan, store: Store, only: Iterable[str], skip: Iterable[str]) -> tuple[set[str], set[str]]:
    """Return the runs of this call, and those of them that were asked for rather than needed.

    Raises
    ------
    UsageError
        A pattern names nothing, nothing is left, or a skipped run has no results for one that needs them.
    """
    skipped = plan.match(skip)
    asked_for = (plan.match(only) if only else set(plan.ids)) - skipped
    if not asked_for:
        raise UsageError("--only and --skip leave nothing to do")
    selected, waiting = set(asked_for), list(asked_for)
    while waiting:
        name = waiting.pop()
        for need in plan.run(name).needs:
            # Results that the project keeps are without the predictions that a notebook may need.
            here = store.record(need) is not None and not store.as_made(need)
            if need in selected or here:
                continue
            if need in skipped:
                raise UsageError(f"{name} needs the results of {need}, which is skipped and has none yet")
            selected.add(need)
            waiting.append(need)
    return selected, asked_for


def outside(plan: Plan, profile: str, required: Iterable[str] = ()) -> dict[str, str]:
    """Return the runs that a profile does not execute, each with the profile that does; none of those required."""
    required = set(required)
    found = {run.id: run.outside(profile) for run in plan.runs if run.id not in required}
    return {name: other for name, other in found.items() if other}


def hard_needs(plan: Plan, names: Iterable[str]) -> set[str]:
    """Return what these runs can't do without, directly or not."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        for need in plan.run(waiting.pop()).needs:
            if need not in found:
                found.add(need)
                waiting.append(need)
    return found
