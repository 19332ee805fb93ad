"""Tables of items and users with arbitrary columns, joined to the ratings by id."""

from pathlib import Path

import numpy as np
import pandas as pd

from lib.data.readers import split_title
from lib.workbench.own_ratings.checking import LARGEST, ids_of
from lib.workbench.own_ratings.columns import KNOWN, has_header, matches, plain_name, usual_places
from lib.workbench.own_ratings.errors import problem
from lib.workbench.own_ratings.table_files import open_table

LISTS = ("genres", "tags")
TEXTS = ("title", "gender", "occupation")


def read_side_table(path: Path, content: bytes, kind: str, rated: np.ndarray, named: str) -> tuple[pd.DataFrame, list]:
    """Read a table of ``item`` or ``user`` (`kind`) from what a file holds; say beside it what was read how.

    Its ids are in the column that is `named` as in the ratings, else in one of a usual name, else in the first of a table
    whose first line already is a row: then the items' title and genres are the next two. It is indexed by the `rated` ids,
    in their order; rows of ids that the file lacks are missing values.
    """
    source, notes = open_table(path, content, header=True), []
    names = source.names
    hits = matches(names, named) or usual_places(names, kind) or matches(names, "id")
    if len(hits) > 1:
        what = f"{len(hits)} columns may hold the {kind}'s id: {', '.join(names[place] for place in hits)}"
        raise problem(path, what, f"Rename all but the one that the ratings call {kind}", place="line 1")
    if not hits and source.content and (not has_header(names) or names[0] in set(map(str, rated))):
        source, hits = open_table(path, content, header=False), [0]
        known = [kind, "title", "genres"] if kind == "item" and len(names) <= 3 else [kind]
        names = [*known, *(f"column {place + 1}" for place in range(len(known), len(names)))][: len(names)]
        notes.append(f"{path.name} has no header: its columns are taken for {', '.join(names)}")
    if not hits:
        what = f"no column with the {kind}'s id; its columns are {', '.join(map(repr, source.names))}"
        fix = f"Rename the one that holds it to {kind!r}; where its first line is no header, put one above it"
        raise problem(path, what, fix, place="line 1")
    place, frame = hits[0], source.frame(names)
    ids = pd.Index(ids_of(source, place, kind))
    if ids.dtype != rated.dtype:
        ids = ids.astype(str).astype(object)
    twice = ids.duplicated()
    if twice.any():
        row = int(np.argmax(twice))
        first = source.place(int(np.argmax(ids == ids[row])))
        what = f"the {kind} {str(ids[row])[:40]!r} stands there again, first on {first}"
        raise source.wrong(row, what, f"Keep one row for each {kind}")
    # The index is called so; another column of that name is a feature.
    frame = frame.drop(columns=frame.columns[place]).set_axis(ids).rename(columns={kind: f"column {kind}"})
    n_known = len(pd.Index(rated).intersection(ids))
    if n_known == 0:
        fix = f"Check that its column of ids holds those of the ratings, such as {str(rated[0])[:40]!r}"
        raise source.wrong(None, f"none of its {len(ids):,} ids is a rated {kind}'s", fix)
    more, absent = len(ids) - n_known, len(rated) - n_known
    if more:
        why = "nobody rated that item" if kind == "item" else "that user rated nothing"
        notes.append(f"{more:,} rows of {path.name} left out, as {why}")
    if absent:
        notes.append(f"{absent:,} rated {kind}s are not in {path.name}; nothing is known of them")
    return _shape(frame.reindex(pd.Index(rated, name=kind)), kind), notes


def _shape(frame: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Give the known columns their names, and every column its type."""
    plain = {plain_name(name): name for name in reversed(frame.columns)}
    named: dict[str, str] = {}
    for role, names in KNOWN[kind].items():
        hits = [plain[name] for name in names if name in plain and plain[name] not in named]
        named |= dict.fromkeys(hits[:1], role)
    others = [name for name in frame.columns if name in named.values() and name not in named]
    frame = frame.drop(columns=others).rename(columns=named)
    shaped = pd.DataFrame({name: _typed(name, frame[name]) for name in frame.columns}, index=frame.index)
    if "year" in shaped:
        year = pd.to_numeric(shaped["year"], errors="coerce")
        shaped["year"] = year.where(year.abs() < 10_000).round().astype("Int64")
    elif "title" in shaped:
        parted = shaped["title"].map(lambda t: split_title(t) if isinstance(t, str) else (t, None))
        years = parted.map(lambda pair: pair[1])
        if years.notna().mean() > 0.5:  # "Persona (1966)", as MovieLens has it
            shaped["title"], shaped["year"] = parted.map(lambda pair: pair[0]), years.astype("Int64")
    return shaped


def _typed(name: str, values: pd.Series) -> pd.Series:
    """Return a column of numbers where all that is given is one, else of text; a list's entries joined by ``|``."""
    values = values.map(_joined)
    given = values.notna() & (values != "")
    if name not in (*LISTS, *TEXTS) and given.any():
        numbers = pd.to_numeric(values.where(given), errors="coerce")
        if numbers[given].notna().all():
            return numbers.astype(float).where(numbers.abs() < LARGEST)
    text = values.map(str).where(given, None)
    return text.map(_entries) if name in LISTS else text


def _joined(value):
    if isinstance(value, (list, tuple, np.ndarray)):
        return "|".join(map(str, value))
    return str(value) if isinstance(value, (dict, bytes)) else value


def _entries(value: str | None) -> str:
    """Part the entries of a list, by ``|`` or else by ``;``, and join each once."""
    if not isinstance(value, str) or value == "(no genres listed)":
        return ""
    parts = value.split("|" if "|" in value else ";")
    return "|".join(part.strip() for part in dict.fromkeys(parts) if part.strip())
