"""Whether a run's stored results still hold, and why not."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lib import ROOT
from lib.runner.data import DataChecksums
from lib.runner.dependencies import Dependencies
from lib.runner.kept_runs import digest
from lib.runner.notebook import Notebook, code_hash, read_notebook
from lib.runner.parameters import Resolved, is_literal
from lib.runner.plan import Plan, Run
from lib.runner.store import Store

LOCK = ROOT / "requirements.txt"

UNAVAILABLE = "unavailable"
"""Marks, among a run's data, that it was left out for want of some."""

OUTSIDE = "outside"
"""Marks, among a run's data, that it was left out as another profile's; its value names that profile."""

KEEP, RESTORE, EXECUTE, LEAVE, UNPACK = "keep", "restore", "execute", "leave out", "unpack"


@dataclass(frozen=True)
class Decision:
    """What to do with a run.

    Its results are kept, earlier ones made from the same inputs are restored, it is executed, it is left out, or what the
    project keeps of it is unpacked.

    `reasons` says why, for people; `parts` is what the results depend on, and `key` its digest.
    """

    run: str
    action: str
    reasons: tuple[str, ...]
    parts: dict[str, Any]
    key: str


class Cache:
    """Compares what each run depends on with what its stored results were made from.

    Parameters
    ----------
    plan : Plan
        The plan.
    store : Store
        Where results are.
    parameters : dict of str to Resolved
        By run, as `lib.runner.parameters.resolve` gives them.
    force : collection of str
        Runs to execute whatever the cache says.
    outside : mapping of str to str
        Runs that are not executed here, as the profile is not theirs, each with the profile that makes it. It goes
        before `force`.
    archives : mapping of str to Path
        Of those runs, the results that the project keeps; see `lib.runner.kept_runs`.
    """

    def __init__(
        self, plan: Plan, store: Store, parameters: Mapping[str, Resolved], *,
        force: Collection[str] = (), outside: Mapping[str, str] | None = None,
        archives: Mapping[str, Path] | None = None,
    ):  # fmt: skip
        self.plan, self.store, self.parameters, self.force = plan, store, parameters, set(force)
        self.outside, self.archives = dict(outside or {}), dict(archives or {})
        self.dependencies = Dependencies()
        self.data = DataChecksums(store.runs_dir / ".checksums.json", notebooks=plan.notebooks)
        self._notebooks: dict[str, Notebook] = {}
        self._static: dict[str, dict[str, Any]] = {}

    @cached_property
    def lock(self) -> str:
        """The digest of the lock file; every run depends on the versions that it pins."""
        return hashlib.sha256(LOCK.read_bytes()).hexdigest() if LOCK.is_file() else ""

    def notebook(self, run: Run) -> Notebook:
        """Return a run's source notebook."""
        if run.notebook not in self._notebooks:
            self._notebooks[run.notebook] = read_notebook(self.plan.source(run))
        return self._notebooks[run.notebook]

    def parts(self, run: Run) -> dict[str, Any]:
        """Return all that a run's results depend on, as it stands now, in what JSON can hold."""
        if run.id not in self._static:
            self._static[run.id] = self._static_parts(run)
        return {
            **self._static[run.id],
            "data": {**self.data.of(self.datasets(run)), **self._files(run)},
            "upstream": {name: self.store.results(name) for name in run.reads},
        }

    def decide(self, run: Run, *, changing: Mapping[str, str] | None = None) -> Decision:
        """Decide what to do with a run.

        Parameters
        ----------
        run : Run
            The run.
        changing : mapping of str to str
            Runs whose results are still going to change, when the decision is only a forecast, and how: "will run".
        """
        if run.id in self.outside:
            return self._decide_outside(run, self.outside[run.id], changing or {})
        parts = self.parts(run)
        record = self.store.record(run.id)
        arrived = False
        if record is not None and UNAVAILABLE in record["parts"]["data"]:
            arrived = self.data.here(self.datasets(run)) and not any(map(self.store.left_out, run.needs))
            # Results made while the data were here stay good without them.
            if not arrived and not self.store.can_restore(run.id, key_of(parts)):
                parts = without_data(parts)
        key = key_of(parts)
        changing = changing or {}
        coming = tuple(f"upstream {name} {changing[name]}" for name in run.reads if name in changing)
        if run.id in self.force:
            return Decision(run.id, EXECUTE, ("asked for by --force",), parts, key)
        if record is None:
            reasons: tuple[str, ...] = ("never run",)
        elif self.store.results(run.id) != record["results"]:
            reasons = ("its results were changed since it ran",)
        elif self.store.as_made(run.id):
            reasons = ("its results are those that the project keeps, without predictions",)
        elif arrived:
            reasons = ("its data are here now",)
        else:
            reasons = tuple(differences(record["parts"], parts, self.notebook(run)))
        if coming:
            return Decision(run.id, EXECUTE, (*coming, *reasons), parts, key)
        if not reasons:
            return Decision(run.id, KEEP, (), parts, key)
        if self.store.can_restore(run.id, key):
            return Decision(run.id, RESTORE, reasons, parts, key)
        return Decision(run.id, EXECUTE, reasons, parts, key)

    def _decide_outside(self, run: Run, profile: str, changing: Mapping[str, str]) -> Decision:
        """Decide about a run of another profile: its results count while they hold, whichever profile made them."""
        parts, record = self.parts(run), self.store.record(run.id)
        key = key_of(parts)
        reasons: tuple[str, ...] = ()
        archive = self.archives.get(run.id)
        if archive is not None and (made := self.store.as_made(run.id)):
            if made == digest(archive) and self.store.results(run.id) == record["results"]:
                return Decision(run.id, KEEP, (), record["parts"], record["key"])
            return Decision(run.id, UNPACK, ("other results are kept",), record["parts"], record["key"])
        if record is not None and self.store.left_out(run.id):
            if self.store.can_restore(run.id, key):
                reasons = ("they hold again",)
            elif archive is None and record["parts"]["data"].get(OUTSIDE) == profile:
                return Decision(run.id, KEEP, (), record["parts"], record["key"])
        elif record is not None:
            reasons = tuple(f"upstream {name} {changing[name]}" for name in run.reads if name in changing)
            if self.store.results(run.id) != record["results"]:
                reasons += ("its results were changed since it ran",)
            else:
                reasons += tuple(differences(record["parts"], parts, self.notebook(run)))
            if not reasons:
                return Decision(run.id, KEEP, (), parts, key)
        if self.store.can_restore(run.id, key):
            return Decision(run.id, RESTORE, reasons, parts, key)
        if archive is not None:
            return Decision(run.id, UNPACK, reasons, parts, key)
        parts = outside_profile(parts, profile)
        return Decision(run.id, LEAVE, reasons, parts, key_of(parts))

    def _static_parts(self, run: Run) -> dict[str, Any]:
        notebook, values = self.notebook(run), self.parameters[run.id].values
        # The parameters cell counts by the values that come of it, unless it computes them.
        left_out = notebook.parameters_cell.id if is_literal(notebook) else None
        upstream = [self.notebook(self.plan.run(name)) for name in sorted(self.plan.upstream(run.id))]
        return {
            "code": [
                [cell.id, code_hash(cell.source)]
                for cell in notebook.code
                if cell.id != left_out and cell.source.strip()
            ],
            "parameters": values,
            "modules": self.dependencies.used(
                notebook, extra=run.modules, parameters=values, upstream=upstream
            ),
            "lock": self.lock,
            "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        }

    def datasets(self, run: Run) -> set[str]:
        """Return the names of the data sets that a run reads under its parameters."""
        dataset = self.parameters[run.id].values.get("dataset")
        if not isinstance(dataset, str) or not dataset:
            return set(run.datasets)
        # The plan names the data of its own parameters; --dataset puts another one in its place.
        return {dataset} if len(run.datasets) <= 1 else {dataset, *run.datasets}

    def _files(self, run: Run) -> dict[str, str]:
        return {name: hashlib.sha256((self.plan.root / name).read_bytes()).hexdigest() for name in run.files}


def without_data(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run that was left out for want of data depends on: their coming would change it."""
    return {**parts, "data": {**parts["data"], UNAVAILABLE: "yes"}}


def outside_profile(parts: Mapping[str, Any], profile: str) -> dict[str, Any]:
    """Return what a run that was left out as another profile's depends on: being asked for would change it."""
    return {**parts, "data": {**parts["data"], OUTSIDE: profile}}


def key_of(parts: Mapping[str, Any]) -> str:
    """Return the digest of what a run depends on; a cell's id doesn't count, its place and code do."""
    content = {**parts, "code": [digest for _, digest in parts["code"]]}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def differences(before: Mapping[str, Any], now: Mapping[str, Any], notebook: Notebook) -> list[str]:
    """Say in what two states of a run's dependencies differ, a phrase a difference."""
    found = _code_differences(before["code"], now["code"], notebook)
    for name in _changed(before["parameters"], now["parameters"]):
        old, new = (
            repr(p["parameters"][name]) if name in p["parameters"] else "absent" for p in (before, now)
        )
        found.append(f"parameter {name} {old} -> {new}")
    found += [f"{name} changed" for name in _changed(before["modules"], now["modules"])]
    marks = {
        UNAVAILABLE: "it was left out for want of data",
        OUTSIDE: "it was left out under another profile",
    }
    found += [marks.get(name, f"data file {name} changed") for name in _changed(before["data"], now["data"])]
    found += [f"results of {name} changed" for name in _changed(before["upstream"], now["upstream"])]
    if before["lock"] != now["lock"]:
        found.append("requirements.txt changed")
    if before["python"] != now["python"]:
        found.append(f"Python {before['python']} -> {now['python']}")
    return found


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [name for name in sorted({*before, *now}) if before.get(name, _ABSENT) != now.get(name, _ABSENT)]


_ABSENT = object()


def _code_differences(before: list, now: list, notebook: Notebook) -> list[str]:
    if [digest for _, digest in before] == [digest for _, digest in now]:
        return []
    numbers = {cell.id: cell.number for cell in notebook.cells}
    old = dict(before)
    changed = [numbers[cell] for cell, digest in now if cell in old and old[cell] != digest]
    added = [numbers[cell] for cell, _ in now if cell not in old]
    removed = len(set(old) - {cell for cell, _ in now})
    found = [f"code changed in cell {number}" for number in changed]
    found += [f"cell {number} is new" for number in added]
    if removed:
        found.append("a code cell was removed" if removed == 1 else f"{removed} code cells were removed")
    return found or ["code cells were moved"]
