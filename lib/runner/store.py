"""The folders of the runs on disk: a run's results change all at once, when it has ended well, or not at all."""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lib.data.files import read_json, whole_file
from lib.experiment.slots import Slots, slots
from lib.experiment.stored_files import FITS, FORM, NOT_RESULTS, NOTEBOOK, RECORD, digests, untouched
from lib.runner.errors import UsageError

FOR_PEOPLE = ("figures/", "tables/")
"""Folders whose files other runs know by name only."""
AS_MADE = "as_made"
"""Among what is known of a run: the digest of the kept page (`lib.runner.kept`) that its results are from."""


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
        return read_json(self.folder(run) / RECORD, FORM)

    def as_made(self, run: str) -> str | None:
        """Return the digest of the kept page that a run's results are from, or None where they were made here."""
        return (self.record(run) or {}).get(AS_MADE)

    def results(self, run: str) -> str | None:
        """Return the digest of what other runs read of a run's results (no times, figures and tables), or None without."""
        return (self.record(run) or {}).get("results")

    def untouched(self, run: str) -> bool:
        """Whether a run's files are those that were published, by content; a notebook counts by what it shows."""
        record = self.record(run)
        return record is not None and untouched(self.folder(run), record)

    def begin(self, run: str) -> Path:
        """Make an empty folder for a run's next results, and return it; UsageError: theirs is somebody else's."""
        partial, folder = self.partial(run), self.folder(run)
        if folder.exists() and any(folder.glob("*")) and not any((folder / name).exists() for name in NOT_RESULTS):
            raise UsageError(f"{shown(folder)} does not hold what a run has left; move it away, or use --output-dir")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        return partial

    def publish(self, run: str, record: dict[str, Any]) -> None:
        """Make the partial results a run's results, in the place of earlier ones."""
        partial = self.partial(run)
        (partial / FITS).unlink(missing_ok=True)
        files = digests(partial)
        read = [[n, "" if n.startswith(FOR_PEOPLE) else entry[2]] for n, entry in files.items() if n != NOTEBOOK]
        record = {**record, "results": hashlib.sha256(json.dumps(read).encode()).hexdigest(), "files": files}
        write_whole(partial / RECORD, json.dumps(record, indent=1))
        self._replace(run, partial)

    def recover(self) -> None:
        """Finish what a killed runner left between two renames, and clear away what it had begun to write."""
        for partial in self.runs_dir.glob(".*.partial"):
            if read_json(partial / RECORD, FORM) is not None:
                self._replace(partial.name[1 : -len(".partial")], partial)
            elif partial.is_file() and partial.suffixes[-2:-1] and partial.suffixes[-2][1:].isdigit():
                partial.unlink()  # of `lib.data.files.whole_file`
            elif partial.is_dir() and not (partial / NOTEBOOK).exists():  # which a notebook that failed has left
                shutil.rmtree(partial, ignore_errors=True)
        for old in self.runs_dir.glob(".*.old"):
            if self.folder(run := old.name[1 : -len(".old")]).exists():
                shutil.rmtree(old, ignore_errors=True)
            elif (old / RECORD).exists():
                os.replace(old, self.folder(run))

    def hold(self) -> Slots:
        """Hold the folder until the block or the process ends; UsageError where another runner holds it."""
        slot = _holder(self.runs_dir.resolve(), os.getpid())
        if not slot.take(patience=0):
            there = f"another run_notebooks.py is at work in {shown(self.runs_dir)}"
            raise UsageError(f"{there}; wait for it, or give this one its own --output-dir")
        return slot

    def _replace(self, run: str, source: Path) -> None:
        folder, old = self.folder(run), self.runs_dir / f".{run}.old"
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            os.replace(folder, old)
        os.replace(source, folder)
        shutil.rmtree(old, ignore_errors=True)


@cache
def _holder(runs_dir: Path, process: int) -> Slots:
    """Return what holds a folder for a process, the same each time: preparing ratings holds it for the run, too."""
    return slots(f"{runs_dir / '.runner'}:1")


def write_whole(path: Path, text: str) -> None:
    """Write a text file that appears whole or not at all."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def shown(path: Path) -> str:
    """Return a path as a message shows it: from the working folder where it lies in it."""
    return os.path.relpath(path.resolve()) if path.resolve().is_relative_to(Path.cwd()) else str(path)
