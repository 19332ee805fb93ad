"""The files of a run's folder: which are results, the form of each, and digests that tell whether one was changed."""

import hashlib
import json
import re
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from lib.data.files import DamagedFile, has_form, read_whole

RECORD = "cache.json"
NOTEBOOK = "notebook.ipynb"
FITS = "fits.json"  # where a kernel tells how far its fits are; gone when the run has ended
NOT_RESULTS = (RECORD, NOTEBOOK, FITS, "provenance.json")  # no run depends on them: they hold times, or are for people
TIMES = re.compile(r"(^|_)(seconds|mib|mebibytes|memory)(_|$)")  # in names of what the machine makes of a run

PARTS = {"code": [[str]], "parameters": dict, "data": dict, "upstream": dict, "lock": str, "python": str}
KNOWN = {"parts": PARTS, "profile": str, "seconds": (int, float), "finished": str}
"""What is known of a run, its record, as `lib.data.files.has_form` tells it; and in a store what is known of its files."""
FORM = {**KNOWN, "results": str, "files": {...: [(int, str)]}}
FORMS = {"metrics.json": [dict], "facts.json": dict, "claims.json": [dict], "provenance.json": dict}
"""What the other JSON files of a run hold."""
CELL = {"id": str, "cell_type": str, "source": (str, list), "metadata": dict}


def read_cells(path: Path, fix: str = "Get it again, or save it anew from JupyterLab.") -> dict[str, Any]:
    """Return a notebook's content, each cell with what `CELL` says; `DamagedFile`, which ends in the `fix`, where it is none."""
    content = read_whole(path, {"cells": [CELL], "metadata": dict, "nbformat": int}, fix)
    for cell in content["cells"]:
        if not has_form([*cell["source"], *cell["metadata"].get("tags", "")], [str]):
            raise DamagedFile(f"{path} is damaged (cell {cell['id']!r}: its source or tags are no texts). {fix}")
    return content


def read_results(folder: Path, fix: str) -> dict[str, Any]:
    """Return a run's executed notebook; `DamagedFile`, which ends in the `fix`, where that or a JSON file of it is damaged."""
    for name, form in FORMS.items():
        if (folder / name).exists():
            read_whole(folder / name, form, fix)
    return read_cells(folder / NOTEBOOK, fix)


def digests(folder: Path) -> dict[str, list]:
    """Return size, time and content's hash of each file of results, and of what the notebook shows ("": damaged)."""
    files: dict[str, list] = {NOTEBOOK: [0, 0, ""]}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and (name == NOTEBOOK or (name not in NOT_RESULTS and not path.name.startswith("."))):
            status = path.stat()
            stamp = status.st_size, status.st_mtime_ns
            files[name] = [*stamp, _hash(path, name, *stamp, status.st_ctime_ns)]
    return files


def untouched(folder: Path, record: dict[str, Any]) -> bool:
    """Whether a run's files are those that its record knows, by content; a notebook counts by what it shows."""
    known, now = ({name: one[-1:] for name, one in of.items()} for of in (record["files"], digests(folder)))
    return now[NOTEBOOK] != [""] and {NOTEBOOK: now[NOTEBOOK], **known} == now  # once a notebook did not count


@cache
def _hash(path: Path, name: str, *_stamp: int) -> str:
    """Return a content's hash, worked out once for all times that a file is looked at: its time of change can't be set."""
    content = path.read_bytes()
    if name == NOTEBOOK:
        try:
            shows = [[cell["id"], cell["outputs"]] for cell in read_cells(path)["cells"] if "outputs" in cell]
        except DamagedFile:
            return ""
        content = json.dumps(shows).encode()
    elif name in ("facts.json", "metrics.json"):
        with suppress(ValueError):
            content = json.dumps(timeless(json.loads(content)), sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()


def timeless(value: Any) -> Any:
    """Return facts or metric records without what the machine makes of a run: seconds and memory."""
    if isinstance(value, dict):
        return {name: timeless(inner) for name, inner in value.items() if not TIMES.search(str(name))}
    if isinstance(value, list):
        costs = [isinstance(item, dict) and TIMES.search(str(item.get("metric", ""))) for item in value]
        return [timeless(item) for item, cost in zip(value, costs, strict=True) if not cost]
    return value
