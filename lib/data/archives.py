"""Checksums, and archives read member by member: nothing is ever unpacked into a folder."""

import hashlib
import lzma
import zipfile
import zlib
from collections.abc import Collection, Iterable
from pathlib import Path

from lib.data.errors import CorruptDataset

LARGEST = 2**31  # bytes that members may have together; no data set known here has half as many


def digest(content: bytes, algorithm: str = "sha256") -> str:
    """Hexadecimal checksum of some bytes."""
    return hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()


def check(name: Path | str, content: bytes, expected: str, remedy: str, algorithm: str = "sha256") -> None:
    """Raise `CorruptDataset` where a checksum is not the one that is known; `remedy` says what to do."""
    if expected and (found := digest(content, algorithm)) != expected:
        raise CorruptDataset(
            f"{name} is not the file that the manifest names.\n"
            f"  expected {algorithm} {expected}\n  found    {algorithm} {found}\n  {remedy}"
        )


def read_members(archive: Path, names: Collection[str], optional: Iterable[str] = ()) -> dict[str, bytes]:
    """Read members of a zip archive, and the optional ones that are there.

    CorruptDataset: it is no whole zip archive; a member is not there, damaged, encrypted, too large, or oddly packed.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            inside = set(file.namelist())
            if absent := set(names) - inside:
                raise ValueError(f"no member {min(absent)!r}: it is another archive, or an edition not known here")
            wanted = (*names, *inside.intersection(optional))
            if (size := sum(file.getinfo(name).file_size for name in wanted)) > LARGEST:
                raise ValueError(f"it would unpack to {size / 2**30:.1f} GiB")
            return {name: file.read(name) for name in wanted}
    # An encrypted member is a RuntimeError, as is compression that is not known here.
    except (zipfile.BadZipFile, OSError, EOFError, zlib.error, lzma.LZMAError, RuntimeError, ValueError) as error:
        raise CorruptDataset(f"{archive} is not a whole zip archive ({error}). Delete it and get it again.") from error
