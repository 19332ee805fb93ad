"""Files of unknown make as tables; what cannot be read is an `InvalidRatingsFile` with the line at fault."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as parquet
from pyarrow import csv as arrow_csv
from pyarrow import json as arrow_json

from lib.workbench.own_ratings.columns import WIDE, bare_name, has_header
from lib.workbench.own_ratings.contents import MOST, read_file, unpacked
from lib.workbench.own_ratings.errors import InvalidRatingsFile, problem

SEPARATORS = ("::", "\t", ";", "|", ",", " ")
_NUMBER = re.compile(r"(?i)-?\d+([.,]\d+)?|nan?|null|[-.?]")
UNCLOSED = "Close the quote that began there, or take it out; a quote inside quotes is written twice"
UNIT = "\x1f"
"""Stands for ``::`` inside, as the fast parser knows separators of one character only."""


def to_utf8(path: Path, content: bytes) -> bytes:
    """Return the text as UTF-8 without a byte order mark; UTF-16 with its mark is turned into it."""
    content = content.removeprefix(b"\xef\xbb\xbf")
    code = "UTF-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "UTF-8"
    fix = "Save it as UTF-8 text"
    try:
        text = content.decode(code)
        content = content if code == "UTF-8" else text.encode()
        at, what = content.find(b"\0"), "holds zero bytes, as UTF-16 text without a mark or a binary file does"
    except UnicodeDecodeError as error:
        at, what = error.start, f"not {code} text (byte 0x{content[error.start]:02x} at offset {error.start:,})"
        if not re.search(rb"[\x00-\x08\x0e-\x1f]", content[:1000]):
            fix += f", for instance with: iconv -f latin1 -t utf-8 {path.name} > utf8-{path.name}, its own encoding for latin1"
    if at >= 0:
        raise problem(path, what, fix, place=f"line {content[:at].count(10) + 1:,}")
    return content


def sniff(lines: list[str]) -> str:
    """Return what parts some lines, outside quotes, into as many fields each, and into most numbers, or most often.

    Blanks do where nothing else is there, or only within the numbers that they part, as decimal commas are.
    """
    bare = [re.sub('"[^"]*"', "", line) for line in lines]

    def fit(separator: str) -> tuple[bool, int, int]:
        parted = [line.split(separator) for line in bare]
        alike = len({len(parts) for parts in parted}) == 1 < len(parted[0])
        n_numbers = sum(bool(_NUMBER.fullmatch(part.strip())) for parts in parted for part in parts)
        return alike, n_numbers, len(parted[0])

    best, blank = max(SEPARATORS[:-1], key=fit), [list(filter(None, line.strip().split(" "))) for line in bare]
    other = re.compile("|".join(map(re.escape, SEPARATORS[:-1])))
    only = all(len(parts) > 2 and all(_NUMBER.fullmatch(p) or not other.search(p) for p in parts) for parts in blank)
    return " " if only or best not in bare[0] else best


@dataclass(frozen=True)
class Table:
    """A file as Arrow's columns: with types of their own from Parquet, else of text, whitespace around values kept.

    Without a `header` the `names` are the first line's fields. `content` is the text; Parquet and JSON have none, and rows
    instead of lines. `rows` are those of the file where some were left out.
    """

    path: Path
    names: list[str]
    columns: list[pa.ChunkedArray] = field(repr=False)
    header: bool = True
    separator: str = ""
    content: bytes = field(default=b"", repr=False)
    rows: np.ndarray | None = field(default=None, repr=False)

    def label(self, place: int) -> str:
        """Name a column: by its name in quotes, else by its place from 1."""
        return repr(self.names[place]) if self.header and self.names[place] else f"column {place + 1}"

    def kept(self, mask: np.ndarray) -> "Table":
        """Return the table with some of its rows."""
        return replace(self, columns=[one.filter(pa.array(mask)) for one in self.columns], rows=np.flatnonzero(mask))

    def wrong(self, row: int | None, what: str, fix: str) -> InvalidRatingsFile:
        """Make the error about a row (from 0; None: the file)."""
        return problem(self.path, what, fix, place="" if row is None else self.place(row))

    def place(self, row: int) -> str:
        """Name a row (from 0, the header not among them) as a person counts: ``line 7``, in Parquet ``row 6``."""
        row = row if self.rows is None else int(self.rows[row])
        if not self.content:
            return f"row {row + 1:,}"
        number, _ = next(islice(_records(self.path, self.content, self.separator), row + self.header, None))
        return f"line {number:,}"

    def frame(self, names: list[str] | None = None) -> pd.DataFrame:
        """Return all columns, under other names where given; one without a name is called after its place."""
        names = [name or f"column {place}" for place, name in enumerate(names or self.names, start=1)]
        if len(set(names)) < len(names):
            what = f"two columns have one name: {', '.join(names)}"
            raise problem(self.path, what, "Rename one of them", place="line 1")
        return pd.DataFrame({name: column.to_pandas() for name, column in zip(names, self.columns, strict=True)})

    def is_matrix(self) -> bool:
        """Whether it looks like users by items: many columns, and all but the first hold numbers or nothing."""
        head = [[str(value or "0") for value in column[:20].to_pylist()] for column in self.columns[1:]]
        return len(head) >= WIDE and all(_NUMBER.fullmatch(value.strip() or "0") for values in head for value in values)


def open_table(
    path: Path, content: bytes | None = None, *, header: bool | None = None, given: Mapping[str, str] | None = None
) -> Table:
    """Read a file, or its `content`: Parquet, JSON (an object a line, or a list of them) or text parted by something.

    With `header` None the first line tells whether it names columns, and what is `given` by position.
    """
    content = unpacked(path, read_file(path)) if content is None else content
    if content[:4] == b"PAR1" or path.suffix.lower() in (".parquet", ".pq"):
        return _typed(path, content)
    content = to_utf8(path, content)
    if re.match(rb"\s*((\[\s*)?\{\s*[\"']|\[\s*\[\s*[\"\d])", content[:200]):
        return _typed(path, content)
    if re.match(rb"\s*\d+:\s*[\r\n]\s*\d+[,\r\n]", content[:200]):
        script = """awk -F, '/:/ {m = $1 + 0; next} {print $1 "," m "," $2 "," $3}'"""
        what = "is in Netflix's blocks: a line with an item, and its users below it"
        inside = re.sub(r"\.(gz|bz2|xz|zip)$", "", path.name)
        raise problem(path, what, f"Bring it, unpacked, into a row a rating: {script} {inside} > rows.csv")
    told = re.match(rb"\A\"?sep=(.)\"?[^\S\r\n]*(?=[\r\n])", content, re.IGNORECASE)  # Excel's first line, here blanked
    content = content[told.end() :] if told else content
    head = re.split(r"\r\n?|\n", content[: 1 << 16].decode(errors="ignore"))
    separator = told[1].decode() if told else sniff([line for line in head if line.strip()][:20] or [""])
    if separator == "::":
        content = content.replace(b"::", UNIT.encode())
    elif separator == " ":
        content = re.sub(rb" +", b" ", re.sub(rb"(?m)^ +| +(?=\r?$)", b"", content))
    quote = f'{re.escape(separator)} +"'  # a blank before it would make it part of the field
    if any(re.search(quote, re.sub('"[^"]*"', '"', line)) for line in head[:20]):
        content = re.sub(quote.encode(), f'{separator}"'.encode(), content)
    number, written = next(_records(path, content, separator), (1, []))
    if len(written) < 2:
        what = f"no separator in the first line {' '.join(written)[:60]!r}"
        fix = f"Part the columns by one of {', '.join(map(repr, SEPARATORS))}"
        raise problem(path, what, fix, place=f"line {number:,}")
    names = [bare_name(name) for name in written]
    header = has_header(names, given) if header is None else header
    columns = _columns(path, content, separator, len(names))
    if len(columns[0]) == header:
        raise problem(path, "holds a header and no rows", "Give a file with a line a rating")
    table = Table(path, names, [column[header:] for column in columns], header, separator, content)
    for place, column in enumerate(columns if b'"' in content else []):
        for row in np.flatnonzero(pc.match_substring_regex(column, r"[\r\n]")).tolist():
            first, *more, end = re.split(r"\r\n?|\n", column[row].as_py())  # rest of a line, lines, start of another?
            n = [line.count(separator) for line in (first, *filter(None, more), end)]
            known = [*enumerate(end.split(separator)[:place]), *enumerate(first.split(separator)[1:], place + 1)]
            alike = n == [len(names) - 1 - place, *[len(names) - 1] * (len(n) - 2), place]
            if alike and any(columns[at].index(value).as_py() >= 0 for at, value in known):
                what = f"{table.label(place)} holds {len(n) - 1:,} further lines, as where a quote is not closed"
                raise table.wrong(row - header, what, UNCLOSED)
    _check_header_once(table, written)
    return table


def _check_header_once(table: Table, names: list[str]) -> None:
    """Raise an error where a row of text holds names of columns only, in whatever case and order."""
    text = [column for column in (pa.array(names), *table.columns[:4]) if column.type == pa.string()]
    rows = np.arange(len(table.columns[0]) if table.header and len(text) > len(table.columns[:4]) else 0)
    for column in text[1:]:
        known, folded = (pc.utf8_lower(pc.utf8_trim(one, " \t\r\ufeff")) for one in (text[0], column.take(rows)))
        rows = rows[pc.is_in(folded, known).to_numpy()]  # each of the files may begin with a byte order mark
    if len(rows):
        fix = "Take that line out; files put together each have one"
        raise table.wrong(int(rows[0]), "the header stands there again", fix)


def _typed(path: Path, content: bytes) -> Table:
    """Read Parquet or JSON; dictionaries are resolved, pandas's unnamed index is left out."""
    try:
        if content.lstrip()[:1] == b"{":
            table = arrow_json.read_json(pa.BufferReader(content), arrow_json.ReadOptions(block_size=1 << 24))
        elif content.lstrip()[:1] == b"[":
            rows = json.loads(content)
            keys = dict.fromkeys(key for row in rows for key in row)  # some may stand in later objects only
            table = pa.table({key: [row.get(key) for row in rows] for key in keys})
        else:
            file = parquet.ParquetFile(pa.BufferReader(content))
            if (cells := file.metadata.num_rows * file.metadata.num_columns) * 8 > MOST:  # a few bytes hold any number
                raise problem(path, f"has {cells:,} cells, more than can be read", "Give a part of its rows")
            table = file.read()
        table.validate(full=True)
        names = [bare_name(name) for name in table.column_names]
    except (InvalidRatingsFile, MemoryError):  # of which Arrow's is an ArrowException, too
        raise
    except (pa.ArrowException, OSError, ValueError, AttributeError, TypeError, RecursionError, OverflowError) as error:
        kind = "one JSON object a line" if content.lstrip()[:1] in b"[{" else "a whole Parquet file"
        fix = "Write it again, or give CSV; JSON has names and texts in double quotes, and by name one type of value"
        raise problem(path, f"is not {kind} ({str(error)[:120]})", fix) from None
    if len(table) == 0:
        raise problem(path, "holds no rows", "Give a file with a row a rating")
    if names and all(pa.types.is_nested(column.type) for column in table.columns):
        fix = 'Give an object a rating: {"user": 1, "item": 2, "rating": 3}'
        raise problem(path, f"has lists or objects where values should be, first in {names[0]!r}", fix)
    places = [place for place, name in enumerate(names) if not re.fullmatch(r"__index_level_\d+__", name)]
    plain = [c.cast(c.type.value_type) if pa.types.is_dictionary(c.type) else c for c in map(table.column, places)]
    plain = [c.cast(pa.string()) if str(c.type) in ("large_string", "string_view") else c for c in plain]
    table = Table(path, [names[place] for place in places], plain)
    _check_header_once(table, table.names)
    return table


