"""Grids of trainings that the project keeps for good, beside its searches, so that the report does not repeat them.

A kept grid is a compressed table in data/grids, named after the grid and a digest of all that its rows depend on: the
work, its version, the data and the jobs. ``python -m lib.stored_searches`` copies grids that runs have made there.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lib.datasets.catalogue import DATA
from lib.files import plain, whole_file
from lib.grid import Grid, Job
from lib.processes import fingerprint
from lib.results import runs_folder

STORED = DATA / "grids"
"""The kept grids."""

MADE = ".stored_grids"
"""Folder, among the runs, of the grids that were made here."""


def grid_rows(
    grid: Grid, jobs: Sequence[Job], *, name: str, uses: Sequence[str], runs_dir: str | Path = "",
    stored: Path | None = STORED,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return a grid's rows from a kept table, or do its jobs and leave the table among the runs.

    Parameters
    ----------
    grid : lib.grid.Grid
        Does the jobs if no kept table holds them.
    jobs : sequence of mappings
        As for `Grid.run`.
    name : str
        The table's file is called after it.
    uses : sequence of str
        What of the grid's context these jobs use; a change of the rest leaves the table valid.
    runs_dir : str or Path
        Folder of all runs; empty for the project's own.
    stored : Path or None
        Folder of tables that are kept for good; None does the jobs anew.

    Returns
    -------
    list of dict
        As from `Grid.run`, without arrays: a table holds numbers and texts only. Seconds are those of the machine that
        did the jobs.
    """
    file = f"{name}-{_digest(grid, jobs, uses)}.json.gz"
    if stored is not None and (stored / file).exists():
        return json.loads(gzip.decompress((stored / file).read_bytes()))
    rows = [{key: plain(value) for key, value in row.items() if not isinstance(value, np.ndarray)} for row in grid.run(jobs)]  # fmt: skip
    with whole_file(runs_folder(runs_dir) / MADE / file) as partial:
        # No time of making in the file: the same rows are the same bytes.
        partial.write_bytes(gzip.compress(json.dumps(rows, separators=(",", ":")).encode(), mtime=0))
    return rows


def _digest(grid: Grid, jobs: Sequence[Job], uses: Sequence[str]) -> str:
    missing = [part for part in uses if part not in grid.context]
    if missing:
        raise KeyError(f"the grid's context holds no {', '.join(missing)}; it has {', '.join(grid.context)}")
    parts: Mapping[str, Any] = {part: grid.context[part] for part in uses}
    text = json.dumps(
        [f"{grid.work.__module__}.{grid.work.__qualname__}", grid.version, fingerprint(parts), [plain(dict(job)) for job in jobs]],
        sort_keys=True,
    )  # fmt: skip
    return hashlib.sha256(text.encode()).hexdigest()[:16]
