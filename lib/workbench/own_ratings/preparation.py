"""A reader's file brought into the project's form: read, checked, kept in a folder for `lib.data.dataset.load`."""

import json
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lib.data import prepared
from lib.data.archives import digest
from lib.data.files import read_json, whole_file, write_json
from lib.workbench.own_ratings import checking, oddities
from lib.workbench.own_ratings.columns import ROLES, assign
from lib.workbench.own_ratings.contents import read_file, unpacked
from lib.workbench.own_ratings.errors import InvalidRatingsFile, printable, problem
from lib.workbench.own_ratings.side_tables import read_side_table
from lib.workbench.own_ratings.table_files import Table, open_table
from lib.workbench.own_ratings.times import odd_times, timestamps_of

FORM = 6
"""Of the folder; a change of it has every file read again."""

META = "dataset.json"
COUNTED = ", counts from {:,g} to {:,g}, kept as confidences log2(1 + count); if they are ratings, give their --scale"


class Reading(NamedTuple):
    """What was read and how, in a line; what looks odd, a line each; the size; whether the folder held anything else before."""

    summary: str
    notes: list[str]
    n_ratings: int
    changed: bool


def prepare(
    path: Path | str,
    *,
    folder: Path | str,
    columns: Mapping[str, str] | None = None,
    scale: tuple[float, float] | None = None,
    duplicates: str = "error",
    items: Path | str | None = None,
    users: Path | str | None = None,
    missing: str | None = None,
    header: bool | None = None,
    time_unit: str | None = None,
    for_report: bool = False,
    write: bool = True,
) -> Reading:
    """Read a file of ratings, check it, write it into `folder` in the project's form, and say what was read.

    What was read before, with the same options, is not read again. An `InvalidRatingsFile` names file, line and fix,
    and leaves the folder as it was.

    Parameters
    ----------
    path, folder, items, users : path
        Text, JSON or Parquet, as `lib.workbench.own_ratings.table_files` reads it, also packed; where it goes; and tables, if
        there are any, which are joined by id.
    columns, scale, duplicates : mapping, (low, high), {"error", "last", "mean"}, optional
        By role a column's name or position, see `lib.workbench.own_ratings.columns`; the ends of the ratings, the lowest and
        highest one where not given, and then counts, such as plays, are confidences; what a pair's second rating does.
    missing, header, time_unit : str, bool, str, optional
        The rating that stands for none, whose rows are left out; whether the first line names columns; one of
        `lib.workbench.own_ratings.times.UNITS`. The last two are found out where not given.
    for_report, write : bool
        Whether ratings that are too few to hold any out are an error too; whether anything is written.
    """
    path, folder = Path(path), Path(folder)
    files = {role: Path(of) for role, of in (("ratings", path), ("items", items), ("users", users)) if of is not None}
    raw = {role: read_file(file) for role, file in files.items()}
    checksums = {role: digest(content) for role, content in raw.items()}
    names = {role: printable(file.name) for role, file in files.items()}
    asked = [FORM, names, checksums, dict(columns or {}), scale, duplicates, missing, header, time_unit, for_report]
    key = digest(json.dumps(asked, sort_keys=True).encode())
    known = read_json(folder / META, {"key": str, "summary": str, "notes": [str], "counts": {"ratings": int}}) or {}
    if known.get("key") == key and all((folder / f"{role}.parquet").exists() for role in files):
        return Reading(known["summary"], known["notes"], known["counts"]["ratings"], changed=False)

    source = open_table(path, unpacked(path, raw["ratings"]), header=header, given=columns)
    frame, how, notes, source = _ratings(source, columns, missing, time_unit)
    n_rows = len(frame)
    values, counts = np.unique(frame["rating"].to_numpy(), return_counts=True)
    place = how["places"].get("rating", -1)
    counted = scale is None and place >= 0 and oddities.are_counts(values, counts, source.names[place])
    if counted:
        if values[0] == 0:
            notes.append(f"{counts[0]:,} of {n_rows:,} counts are 0, and not liked; to leave them out, add --missing 0")
        frame["rating"] = np.log2(1 + frame["rating"])
    else:
        notes += oddities.odd_ratings(values, counts)
    low, high = checking.check_scale(frame["rating"].to_numpy(), scale, source)
    frame = checking.resolve_duplicates(frame, duplicates, source)
    rated = {kind: np.sort(np.asarray(pd.unique(frame[kind]))) for kind in ("user", "item")}
    for kind, ids in rated.items():
        if len(ids) < 2:
            fix = f"Recommendation needs at least two {kind}s; check --columns"
            raise source.wrong(None, f"all ratings are of one {kind}, {str(ids[0])[:40]!r}", fix)
        notes += oddities.odd_ids(ids, kind, source.columns[how["places"][kind]])
    if for_report:
        checking.check_enough(frame["user"], source)
    side = {}
    for kind in (kind for kind in rated if f"{kind}s" in files):
        named, file = source.names[how["places"][kind]] if source.header else "", files[f"{kind}s"]
        content = unpacked(file, raw[f"{kind}s"])
        side[kind], said = read_side_table(file, content, kind, rated[kind], named)
        notes += said
    if n_repeated := n_rows - len(frame):
        notes.append(f"{n_repeated:,} rows that repeat a pair were joined ({duplicates})")
    meta = {
        "key": key,
        "name": slug(path),
        "title": names["ratings"],
        "checksums": checksums,
        "scale": [low, high],
        "step": float(np.diff(values).min()) if 1 < len(values) <= checking.FINE else None,
        "counted": [float(values[0]), float(values[-1])] if counted else [],
        "single_valued": bool(frame["rating"].min() == frame["rating"].max()),
        "has_timestamps": bool(frame["timestamp"].min() < frame["timestamp"].max()),
        "counts": {"rows": n_rows, "ratings": len(frame)} | {f"{kind}s": len(ids) for kind, ids in rated.items()},
        "tables": {kind: {"file": names[f"{kind}s"], "columns": list(table)} for kind, table in side.items()},
        "notes": notes,
        **how,
    }
    meta["read"] = _in_words(meta, "given" if scale is not None else "lowest and highest rating", frame["timestamp"])
    told = [f"{what} = {text}" if what in ROLES else text for what, text in meta["read"].items()]
    meta["summary"] = f"{names['ratings']}: {'; '.join(told)}."
    if write:
        if read_json(folder / META, prepared.META) is None and any(folder.glob("[!.]*")):
            raise problem(path, f"{folder} holds what nobody has prepared", "Move it away, or name another folder")
        write_json(folder / META, {**meta, "key": "", "scale": []})  # so half a folder is told from somebody else's
        written = {"ratings": frame} | {f"{kind}s": table.reset_index() for kind, table in side.items()}
        for name in ("ratings", "items", "users"):
            target = folder / f"{name}.parquet"
            target.unlink(missing_ok=True)
            if name in written:
                with whole_file(target) as partial:
                    written[name].to_parquet(partial, index=False)
        write_json(folder / META, meta)
    return Reading(meta["summary"], notes, len(frame), changed=True)


