"""A reader's file brought into the project's form: read, checked, and kept in a folder that `lib.data.dataset.load` takes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lib.data.catalogue import entries
from lib.data.files import whole_file, write_json
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

FORM = 1
"""Of the folder; a change of it has every file read again."""

META = "dataset.json"


@dataclass(frozen=True)
class Prepared:
    """What `prepare` left: a short `name`, the `folder` for ``lib.data.dataset.load``, one line about what was read."""

    name: str
    folder: Path
    summary: str


def prepare(
    path: Path | str, *, columns: Mapping[str, str] | None = None, scale: tuple[float, float] | None = None,
    duplicates: str = "error", items: Path | str | None = None, users: Path | str | None = None, folder: Path | str,
) -> Prepared:  # fmt: skip
    """Read a file of ratings, check it, and write it into `folder` in the project's form.

    What was read before, with the same options, is not read again.

    Parameters
    ----------
    path : path
        Text (``.csv``, ``.tsv``, ``.dat``, packed by gzip or not; parted by comma, tab, semicolon, ``|`` or ``::``) in
        UTF-8, or ``.parquet``. Without a column of ratings each pair counts as 1.
    columns : mapping, optional
        By role (user, item, rating, timestamp) a column's name or position; see `lib.workbench.own_ratings.columns`.
    scale : (low, high), optional
        Of the ratings; the lowest and highest rating where not given.
    duplicates : {"error", "last", "mean"}
        What to do where a user rates an item twice.
    items, users : path, optional
        Tables with a header, joined by id.
    folder : path
        Where it goes; made if need be.

    Raises
    ------
    InvalidRatingsFile
        The message names file, line and fix. The folder is left as it was.
    """
    path, folder = Path(path), Path(folder)
    tables = {kind: Path(table) for kind, table in (("item", items), ("user", users)) if table is not None}
    checksums = {file.name: hashlib.sha256(read_bytes(file)).hexdigest() for file in (path, *tables.values())}
    options = {"columns": dict(columns or {}), "scale": None if scale is None else list(map(float, scale)), "duplicates": duplicates}  # fmt: skip
    key = hashlib.sha256(json.dumps([FORM, list(checksums.items()), options, sorted(tables)], sort_keys=True).encode()).hexdigest()  # fmt: skip
    known = _meta(folder)
    if known.get("key") == key:
        return Prepared(known["name"], folder, known["summary"])

    frame, how, source = _ratings(path, columns)
    n_rows = len(frame)
    low, high = check_scale(frame["rating"].to_numpy(), scale, source)
    step = step_of(frame["rating"].to_numpy())
    frame, n_repeated = resolve_duplicates(frame, duplicates, source)
    rated = {kind: np.sort(pd.unique(frame[kind])) for kind in ("user", "item")}
    for kind, ids in rated.items():
        if len(ids) < 2:
            fix = f"Recommendation needs at least two {kind}s; check --columns"
            raise source.wrong(None, f"all ratings are of one {kind}, {str(ids[0])[:40]!r}", fix)
    read = {kind: read_side_table(table, kind, rated[kind]) for kind, table in tables.items()}
    side = {kind: table for kind, (table, _) in read.items()}
    notes = [note for _, said in read.values() for note in said]
    if n_repeated:
        notes.append(f"{n_repeated:,} rows that repeat a pair were joined ({duplicates})")
    single = float(frame["rating"].min()) == float(frame["rating"].max())
    times_differ = bool(frame["timestamp"].min() < frame["timestamp"].max())
    name = slug(path)
    meta = {
        "key": key, "form": FORM, "name": name, "title": path.name, "checksums": checksums, "scale": [low, high],
        "scale_from": "given" if scale is not None else "lowest and highest rating", "step": step, "single_valued": single,
        "has_ratings": "rating" in how["columns"], "has_timestamps": times_differ, "options": options, "notes": notes,
        "counts": {"rows": n_rows, "ratings": len(frame), "users": len(rated["user"]), "items": len(rated["item"])},
        "tables": {kind: {"file": tables[kind].name, "columns": list(table.columns)} for kind, table in side.items()}, **how,
    }  # fmt: skip
    meta["summary"] = summary_of(meta)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / META).unlink(missing_ok=True)  # written last: without it the folder counts for nothing
    _write(folder / "ratings.parquet", frame)
    for kind in ("item", "user"):
        if kind in side:
            _write(folder / f"{kind}s.parquet", side[kind].reset_index())
        else:
            (folder / f"{kind}s.parquet").unlink(missing_ok=True)
    write_json(folder / META, meta)
    return Prepared(name, folder, meta["summary"])


def slug(path: Path) -> str:
    """Return a short name in small letters, digits and hyphens, never one of the project's own data sets'."""
    stem = path.name.removesuffix(".gz").rpartition(".")[0] or path.stem
    name = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:40].strip("-") or "ratings"
    return f"own-{name}" if name in entries() else name


def summary_of(meta: Mapping) -> str:
    """Say in one line what was read, and how."""
    counts = meta["counts"]
    low, high = meta["scale"]
    what = "ratings" if meta["has_ratings"] else "pairs"
    words = [
        f"{meta['title']}: {counts['ratings']:,} {what}, {counts['users']:,} users, {counts['items']:,} items"
    ]
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
    return "; ".join([*words, *meta["notes"]]) + "."


def _ratings(path: Path, columns: Mapping[str, str] | None) -> tuple[pd.DataFrame, dict, Table]:
    """Read the rows of the file, in its order, and tell how they were read."""
    source = open_table(path)
    places = assign(path, source.names, columns, header=source.header)
    read = dict(zip(places, source.columns(list(places.values())), strict=True))
    found = {kind: ids_of(read[kind], kind, source) for kind in ("user", "item")}
    n = len(found["user"])
    found["rating"] = ratings_of(read["rating"], source) if "rating" in read else np.ones(n)
    found["timestamp"], words = np.zeros(n, dtype=np.int64), "none"
    if "timestamp" in read:
        found["timestamp"], words = timestamps_of(read["timestamp"], source)
    used = {
        role: source.names[places[role]] if source.header else f"column {places[role] + 1}"
        for role in ROLES
        if role in places
    }
    how = {"columns": used, "header": source.header, "separator": source.separator, "timestamps": words}
    return pd.DataFrame(found), how, source


def _meta(folder: Path) -> dict:
    try:
        return json.loads((folder / META).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _write(path: Path, frame: pd.DataFrame) -> None:
    with whole_file(path) as partial:
        frame.to_parquet(partial, index=False)
