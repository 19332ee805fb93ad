"""The folder of a rendered report: what a build has written there is listed in it, and nothing else is ever touched."""

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from lib.data.files import DamagedFile, read_json, read_whole, whole_file
from lib.experiment.stored_files import FORM
from lib.report.errors import RenderingError

MANIFEST = "files.json"
"""In the folder: the files that the last build wrote."""

BUILDING, MOVING = ".report-being-built-", ".report-moving-in"
"""In the folder: what a build is making, by the start of its name, and a whole report whose files are taking their places."""

MEASURED = "data/benchmarks.csv"
"""Benchmarks are measured apart from any build: the last ones stay until there are others."""

BESIDE = {"runs": "*/cache.json", "own": "", "reruns": "", "by_hand": "", "ratings": "dataset.json"}
"""Folders of the project's own that may lie there before any report does; two are told by the form of what is in it."""


def written(folder: Path) -> set[str]:
    """Return the files that the last build wrote, as paths relative to the folder; none where there was no build."""
    return _listed(folder / MANIFEST) if (folder / MANIFEST).exists() else set()


def _listed(path: Path) -> set[str]:
    fix = "Take it away, and what else of the last report lies there."
    try:
        names = set(read_whole(path, [str], fix))
    except DamagedFile as error:
        raise RenderingError(str(error).rstrip(".")) from None
    for name in names:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or not name.strip("/."):
            raise RenderingError(f"{path} is damaged (it lists {name!r}, which is no file of the folder)", fix)
    return names


def check_folder(folder: Path, *, claim: bool = False) -> None:
    """Raise RenderingError where a folder holds what no build has written; or `claim` it, before any build has."""
    others = sorted(path.name for path in folder.glob("[!.]*") if not _is_ours(path))
    if others and not (folder / MANIFEST).exists():
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        fix = "Name a folder that is empty or holds a report, or move them away."
        raise RenderingError(f"{folder} holds {others[0]}{more}, which no report has put there", fix)
    known = written(folder)
    if claim and not (folder / MANIFEST).exists():
        _list(folder, known)


def _is_ours(path: Path) -> bool:
    mark = BESIDE.get(path.name)
    if not mark or not any(path.glob("[!.]*")):
        return mark is not None
    from lib.data.prepared import META  # which imports pandas

    return any(read_json(one, META if path.name == "ratings" else FORM) is not None for one in path.glob(mark))


def take_place(new: Path, old: Path, keep: Iterable[str] = ()) -> None:
    """Move a build's files into the folder, pages last, so that what they show is there before them.

    Files of the last build that this one lacks go, but for those to `keep`. A move that is killed is ended by `finish`.
    Raises RenderingError, and moves nothing, where a file of somebody else's is in the way.
    """
    before, names = written(old), {path.relative_to(new).as_posix() for path in new.rglob("*") if path.is_file()}
    theirs = {name for name in names - before - {MEASURED} if os.path.lexists(old / name)}
    if foreign := sorted(theirs | {name for name in names if (old / name).is_dir()}):
        raise RenderingError(f"{old / foreign[0]} is not the report's", "Move it away, or name another folder.")
    for name in names:
        (old / name).parent.mkdir(parents=True, exist_ok=True)
    _list(old, before | names)
    _list(new, names | (before & {*keep, MEASURED}))
    shutil.rmtree(old / MOVING, ignore_errors=True)
    os.replace(new, old / MOVING)  # from here on it is whole, and only renames are left to do
    finish(old)


def finish(folder: Path) -> None:
    """End what a killed build has left: a whole report takes its place, and one that was being made is cleared away."""
    moving = folder / MOVING
    if (moving / MANIFEST).exists():
        files = [path.relative_to(moving) for path in moving.rglob("*") if path.is_file() and path != moving / MANIFEST]
        for file in sorted(files, key=lambda path: (path.suffix == ".html", path.name == "index.html", str(path))):
            os.replace(moving / file, folder / file)
        for name in written(folder) - _listed(moving / MANIFEST):
            (folder / name).unlink(missing_ok=True)
        os.replace(moving / MANIFEST, folder / MANIFEST)
    for left in (moving, *folder.glob(f"{BUILDING}*"), *folder.glob(f".{MANIFEST}.*.partial")):
        left.unlink() if left.is_file() else shutil.rmtree(left, ignore_errors=True)


def _list(folder: Path, names: set[str]) -> None:
    with whole_file(folder / MANIFEST) as partial:
        partial.write_text(json.dumps(sorted(names), indent=0) + "\n", encoding="utf-8")
