"""Whether a run's stored results still hold, and why not."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lib import ROOT
from lib.runner import kept
from lib.runner.data import DataChecksums
from lib.runner.errors import PlanError
from lib.runner.notebook import Notebook, code_hash, read_notebook
from lib.runner.parameters import Resolved
from lib.runner.plan import Plan, Run
from lib.runner.store import AS_MADE, Store, read_json, write_whole

LOCK = ROOT / "requirements.txt"

KEEP, EXECUTE, SHOW, ABSENT = "keep", "execute", "show", "absent"

WITHOUT = "needs predictions of "
"""How it is said that a run can't be executed as only the pages of what it needs are kept."""


@dataclass(frozen=True)
class Decision:
    """What to do with a run: its results are kept, it is executed, its kept page is shown, or the report lacks it.

    `reasons` says why, for people; `mark` is what the record of a kept page holds besides.
    """

    run: str
    action: str
    reasons: tuple[str, ...]
    mark: Mapping[str, Any] | None = None


class Cache:
    """Compares what each run depends on with what its stored results were made from.

    Runs in `force` are executed whatever it says, but for those in `outside`, which the profile does not execute: each with
    the profile that does.
    """

    def __init__(
        self, plan: Plan, store: Store, parameters: Mapping[str, Resolved], *,
        force: Collection[str] = (), outside: Mapping[str, str] | None = None,
    ):  # fmt: skip
        self.plan, self.store, self.parameters, self.force = plan, store, parameters, set(force)
        self.outside, self.archives = dict(outside or {}), kept.archives(plan)
        self.data = DataChecksums(store.runs_dir / ".checksums.json", notebooks=plan.notebooks)
        self._file = store.runs_dir / ".definitions.json"

    @cached_property
    def _lock(self) -> str:
        return hashlib.sha256(LOCK.read_bytes()).hexdigest() if LOCK.is_file() else ""

    @cached_property
    def _definitions(self):
        from lib.experiment.definitions import Definitions

        return Definitions()

    def notebook(self, run: Run) -> Notebook:
        """Return a run's source notebook."""
        return read_notebook(self.plan.source(run))

    def parts(self, run: Run) -> dict[str, Any]:
        """Return all that a run's results depend on, as it stands now, in what JSON can hold."""
        files = {n: hashlib.sha256((self.plan.root / n).read_bytes()).hexdigest() for n in run.files}
        return {
            **self._static(run),
            "data": {**self.data.of(self.datasets(run)), **files},
            "upstream": {name: self.store.results(name) for name in run.reads},
        }

    def decide(self, run: Run, *, changing: Mapping[str, str] | None = None) -> Decision:
        """Decide what to do with a run; `changing` tells a forecast how other runs are still going to change: "will run"."""
        record, away = self.store.record(run.id), self.outside.get(run.id)
        why = self._reasons(run, record, changing or {})
        if away or self.absent(run.id):
            made_here = record is not None and not record.get(AS_MADE)
            if (made_here and not why) or (record and run.id not in self.archives):
                return Decision(run.id, KEEP, why)
            if run.id in self.archives:
                return self.instead(run, f"is part of --profile {away}" if away else "needs what is not here")
            lacks = ", ".join(name for name in run.needs if self.absent(name))
            return Decision(run.id, ABSENT, (f"is part of --profile {away}" if away else f"needs {lacks}",))
        if run.id in self.force:
            return Decision(run.id, EXECUTE, ("asked for",))
        told = str((record or {}).get("why", ""))
        if told.startswith(WITHOUT) and run.id in self.archives and any(map(self.store.as_made, run.reads)):
            return self.instead(run, told)
        return Decision(run.id, EXECUTE if why else KEEP, why)

    def instead(self, run: Run, why: str) -> Decision:
        """Decide that a run's kept page is shown, as the run can't be executed; `why` as a verb phrase."""
        record, archive, static = self.store.record(run.id), self.archives[run.id], self._static(run)
        made = kept.record_of(archive)["parts"]
        earlier = any(made.get(name) != static[name] for name in ("code", "parameters", "definitions"))
        mark = {AS_MADE: kept.digest(archive), "why": why, "earlier": earlier}
        same = record is not None and all(record.get(name) == value for name, value in mark.items())
        return Decision(run.id, KEEP if same and self.store.untouched(run.id) else SHOW, (why,), mark)

    def absent(self, name: str) -> bool:
        """Whether the report does without a run: another profile's of which nothing is here, or one that needs such."""
        if self.store.record(name) is not None or name in self.archives:
            return False
        return name in self.outside or any(map(self.absent, self.plan.run(name).needs))

    def datasets(self, run: Run) -> set[str]:
        """Return the names of the data sets that a run reads under its parameters."""
        dataset = self.parameters[run.id].values.get("dataset")
        if not isinstance(dataset, str) or not dataset:
            return set(run.datasets)
        # The plan names the data of its own parameters; --dataset puts another one in its place.
        return {dataset} if len(run.datasets) <= 1 else {dataset, *run.datasets}

    def missing(self, run: Run) -> list[str]:
        """Return the data sets of a run that don't lie on this machine."""
        return [name for name in sorted(self.datasets(run)) if not self.data.here([name])]

    def _reasons(self, run: Run, record: Mapping | None, changing: Mapping) -> tuple[str, ...]:
        coming = tuple(f"{name} {changing[name]}" for name in run.reads if name in changing)
        if record is None:
            return (*coming, "never run")
        if record.get(AS_MADE):
            return (*coming, f"its page is kept from {record['finished'][:10]}")
        if not self.store.untouched(run.id):
            return (*coming, "its results were changed since it ran")
        return (*coming, *differences(record["parts"], self.parts(run), self.notebook(run)))

    def save(self) -> None:
        """Keep what was read of code and data for the next call."""
        self.data.save()
        write_whole(self._file, json.dumps({"sources": self._sources, "runs": self._known}))

    @cached_property
    def _sources(self) -> str:
        """Sizes and times of the library's files: while they are the same, what was found in them holds."""
        paths = sorted((ROOT / "lib").rglob("*.py"))
        stamps = [(str(path), (s := path.stat()).st_size, s.st_mtime_ns) for path in paths]
        return hashlib.sha256(json.dumps([stamps, sys.version_info[:2]]).encode()).hexdigest()

    @cached_property
    def _known(self) -> dict[str, dict[str, Any]]:
        known = read_json(self._file) or {}
        return known["runs"] if known.get("sources") == self._sources else {}

    def _static(self, run: Run) -> dict[str, Any]:
        """Return what of a run's dependencies is in the code, the plan and the machine."""
        notebook, values = self.notebook(run), self.parameters[run.id].values
        asked = [[(cell.id, cell.source, cell.tags) for cell in notebook.counted], values, run.modules]
        key = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
        if key not in self._known:
            left_out = notebook.parameters_cell.id  # it counts by the values that come of it
            self._known[key] = {
                "code": [
                    [c.id, code_hash(c.source)]
                    for c in notebook.counted
                    if c.id != left_out and c.source.strip()
                ],
                "definitions": self._reached(notebook, run, values),
            }
        python = f"{sys.version_info[0]}.{sys.version_info[1]}"
        return {**self._known[key], "parameters": values, "lock": self._lock, "python": python}

    def _reached(self, notebook: Notebook, run: Run, values: Mapping[str, Any]) -> dict[str, str]:
        """Return a digest of each definition of the library that a run's cells, values and plan lead to."""
        known = self._definitions
        roots = known.roots_of((cell.source for cell in notebook.counted), texts=True, values=values)
        for name in run.modules:
            module = None if ":" in name else known.module(name)
            roots |= {f"{name}:{own}" for own in module.definitions} if module else {name}
        try:
            found = known.reached(roots, cards=True, texts=True)
        except KeyError as error:
            raise PlanError(f"{self.plan.path.name}: {run.id}: {error.args[0]}") from None
        return {name: digest[:12] for name, digest in found.items()}


