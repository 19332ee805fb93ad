"""What a reader's file holds, as bytes: taken out of its archive, never more than fits, and named where it is no table."""

import bz2
import gzip
import io
import lzma
import re
import stat
import zipfile
import zlib
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from lib.workbench.own_ratings.errors import InvalidRatingsFile, problem

MOST = 4 << 30
"""Bytes of a file, unpacked; its columns need some times as much memory."""
HARMLESS, RATIO = 64 << 20, 50
"""Ratings pack to a third or a tenth. What grows more than fiftyfold, and beyond the first, is made to fill the memory."""

_OTHER = "an archive of a kind that is not read here"
_TABLE, _TEXT = "Unpack it, and give the file with the table", "Save its table as CSV in UTF-8, and give that"
_STREAMS: dict[bytes, Any] = {rb"\x1f\x8b": gzip.open, rb"BZh[1-9]1AY&SY": bz2.open, rb"\xfd7zXZ\0": lzma.open}
_FOREIGN = {
    rb"PK\x03\x04|\x1f\x8b|BZh[1-9]1AY&SY|\xfd7zXZ\0": ("an archive inside an archive", _TABLE),
    rb"7z\xbc\xaf|Rar!|\(\xb5\x2f\xfd|\x04\x22\x4d|\x1f[\x9d\xa0]|]\0\0|.{257}ustar": (_OTHER, _TABLE),
    rb"\xd0\xcf\x11\xe0": ("a workbook of Excel", _TEXT),
    rb"SQLite format 3|\x89HDF|ARROW1|\x93NUMPY|%PDF": ("neither text nor Parquet", _TEXT),
    rb"\x80[\x02-\x05]|MATLAB 5|Obj\x01|X\n\0": ("neither text nor Parquet", _TEXT),
}
"""By how files begin that are often taken for tables: what they are, and the way out."""
_DAMAGED = (zipfile.BadZipFile, OSError, EOFError, zlib.error, lzma.LZMAError, RuntimeError, ValueError)


def read_file(path: Path) -> bytes:
    """Return the bytes of a regular file; `InvalidRatingsFile` for a folder, a pipe, and what is larger than `MOST`."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise problem(path, "is a folder", "Name the file in it that holds the table")
        if not stat.S_ISREG(status.st_mode):  # reading might never end
            raise problem(path, "is a pipe or a device", "Write what comes out of it into a file, and give that")
        if status.st_size > MOST:
            raise problem(path, f"is larger than {MOST >> 30} GiB, the most that is read", "Give a part of its rows")
        return path.read_bytes() if status.st_size else b""  # what the kernel makes up might never end
    except FileNotFoundError:
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        near = get_close_matches(path.name, beside, n=1)
        fix = f"Did you mean {near[0]}?" if near else f"Look into {path.parent}"
        raise problem(path, "there is no such file", fix) from None
    except OSError as error:
        raise problem(path, f"cannot be read ({error.strerror})", "Check its name and permissions") from None


def unpacked(path: Path, raw: bytes) -> bytes:
    """Return the one table in the bytes of a file, out of zip, gzip, bzip2 or xz.

    `InvalidRatingsFile`: several tables, archives again or more than is honest are in it; it is damaged, empty or no table.
    """
    content = _out_of_archive(path, raw)
    for magic, (what, fix) in _FOREIGN.items():
        if re.match(magic, content[:300], re.DOTALL):
            raise problem(path, f"is {what}", fix)
    if not content or content.isspace():
        raise problem(path, "is empty", "Give a file with a line a rating")
    return content


def _out_of_archive(path: Path, raw: bytes) -> bytes:
    most, parts, size = min(MOST, max(HARMLESS, RATIO * len(raw))), [], 0
    opener = next((opener for magic, opener in _STREAMS.items() if re.match(magic, raw[:16])), None)
    try:
        if opener is None and raw[:4] not in (b"PK\3\4", b"PK\5\6"):
            return raw
        with opener(io.BytesIO(raw)) if opener else _only_member(path, raw) as stream:
            while part := stream.read(1 << 24):
                parts.append(part)
                if (size := size + len(part)) > most:
                    what = f"would unpack to more than {most >> 20:,} MiB, far more than ratings of its size do"
                    raise problem(path, what, "If it is honest, unpack it, and give the table")
    except InvalidRatingsFile:
        raise
    except _DAMAGED as error:
        fix = "Get or pack it again, or give the unpacked table"
        raise problem(path, f"is an archive that can't be unpacked ({str(error)[:100]})", fix) from None
    return b"".join(parts)


def _only_member(path: Path, raw: bytes):
    archive = zipfile.ZipFile(io.BytesIO(raw))
    names = archive.namelist()
    if "[Content_Types].xml" in names or "content.xml" in names:
        raise problem(path, "is a workbook of Excel or LibreOffice", _TEXT)
    inside = [name for name in names if not re.search(r"/$|(^|/)(\.|__MACOSX/)", name)]
    tables = [name for name in inside if not re.search(r"(?i)(^|/)(readme|licen[cs]e)[^/]*$", name)] or inside
    if len(tables) != 1:
        held = f"{len(tables)} files ({', '.join(tables)[:200]})" if tables else "no table"
        raise problem(path, f"holds {held}", _TABLE)
    return archive.open(tables[0])
