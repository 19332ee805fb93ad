"""The data that runs read: their checksums, a file read again only when its size or time changed, and getting them."""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from lib import ROOT
from lib.runner.store import read_json, write_whole

MANIFEST = ROOT / "data" / "manifest.toml"
RAW = ROOT / "data" / "raw"


@cache
def _manifest(path: Path) -> dict[str, Any]:
    """Read the manifest as it stands, without importing `lib.data.dataset` and with it pandas."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))["datasets"]
    except FileNotFoundError:
        return {}


def known_datasets() -> list[str]:
    """Return the names of the data sets that the project knows."""
    return list(_manifest(MANIFEST))


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
        self._known: dict[str, list] = read_json(memo) or {}

    def of(self, names: Iterable[str]) -> dict[str, str]:
        """Return the sha256 by ``dataset/file``; empty where neither this machine nor the manifest has one."""
        found = {}
        for name in sorted(names):
            if "/" in name:  # a reader's own ratings, in a folder that no manifest knows
                files = [path for path in sorted((self.notebooks / name).glob("[!.]*")) if path.is_file()]
                found |= {f"{name}/{path.name}": self._digest(path) for path in files}
            else:
                found |= {f"{name}/{file}": here or expected for file, here, expected in self._files(name)}
        return found

    def here(self, names: Iterable[str]) -> bool:
        """Whether every file of these data sets, or what stands in for it, lies on this machine."""
        return all(here is not None for name in names for _, here, _ in self._files(name))

    def save(self) -> None:
        """Keep what was read for the next time."""
        self.memo.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.memo, json.dumps(self._known))

    def _files(self, dataset: str) -> Iterator[tuple[str, str | None, str]]:
        """Give each file's name, or that of what stands in for it here, its checksum here, and the one expected."""
        entry = _manifest(self.manifest).get(dataset, {})
        for official, expected in entry.get("files", {}).items():
            substitute = entry.get("substitutes", {}).get(official, {}).get("name", official)
            for name in (official, substitute):
                if (here := self._here(dataset, name)) is not None:
                    yield name, here, expected
                    break
            else:
                yield official, None, expected

    def _here(self, dataset: str, file: str) -> str | None:
        folders = [self.raw / dataset]
        if named := os.environ.get("MOVIELENS_DIR"):
            root = Path(named) if Path(named).is_dir() else ROOT / Path(named).expanduser()
            folders = [root / dataset, root, *folders]
        for folder in folders:
            if (folder / file).is_file():
                return self._digest(folder / file)
            if (folder / f"{dataset}.zip").is_file():
                return self._digest(folder / f"{dataset}.zip", file)
        return None

    def _digest(self, path: Path, member: str = "") -> str:
        """Return a file's digest, or that of a file in an archive."""
        status, key = path.stat(), f"{path}:{member}" if member else str(path)
        stamp = [status.st_size, status.st_mtime_ns]
        known = self._known.get(key, [])
        if known[:2] != stamp:
            content = _member(path, member) if member else path.read_bytes()
            known = self._known[key] = [*stamp, hashlib.sha256(content).hexdigest()]
        return known[2]


def _member(archive: Path, file: str) -> bytes:
    try:
        with zipfile.ZipFile(archive) as content:
            names = [name for name in content.namelist() if name.rpartition("/")[2] == file]
            return content.read(names[0]) if names else b""
    except (zipfile.BadZipFile, OSError):
        return b"damaged"


def fetch_all(names: Iterable[str], say: Callable[[str], None]) -> dict[str, str]:
    """Ask the sources for each data set once; return those that none could serve, each with what they answered."""
    answers = {}
    for name in names:
        from lib.data.catalogue import entry
        from lib.data.errors import CorruptDataset, DatasetUnavailable
        from lib.data.sources import find

        say(f"data   {name} is not here yet; asking its sources")
        try:
            find(entry(name))
        except DatasetUnavailable as error:
            answers[name] = str(error)
        except CorruptDataset:
            pass  # a file that is there and damaged is not for here: the run that reads it names it
    return answers


def lacking(name: str) -> str:
    """Say in a line that a data set is missing, and what to do about it."""
    return f"needs {name}, which no source could serve; set MOVIELENS_DIR to a folder that holds it"
