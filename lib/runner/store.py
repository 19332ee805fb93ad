"""The folders of the runs on disk: a run's results change all at once, when it has ended well, or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.data.files import read_json, whole_file
from lib.experiment.slots import slots
from lib.runner.errors import UsageError

RECORD = "cache.json"
NOTEBOOK = "notebook.ipynb"
FITS = "fits.json"
"""Where a kernel tells how far its fits are; gone when the run has ended."""
NOT_RESULTS = (RECORD, NOTEBOOK, FITS, "provenance.json")
"""Files of a run that other runs don't depend on: they hold times, or what is read by people only."""
FOR_PEOPLE = ("figures/", "tables/")
"""Folders whose files other runs know by name only."""
AS_MADE = "as_made"
"""Among what is known of a run: the digest of the kept page (`lib.runner.kept`) that its results are from."""
TIMES = re.compile(r"(^|_)(seconds|mib|mebibytes|memory)(_|$)")
"""Names of what the machine makes of a run, which differs between any two: facts, columns and metrics."""


@dataclass(frozen=True)
class Store:
    """The folder that holds a folder for each run.

    ``<run>/`` holds the last good results; ``.<run>.partial/`` those being made, or what a failed run left.
    """

    runs_dir: Path

    def folder(self, run: str) -> Path:
        """Return the folder of a run's results."""
        return self.runs_dir / run

    def partial(self, run: str) -> Path:
        """Return the folder in which a run's next results are made."""
        return self.runs_dir / f".{run}.partial"

    def record(self, run: str) -> dict[str, Any] | None:
        """Return what is known of a run's results, or None where it has none that are whole."""
        return read_json(self.folder(run) / RECORD)

    def as_made(self, run: str) -> str | None:
        """Return the digest of the kept page that a run's results are from, or None where they were made here."""
        return (self.record(run) or {}).get(AS_MADE)

    def results(self, run: str) -> str | None:
        """Return the digest of what other runs read of a run's results, or None where it has none.

        Times and memory don't count, nor what is in figures and tables.
        """
        return (self.record(run) or {}).get("results")

    def untouched(self, run: str) -> bool:
        """Whether a run's files are those that were published."""
        known = (self.record(run) or {})["files"]
        now = _files(self.folder(run), known)
        return {name: entry[2] for name, entry in now.items()} == {n: entry[2] for n, entry in known.items()}

    def begin(self, run: str) -> Path:
        """Make an empty folder for a run's next results, and return it."""
        partial = self.partial(run)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        return partial

    def publish(self, run: str, record: dict[str, Any]) -> None:
        """Make the partial results a run's results, in the place of earlier ones."""
        partial = self.partial(run)
        (partial / FITS).unlink(missing_ok=True)
        files = _files(partial, {})
        read = [[name, "" if name.startswith(FOR_PEOPLE) else entry[2]] for name, entry in files.items()]
        record = {**record, "results": hashlib.sha256(json.dumps(read).encode()).hexdigest(), "files": files}
        write_whole(partial / RECORD, json.dumps(record, indent=1))
        self._replace(run, partial)

    def recover(self) -> None:
        """Finish what a killed runner left between two renames."""
        for partial in self.runs_dir.glob(".*.partial"):
            if read_json(partial / RECORD) is not None:
                self._replace(partial.name[1 : -len(".partial")], partial)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder, so that two runners don't write the same results; the lock ends with the process.

        Raises UsageError: another runner holds it.
        """
        slot = slots(f"{self.runs_dir / '.runner'}:1")
        if not slot.take(patience=0):
            there = f"another run_notebooks.py is at work in {shown(self.runs_dir)}"
            raise UsageError(f"{there}; wait for it, or give this one its own --output-dir")
        with slot:
            yield

    def _replace(self, run: str, source: Path) -> None:
        folder, old = self.folder(run), self.runs_dir / f".{run}.old"
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            os.replace(folder, old)
        os.replace(source, folder)
        shutil.rmtree(old, ignore_errors=True)


def write_whole(path: Path, text: str) -> None:
    """Write a text file that appears whole or not at all."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def shown(path: Path) -> str:
    """Return a path as a message shows it: from the working folder where it lies in it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def timeless(value: Any) -> Any:
    """Return facts or metric records without what the machine makes of a run: seconds and memory."""
    if isinstance(value, dict):
        return {name: timeless(inner) for name, inner in value.items() if not TIMES.search(str(name))}
    if isinstance(value, list):
        costs = [isinstance(item, dict) and TIMES.search(str(item.get("metric", ""))) for item in value]
        return [timeless(item) for item, cost in zip(value, costs, strict=True) if not cost]
    return value


def _files(folder: Path, known: dict[str, list]) -> dict[str, list]:
    """Return size, time and content's hash of each file of results; those of the known size and time aren't read."""
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in NOT_RESULTS and not path.name.startswith("."):
            status = path.stat()
            stamp = [status.st_size, status.st_mtime_ns]
            same = known.get(name, [])[:2] == stamp
            files[name] = known[name] if same else [*stamp, _hash(path, name)]
    return files


def _hash(path: Path, name: str) -> str:
    content = path.read_bytes()
    if name in ("facts.json", "metrics.json"):
        with suppress(ValueError):
            content = json.dumps(timeless(json.loads(content)), sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()
