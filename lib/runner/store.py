"""The folders of the runs on disk: a run's results change all at once, when it has ended well, or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lib.runner.errors import UsageError

RECORD = "cache.json"
NOTEBOOK = "notebook.ipynb"
PROGRESS = "progress.json"
LEFT_OUT = "left_out"
"""Among what is known of a run, and in its notebook's metadata: why it was left out and has but a page saying so."""
MADE_BY = "made_by"
"""Among what is known of a run that was left out: the profile that makes it, where that is why."""
NOT_RESULTS = (RECORD, NOTEBOOK, PROGRESS, "provenance.json")
"""Files of a run that other runs don't depend on: they hold times, or what is read by people only."""
AS_MADE = "as_made"
"""Among what is known of a run: the digest of the archive (`lib.runner.kept_runs`) that its results are from."""
KEPT = 2
"""Earlier results kept of each run, so that going back to another profile or parameter costs nothing."""


class Store:
    """The folder that holds a folder for each run.

    ``<run>/`` holds the last good results; ``.<run>.partial/`` those being made, or what a failed run left;
    ``.kept/<run>/<key>/`` earlier ones made from other inputs.
    """

    def __init__(self, runs_dir: Path):
        self.runs_dir = runs_dir

    def folder(self, run: str) -> Path:
        """Return the folder of a run's results."""
        return self.runs_dir / run

    def partial(self, run: str) -> Path:
        """Return the folder in which a run's next results are made."""
        return self.runs_dir / f".{run}.partial"

    def record(self, run: str) -> dict[str, Any] | None:
        """Return what is known of a run's results, or None where it has none that are whole."""
        return read_json(self.folder(run) / RECORD)

    def left_out(self, run: str) -> str | None:
        """Return why a run was left out and has but a page that says so, or None where it wasn't."""
        record = self.record(run)
        return None if record is None else record.get(LEFT_OUT)

    def made_by(self, run: str) -> str | None:
        """Return the profile that makes a run that was left out as that profile's, or as one that needs such a run."""
        record = self.record(run)
        return None if record is None else record.get(MADE_BY)

    def as_made(self, run: str) -> str | None:
        """Return the digest of the archive that a run's results are from, or None where they were made here."""
        record = self.record(run)
        return None if record is None else record.get(AS_MADE)

    def results(self, run: str) -> str | None:
        """Return the digest of a run's results as they lie there now, or None where it has none.

        Files whose size and time are those of the record aren't read again.
        """
        record = self.record(run)
        return None if record is None else _digest(self._files(self.folder(run), record["files"]))

    def seconds(self, run: str, profile: str) -> float | None:
        """Return how long a run took the last time under a profile, or None."""
        for folder in [self.folder(run), *self._kept(run)]:
            record = read_json(folder / RECORD)
            if record is not None and record.get("profile") == profile and not record.get(LEFT_OUT):
                return record["seconds"]
        return None

    def begin(self, run: str) -> Path:
        """Make an empty folder for a run's next results, and return it."""
        partial = self.partial(run)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        return partial

    def publish(self, run: str, record: dict[str, Any]) -> dict[str, Any]:
        """Make the partial results a run's results; the earlier ones, made from other inputs, are kept aside."""
        partial = self.partial(run)
        (partial / PROGRESS).unlink(missing_ok=True)
        files = self._files(partial, {})
        record = {**record, "results": _digest(files), "files": files}
        write_whole(partial / RECORD, json.dumps(record, indent=1))
        self._replace(run, partial, record["key"])
        return record

    def restore(self, run: str, key: str) -> bool:
        """Bring back a run's earlier results made from these inputs; return whether there were any."""
        kept = self._kept_folder(run, key)
        record = read_json(kept / RECORD)
        if (
            record is None
            or record["key"] != key
            or _digest(self._files(kept, record["files"])) != record["results"]
        ):
            return False
        self._replace(run, kept, key)
        return True

    def can_restore(self, run: str, key: str) -> bool:
        """Whether earlier results of a run, made from these inputs, are kept."""
        record = read_json(self._kept_folder(run, key) / RECORD)
        return record is not None and record["key"] == key

    def recover(self) -> None:
        """Finish what a killed runner left between two renames."""
        for partial in self.runs_dir.glob(".*.partial"):
            record = read_json(partial / RECORD)
            if record is not None:
                self._replace(partial.name[1 : -len(".partial")], partial, record["key"])

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder, so that two runners don't write the same results; the lock ends with the process.

        Raises
        ------
        UsageError
            Another runner holds it.
        """
        self.runs_dir.mkdir(parents=True, exist_ok=True)
        try:
            import fcntl
        except ImportError:  # no such lock on this system
            yield
            return
        with open(self.runs_dir / ".lock", "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UsageError(
                    f"another run_notebooks.py is at work in {shown(self.runs_dir)}; "
                    "wait for it, or give this one its own --output-dir"
                ) from None
            yield

    def _replace(self, run: str, source: Path, key: str) -> None:
        folder, old = self.folder(run), self.record(run)
        if folder.exists():
            # A page that says why there are no results must not take the place of results.
            worth_keeping = old is not None and old["key"] != key and not old.get(LEFT_OUT)
            kept = self._kept_folder(run, old["key"]) if worth_keeping else None
            if kept is None:
                kept = self.runs_dir / f".{run}.old"
            shutil.rmtree(kept, ignore_errors=True)
            kept.parent.mkdir(parents=True, exist_ok=True)
            os.replace(folder, kept)
        os.replace(source, folder)
        shutil.rmtree(self.runs_dir / f".{run}.old", ignore_errors=True)
        for surplus in self._kept(run)[KEPT:]:
            shutil.rmtree(surplus, ignore_errors=True)

    def _kept_folder(self, run: str, key: str) -> Path:
        return self.runs_dir / ".kept" / run / key[:16]

    def _kept(self, run: str) -> list[Path]:
        """Return the earlier results of a run, the latest first."""
        records = (self.runs_dir / ".kept" / run).glob(f"*/{RECORD}")
        return [path.parent for path in sorted(records, key=lambda p: p.stat().st_mtime, reverse=True)]

    def _files(self, folder: Path, known: dict[str, list]) -> dict[str, list]:
        files = {}
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and name not in NOT_RESULTS and not path.name.startswith("."):
                status = path.stat()
                stamp = [status.st_size, status.st_mtime_ns]
                if known.get(name, [])[:2] == stamp:
                    files[name] = known[name]
                else:
                    files[name] = [*stamp, hashlib.sha256(path.read_bytes()).hexdigest()]
        return files


def write_whole(path: Path, text: str) -> None:
    """Write a file under a temporary name that takes its own name only once it is whole."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def shown(path: Path) -> str:
    """Return a path as a message shows it: from the working folder where it lies in it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """Return what a JSON file holds, or None where there is none that is whole."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _digest(files: dict[str, list]) -> str:
    return hashlib.sha256(
        json.dumps([(name, entry[2]) for name, entry in files.items()]).encode()
    ).hexdigest()
