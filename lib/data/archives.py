"""Checksums, and archives read member by member: nothing is ever unpacked into a folder."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from lib.data.errors import CorruptDataset


def digest(content: bytes, algorithm: str = "sha256") -> str:
    """Hexadecimal checksum of some bytes."""
    return hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """Hexadecimal checksum of a file, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def check(name: Path | str, found: str, expected: str, remedy: str, algorithm: str = "sha256") -> None:
    """Raise `CorruptDataset` where a checksum is not the one that is known; `remedy` says what to do."""
    if expected and found != expected:
        raise CorruptDataset(
            f"{name} is not the file that the manifest names.\n"
            f"  expected {algorithm} {expected}\n  found    {algorithm} {found}\n  {remedy}"
        )


def members(archive: Path) -> set[str]:
    """List an archive's files by their path inside it; `CorruptDataset` where it is no zip archive, or cut off."""
    try:
        with zipfile.ZipFile(archive) as file:
            return {info.filename for info in file.infolist() if not info.is_dir()}
    except (zipfile.BadZipFile, OSError) as error:
        raise CorruptDataset(
            f"{archive} is not a whole zip archive ({error}). Delete it and get it again."
        ) from error


def read_member(archive: Path, name: str) -> bytes:
    """Read one member of an archive; `CorruptDataset` where it is not there, or damaged."""
    if name not in members(archive):
        raise CorruptDataset(
            f"{archive} has no member {name!r}: it is another archive, or an edition not known here."
        )
    try:
        with zipfile.ZipFile(archive) as file:
            return file.read(name)
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise CorruptDataset(
            f"{archive}: {name} is damaged ({error}). Delete the archive, get it again."
        ) from error