def slug(path: Path) -> str:
    """Return a name that no other file has: its own, whole, and what tells its place from all others."""
    name = re.sub(r"\W+", "-", unicodedata.normalize("NFC", path.name).lower()).strip("-")[:60]
    return f"{name}-{digest(str(path.resolve()).encode(errors='surrogateescape'))[:8]}"


def _in_words(meta: Mapping, scale_from: str, times: pd.Series) -> dict[str, str]:
    """Say what was read, and how: the size, each role, what was not used."""
    counts, (low, high), found = meta["counts"], meta["scale"], dict(meta["read"])
    what, step = "ratings", f" in steps of {meta['step']:g}" if meta["step"] else ""
    if "rating" not in meta["places"]:
        what, found["rating"] = "pairs", "no column, so each pair counts as 1"
    elif meta["counted"]:
        found["rating"] += COUNTED.format(*meta["counted"])
    elif meta["single_valued"]:
        found["rating"] += f", every one {high:g}, so only lists can be compared"
    else:
        found["rating"] += f", scale {low:g} to {high:g} ({scale_from}){step}"
    if "timestamp" in found:
        ends = [str(np.datetime64(int(end), "s"))[:10] for end in (times.min(), times.max())]
        when = " to ".join(ends) if meta["has_timestamps"] else "all the same, so of no use"
        found["timestamp"] += f", {meta['timestamps']}, {when}"
    words = {"size": f"{counts['ratings']:,} {what}, {counts['users']:,} users, {counts['items']:,} items"}
    words |= {role: found[role] for role in ROLES if role in found}
    words |= {} if "timestamp" in found else {"times": "no timestamps"}
    words |= {"not used": f"not used: {', '.join(meta['unused'])}"} if meta["unused"] else {}
    words |= {f"table of {of}s": f"{one['file']}: {', '.join(one['columns'])}" for of, one in meta["tables"].items()}
    return words | ({} if meta["header"] else {"header": "no header: columns by position"})


