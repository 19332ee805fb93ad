"""The folder of a rerun: results of its own, beside links to those of the report, which it only reads."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from pathlib import Path

from lib.runner.store import RECORD, Store

CHECKSUMS = ".checksums.json"


def reruns_folder(root: Path) -> Path:
    """Return the folder of all reruns of a plan."""
    return root / "reports" / "reruns"


def beside(stored: Store, folder: Path, own: Collection[str]) -> Store:
    """Return the store of a rerun, in which every run of the report but its own can be read.

    Parameters
    ----------
    stored : Store
        The report's.
    folder : Path
        Of the rerun; made if absent.
    own : collection of str
        The runs that are made there.
    """
    runs_dir = folder / "runs"
    runs_dir.mkdir(parents=True, exist_ok=True)
    ignore = folder.parent / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    for place in runs_dir.iterdir():
        if place.is_symlink():
            place.unlink()
    for record in sorted(stored.runs_dir.glob(f"*/{RECORD}")):
        name = record.parent.name
        if name in own or name.startswith("."):
            continue
        place = runs_dir / name
        if place.is_dir():  # a copy, or made here while the report had none
            shutil.rmtree(place)
        _link(record.parent.resolve(), place)
    known = stored.runs_dir / CHECKSUMS
    if known.is_file() and not (runs_dir / CHECKSUMS).exists():
        shutil.copyfile(known, runs_dir / CHECKSUMS)
    return Store(runs_dir)


def _link(source: Path, place: Path) -> None:
    """Link a folder; where the system has no such links, its files; where it has none of these, copy them."""
    try:
        place.symlink_to(source, target_is_directory=True)
    except (OSError, NotImplementedError):
        try:
            shutil.copytree(source, place, copy_function=os.link)
        except OSError:
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(source, place)  # with its files' times, by which the cache knows them
