"""Files of unknown make as tables: encoding, separator, header; and, on failure, the line at fault."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
from pyarrow import csv as arrow_csv

from lib.workbench.own_ratings.columns import has_header
from lib.workbench.own_ratings.errors import InvalidRatingsFile, problem

SEPARATORS = ("::", "\t", ";", "|", ",")
UNIT = "\x1f"
"""Stands for ``::`` inside, as the fast parser knows separators of one character only."""


def read_bytes(path: Path) -> bytes:
    """Return a file's content, unpacked where it is gzip.

    Raises
    ------
    InvalidRatingsFile
        There is no such file (the message names the nearest one), it is empty, a folder, or a damaged archive.
    """
    if path.is_dir():
        raise problem(path, "is a folder", "Name the file in it that holds the table")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        near = get_close_matches(path.name, beside, n=1)
        fix = f"Did you mean {near[0]}?" if near else f"Look into {path.parent}"
        raise problem(path, "there is no such file", fix) from None
    except OSError as error:
        raise problem(path, f"cannot be read ({error.strerror})", "Check its permissions") from None
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error):
            raise problem(path, "is a damaged gzip archive", "Get or pack it again") from None
    if not content or content.isspace():
        raise problem(path, "is empty", "Give a file with a line a rating")
    return content


def to_utf8(path: Path, content: bytes) -> bytes:
    """Return the text as UTF-8 without a byte order mark; UTF-16 with its mark is turned into it.

    Raises
    ------
    InvalidRatingsFile
        It is in another encoding; the message names the line and the byte.
    """
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return content.decode("utf-16").encode()
        except UnicodeDecodeError:
            raise problem(path, "is damaged UTF-16 text", "Save it as UTF-8") from None
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise problem(
            path, f"not UTF-8 text (byte 0x{content[error.start]:02x} at offset {error.start:,})",
            f"Save it as UTF-8, for instance with: iconv -f latin1 -t utf-8 {path.name} > utf8-{path.name}",
            line=content.count(b"\n", 0, error.start) + 1,
        ) from None  # fmt: skip
    if b"\x00" in content:
        raise problem(path, "holds zero bytes, as UTF-16 text without a mark or a binary file does", "Save it as UTF-8 text",
                      line=content.count(b"\n", 0, content.index(b"\x00")) + 1)  # fmt: skip
    return content


def sniff(first: str) -> str:
    """Return the separator of a first line: the one that parts it most often outside quotes; ``::`` wins over others."""
    bare = "".join(first.split('"')[::2])
    counts = {separator: bare.count(separator) for separator in SEPARATORS}
    if counts["::"]:
        return "::"
    return max(SEPARATORS[1:], key=lambda separator: counts[separator])


class Table:
    """What both kinds of file have: `path`, `names` of the columns, `header` (whether the file has them), `separator`."""

    unit = "line"

    def wrong(self, row: int | None, what: str, fix: str) -> InvalidRatingsFile:
        """Make the error about a row (from 0; None: the file), which it names as a person counts lines or rows."""
        return problem(self.path, what, fix, line=None if row is None else self.line(row), unit=self.unit)


@dataclass(frozen=True)
class ParquetTable(Table):
    """A Parquet file; its columns keep their types."""

    path: Path
    table: pa.Table = field(repr=False)
    header, separator, unit = True, "", "row"

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return self.table.column_names

    def columns(self, places: Sequence[int]) -> list[pa.ChunkedArray]:
        """Return columns as they are."""
        return [self.table.column(place) for place in places]

    def frame(self) -> pd.DataFrame:
        """Return all columns; what pandas kept as the index is none."""
        return self.table.to_pandas().reset_index(drop=True)

    def line(self, row: int) -> int:
        """Count a row from 1."""
        return row + 1


@dataclass(frozen=True)
class TextTable(Table):
    """A text file in UTF-8, parted into columns of text; without a header its `names` are the first line's fields."""

    path: Path
    content: bytes = field(repr=False)
    separator: str
    header: bool
    names: list[str]

    def columns(self, places: Sequence[int]) -> list[pa.ChunkedArray]:
        """Return columns as text, whitespace around values kept.

        Raises
        ------
        InvalidRatingsFile
            A line has more or fewer fields than the first, or a quote is left open.
        """
        names = [str(place) for place in range(len(self.names))]
        wanted = [str(place) for place in places]
        body, delimiter = self.content, self.separator
        if delimiter == "::":
            body, delimiter = body.replace(b"::", UNIT.encode()), UNIT
        quoted = self.separator != "::" and b'"' in body
        try:
            table = arrow_csv.read_csv(
                pa.BufferReader(body),
                read_options=arrow_csv.ReadOptions(column_names=names, skip_rows=0, block_size=1 << 24),
                parse_options=arrow_csv.ParseOptions(delimiter=delimiter, quote_char='"' if quoted else False, newlines_in_values=quoted),
                convert_options=arrow_csv.ConvertOptions(
                    include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string()), null_values=[], strings_can_be_null=False,
                ),
            )  # fmt: skip
        except pa.ArrowInvalid as error:
            raise self._ragged() or problem(self.path, str(error)[:200], "Mend the file") from error
        if self.header:
            table = table.slice(1)
        if len(table) == 0:
            raise problem(self.path, "holds a header and no rows", "Give a file with a line a rating")
        return [table.column(name) for name in wanted]

    def frame(self) -> pd.DataFrame:
        """Return all columns; one without a name is called after its place."""
        names = [name or f"column {place + 1}" for place, name in enumerate(self.names)]
        if len(set(names)) < len(names):
            what = f"two columns have one name: {', '.join(names)}"
            raise problem(self.path, what, "Rename one of them", line=1)
        columns = self.columns(range(len(names)))
        return pd.DataFrame({name: column.to_pandas() for name, column in zip(names, columns, strict=True)})

    def line(self, row: int) -> int:
        """Return the line on which a row begins; rows count from 0, the header not among them."""
        number, _ = next(islice(_records(self.content, self.separator), row + self.header, None))
        return number

    def _ragged(self) -> InvalidRatingsFile | None:
        number = 1
        try:
            for number, fields in _records(self.content, self.separator, strict=True):
                if len(fields) != len(self.names):
                    return problem(
                        self.path, f"{len(fields)} fields where the first line has {len(self.names)}: {self.separator.join(fields)[:80]!r}",
                        f"Mend the line; a field that holds {self.separator!r} stands in double quotes", line=number,
                    )  # fmt: skip
        except csv.Error as error:
            fix = 'Close them; a quote inside quotes is written ""'
            return problem(self.path, f"quotes are not closed ({error})", fix, line=number)
        return None


