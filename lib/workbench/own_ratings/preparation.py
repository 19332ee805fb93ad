"""A reader's file brought into the project's form: read, checked, kept in a folder for `lib.data.dataset.load`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from lib.data.archives import digest
from lib.data.catalogue import entries
from lib.data.files import read_json, whole_file, write_json
from lib.workbench.own_ratings.checking import (
    check_scale,
    ids_of,
    ratings_of,
    resolve_duplicates,
    step_of,
    timestamps_of,
)
from lib.workbench.own_ratings.columns import ROLES, assign
from lib.workbench.own_ratings.side_tables import read_side_table
from lib.workbench.own_ratings.table_files import Table, open_table, read_bytes

FORM = 2
"""Of the folder; a change of it has every file read again."""

META = "dataset.json"


def prepare(
    path: Path | str,
    *,
    folder: Path | str,
    columns: Mapping[str, str] | None = None,
    scale: tuple[float, float] | None = None,
    duplicates: str = "error",
    items: Path | str | None = None,
    users: Path | str | None = None,
) -> str:
    """Read a file of ratings, check it, write it into `folder` in the project's form, and say in a line what was read.

    What was read before, with the same options, is not read again. An `InvalidRatingsFile` names file, line and fix,
    and leaves the folder as it was.

    Parameters
    ----------
    path : path
        Text (``.csv``, ``.tsv``, ``.dat``, packed by gzip or not; parted by comma, tab, semicolon, ``|`` or ``::``) in
        UTF-8, or ``.parquet``. Without a column of ratings each pair counts as 1.
    folder : path
        Where it goes; made if need be.
    columns : mapping, optional
        By role (user, item, rating, timestamp) a column's name or position; see `lib.workbench.own_ratings.columns`.
    scale : (low, high), optional
        Of the ratings; the lowest and highest rating where not given.
    duplicates : {"error", "last", "mean"}
        What to do where a user rates an item twice.
    items, users : path, optional
        Tables with a header, joined by id.
    """
    path, folder = Path(path), Path(folder)
    tables = {kind: Path(table) for kind, table in (("item", items), ("user", users)) if table is not None}
    files = {path.name: path} | {f"{kind}s: {table.name}": table for kind, table in tables.items()}
    checksums = {name: digest(read_bytes(file)) for name, file in files.items()}
    asked = [FORM, checksums, dict(columns or {}), scale, duplicates]
    key = digest(json.dumps(asked, sort_keys=True).encode())
    known = read_json(folder / META) or {}
    if known.get("key") == key:
        return known["summary"]

    frame, how, source = _ratings(path, columns)
    n_rows = len(frame)
    low, high = check_scale(frame["rating"].to_numpy(), scale, source)
    step = step_of(frame["rating"].to_numpy())
    frame = resolve_duplicates(frame, duplicates, source)
    rated = {kind: np.sort(np.asarray(pd.unique(frame[kind]))) for kind in ("user", "item")}
    for kind, ids in rated.items():
        if len(ids) < 2:
            fix = f"Recommendation needs at least two {kind}s; check --columns"
            raise source.wrong(None, f"all ratings are of one {kind}, {str(ids[0])[:40]!r}", fix)
    side, notes = {}, []
    for kind, table in tables.items():
        side[kind], said = read_side_table(table, kind, rated[kind])
        notes += said
    if n_repeated := n_rows - len(frame):
        notes.append(f"{n_repeated:,} rows that repeat a pair were joined ({duplicates})")
    meta = {
        "key": key,
        "name": slug(path),
        "title": path.name,
        "checksums": checksums,
        "scale": [low, high],
        "scale_from": "given" if scale is not None else "lowest and highest rating",
        "step": step,
        "single_valued": bool(frame["rating"].min() == frame["rating"].max()),
        "has_ratings": "rating" in how["columns"],
        "has_timestamps": bool(frame["timestamp"].min() < frame["timestamp"].max()),
        "counts": {"rows": n_rows, "ratings": len(frame)} | {f"{kind}s": len(ids) for kind, ids in rated.items()},
        "tables": {kind: {"file": tables[kind].name, "columns": list(table)} for kind, table in side.items()},
        **how,
    }
    meta["summary"] = _summary(meta, notes)
    (folder / META).unlink(missing_ok=True)  # written last: without it the folder counts for nothing
    written = {"ratings": frame} | {f"{kind}s": table.reset_index() for kind, table in side.items()}
    for name in ("ratings", "items", "users"):
        target = folder / f"{name}.parquet"
        target.unlink(missing_ok=True)
        if name in written:
            with whole_file(target) as partial:
                written[name].to_parquet(partial, index=False)
    write_json(folder / META, meta)
    return meta["summary"]


def slug(path: Path) -> str:
    """Return a short name in small letters, digits and hyphens, never one of the project's own data sets'."""
    stem = path.name.removesuffix(".gz").rpartition(".")[0] or path.stem
    name = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:40].strip("-") or "ratings"
    return f"own-{name}" if name in entries() else name


def _summary(meta: Mapping, notes: list[str]) -> str:
    """Say in one line what was read, and how."""
    counts, (low, high) = meta["counts"], meta["scale"]
    what = "ratings" if meta["has_ratings"] else "pairs"
    words = [f"{meta['title']}: {counts['ratings']:,} {what}, {counts['users']:,} users, {counts['items']:,} items"]
    if not meta["has_ratings"]:
        words.append("no column of ratings, so each pair counts as 1")
    elif meta["single_valued"]:
        words.append(f"every rating is {high:g}, so only lists can be compared")
    else:
        step = f" in steps of {meta['step']:g}" if meta["step"] else ""
        words.append(f"scale {low:g} to {high:g} ({meta['scale_from']}){step}")
    words.append(f"timestamps are {meta['timestamps']}" if meta["has_timestamps"] else "no timestamps")
    if not meta["header"]:
        words.append("no header: columns by position")
    return "; ".join([*words, *notes]) + "."


def _ratings(path: Path, columns: Mapping[str, str] | None) -> tuple[pd.DataFrame, dict, Table]:
    """Read the rows of the file, in its order, and tell how they were read."""
    source = open_table(path)
    places = assign(path, source.names, columns, header=source.header)
    read = {role: source.columns[place] for role, place in places.items()}
    found = {kind: ids_of(read[kind], kind, source) for kind in ("user", "item")}
    n, words = len(found["user"]), "none"
    found["rating"] = ratings_of(read["rating"], source) if "rating" in read else np.ones(n)
    found["timestamp"] = np.zeros(n, dtype=np.int64)
    if "timestamp" in read:
        found["timestamp"], words = timestamps_of(read["timestamp"], source)
    names = source.names if source.header else [f"column {place}" for place in range(1, len(source.names) + 1)]
    used = {role: names[places[role]] for role in ROLES if role in places}
    how = {"columns": used, "header": source.header, "separator": source.separator, "timestamps": words}
    return pd.DataFrame(found), how, source
