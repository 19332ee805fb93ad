"""After the runs: the executed notebooks take on reworded prose, and the report is built if anything in it changed."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from lib import ROOT
from lib.data.catalogue import DATA
from lib.data.files import DamagedFile
from lib.experiment.stored_files import NOTEBOOK, read_cells, read_results
from lib.report import inline
from lib.report.errors import RenderingError
from lib.report.folder import written
from lib.runner.errors import put_down
from lib.runner.kept import NOTE
from lib.runner.notebook import code_hash
from lib.runner.plan import Plan, Run
from lib.runner.store import Store, read_json, write_whole

STAMP = ".report.json"
BESIDE_THE_BUILDER = [ROOT / "CITATION.cff", *(DATA / f"{name}.toml" for name in ("manifest", "claims", "glossary"))]
"""What the builder reads of the project besides its own files."""


def without_results(plan: Plan, store: Store) -> list[str]:
    """Return the runs that the report can't show yet."""
    return [run.id for run in plan.runs if store.record(run.id) is None]


def refresh(plan: Plan, store: Store) -> None:
    """Bring prose, tags and option lines of the sources into the executed notebooks.

    A notebook whose code is no longer what was executed stays as it is: its prose speaks of that code. Raises
    RenderingError: a notebook or a JSON file of results is damaged.
    """
    for run in plan.runs:
        path, fix = store.folder(run.id) / NOTEBOOK, f"Make it anew: {run.command()} --force"
        try:
            executed = read_results(path.parent, fix)
        except DamagedFile as error:
            raise RenderingError(str(error), run=run.id) from None
        merged = merge(read_cells(plan.source(run)), executed)
        if merged is not None and merged != executed:
            write_whole(path, json.dumps(merged, indent=1, ensure_ascii=False) + "\n")


def merge(source: dict[str, Any], executed: dict[str, Any]) -> dict[str, Any] | None:
    """Return the source with the outputs of the executed notebook, or None if its code is another one."""
    injected = [cell for cell in executed["cells"] if _tagged(cell, "injected-parameters")]
    done = {c["id"]: c for c in executed["cells"] if c["cell_type"] == "code" and c not in injected}
    if _code(source["cells"]) != _code(c for c in executed["cells"] if c not in injected):
        return None
    answers = {c["id"]: c["metadata"][inline.KEY] for c in executed["cells"] if inline.KEY in c.get("metadata", {})}
    cells = []
    for cell in source["cells"]:
        if cell["cell_type"] == "code":
            old = done[cell["id"]]
            metadata = {k: v for k, v in old["metadata"].items() if k != "tags"}
            cell = {**old, "metadata": {**cell.get("metadata", {}), **metadata}, "source": cell["source"]}
        elif cell["id"] in answers:
            cell = {**cell, "metadata": {**cell["metadata"], inline.KEY: answers[cell["id"]]}}
        cells += [cell, *(injected if _tagged(cell, "parameters") else [])]
    cells[1:1] = [cell for cell in executed["cells"] if cell["id"] == NOTE]
    return {**executed, "cells": cells}


def _code(cells) -> list[tuple[str, Any]]:
    """Return what each code cell does and each text asks; the parameters cell counts by its place, as values are injected."""
    found: list[tuple[str, Any]] = []
    for cell in cells:
        source = "".join(cell["source"])
        asked = sorted(inline.expressions(inline.words_of(cell["cell_type"], source)))
        if cell["cell_type"] == "code":
            found.append((cell["id"], ["" if _tagged(cell, "parameters") else code_hash(source), *asked]))
        elif asked:
            found.append((cell["id"], asked))
    return found


def _tagged(cell: dict[str, Any], tag: str) -> bool:
    return tag in cell.get("metadata", {}).get("tags", [])


def stamp(plan: Plan, store: Store, *, pdf: bool) -> str:
    """Return the digest of all that the report is made from."""
    made_from: list[Any] = [pdf, plan.path.read_text(encoding="utf-8")]
    for run in plan.runs:
        source = plan.source(run).read_text(encoding="utf-8")
        made_from += [run.id, source, store.record(run.id), store.untouched(run.id)]
    builder = [path for path in (ROOT / "lib" / "report").rglob("*") if path.suffix != ".pyc"]
    builder += [*BESIDE_THE_BUILDER, store.runs_dir / "benchmarks.csv", plan.notebooks / "references.bib"]
    for path in sorted(builder):
        if path.is_file():
            made_from += [path.name, hashlib.sha256(path.read_bytes()).hexdigest()]
    return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()


def is_current(plan: Plan, store: Store, output_dir: Path, *, pdf: bool) -> bool:
    """Whether the report that lies there was built from what is there now."""
    made, sizes = read_json(store.runs_dir / STAMP), _sizes(output_dir, pdf)
    return None not in sizes.values() and made == {"stamp": stamp(plan, store, pdf=pdf), "sizes": sizes}


def _sizes(output_dir: Path, pdf: bool) -> dict[str, int | None]:
    files = {name: output_dir / name for name in {"index.html", *(["report.pdf"] if pdf else []), *written(output_dir)}}
    return {name: path.stat().st_size if path.is_file() else None for name, path in files.items()}


def render(plan: Plan, store: Store, output_dir: Path, *, pdf: bool, note: Callable[[str], None], whole: Plan) -> None:
    """Build the report of the runs that are part of it; of those that only `whole` has, references become words.

    Raises RenderingError: a run has no results, or the report's builder refuses; the last good report stays.
    """
    if missing := without_results(plan, store):
        make = "Make them with: python run_notebooks.py"
        raise RenderingError(f"these runs have no results: {', '.join(missing)}", make)
    refresh(plan, store)
    before = stamp(plan, store, pdf=pdf)

    class Noting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            note(f"note   {record.getMessage()}")

    handler, logger = Noting(logging.WARNING), logging.getLogger("lib.report")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        build(plan, store.runs_dir, output_dir, pdf=pdf, whole=whole if len(plan.runs) < len(whole.runs) else None)
    finally:
        logger.removeHandler(handler)
    made = {"stamp": before, "sizes": _sizes(output_dir, pdf)}
    write_whole(store.runs_dir / STAMP, json.dumps(made))


def build_pages(plan: Plan, runs: Iterable[Run], runs_dir: Path, folder: Path, title: str) -> Path:
    """Build a small HTML report of some runs of `plan` into `folder`; return its opening page, or raise RenderingError."""
    settings = {"title": title, "subtitle": f"Beside the report “{plan.report.get('title', 'Report')}”"}
    runs = tuple(replace(run, part="Runs") for run in runs)
    build(Plan(plan.path, settings, runs), runs_dir, folder, pdf=False, whole=plan)
    return folder / "index.html"


def build(plan: Plan, runs_dir: Path, folder: Path, *, pdf: bool, whole: Plan | None) -> None:
    """Have the report's builder build pages; RenderingError where it refuses, or breaks, and then its traceback is kept."""
    try:
        from lib.report.build import build as build_report

        build_report(plan, runs_dir, folder, pdf=pdf, whole=whole)
    except RenderingError:  # the builder's own word for what an author can mend
        raise
    except Exception as error:
        raise RenderingError(f"{type(error).__name__}: {error}", put_down(error)) from error
