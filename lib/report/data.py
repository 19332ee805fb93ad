"""What the report says as tidy tables: reports/data/results.csv, claims.csv, and the data behind figures and tables."""

from __future__ import annotations

import csv
import gzip
import json
import re
import shutil
from pathlib import Path

from lib.report.document import Figure, Page, Table
from lib.report.errors import RenderingError

RESULTS = (
    "dataset",
    "split",
    "fold",
    "seed",
    "model",
    "metric",
    "value",
    "low",
    "high",
    "seconds_fit",
    "seconds_predict",
    "run",
)
CLAIMS = (
    "id",
    "project",
    "figure",
    "reported",
    "ours",
    "low",
    "high",
    "verdict",
    "reason",
    "evidence",
)


def write_data(pages: list[Page], runs_dir: Path, folder: Path) -> None:
    """Write results.csv and claims.csv from the runs' metrics.json and claims.json, and copy the data files.

    Raises
    ------
    RenderingError
        A record lacks a column, or has one too many.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "results.csv", RESULTS, _records(pages, runs_dir, "metrics.json", RESULTS))
    _write(folder / "claims.csv", CLAIMS, _records(pages, runs_dir, "claims.json", CLAIMS))
    benchmarks = Path(runs_dir) / "benchmarks.csv"
    if benchmarks.exists():
        shutil.copyfile(benchmarks, folder / "benchmarks.csv")
    for page in pages:
        for block in page.blocks:
            if isinstance(block, (Figure, Table)) and block.data:
                target = folder / data_path(block)
                target.parent.mkdir(exist_ok=True)
                text = Path(block.data).read_text(encoding="utf-8")
                content = (shortened(text) if isinstance(block, Figure) else text).encode()
                target.write_bytes(gzip.compress(content, mtime=0) if target.suffix == ".gz" else content)


LONG_NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d{5,}(?:e[+-]?\d+)?(?![\w.])")
"""A number with more decimals than a drawing shows."""


def shortened(text: str) -> str:
    """Return a table's text with long decimals cut to four significant digits: a figure's data are a third of the report."""
    return LONG_NUMBER.sub(lambda found: f"{float(found.group()):.4g}", text)


LARGE = 20_000
"""Bytes from which on a table is published compressed; pandas and R read it as it is."""


def data_path(block: Figure | Table) -> str:
    """Return where, under reports/data/, the data behind a figure or table lies."""
    kind = "figures" if isinstance(block, Figure) else "tables"
    large = Path(block.data).stat().st_size > LARGE
    return f"{kind}/{block.label}.csv{'.gz' if large else ''}"


def _records(pages: list[Page], runs_dir: Path, name: str, columns: tuple[str, ...]) -> list[dict]:
    """Read the records of all runs, in the plan's order; a run without the file has none."""
    found: list[dict] = []
    for page in pages:
        path = Path(runs_dir) / page.id / name
        if not path.exists():
            continue
        for number, record in enumerate(json.loads(path.read_text(encoding="utf-8")), start=1):
            if set(record) != set(columns):
                wrong = sorted(set(record) ^ set(columns))
                raise RenderingError(
                    f"record {number} of {name} lacks, or should not have, {', '.join(wrong)}",
                    f"The columns are {', '.join(columns)}.",
                    run=page.id,
                )
            found.append(record)
    return found


def _write(path: Path, columns: tuple[str, ...], records: list[dict]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        rows = ({n: float(f"{v:.6g}") if isinstance(v, float) else v for n, v in r.items()} for r in records)
        writer.writerows(rows)
