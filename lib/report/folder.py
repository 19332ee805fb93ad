"""The folder of a rendered report: what a build has written there is listed in it, and nothing else is ever touched."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from lib.report.errors import RenderingError

MANIFEST = "files.json"
"""In the folder: the files that the last build wrote."""

MEASURED = "data/benchmarks.csv"
"""Benchmarks are measured apart from any build: the last ones stay until there are others."""

BESIDE = {"runs", "own", "reruns", "by_hand", "ratings"}
"""Folders of the project's own that may lie there before any report does."""


def written(folder: Path) -> set[str]:
    """Return the files that the last build wrote, as paths relative to the folder; none where there was no build."""
    path = folder / MANIFEST
    try:
        return set(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else set()
    except (OSError, ValueError, TypeError) as error:
        fix = "Take it away, and what else of the last report lies there"
        raise RenderingError(f"{path} is damaged ({error})", f"{fix}.") from None


def check_folder(folder: Path) -> None:
    """Raise RenderingError where a folder holds what no build has written: it may be somebody's."""
    others = sorted(p.name for p in folder.glob("*") if p.name not in BESIDE and not p.name.startswith("."))
    if others and not written(folder):
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        fix = "Name a folder that is empty or holds a report, or move them away."
        raise RenderingError(f"{folder} holds {others[0]}{more}, which no report has put there", fix)


def take_place(new: Path, old: Path, keep: Iterable[str] = ()) -> None:
    """Move a build's files into the folder, pages last, so that what they show is there before them.

    Files of the last build that this one lacks go, but for those to `keep`. Raises RenderingError, and moves nothing, where a file of somebody
    else's is in the way.
    """
    files = sorted(
        (path.relative_to(new) for path in new.rglob("*") if path.is_file()),
        key=lambda path: (path.suffix == ".html", path.name == "index.html", path.as_posix()),
    )
    before, names = written(old), {file.as_posix() for file in files}
    if foreign := sorted(name for name in names - before - {MEASURED} if (old / name).exists()):
        raise RenderingError(f"{old / foreign[0]} is not the report's", "Move it away, or name another folder.")
    _list(old, before | names)
    for file in files:
        (old / file).parent.mkdir(parents=True, exist_ok=True)
        os.replace(new / file, old / file)
    kept = before & {*keep, MEASURED}
    for name in before - names - kept:
        (old / name).unlink(missing_ok=True)
    _list(old, names | kept)


def _list(folder: Path, names: set[str]) -> None:
    partial = folder / f".{MANIFEST}"
    partial.write_text(json.dumps(sorted(names), indent=0) + "\n", encoding="utf-8")
    os.replace(partial, folder / MANIFEST)