def open_table(path: Path, *, header: bool | None = None) -> ParquetTable | TextTable:
    """Read a file, Parquet by its ending; with `header` None a text's first line tells whether it names columns."""
    content = read_bytes(path)
    if path.suffix.lower() in (".parquet", ".pq"):
        try:
            table = parquet.read_table(pa.BufferReader(content))
        except pa.ArrowInvalid as error:
            what = f"is no Parquet file ({str(error)[:80]})"
            raise problem(path, what, "Write it again, or give text") from None
        if len(table) == 0:
            raise problem(path, "holds no rows", "Give a file with a row a rating")
        return ParquetTable(path, table)
    content = to_utf8(path, content)
    separator = sniff(next(line for line in io.BytesIO(content) if line.strip()).decode())
    number, first = next(_records(content, separator))
    if len(first) < 2:
        raise problem(path, f"no separator in the first line {' '.join(first)[:60]!r}",
                      f"Part the columns by one of {', '.join(map(repr, SEPARATORS))}", line=number)  # fmt: skip
    first = [name.strip() for name in first]
    return TextTable(path, content, separator, has_header(first) if header is None else header, first)


def _records(content: bytes, separator: str, *, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Yield records with the line on which each begins, blank lines passed over: slow, for first lines and failures."""
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline="")
    if separator == "::":
        for number, line in enumerate(text, start=1):
            if line.strip("\r\n"):
                yield number, line.rstrip("\r\n").split("::")
        return
    csv.field_size_limit(1 << 30)
    reader, before = csv.reader(text, delimiter=separator, strict=strict), 0
    for fields in reader:
        if fields:
            yield before + 1, fields
        before = reader.line_num
