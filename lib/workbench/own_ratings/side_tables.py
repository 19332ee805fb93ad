"""Tables of items and users with arbitrary columns, joined to the ratings by id."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from lib.data.readers import split_title
from lib.workbench.own_ratings.checking import whole_numbers
from lib.workbench.own_ratings.columns import SYNONYMS, plain_name
from lib.workbench.own_ratings.errors import problem
from lib.workbench.own_ratings.table_files import Table, open_table

KNOWN = {
    "item": {
        "title": ("title", "name", "itemname", "booktitle", "movietitle", "producttitle", "originaltitle"),
        "genres": ("genres", "genre", "categories", "category", "subjects", "shelves"),
        "year": ("year", "releaseyear", "publicationyear", "originalpublicationyear", "yearofpublication"),
        "tags": ("tags", "keywords"),
    },
    "user": {"age": ("age",), "gender": ("gender", "sex"), "occupation": ("occupation", "job", "profession")},
}  # fmt: skip
"""Columns that models and pages know by name; others keep theirs."""


def read_side_table(path: Path, kind: str, rated: np.ndarray) -> tuple[pd.DataFrame, list[str]]:
    """Read a table of items or users.

    Parameters
    ----------
    path : Path
        Text with a header, or Parquet.
    kind : {"item", "user"}
    rated : ndarray
        Ids of the ratings, unique; others of the table are left out.

    Returns
    -------
    frame : DataFrame
        In the order of the rated ids, indexed by them; rows of ids that the file lacks are missing values.
    notes : list of str
        What was read how, in words.

    Raises
    ------
    InvalidRatingsFile
        There is no column of ids, an id is empty or stands twice, or no id is among the rated ones.
    """
    source = open_table(path, header=True)
    frame = source.frame()
    plain = [plain_name(name) for name in frame.columns]
    place = next((plain.index(name) for name in (*SYNONYMS[kind], "id") if name in plain), None)
    if place is None:
        raise problem(path, f"no column with the {kind}'s id; its columns are {', '.join(map(repr, frame.columns))}",
                      f"Rename the one that holds it to {kind!r}", line=1)  # fmt: skip
    ids = _ids(frame.pop(frame.columns[place]), rated, kind, source)
    twice = ids.duplicated()
    if twice.any():
        row = int(np.argmax(twice))
        first = source.line(int(np.argmax(ids == ids[row])))
        raise source.wrong(row, f"the {kind} {str(ids[row])[:40]!r} stands there again, first on {source.unit} {first:,}",
                           f"Keep one row for each {kind}")  # fmt: skip
    frame.index = ids
    known = pd.Index(rated).intersection(ids)
    if len(known) == 0:
        fix = f"Check that its column of ids holds those of the ratings, such as {str(rated[0])[:40]!r}"
        raise source.wrong(None, f"none of its {len(ids):,} ids is a rated {kind}'s", fix)
    notes, more, absent = [], len(ids) - len(known), len(rated) - len(known)
    if more:
        why = "nobody rated that item" if kind == "item" else "that user rated nothing"
        notes.append(f"{more:,} rows of {path.name} left out, as {why}")
    if absent:
        notes.append(f"{absent:,} rated {kind}s are not in {path.name}; nothing is known of them")
    return _shape(frame.reindex(pd.Index(rated, name=kind)), kind), notes


def _ids(column: pd.Series, rated: np.ndarray, kind: str, source: Table) -> pd.Index:
    """Ids in the form that the ratings have them."""
    text = column.map(lambda value: "" if value is None or value != value else str(value).strip())
    if (text == "").any():
        row = int(np.argmax((text == "").to_numpy()))
        raise source.wrong(row, f"the {kind}'s id is empty", "Give the id, or take the row out")
    if np.issubdtype(np.asarray(rated).dtype, np.integer):
        whole = whole_numbers(pa.array(text))
        if whole is not None:
            return pd.Index(whole)
    return pd.Index(text.astype(object))


def _shape(frame: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Give the known columns their names, and every column its type."""
    plain = {plain_name(name): name for name in reversed(frame.columns)}
    named = {}
    for role, names in KNOWN[kind].items():
        hit = next((plain[name] for name in names if name in plain and plain[name] not in named), None)
        if hit is not None:
            named[hit] = role
    frame = frame.drop(columns=[c for c in frame.columns if c in named.values() and c not in named]).rename(
        columns=named
    )
    listed = {name for name in ("genres", "tags") if name in frame}
    found = {}
    for name in frame.columns:
        values = frame[name].map(
            lambda v: "|".join(map(str, v)) if isinstance(v, (list, tuple, np.ndarray)) else v
        )
        if name == "title" or name in listed or name in ("gender", "occupation"):
            found[name] = _text(values, name in listed)
            continue
        numbers = pd.to_numeric(values.replace("", None), errors="coerce")
        given = values.notna() & (values != "")
        is_number = given.any() and numbers[given].notna().all()
        found[name] = numbers.astype(float) if is_number else _text(values, False)
    shaped = pd.DataFrame(found, index=frame.index)
    if "year" in shaped:
        year = pd.to_numeric(shaped["year"], errors="coerce")
        shaped["year"] = year.where(np.isfinite(year)).round().astype("Int64")
    elif "title" in shaped:
        parted = shaped["title"].map(lambda t: split_title(t) if isinstance(t, str) else (t, None))
        years = parted.map(lambda pair: pair[1])
        if years.notna().mean() > 0.5:  # "Persona (1966)", as MovieLens has it
            shaped["title"], shaped["year"] = parted.map(lambda pair: pair[0]), years.astype("Int64")
    return shaped


def _text(values: pd.Series, listed: bool) -> pd.Series:
    text = values.map(lambda v: v if isinstance(v, str) else (None if v is None or v != v else str(v)))
    if listed:
        return text.map(
            lambda v: "" if v is None or v == "(no genres listed)" else "|".join(p.strip() for p in _parts(v))
        )
    return text.map(lambda v: v if v else None)


def _parts(value: str) -> list[str]:
    """Part the entries of a list, by ``|`` or else by ``;``."""
    parts = value.split("|") if "|" in value else value.split(";")
    return [part for part in dict.fromkeys(parts) if part.strip()]
