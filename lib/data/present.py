"""Which files of data sets lie on this machine, told without reading them, and getting those that don't."""

from collections.abc import Callable, Iterable
from pathlib import Path

from lib.data import sources
from lib.data.archives import digest
from lib.data.catalogue import entries
from lib.data.errors import CorruptDataset, DatasetUnavailable


def checksums(names: Iterable[str], notebooks: Path) -> dict[str, str]:
    """Return what tells the files of data sets from others, by ``dataset/file``; nothing of unknown data sets.

    That is the manifest's sha256 of the official file, or of what stands in for it here; where it has none, the size. A
    name with a separator is a folder of a reader's own ratings, as seen from that of the `notebooks`.
    """
    found: dict[str, str] = {}
    for name in sorted(names):
        if "/" in name:
            files = (path for path in sorted((notebooks / name).glob("[!.]*")) if path.is_file())
            found |= {f"{name}/{path.name}": digest(path.read_bytes()) for path in files}
        elif name in entries():
            for official in entries()[name].files:
                file, place = _lying_here(name, official)
                size = str(place.stat().st_size) if place else ""
                found[f"{name}/{file}"] = entries()[name].checksum(file) or size
    return found


def missing(names: Iterable[str]) -> list[str]:
    """Return the data sets of which a file, or what stands in for it, doesn't lie on this machine."""
    known = sorted({*names} & entries().keys())
    return [n for n in known if any(_lying_here(n, file)[1] is None for file in entries()[n].files)]


def _lying_here(dataset: str, official: str) -> tuple[str, Path | None]:
    """Return the name and the place of an official file, else of its substitute; no place where neither is here."""
    folders, named = [sources.CACHE / dataset], sources.users_folder()
    if named is not None:
        folders = [named / dataset, named, *folders]
    for file in (official, *entries()[dataset].substitutes.get(official, ())[:1]):
        for place in (place for folder in folders for place in (folder / file, folder / f"{dataset}.zip")):
            if place.is_file():
                return file, place
    return official, None


def fetch_all(names: Iterable[str], say: Callable[[str], None]) -> dict[str, str]:
    """Ask the sources for each data set once; return those that none could serve, each with what they answered."""
    answers = {}
    for name in names:
        say(f"data   {name} is not here yet; asking its sources")
        try:
            sources.find(entries()[name])
        except DatasetUnavailable as error:
            answers[name] = str(error)
        except CorruptDataset:
            pass  # a file that is there and damaged is not for here: the run that reads it names it
    return answers
