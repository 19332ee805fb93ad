"""The data that runs read: their checksums, a file read again only when its size or time changed, and getting them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from lib import ROOT

MANIFEST = ROOT / "data" / "manifest.toml"
RAW = ROOT / "data" / "raw"


@cache
def _manifest(path: Path) -> dict[str, Any]:
    """Read the manifest as it stands, without importing `lib.datasets` and with it pandas."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))["datasets"]
    except FileNotFoundError:
        return {}


def known_datasets(manifest: Path = MANIFEST) -> list[str]:
    """Return the names of the data sets that the project knows."""
    return list(_manifest(manifest))


class DataChecksums:
    """Checksums by file, as they lie here or, where a file isn't here yet, as the manifest expects them.

    Parameters
    ----------
    memo : Path
        A file that keeps what was read, with each file's size and time.
    notebooks : Path
        The folder from which notebooks name a folder of a reader's own ratings.
    """

    def __init__(
        self, memo: Path, *, manifest: Path = MANIFEST, raw: Path = RAW, notebooks: Path = ROOT / "notebooks"
    ):  # fmt: skip
        self.memo, self.manifest, self.raw, self.notebooks = memo, manifest, raw, notebooks
        try:
            self._known: dict[str, list] = json.loads(memo.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._known = {}

    def of(self, names: Iterable[str]) -> dict[str, str]:
        """Return the sha256 by ``dataset/file``; empty where neither this machine nor the manifest has one."""
        found = {}
        for name in sorted(names):
            if "/" in name:
                found |= self._of_folder(name)
                continue
            entry = _manifest(self.manifest).get(name, {})
            for official, expected in entry.get("files", {}).items():
                substitute = entry.get("substitutes", {}).get(official, {}).get("name")
                here = self._here(name, official)
                if here is None and substitute and (stand_in := self._here(name, substitute)) is not None:
                    found[f"{name}/{substitute}"] = stand_in
                else:
                    found[f"{name}/{official}"] = here if here is not None else expected
        return found

    def here(self, names: Iterable[str]) -> bool:
        """Whether every file of these data sets, or what stands in for it, lies on this machine."""
        for name in names:
            entry = _manifest(self.manifest).get(name, {})
            for official in entry.get("files", {}):
                substitute = entry.get("substitutes", {}).get(official, {}).get("name", official)
                if self._here(name, official) is None and self._here(name, substitute) is None:
                    return False
        return True

    def save(self) -> None:
        """Keep what was read for the next time."""
        self.memo.parent.mkdir(parents=True, exist_ok=True)
        partial = self.memo.with_name(f"{self.memo.name}.{os.getpid()}.partial")
        partial.write_text(json.dumps(self._known), encoding="utf-8")
        os.replace(partial, self.memo)

    def _of_folder(self, name: str) -> dict[str, str]:
        """Return the checksums of a reader's own ratings, which lie in a folder that no manifest knows."""
        files = sorted(path for path in (self.notebooks / name).glob("*") if path.is_file())
        return {
            f"{name}/{path.name}": self._digest(path, str(path), path.read_bytes)
            for path in files
            if not path.name.startswith(".")
        }

    def _here(self, dataset: str, file: str) -> str | None:
        named = os.environ.get("MOVIELENS_DIR")
        roots = (
            [(ROOT / Path(named).expanduser()) if not Path(named).is_dir() else Path(named)] if named else []
        )
        for folder in [path for root in roots for path in (root / dataset, root)] + [self.raw / dataset]:
            path, archive = folder / file, folder / f"{dataset}.zip"
            if path.is_file():
                return self._digest(path, str(path), path.read_bytes)
            if archive.is_file():
                return self._digest(archive, f"{archive}:{file}", lambda a=archive: _member(a, file))
        return None

    def _digest(self, path: Path, key: str, read: Callable[[], bytes]) -> str:
        status = path.stat()
        stamp = [status.st_size, status.st_mtime_ns]
        known = self._known.get(key)
        if known is None or known[:2] != stamp:
            self._known[key] = [*stamp, hashlib.sha256(read()).hexdigest()]
        return self._known[key][2]


def _member(archive: Path, file: str) -> bytes:
    try:
        with zipfile.ZipFile(archive) as content:
            for name in content.namelist():
                if name.rpartition("/")[2] == file:
                    return content.read(name)
    except (zipfile.BadZipFile, OSError):
        return b"damaged"
    return b""


def fetch_all(names: Iterable[str], say: Callable[[str], None]) -> dict[str, str]:
    """Ask for each data set once, in processes that may import pandas and can be ended while they wait for a source.

    Returns
    -------
    dict of str to str
        Those that no source could serve, each with what the sources answered.
    """
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    processes, answers = {}, {}
    try:
        for name in names:
            say(f"data   {name} is not here yet; asking its sources")
            processes[name] = subprocess.Popen(
                [sys.executable, "-m", "lib.runner.data", name], text=True, start_new_session=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": paths},
            )  # fmt: skip
        for name, process in processes.items():
            answer, error = process.communicate()
            answers[name] = (answer.strip() or error.strip()[-500:]) if process.returncode else ""
    finally:
        for process in processes.values():
            process.kill()
    return {name: answer for name, answer in answers.items() if answer}


def lacking(name: str) -> str:
    """Say in a line that a data set is missing, and what to do about it."""
    return f"needs {name}, which no source could serve; set MOVIELENS_DIR to a folder that holds it"


def main(name: str) -> int:
    """Bring a data set's files to this machine; print why no source could serve it where that is so, and return 1.

    A file that is there and damaged is not for here: the run that reads it names it.
    """
    from lib.datasets import CorruptDataset, DatasetUnavailable, entry
    from lib.datasets.sources import find

    try:
        find(entry(name))
    except DatasetUnavailable as error:
        print(error)
        return 1
    except CorruptDataset:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
