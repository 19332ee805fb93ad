"""MovieLens file formats: bytes in, tables out, one function a file.

Every reader is given a file's bytes and its place (for messages) and raises `CorruptDataset`, naming file and line,
for what it cannot read. Rows keep the file's order.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from lib.data.errors import CorruptDataset

GENRES_100K = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
"""The genre columns of u.item, in u.genre's order."""

OCCUPATIONS_1M = (
    "other", "academic/educator", "artist", "clerical/admin", "college/grad student", "customer service",
    "doctor/health care", "executive/managerial", "farmer", "homemaker", "K-12 student", "lawyer", "programmer",
    "retired", "sales/marketing", "scientist", "self-employed", "technician/engineer", "tradesman/craftsman",
    "unemployed", "writer",
)  # fmt: skip
"""Names of users.dat's occupation codes, from its README."""

COLUMNS = ("user", "item", "rating", "timestamp")
YEAR = re.compile(r"^(?P<title>.*?)\s*\((?P<year>\d{4})(?:\s*[-–]\s*\d{0,4})?\)(?:\s*\(V\))?$")
"""A title with its year; a span of years counts from its first; "(V)" marks a film that went straight to video."""


def read_ratings(content: bytes, place: str, *, separator: str, header: str | None = None) -> pd.DataFrame:
    """Read user, item, rating and timestamp columns.

    Parameters
    ----------
    content : bytes
        The file.
    place : str
        What to call it in an error.
    separator : str
        Between fields; ``::`` is brought down to a tab, which no ratings file holds otherwise.
    header : str, optional
        The first line that the file must have; None: it has none.

    Returns
    -------
    DataFrame
        ``user``, ``item``, ``timestamp`` as int64, ``rating`` as float32, in the file's order.

    Raises
    ------
    CorruptDataset
        The header is another, or a line has not four numbers.
    """
    if header is not None:
        first, _, rest = content.partition(b"\n")
        found = first.decode("utf-8", "replace").strip().lstrip("\ufeff")
        if found != header:
            raise CorruptDataset(f"{place}, line 1: expected the header {header!r}, found {found[:80]!r}.")
        content = rest
    body = content.replace(separator.encode(), b"\t") if len(separator) > 1 else content
    delimiter = "\t" if len(separator) > 1 else separator
    if not body.strip():
        raise CorruptDataset(f"{place}: holds no ratings. Delete it and get it again.")
    types = {"user": pa.int64(), "item": pa.int64(), "rating": pa.float32(), "timestamp": pa.int64()}
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(body),
            read_options=arrow_csv.ReadOptions(column_names=list(COLUMNS), use_threads=False),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter, quote_char=False),
            convert_options=arrow_csv.ConvertOptions(column_types=types, null_values=[]),
        )
    except pa.ArrowInvalid as error:
        raise _first_bad_line(content, place, separator, skipped=int(header is not None)) or CorruptDataset(
            f"{place}: {error}"
        ) from error
    return table.to_pandas()


def _first_bad_line(content: bytes, place: str, separator: str, skipped: int) -> CorruptDataset | None:
    """Find what the fast parser tripped over; it counts rows in blocks, people count lines."""
    for number, line in enumerate(io.BytesIO(content), start=1 + skipped):
        fields = line.decode("utf-8", "replace").rstrip("\r\n").split(separator)
        if fields == [""]:
            continue
        try:
            if len(fields) != len(COLUMNS):
                raise ValueError
            int(fields[0]), int(fields[1]), float(fields[2]), int(fields[3])
        except ValueError:
            return CorruptDataset(
                f"{place}, line {number}: expected user, item, rating and timestamp separated by {separator!r}, "
                f"found {line[:80].decode('utf-8', 'replace').rstrip()!r}. Mend the line or get the file again."
            )
    return None


def read_users_100k(content: bytes, place: str) -> pd.DataFrame:
    """Read u.user: age in years, gender, occupation, zip code, indexed by user id."""
    return _user_table(_rows(content, place, "|", 5, "utf-8"), place, order=(1, 2, 3, 4))


def read_users_1m(content: bytes, place: str) -> pd.DataFrame:
    """Read users.dat: as u.user, but age is the lower end of an age group (1 for "under 18")."""
    rows = list(_rows(content, place, "::", 5, "utf-8"))
    for number, fields in rows:
        if not fields[3].isdigit() or int(fields[3]) >= len(OCCUPATIONS_1M):
            raise CorruptDataset(
                f"{place}, line {number}: {fields[3]!r} is not an occupation code of 0 to 20."
            )
    table = _user_table(rows, place, order=(2, 1, 3, 4))
    table["occupation"] = np.array(OCCUPATIONS_1M)[table["occupation"].astype(int)]
    return table


def read_items_100k(content: bytes, place: str) -> pd.DataFrame:
    """Read u.item (ISO-8859-1): title, year and genres, indexed by item id."""
    rows = _rows(content, place, "|", 5 + len(GENRES_100K), "latin-1")
    return _item_table(
        ((number, fields[0], fields[1], _flagged(fields[5:])) for number, fields in rows), place
    )


def _flagged(flags: list[str]) -> str:
    return "|".join(name for name, flag in zip(GENRES_100K, flags, strict=True) if flag == "1")