def _columns(path: Path, content: bytes, separator: str, n_columns: int) -> list[pa.ChunkedArray]:
    quoted = separator != "::" and b'"' in content
    types = {str(place): pa.string() for place in range(n_columns)}
    quotes = {"quote_char": '"' if quoted else False, "newlines_in_values": quoted}
    try:
        return arrow_csv.read_csv(
            pa.BufferReader(content),
            read_options=arrow_csv.ReadOptions(column_names=list(types), block_size=1 << 24),
            parse_options=arrow_csv.ParseOptions(delimiter=UNIT if separator == "::" else separator, **quotes),
            convert_options=arrow_csv.ConvertOptions(column_types=types, strings_can_be_null=False),
        ).columns
    except pa.ArrowInvalid as error:
        raise _ragged(path, content, separator) or problem(path, str(error)[:200], "Mend the file") from error


def _ragged(path: Path, content: bytes, separator: str) -> InvalidRatingsFile | None:
    n_columns = 0
    for record, (number, fields) in enumerate(_records(path, content, separator, strict=True)):
        n_columns = n_columns or len(fields)
        if len(fields) != n_columns:
            what = f"{len(fields)} fields where the first line has {n_columns}: {separator.join(fields)[:80]!r}"
            fix = f"Mend the line; a field that holds {separator!r} stands in double quotes"
            fix += "; a title or comment above the table is taken out" if record == 1 else ""
            return problem(path, what, fix, place=f"line {number:,}")
    return None


def _records(path: Path, content: bytes, separator: str, *, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Yield records with the line on which each begins, blank lines passed over: slow, for first lines and failures."""
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline="")
    csv.field_size_limit(1 << 30)
    how: Any = {"delimiter": separator, "strict": strict}
    if separator == "::":
        how = {"delimiter": UNIT, "quoting": csv.QUOTE_NONE}
    reader, before = csv.reader(text, **how), 0
    try:
        for fields in reader:
            if fields:
                yield before + 1, fields
            before = reader.line_num
    except csv.Error as error:
        what, fix = f"quotes are not closed ({error})", 'Close them; a quote inside quotes is written ""'
        if b'\\"' in content.splitlines()[before]:
            what, fix = "a backslash stands before a quote", 'Write a quote inside quotes as "", without a backslash'
        raise problem(path, what, fix, place=f"line {before + 1:,}") from None
