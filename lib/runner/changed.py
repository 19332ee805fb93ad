"""What a call changes in the plan's parameters, and the folder's name that says so."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from lib.runner.parameters import Resolved

LONGEST = 60
"""Characters of a folder's name; a longer one is cut and told apart by a digest."""

Changes = dict[str, dict[str, tuple[Any, Any]]]
"""By run and parameter: the plan's value and this call's."""


def changed_parameters(
    planned: Mapping[str, Resolved], now: Mapping[str, Resolved], runs: Collection[str]
) -> Changes:
    """Return the runs whose values are not those of the plan, in the plan's order, each with what differs."""
    found: Changes = {}
    for run in planned:
        before, after = planned[run].values, now[run].values
        differing = {name: (before[name], value) for name, value in after.items() if before[name] != value}
        if run in runs and differing:
            found[run] = differing
    return found


def folder_name(runs: Collection[str], values: Mapping[str, Any], profile: str = "full") -> str:
    """Return a name such as ``svd-n_factors-50`` for the folder of runs under other values.

    Parameters
    ----------
    runs : collection of str
    values : mapping of str to object
        The values by parameter; where runs differ in it, by ``run:parameter``.
    profile : str
        Shown unless it is the full one.
    """
    start = "-".join(sorted(runs)) if len(runs) <= 2 else f"{len(runs)}_runs"
    written = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    parts = [start, *(f"{name}-{text}" for name, text in written.items())]
    parts += [profile] if profile != "full" else []
    whole = "-".join(parts)
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", whole).strip("._")
    if safe == whole and len(safe) <= LONGEST and len(runs) <= 2:
        return safe
    digest = hashlib.sha256(json.dumps([sorted(runs), values, profile], default=str).encode()).hexdigest()[:8]
    return f"{safe[:LONGEST].rstrip('._-')}-{digest}"


def shared_values(changed: Changes) -> dict[str, Any]:
    """Return the changed values by parameter, or by ``run:parameter`` where runs got different ones."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys(name for values in changed.values() for name in values):
        given = {run: values[name][1] for run, values in changed.items() if name in values}
        distinct = {json.dumps(value, default=str) for value in given.values()}
        if len(distinct) == 1:
            found[name] = next(iter(given.values()))
        else:
            found |= {f"{run}:{name}": value for run, value in given.items()}
    return found
