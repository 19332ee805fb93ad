"""Files of unknown make as tables; what cannot be read is an `InvalidRatingsFile` with the line at fault."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
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
    """Return a file's content, unpacked where it is gzip."""
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
    """Return the text as UTF-8 without a byte order mark; UTF-16 with its mark is turned into it."""

    def line(offset: int) -> str:
        breaks = content.count(b"\n", 0, offset)
        return f"line {breaks + 1:,}"

    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return content.decode("utf-16").encode()
        except UnicodeDecodeError:
            raise problem(path, "is damaged UTF-16 text", "Save it as UTF-8") from None
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        what = f"not UTF-8 text (byte 0x{content[error.start]:02x} at offset {error.start:,})"
        command = f"iconv -f latin1 -t utf-8 {path.name} > utf8-{path.name}"
        fix = f"Save it as UTF-8, for instance with: {command}"
        raise problem(path, what, fix, place=line(error.start)) from None
    if b"\x00" in content:
        what = "holds zero bytes, as UTF-16 text without a mark or a binary file does"
        raise problem(path, what, "Save it as UTF-8 text", place=line(content.index(b"\x00")))
    return content


def sniff(first: str) -> str:
    """Return what parts a first line most often outside quotes; ``::`` wins over others."""
    bare = "".join(first.split('"')[::2])
    return "::" if "::" in bare else max(SEPARATORS[1:], key=bare.count)


@dataclass(frozen=True)
class Table:
    """A file as Arrow's columns: with types of their own from Parquet, else of text, whitespace around values kept.

    Without a `header` the `names` are the first line's fields. `content` is the text; Parquet has none, and rows
    instead of lines.
    """

    path: Path
    names: list[str]
    columns: list[pa.ChunkedArray] = field(repr=False)
    header: bool = True
    separator: str = ""
    content: bytes = field(default=b"", repr=False)

    def wrong(self, row: int | None, what: str, fix: str) -> InvalidRatingsFile:
        """Make the error about a row (from 0; None: the file)."""
        return problem(self.path, what, fix, place="" if row is None else self.place(row))

    def place(self, row: int) -> str:
        """Name a row (from 0, the header not among them) as a person counts: ``line 7``, in Parquet ``row 6``."""
        if not self.content:
            return f"row {row + 1:,}"
        number, _ = next(islice(_records(self.content, self.separator), row + self.header, None))
        return f"line {number:,}"

    def frame(self) -> pd.DataFrame:
        """Return all columns; one without a name is called after its place."""
        names = [name or f"column {place}" for place, name in enumerate(self.names, start=1)]
        if len(set(names)) < len(names):
            what = f"two columns have one name: {', '.join(names)}"
            raise problem(self.path, what, "Rename one of them", place="line 1")
        return pd.DataFrame({name: column.to_pandas() for name, column in zip(names, self.columns, strict=True)})


def open_table(path: Path, *, header: bool | None = None) -> Table:
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
        names = [name for name in table.column_names if not name.startswith("__index_level_")]
        columns = [table.column(name) for name in names]
        coded = [pa.types.is_dictionary(column.type) for column in columns]
        plain = [c.cast(c.type.value_type) if of else c for c, of in zip(columns, coded, strict=True)]
        return Table(path, names, plain)
    content = re.sub(rb"\Asep=.(?=\r?\n)", b"", to_utf8(path, content))  # Excel's first line, here blank
    separator = sniff(next(line for line in io.BytesIO(content) if line.strip()).decode())
    number, first = next(_records(content, separator))
    if len(first) < 2:
        what = f"no separator in the first line {' '.join(first)[:60]!r}"
        fix = f"Part the columns by one of {', '.join(map(repr, SEPARATORS))}"
        raise problem(path, what, fix, place=f"line {number:,}")
    first = [name.strip() for name in first]
    header = has_header(first) if header is None else header
    columns = _columns(path, content, separator, len(first))
    if len(columns[0]) == header:
        raise problem(path, "holds a header and no rows", "Give a file with a line a rating")
    return Table(path, first, [column[header:] for column in columns], header, separator, content)


def _columns(path: Path, content: bytes, separator: str, n_columns: int) -> list[pa.ChunkedArray]:
    body, delimiter = content, separator
    if separator == "::":
        body, delimiter = content.replace(b"::", UNIT.encode()), UNIT
    quoted = separator != "::" and b'"' in body
    types = {str(place): pa.string() for place in range(n_columns)}
    quotes = {"quote_char": '"' if quoted else False, "newlines_in_values": quoted}
    try:
        return arrow_csv.read_csv(
            pa.BufferReader(body),
            read_options=arrow_csv.ReadOptions(column_names=list(types), block_size=1 << 24),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter, **quotes),
            convert_options=arrow_csv.ConvertOptions(column_types=types, strings_can_be_null=False),
        ).columns
    except pa.ArrowInvalid as error:
        raise _ragged(path, content, separator) or problem(path, str(error)[:200], "Mend the file") from error


def _ragged(path: Path, content: bytes, separator: str) -> InvalidRatingsFile | None:
    number, n_columns = 1, 0
    try:
        for number, fields in _records(content, separator, strict=True):
            n_columns = n_columns or len(fields)
            if len(fields) != n_columns:
                what = f"{len(fields)} fields where the first line has {n_columns}: {separator.join(fields)[:80]!r}"
                fix = f"Mend the line; a field that holds {separator!r} stands in double quotes"
                return problem(path, what, fix, place=f"line {number:,}")
    except csv.Error as error:
        fix = 'Close them; a quote inside quotes is written ""'
        return problem(path, f"quotes are not closed ({error})", fix, place=f"line {number:,}")
    return None


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
