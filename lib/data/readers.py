"""MovieLens file formats: bytes in, tables out, one function a file.

Every reader is given a file's bytes and its place (for messages) and raises `CorruptDataset`, naming file and line,
for what it cannot read. Rows keep the file's order.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from lib.data.errors import CorruptDataset

GENRES = (  # the genre columns of u.item, in u.genre's order
    "unknown|Action|Adventure|Animation|Children's|Comedy|Crime|Documentary|Drama|Fantasy|Film-Noir|Horror|Musical|"
    "Mystery|Romance|Sci-Fi|Thriller|War|Western"
)

OCCUPATIONS = (  # names of users.dat's occupation codes, from 0, of its README
    "other|academic/educator|artist|clerical/admin|college/grad student|customer service|doctor/health care|"
    "executive/managerial|farmer|homemaker|K-12 student|lawyer|programmer|retired|sales/marketing|scientist|"
    "self-employed|technician/engineer|tradesman/craftsman|unemployed|writer"
)

YEAR = re.compile(r"^(?P<title>.*?)\s*\((?P<year>\d{4})(?:\s*[-–]\s*\d{0,4})?\)(?:\s*\(V\))?$")
"""A title with its year; a span of years counts from its first; "(V)" marks a film that went straight to video."""


def read_ratings(content: bytes, place: str, *, separator: str, header: str | None = None) -> pd.DataFrame:
    """Read user, item, timestamp (int64), rating (float32) in the file's order; a `header` must be its first line."""
    if header is not None:
        found = content.partition(b"\n")[0].decode("utf-8", "replace").strip().lstrip("\ufeff")
        if found != header:
            raise CorruptDataset(f"{place}, line 1: expected the header {header!r}, found {found[:80]!r}.")
    if not content.strip():
        raise CorruptDataset(f"{place}: holds no ratings. Delete it and get it again.")
    # A tab is in no ratings file that has another separator.
    body, delimiter = (content.replace(b"::", b"\t"), "\t") if separator == "::" else (content, separator)
    types = {"user": pa.int64(), "item": pa.int64(), "rating": pa.float32(), "timestamp": pa.int64()}
    options = {"column_names": list(types), "skip_rows": int(header is not None), "use_threads": False}
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(body),
            read_options=arrow_csv.ReadOptions(**options),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter, quote_char=False),
            convert_options=arrow_csv.ConvertOptions(column_types=types, null_values=[]),
        )
    except pa.ArrowInvalid as error:
        raise CorruptDataset(f"{place}: {error}. Mend the line or get the file again.") from error
    return table.to_pandas()


def read_users_100k(content: bytes, place: str) -> pd.DataFrame:
    """Read u.user: age in years, gender, occupation, zip code, indexed by user id."""
    return _user_table(_rows(content, place, "|", 5), place)


def read_users_1m(content: bytes, place: str) -> pd.DataFrame:
    """Read users.dat: as u.user, but age is the lower end of an age group (1 for "under 18")."""
    names, rows = OCCUPATIONS.split("|"), []
    for number, (user, gender, age, code, zip_code) in _rows(content, place, "::", 5):
        if not code.isdigit() or int(code) >= len(names):
            raise CorruptDataset(f"{place}, line {number}: {code!r} is not an occupation code of 0 to 20.")
        rows.append((number, [user, age, gender, names[int(code)], zip_code]))
    return _user_table(rows, place)


def read_items_100k(content: bytes, place: str) -> pd.DataFrame:
    """Read u.item (ISO-8859-1): title, year and genres, indexed by item id."""
    names, rows = GENRES.split("|"), []
    for number, (item, title, *others) in _rows(content, place, "|", 5 + len(names), "latin-1"):
        genres = [name for name, flag in zip(names, others[3:], strict=True) if flag == "1"]
        rows.append((number, [item, title, "|".join(genres)]))
    return _item_table(rows, place)


def read_items_rebuilt(content: bytes, place: str) -> pd.DataFrame:
    """Read items.tsv, the stand-in for u.item that a wheel's copy gives: the same table."""
    return _item_table(_rows(content.partition(b"\n")[2], place, "\t", 3, skipped=1), place)


