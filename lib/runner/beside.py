"""Runs beside the report: in a folder of their own, named for what differs, with links to those of the report."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from lib.runner.cache import Cache
from lib.runner.errors import RENDERING_FAILED
from lib.runner.listing import dry_run
from lib.runner.options import Options
from lib.runner.page import NotRendered, build_pages
from lib.runner.parameters import Resolved
from lib.runner.plan import Plan, Run
from lib.runner.selection import select
from lib.runner.store import RECORD, Store, shown
from lib.runner.work import execute

CHECKSUMS = ".checksums.json"
LONGEST = 60
"""Characters of a folder's name; a longer one is cut and told apart by a digest."""


def work_beside(
    plan: Plan, stored: Store, folder: Path, parameters: Mapping[str, Resolved], names: Collection[str],
    options: Options, title: str, conclude: Callable[[Store], list[Run]],
) -> int:  # fmt: skip
    """Execute runs in a folder beside the report, or say what would be; return the exit code.

    What they need and isn't there is made in that folder too; what is `stored` is read and never written. Given the store of
    the folder, `conclude` says what came of it, and returns the runs of which pages are built, under the `title`.
    """
    selected, _ = select(plan, stored, names, options.skip)
    force = names if options.force else ()
    if options.dry_run:
        print(f"In {shown(folder)}:")
        with tempfile.TemporaryDirectory() as nothing:
            store = beside(stored, folder if folder.exists() else Path(nothing) / "a", selected)
            return dry_run(plan, Cache(plan, store, parameters, force=force), selected, None, pdf=False)
    store = beside(stored, folder, selected)
    with store.locked():
        store.recover()
        if not options.render_only:
            cache = Cache(plan, store, parameters, force=force)
            if code := execute(plan, store, cache, selected, names, options):
                return code
        try:
            page = build_pages(plan, conclude(store), store.runs_dir, folder, title)
        except NotRendered as error:
            print(f"The page was not rendered; its results are kept: {error}", file=sys.stderr)
            return RENDERING_FAILED
        print(f"The page: {shown(page)}")
        return 0


def beside(stored: Store, folder: Path, own: Collection[str]) -> Store:
    """Return the store of a rerun's folder, in which every run of the stored report but its own can be read."""
    runs_dir = folder / "runs"
    runs_dir.mkdir(parents=True, exist_ok=True)
    if not (ignore := folder.parent / ".gitignore").exists():
        ignore.write_text("*\n", encoding="utf-8")
    for place in runs_dir.iterdir():
        if place.is_symlink():
            place.unlink()
    for record in sorted(stored.runs_dir.glob(f"*/{RECORD}")):
        name, place = record.parent.name, runs_dir / record.parent.name
        if name in own or name.startswith("."):
            continue
        if place.is_dir():  # a copy, or made here while the report had none
            shutil.rmtree(place)
        try:
            place.symlink_to(record.parent.resolve(), target_is_directory=True)
        except OSError:  # a system without such links
            shutil.copytree(record.parent, place)  # with its files' times, by which the cache knows them
    known = stored.runs_dir / CHECKSUMS
    if known.is_file() and not (runs_dir / CHECKSUMS).exists():
        shutil.copyfile(known, runs_dir / CHECKSUMS)
    return Store(runs_dir)


def folder_of(plan: Plan, runs: Collection[str], options: Options) -> Path:
    """Return the folder of runs under what a call changes, such as ``svd-n_factors-50``, with the profile if it isn't full."""
    said = [sorted(runs), *options.parameters, ("preset", options.preset), ("dataset", options.dataset)]
    start = "-".join(said[0]) if len(runs) <= 2 else f"{len(runs)}_runs"
    parts = [start, *(f"{name}-{text}" for name, text in said[1:] if text)]
    whole = "-".join(parts if options.profile == "full" else [*parts, options.profile])
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", whole).strip("._")
    if safe != whole or len(safe) > LONGEST or len(runs) > 2:
        digest = hashlib.sha256(json.dumps([said, options.profile]).encode()).hexdigest()[:8]
        safe = f"{safe[:LONGEST].rstrip('._-')}-{digest}"
    return (options.output_dir or plan.root / "reports").resolve() / "reruns" / safe
