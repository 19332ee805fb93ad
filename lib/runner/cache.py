"""Whether a run's stored results still hold, and why not."""

import hashlib
import json
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from lib import ROOT
from lib.data.present import checksums, missing
from lib.experiment.stored_files import RECORD
from lib.runner import kept
from lib.runner.notebook import Notebook, code_hash
from lib.runner.parameters import Values
from lib.runner.plan import Plan, Run
from lib.runner.store import AS_MADE, Store, read_json, shown, write_whole

LOCK = ROOT / "requirements.txt"

KNOWN = ".definitions.json"
"""In the folder of the runs: the definitions that notebooks reach, as they were last found."""

KEEP, EXECUTE, SHOW = "keep", "execute", "show"

WITHOUT = "needs predictions of "
"""How it is said that a run can't be executed as only the pages of what it needs are kept."""


@dataclass(frozen=True)
class Decision:
    """What to do with a run: its results are kept, it is executed, or its kept page is shown.

    `reasons` says why, for people; `mark` is what the record of a kept page holds besides.
    """

    action: str
    reasons: tuple[str, ...]
    mark: Mapping[str, Any] | None = None


@dataclass
class Cache:
    """Compares what each run of a plan depends on, under `parameters`, with what its results in the store were made from.

    Runs in `force` are executed whatever it says, but for those in `outside`, which the profile does not execute: each with
    the profile that does.
    """

    plan: Plan
    store: Store
    parameters: Values
    force: Collection[str] = ()
    outside: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def archives(self) -> dict[str, Path]:
        """The kept pages that there are."""
        return kept.archives(self.plan)

    def __post_init__(self) -> None:
        self._definitions: Any = None  # read by those who need it, once
        self._roots: dict[Notebook, set[str]] = {}

    def parts(self, run: Run) -> dict[str, Any]:
        """Return all that a run's results depend on, as it stands now, in what JSON can hold."""
        files = {n: hashlib.sha256((self.plan.root / n).read_bytes()).hexdigest() for n in run.files}
        return {
            **self._static(run),
            "data": checksums(self.datasets(run), self.plan.notebooks) | files,
            "upstream": {name: self.store.results(name) for name in run.reads},
        }

    def decide(self, run: Run, *, changing: Mapping[str, str] | None = None) -> Decision:
        """Decide what to do with a run; `changing` tells a forecast how other runs are still going to change: "will run"."""
        record, away = self.store.record(run.id), self.outside.get(run.id)
        why = self._reasons(run, record, changing or {})
        if away:
            made_here = record is not None and not record.get(AS_MADE)
            if run.id not in self.archives or (made_here and not why):
                return Decision(KEEP, why)
            return self.instead(run, f"is part of --profile {away}")
        if run.id in self.force:
            return Decision(EXECUTE, ("asked for",))
        told = str((record or {}).get("why", ""))
        if told.startswith(WITHOUT) and run.id in self.archives and any(map(self.store.as_made, run.reads)):
            return self.instead(run, told)
        return Decision(EXECUTE if why else KEEP, why)

    def instead(self, run: Run, why: str) -> Decision:
        """Decide that a run's kept page is shown, as the run can't be executed; `why` as a verb phrase."""
        record, archive, static = self.store.record(run.id), self.archives[run.id], self._static(run)
        made = kept.record_of(archive)["parts"]
        earlier = any(made.get(name) != static[name] for name in ("code", "parameters", "definitions"))
        told_apart = hashlib.sha256(archive.read_bytes()).hexdigest()[:16]
        mark = {AS_MADE: told_apart, "why": why, "earlier": earlier}
        same = record is not None and all(record.get(name) == value for name, value in mark.items())
        return Decision(KEEP if same and self.store.untouched(run.id) else SHOW, (why,), mark)

    def datasets(self, run: Run) -> set[str]:
        """Return the names of the data sets that a run reads under its parameters."""
        dataset = self.parameters[run.id].get("dataset")
        if not isinstance(dataset, str) or not dataset:
            return set(run.datasets)
        # The plan names the data of its own parameters; --dataset puts another one in its place.
        return {dataset} if len(run.datasets) <= 1 else {dataset, *run.datasets}

    def missing(self, run: Run) -> list[str]:
        """Return the data sets of a run that don't lie on this machine."""
        return missing(self.datasets(run))

    def _reasons(self, run: Run, record: Mapping | None, changing: Mapping) -> tuple[str, ...]:
        coming = tuple(f"{name} {changing[name]}" for name in run.reads if name in changing)
        if record is None:
            damaged = self.store.folder(run.id) / RECORD
            return (*coming, f"{shown(damaged)} is damaged" if damaged.exists() else "never run")
        if record.get(AS_MADE):
            return (*coming, f"its page is kept from {record['finished'][:10]}")
        if not self.store.untouched(run.id):
            return (*coming, "its results were changed since it ran")
        return (*coming, *differences(record["parts"], self.parts(run), self.plan.notebook(run)))

    def save(self) -> None:
        """Keep what was found in the code for the next call."""
        write_whole(self.store.runs_dir / KNOWN, json.dumps(self._known))

    @cached_property
    def _known(self) -> dict[str, Any]:
        """What was found before: of cells always, of definitions while the library's files have the same sizes and times."""
        stats = [(str(path), path.stat()) for path in sorted((ROOT / "lib").rglob("*.py"))]
        sources = _digest([(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats])
        form = {"cells": {...: [[str]]}, "definitions": {...: {...: str}}}
        known = read_json(self.store.runs_dir / KNOWN, form) or {"cells": {}, "definitions": {}}
        same = known.get("sources") == sources
        return known | {"sources": sources, "definitions": known["definitions"] if same else {}}

    def _static(self, run: Run) -> dict[str, Any]:
        """Return what of a run's dependencies is in the code, the plan and the machine."""
        notebook, values = self.plan.notebook(run), self.parameters[run.id]
        python, known = f"{sys.version_info[0]}.{sys.version_info[1]}", self._known
        cells = _digest([python, [(cell.id, cell.source, cell.tags) for cell in notebook.counted]])
        if cells not in known["cells"]:
            left_out = notebook.parameters_cell.id  # it counts by the values that come of it
            counted = [cell for cell in notebook.counted if cell.id != left_out and cell.source.strip()]
            known["cells"][cells] = [[cell.id, code_hash(cell.source)] for cell in counted]
        key = _digest([cells, values])
        if key not in known["definitions"]:
            known["definitions"][key] = self._reached(notebook, values)
        found = {"code": known["cells"][cells], "definitions": known["definitions"][key]}
        lock = hashlib.sha256(LOCK.read_bytes()).hexdigest() if LOCK.is_file() else ""
        return {**found, "parameters": values, "lock": lock, "python": python}

    def _reached(self, notebook: Notebook, values: Mapping[str, Any]) -> dict[str, str]:
        """Return a digest of each definition of the library that a notebook's cells and values lead to."""
        from lib.experiment.definitions import Definitions

        known = self._definitions = self._definitions or Definitions()
        if notebook not in self._roots:
            sources = (cell.source for cell in notebook.counted)
            self._roots[notebook] = known.roots_of(sources, texts=True)
        roots = self._roots[notebook] | known.roots_of((), values=values)
        found = known.reached(roots, words=True)
        return {name: digest[:12] for name, digest in found.items()}


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def key_of(parts: Mapping[str, Any]) -> str:
    """Return the digest of what a run depends on; a cell's id doesn't count, its place and code do."""
    return _digest({**parts, "code": [digest for _, digest in parts["code"]]})


def differences(before: Mapping[str, Any], now: Mapping[str, Any], notebook: Notebook) -> list[str]:
    """Say in what two states of a run's dependencies differ, a phrase a difference."""
    found = _code_differences(before["code"], now["code"], notebook)
    old, new = ({name: repr(value) for name, value in side["parameters"].items()} for side in (before, now))
    for name in _changed(old, new):
        found.append(f"parameter {name} {old.get(name, 'absent')} -> {new.get(name, 'absent')}")
    for name in _changed(before.get("definitions", {}), now["definitions"]):
        module, _, own = name.partition(":")
        found.append(f"{module.rpartition('.')[2]}: {own} changed")
    found += [f"data file {name} changed" for name in _changed(before["data"], now["data"])]
    found += [f"results of {name} changed" for name in _changed(before["upstream"], now["upstream"])]
    found += ["requirements.txt changed"] if before["lock"] != now["lock"] else []
    found += [f"Python {before['python']} -> {now['python']}"] if before["python"] != now["python"] else []
    return found


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]


def _code_differences(before: list, now: list, notebook: Notebook) -> list[str]:
    if [digest for _, digest in before] == [digest for _, digest in now]:
        return []
    if [cell for cell, _ in before] != [cell for cell, _ in now]:
        return ["code cells were added, removed or moved"]
    numbers, old = {cell.id: cell.number for cell in notebook.cells}, dict(before)
    return [f"code changed in cell {numbers[cell]}" for cell, digest in now if old[cell] != digest]
