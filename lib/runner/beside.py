"""Runs beside the report: in a folder of their own, named for what differs, with links to those of the report."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from lib.runner.cache import Cache
from lib.runner.listing import dry_run
from lib.runner.options import Options
from lib.runner.parameters import Resolved
from lib.runner.plan import Plan
from lib.runner.selection import select
from lib.runner.store import RECORD, Store, shown
from lib.runner.work import execute

CHECKSUMS = ".checksums.json"
LONGEST = 60
"""Characters of a folder's name; a longer one is cut and told apart by a digest."""

Changes = dict[str, dict[str, tuple[Any, Any]]]
"""By run and parameter: the plan's value and this call's."""


def work_beside(
    plan: Plan, stored: Store, folder: Path, parameters: Mapping[str, Resolved], names: Collection[str],
    options: Options, arguments: list[str], conclude: Callable[[Store], int],
) -> int:  # fmt: skip
    """Execute runs in a folder beside the report, or say what would be; return the exit code.

    What they need and isn't there is made in that folder too; what is `stored` is read and never written. `conclude` says
    what came of it, given the store of the folder, and returns the exit code.
    """
    selected, _ = select(plan, stored, names, options.skip)
    force = names if options.force else ()
    if options.dry_run:
        print(f"In {shown(folder)}:")
        there = Store(folder / "runs", behind=stored, own=selected)
        return dry_run(plan, Cache(plan, there, parameters, force=force), selected, None, pdf=False)
    store = beside(stored, folder, selected)
    with store.locked():
        store.recover()
        code = 0
        if not options.render_only:
            cache = Cache(plan, store, parameters, force=force)
            code = execute(plan, store, cache, selected, names, options, arguments)
        return code or conclude(store)


def reruns_folder(root: Path) -> Path:
    """Return the folder of all reruns of a plan."""
    return root / "reports" / "reruns"


def beside(stored: Store, folder: Path, own: Collection[str]) -> Store:
    """Return the store of a rerun's folder, in which every run of the stored report but its own can be read."""
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


def changed_parameters(
    planned: Mapping[str, Resolved], now: Mapping[str, Resolved], runs: Collection[str]
) -> Changes:
    """Return the runs whose values are not those of the plan, in the plan's order, each with what differs."""
    found: Changes = {}
    for run in planned:
        before, after = planned[run].values, now[run].values
        differing = {name: (before[name], value) for name, value in after.items() if before[name] != value}
        if run in runs and differing:
            found[run] = differing
    return found


def folder_name(runs: Collection[str], values: Mapping[str, Any], profile: str = "full") -> str:
    """Return a name such as ``svd-n_factors-50`` for the folder of runs under other values, with the profile if not full."""
    start = "-".join(sorted(runs)) if len(runs) <= 2 else f"{len(runs)}_runs"
    written = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    parts = [start, *(f"{name}-{text}" for name, text in written.items())]
    parts += [profile] if profile != "full" else []
    whole = "-".join(parts)
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", whole).strip("._")
    if safe == whole and len(safe) <= LONGEST and len(runs) <= 2:
        return safe
    digest = hashlib.sha256(json.dumps([sorted(runs), values, profile], default=str).encode()).hexdigest()[:8]
    return f"{safe[:LONGEST].rstrip('._-')}-{digest}"


def shared_values(changed: Changes) -> dict[str, Any]:
    """Return the changed values by parameter, or by ``run:parameter`` where runs got different ones."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys(name for values in changed.values() for name in values):
        given = {run: values[name][1] for run, values in changed.items() if name in values}
        distinct = {json.dumps(value, default=str) for value in given.values()}
        if len(distinct) == 1:
            found[name] = next(iter(given.values()))
        else:
            found |= {f"{run}:{name}": value for run, value in given.items()}
    return found