def _ratings(
    source: Table, columns: Mapping[str, str] | None, missing: str | None, unit: str | None
) -> tuple[pd.DataFrame, dict[str, Any], list[str], Table]:
    """Read the rows of the file, in its order; tell how they were read, and what looks odd."""
    path, notes = source.path, oddities.odd_header(source)
    try:
        places = assign(path, source.names, columns, header=source.header)
    except InvalidRatingsFile:
        if not source.is_matrix():
            raise
        what = f"looks like a matrix of users by items: {len(source.names)} columns, nearly all of numbers"
        told = f"sep={source.separator!r}, {'index_col=0' if source.header else 'header=None'}"
        read = f"pandas.read_csv({path.name!r}, {told})" if source.content else f"pandas.read_parquet({path.name!r})"
        fix = f"{read}.stack().dropna().rename_axis(['user', 'item']).rename('rating').to_csv('rows.csv')"
        raise problem(path, what, f"Bring it into a row a rating, for instance with {fix}") from None
    if missing is not None and "rating" not in places:
        raise problem(path, f"--missing {missing}, and no column of ratings", "Name it: --columns rating=...")
    if missing is not None:
        n_all, source = len(source.columns[0]), checking.without_missing(source, places["rating"], missing)
        what = f"rows with {missing.strip() or 'nothing'}, which means 'not rated', are left out"
        notes.append(f"{n_all - len(source.columns[0]):,} {what}")
    frame = pd.DataFrame({kind: checking.ids_of(source, places[kind], kind) for kind in ("user", "item")})
    given = {role.strip().lower() for role in columns or {}}
    notes += oddities.check_roles(source, places, frame, {"user", "item"} <= given)
    frame["rating"], frame["timestamp"], words = 1.0, 0, "none"
    if "rating" in places:
        frame["rating"] = values = checking.ratings_of(source, places["rating"])
        notes += oddities.check_ratings(source, places["rating"], values, "rating" in given)
    if "timestamp" in places:
        frame["timestamp"], words = timestamps_of(source, places["timestamp"], unit)
        notes += odd_times(frame["timestamp"].to_numpy(), words, source.columns[places["timestamp"]])
    first = frame[["user", "item"]].iloc[0]  # as read: 308, also where it was written 308.0
    unused = [source.label(p).strip("'") for p in range(len(source.names)) if p not in places.values()]
    if unused and source.header and "rating" not in {*places, *given}:
        notes.append(f"no name is known for ratings; if one of {', '.join(unused)} holds them: --columns rating=NAME")
    how: dict[str, Any] = {
        "places": places,
        "read": {role: oddities.sample(source, place, first.get(role)) for role, place in places.items()},
        "unused": unused,
        "header": source.header,
        "separator": source.separator,
        "timestamps": words,
    }
    return frame, how, notes, source
