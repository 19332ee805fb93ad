"""Which files of data sets lie on this machine, told without reading them, and getting those that don't."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from lib import ROOT
from lib.data.catalogue import DATA, entries, entry

RAW = DATA / "raw"


def checksums(names: Iterable[str], notebooks: Path) -> dict[str, str]:
    """Return what tells the files of data sets from others, by ``dataset/file``.

    That is the manifest's sha256 of the official file, or of what stands in for it here, against which a load holds them; of
    files that the manifest has none of, the size. A name with a separator is a folder of a reader's own ratings, as seen from
    that of the `notebooks`; of unknown data sets there is nothing to tell.
    """
    found: dict[str, str] = {}
    for name in sorted(names):
        if "/" in name:
            files = (path for path in sorted((notebooks / name).glob("[!.]*")) if path.is_file())
            found |= {f"{name}/{p.name}": hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
        elif name in entries():
            for official in entry(name).files:
                file, place = _lying_here(name, official)
                size = str(place.stat().st_size) if place else ""
                found[f"{name}/{file}"] = entry(name).checksum(file) or size
    return found


def missing(names: Iterable[str]) -> list[str]:
    """Return the data sets of which a file, or what stands in for it, doesn't lie on this machine."""
    known = sorted({*names} & entries().keys())
    return [name for name in known if any(_lying_here(name, file)[1] is None for file in entry(name).files)]


def _lying_here(dataset: str, official: str) -> tuple[str, Path | None]:
    """Return the name and the place of an official file, else of its substitute; without a place where neither is here."""
    folders = [RAW / dataset]
    if named := os.environ.get("MOVIELENS_DIR"):
        root = Path(named) if Path(named).is_dir() else ROOT / Path(named).expanduser()
        folders = [root / dataset, root, *folders]
    for file in (official, *entry(dataset).substitutes.get(official, ())[:1]):
        for place in (place for folder in folders for place in (folder / file, folder / f"{dataset}.zip")):
            if place.is_file():
                return file, place
    return official, None


def fetch_all(names: Iterable[str], say: Callable[[str], None]) -> dict[str, str]:
    """Ask the sources for each data set once; return those that none could serve, each with what they answered."""
    answers = {}
    for name in names:
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