def read_items_rebuilt(content: bytes, place: str) -> pd.DataFrame:
    """Read items.tsv, the stand-in for u.item that a wheel's copy gives: the same table."""
    rows = _rows(content.partition(b"\n")[2], place, "\t", 3, "utf-8", skipped=1)
    return _item_table(((number, *fields) for number, fields in rows), place)


def read_items_1m(content: bytes, place: str) -> pd.DataFrame:
    """Read movies.dat (ISO-8859-1): title, year and genres, indexed by item id."""
    return _item_table(
        ((number, *fields) for number, fields in _rows(content, place, "::", 3, "latin-1")), place
    )


def read_items_csv(content: bytes, place: str) -> pd.DataFrame:
    """Read movies.csv (UTF-8, quoted fields): title, year and genres, indexed by item id."""
    reader = csv.reader(io.StringIO(_decode(content, place, "utf-8")))
    header = next(reader, [])
    if header != ["movieId", "title", "genres"]:
        raise CorruptDataset(f"{place}, line 1: expected the header 'movieId,title,genres', found {header}.")

    def rows() -> Iterator[tuple[int, str, str, str]]:
        for fields in reader:
            if len(fields) != 3:
                raise CorruptDataset(
                    f"{place}, line {reader.line_num}: expected 3 fields, found {len(fields)}."
                )
            item, title, genres = fields
            yield reader.line_num, item, title, "" if genres == "(no genres listed)" else genres

    return _item_table(rows(), place)


def read_tags_csv(content: bytes, place: str, *, items: pd.Index) -> pd.Series:
    """Read tags.csv (UTF-8, quoted fields): each film's distinct tags, in small letters, sorted, joined by ``|``.

    Parameters
    ----------
    items : Index
        Ids of all films; one without tags gets an empty text.

    Raises
    ------
    CorruptDataset
        As for all readers, or a tag stands on a film that is not among `items`.
    """
    reader = csv.reader(io.StringIO(_decode(content, place, "utf-8")))
    header = next(reader, [])
    if header != ["userId", "movieId", "tag", "timestamp"]:
        raise CorruptDataset(
            f"{place}, line 1: expected the header 'userId,movieId,tag,timestamp', found {header}."
        )
    known, found = set(items), {}
    for fields in reader:
        if len(fields) != 4:
            raise CorruptDataset(f"{place}, line {reader.line_num}: expected 4 fields, found {len(fields)}.")
        item = _integer(fields[1], place, reader.line_num)
        if item not in known:
            raise CorruptDataset(f"{place}, line {reader.line_num}: film {item} is not in movies.csv.")
        tag = " ".join(fields[2].replace("|", " ").split()).lower()
        if tag:
            found.setdefault(item, set()).add(tag)
    joined = ["|".join(sorted(found.get(item, ()))) for item in items]
    return pd.Series(pd.array(joined, dtype="str"), index=items, name="tags")


def split_title(full: str) -> tuple[str, int | None]:
    """Part a title from the year in brackets at its end; None where there is no year."""
    found = YEAR.match(full.strip())
    return (found["title"], int(found["year"])) if found else (full.strip(), None)


def _item_table(rows, place: str) -> pd.DataFrame:
    ids, titles, years, genres = [], [], [], []
    for number, item, full, genre in rows:
        title, year = split_title(full)
        ids.append(_integer(item, place, number))
        titles.append(title)
        years.append(year)
        genres.append(genre)
    return pd.DataFrame(
        {
            "title": pd.array(titles, dtype="str"),
            "year": pd.array(years, dtype="Int64"),
            "genres": pd.array(genres, dtype="str"),
        },
        index=pd.Index(ids, dtype="int64", name="item"),
    )


def _user_table(rows, place: str, order: tuple[int, ...]) -> pd.DataFrame:
    ids, columns = [], ([], [], [], [])
    for number, fields in rows:
        ids.append(_integer(fields[0], place, number))
        for column, source in zip(columns, order, strict=True):
            column.append(_integer(fields[source], place, number) if column is columns[0] else fields[source])
    names = ("age", "gender", "occupation", "zip_code")
    return pd.DataFrame(
        {
            name: pd.array(column, dtype="int64" if name == "age" else "str")
            for name, column in zip(names, columns, strict=True)
        },
        index=pd.Index(ids, dtype="int64", name="user"),
    )


def _rows(
    content: bytes, place: str, separator: str, n_columns: int, encoding: str, skipped: int = 0
) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and fields of a small file; blank lines are passed over."""
    for number, line in enumerate(_decode(content, place, encoding).split("\n"), start=1 + skipped):
        line = line.removesuffix("\r")
        if not line:
            continue
        fields = line.split(separator)
        if len(fields) != n_columns:
            raise CorruptDataset(
                f"{place}, line {number}: expected {n_columns} fields separated by {separator!r}, found "
                f"{len(fields)}: {line[:80]!r}."
            )
        yield number, fields


def _integer(text: str, place: str, number: int) -> int:
    try:
        return int(text)
    except ValueError:
        raise CorruptDataset(f"{place}, line {number}: {text[:40]!r} is not a whole number.") from None


def _decode(content: bytes, place: str, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise CorruptDataset(
            f"{place}, line {number}: not {encoding} text (byte 0x{content[error.start]:02x}). The file was saved in "
            "another encoding: get the official one again."
        ) from None
