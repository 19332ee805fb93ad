"""Checksums, files that appear whole or not at all, and archives whose members stay in their folder."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath

from lib.datasets.errors import CorruptDataset


def digest(content: bytes, algorithm: str = "sha256") -> str:
    """Hexadecimal checksum of some bytes."""
    return hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """Hexadecimal checksum of a file, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def check(name: Path | str, found: str, expected: str, remedy: str, algorithm: str = "sha256") -> None:
    """Compare a checksum with the one that is known.

    Raises
    ------
    CorruptDataset
        They differ; the message says what was expected, what was found and what to do (`remedy`).
    """
    if expected and found != expected:
        raise CorruptDataset(
            f"{name} is not the file that the manifest names.\n"
            f"  expected {algorithm} {expected}\n  found    {algorithm} {found}\n  {remedy}"
        )


def write_whole(path: Path, content: bytes) -> None:
    """Write a file through a neighbour that is renamed at the end: other processes see all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def members(archive: Path) -> dict[str, zipfile.ZipInfo]:
    """List an archive's files by their path inside it.

    Raises
    ------
    CorruptDataset
        The file is not a zip archive, is cut off, or has a member that would leave the folder it is unpacked in.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            found = [info for info in file.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError) as error:
        raise CorruptDataset(
            f"{archive} is not a whole zip archive ({error}). Delete it and get it again."
        ) from error
    for info in found:
        path = PurePosixPath(info.filename)
        outside = path.is_absolute() or ".." in path.parts or "\\" in info.filename
        if outside or PureWindowsPath(info.filename).drive or stat.S_ISLNK(info.external_attr >> 16):
            raise CorruptDataset(
                f"{archive}: its member {info.filename!r} would be written outside the data folder. "
                "No official archive has such a member: delete this one and get it from GroupLens."
            )
    return {info.filename: info for info in found}


def read_member(archive: Path, name: str) -> bytes:
    """Read one member of an archive.

    Raises
    ------
    CorruptDataset
        The archive has no such member, or its bytes are damaged.
    """
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