def read_items_1m(content: bytes, place: str) -> pd.DataFrame:
    """Read movies.dat (ISO-8859-1): title, year and genres, indexed by item id."""
    return _item_table(_rows(content, place, "::", 3, "latin-1"), place)


def read_items_csv(content: bytes, place: str) -> pd.DataFrame:
    """Read movies.csv (UTF-8, quoted fields): title, year and genres, indexed by item id."""
    rows = _quoted_rows(content, place, "movieId,title,genres")
    named = ((n, [item, title, genres.replace("(no genres listed)", "")]) for n, (item, title, genres) in rows)
    return _item_table(named, place)


def read_tags_csv(content: bytes, place: str, *, items: pd.Index) -> pd.Series:
    """Read tags.csv (UTF-8, quoted fields): each film's distinct tags, in small letters, sorted, joined by ``|``.

    `items` are the ids of all films; one without tags gets an empty text, and a tag on another film is an error.
    """
    found: dict[int, set[str]] = {item: set() for item in items}
    for number, (_, film, text, _) in _quoted_rows(content, place, "userId,movieId,tag,timestamp"):
        item = _integer(film, place, number)
        if item not in found:
            raise CorruptDataset(f"{place}, line {number}: film {item} is not in movies.csv.")
        found[item].add(" ".join(text.replace("|", " ").split()).lower())
    joined = ["|".join(sorted(tags - {""})) for tags in found.values()]
    return pd.Series(pd.array(joined, dtype="str"), index=items, name="tags")


def split_title(full: str) -> tuple[str, int | None]:
    """Part a title from the year in brackets at its end; None where there is no year."""
    found = YEAR.match(full.strip())
    return (found["title"], int(found["year"])) if found else (full.strip(), None)


def _item_table(rows: Iterable[tuple[int, list[str]]], place: str) -> pd.DataFrame:
    """Take numbered lines of id, title with its year, and genres."""
    found = [(_integer(item, place, n), *split_title(full), genres) for n, (item, full, genres) in rows]
    return _typed(found, {"item": "int64", "title": "str", "year": "Int64", "genres": "str"})


def _user_table(rows: Iterable[tuple[int, list[str]]], place: str) -> pd.DataFrame:
    """Take numbered lines of id, age, gender, occupation and zip code."""
    found = [(_integer(user, place, n), _integer(age, place, n), *others) for n, (user, age, *others) in rows]
    types = {"user": "int64", "age": "int64", "gender": "str", "occupation": "str", "zip_code": "str"}
    return _typed(found, types)


def _typed(rows: list[tuple], types: Mapping[str, Any]) -> pd.DataFrame:
    """Give each column its type; the first is the index."""
    columns = zip(*rows, strict=True) if rows else ([] for _ in types)
    arrays = [pd.array(list(column), dtype=t) for column, t in zip(columns, types.values(), strict=True)]
    index, *names = types
    return pd.DataFrame(dict(zip(names, arrays[1:], strict=True)), index=pd.Index(arrays[0], name=index))


def _rows(
    content: bytes, place: str, separator: str, n_columns: int, encoding: str = "utf-8", skipped: int = 0
) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and fields of a small file; blank lines are passed over."""
    for number, line in enumerate(_decode(content, place, encoding).split("\n"), start=1 + skipped):
        line = line.removesuffix("\r")
        if line:
            yield number, _checked(line.split(separator), n_columns, place, number)


def _quoted_rows(content: bytes, place: str, header: str) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and fields of a CSV file in UTF-8 with quotes, which must have this header."""
    reader = csv.reader(io.StringIO(_decode(content, place, "utf-8")))
    found, names = next(reader, []), header.split(",")
    if found != names:
        raise CorruptDataset(f"{place}, line 1: expected the header {header!r}, found {','.join(found)[:80]!r}.")
    for fields in reader:
        yield reader.line_num, _checked(fields, len(names), place, reader.line_num)


def _checked(fields: list[str], n_columns: int, place: str, number: int) -> list[str]:
    if len(fields) != n_columns:
        raise CorruptDataset(
            f"{place}, line {number}: expected {n_columns} fields, found {len(fields)}: {' '.join(fields)[:80]!r}."
        )
    return fields


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
            f"{place}, line {number}: not {encoding} text (byte 0x{content[error.start]:02x}). Get the official file again."
        ) from None