def key_of(parts: Mapping[str, Any]) -> str:
    """Return the digest of what a run depends on; a cell's id doesn't count, its place and code do."""
    content = {**parts, "code": [digest for _, digest in parts["code"]]}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def differences(before: Mapping[str, Any], now: Mapping[str, Any], notebook: Notebook) -> list[str]:
    """Say in what two states of a run's dependencies differ, a phrase a difference."""
    found = _code_differences(before["code"], now["code"], notebook)
    for name in _changed(before["parameters"], now["parameters"]):
        old, new = (repr(p["parameters"][name]) if name in p["parameters"] else "absent" for p in (before, now))  # fmt: skip
        found.append(f"parameter {name} {old} -> {new}")
    # A definition is said without the folders of its module: svdpp: SVDpp.predict.
    definitions = _changed(before.get("definitions", {}), now["definitions"])
    found += [f"{name.partition(':')[0].rpartition('.')[2]}: {name.partition(':')[2]} changed" for name in definitions]  # fmt: skip
    found += [f"data file {name} changed" for name in _changed(before["data"], now["data"])]
    found += [f"results of {name} changed" for name in _changed(before["upstream"], now["upstream"])]
    found += ["requirements.txt changed"] if before["lock"] != now["lock"] else []
    found += [f"Python {before['python']} -> {now['python']}"] if before["python"] != now["python"] else []
    return found


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    names = sorted({*before, *now})
    return [n for n in names if (n in before) != (n in now) or before.get(n) != now.get(n)]


def _code_differences(before: list, now: list, notebook: Notebook) -> list[str]:
    if [digest for _, digest in before] == [digest for _, digest in now]:
        return []
    if [cell for cell, _ in before] != [cell for cell, _ in now]:
        return ["code cells were added, removed or moved"]
    numbers, old = {cell.id: cell.number for cell in notebook.cells}, dict(before)
    return [f"code changed in cell {numbers[cell]}" for cell, digest in now if old[cell] != digest]
