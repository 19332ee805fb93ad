"""After the runs: the executed notebooks take on reworded prose, and the report is built if anything in it changed."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from lib import ROOT
from lib.runner.cache import Cache
from lib.runner.data import MANIFEST
from lib.runner.kept import NOTE
from lib.runner.notebook import code_hash
from lib.runner.page import NotRendered, build, cut_copies
from lib.runner.plan import Plan
from lib.runner.store import NOTEBOOK, Store, write_whole

STAMP = ".report.json"
BESIDE_THE_BUILDER = [ROOT / name for name in ("lib/display.py", "data/claims.toml")]
"""What the builder reads of the project besides its own files."""


def part_of_report(plan: Plan, cache: Cache) -> Plan:
    """Return the plan without the runs that the report does without."""
    return replace(plan, runs=tuple(run for run in plan.runs if not cache.absent(run.id)))


def without_results(plan: Plan, store: Store) -> list[str]:
    """Return the runs that the report can't show yet."""
    return [run.id for run in plan.runs if store.record(run.id) is None]


def refresh(plan: Plan, store: Store) -> None:
    """Bring prose, tags and option lines of the sources into the executed notebooks.

    A notebook whose code is no longer what was executed stays as it is: its prose speaks of that code.
    """
    for run in plan.runs:
        path = store.folder(run.id) / NOTEBOOK
        executed = json.loads(path.read_text(encoding="utf-8"))
        merged = merge(json.loads(plan.source(run).read_text(encoding="utf-8")), executed)
        if merged is not None and merged != executed:
            write_whole(path, json.dumps(merged, indent=1, ensure_ascii=False) + "\n")


def merge(source: dict[str, Any], executed: dict[str, Any]) -> dict[str, Any] | None:
    """Return the source with the outputs of the executed notebook, or None if its code is another one."""
    done = {cell["id"]: cell for cell in executed["cells"] if cell["cell_type"] == "code"}
    if _code(source) != _code({"cells": [cell for cell in executed["cells"] if not _injected(cell)]}):
        return None
    cells = []
    for cell in source["cells"]:
        if cell["cell_type"] != "code":
            cells.append(cell)
            continue
        old = done[cell["id"]]
        metadata = {**cell.get("metadata", {}), **{k: v for k, v in old["metadata"].items() if k != "tags"}}
        cells.append({**old, "metadata": metadata, "source": cell["source"]})
        if "parameters" in _tags(cell):
            cells.extend(other for other in executed["cells"] if _injected(other))
    cells[1:1] = [cell for cell in executed["cells"] if cell["id"] == NOTE]
    return {**executed, "cells": cells}


def stamp(plan: Plan, store: Store, *, pdf: bool) -> str:
    """Return the digest of all that the report is made from."""
    digest = hashlib.sha256()

    def add(*parts: str | bytes) -> None:
        for part in parts:
            content = part if isinstance(part, bytes) else part.encode()
            digest.update(len(content).to_bytes(8, "big") + content)

    add(str(pdf), plan.path.read_bytes())
    for run in plan.runs:
        add(
            run.id,
            plan.source(run).read_bytes(),
            json.dumps(store.record(run.id)),
            str(store.untouched(run.id)),
        )
    builder = [
        path for path in (ROOT / "lib" / "report").rglob("*") if path.is_file() and path.suffix != ".pyc"
    ]
    others = [MANIFEST, *BESIDE_THE_BUILDER, store.runs_dir / "benchmarks.csv"]
    for path in sorted(builder) + [path for path in others if path.is_file()]:
        add(path.name, path.read_bytes())
    return digest.hexdigest()


def is_current(plan: Plan, store: Store, output_dir: Path, *, pdf: bool) -> bool:
    """Whether the report that lies there was built from what is there now."""
    files = [output_dir / "index.html", *([output_dir / "report.pdf"] if pdf else [])]
    try:
        made = json.loads((store.runs_dir / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    sizes = {path.name: path.stat().st_size for path in files if path.is_file()}
    return made == {"stamp": stamp(plan, store, pdf=pdf), "sizes": sizes} and len(sizes) == len(files)


def render(
    plan: Plan, store: Store, output_dir: Path, *, pdf: bool, note: Callable[[str], None], whole: Plan
) -> None:
    """Build the report of the runs that are part of it; of those that only `whole` has, references become words.

    Raises
    ------
    NotRendered
        A run has no results, or the report's builder refuses; the last good report stays.
    """
    missing = without_results(plan, store)
    if missing:
        raise NotRendered(
            f"these runs have no results: {', '.join(missing)}. Make them with: python run_notebooks.py"
        )
    refresh(plan, store)
    before = stamp(plan, store, pdf=pdf)
    handler = _Notes(note)
    logger = logging.getLogger("lib.report")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        if len(plan.runs) == len(whole.runs):
            build(plan, store.runs_dir, output_dir, pdf=pdf)
        else:
            with cut_copies(whole, plan.runs, store.runs_dir) as pages:
                build(plan, pages, output_dir, pdf=pdf)
    finally:
        logger.removeHandler(handler)
    files = [output_dir / "index.html", *([output_dir / "report.pdf"] if pdf else [])]
    sizes = {path.name: path.stat().st_size for path in files if path.is_file()}
    write_whole(store.runs_dir / STAMP, json.dumps({"stamp": before, "sizes": sizes}))


class _Notes(logging.Handler):
    def __init__(self, note: Callable[[str], None]):
        super().__init__(logging.WARNING)
        self.note = note

    def emit(self, record: logging.LogRecord) -> None:
        self.note(f"note   {record.getMessage()}")


def _injected(cell: dict[str, Any]) -> bool:
    return "injected-parameters" in _tags(cell)


def _code(notebook: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what each code cell does; the parameters cell counts by its place only, as its values are injected."""
    return [
        (cell["id"], "" if "parameters" in _tags(cell) else code_hash("".join(cell["source"])))
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]


def _tags(cell: dict[str, Any]) -> list[str]:
    return cell.get("metadata", {}).get("tags", [])
