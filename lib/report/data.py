"""What the report says as tidy tables: results, claims, selection, coverage, and the data behind figures and tables."""

import csv
import gzip
import json
import re
import shutil
from pathlib import Path

import pandas as pd

from lib.claims.verdicts import COLUMNS
from lib.data.files import as_text
from lib.experiment.selection import SELECTION
from lib.experiment.stored_runs import METRIC_COLUMNS
from lib.report.document import Figure, Page, Table
from lib.report.errors import RenderingError

LONG_NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d{5,}(?:e[+-]?\d+)?(?![\w.])")
"""A number with more decimals than a drawing shows."""
LARGE = 20_000
"""Bytes from which on a table is published compressed; pandas and R read it as it is."""


def write_data(pages: list[Page], runs_dir: Path, folder: Path) -> None:
    """Write results.csv, claims.csv, selection.csv and coverage.csv from what the runs left, and copy the data files."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_metrics(pages, runs_dir, folder / "results.csv")
    folders = {page.id: runs_dir / page.id / "facts.json" for page in pages}
    facts = {run: json.loads(path.read_text(encoding="utf-8")) for run, path in folders.items() if path.exists()}
    rows = [{"run": run, **row} for run, of in facts.items() for row in of.get("selection", [])]
    pd.DataFrame(rows, columns=list(SELECTION)).to_csv(folder / "selection.csv", index=False, float_format="%.6g")
    rows = [row for of in facts.values() for row in of.get("verdicts", [])]
    pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(folder / "claims.csv", index=False, float_format="%.6g")
    if covered := next((of["coverage"] for of in facts.values() if "coverage" in of), None):
        pd.DataFrame(covered).to_csv(folder / "coverage.csv", index=False)
    if (runs_dir / "benchmarks.csv").exists():
        shutil.copyfile(runs_dir / "benchmarks.csv", folder / "benchmarks.csv")
    for page in pages:
        for block in page.blocks:
            if isinstance(block, (Figure, Table)) and block.data:
                target = folder / data_path(block)
                target.parent.mkdir(exist_ok=True)
                text = block.data.read_text(encoding="utf-8")
                content = (shortened(text) if isinstance(block, Figure) else text).encode()
                target.write_bytes(gzip.compress(content, mtime=0) if target.suffix == ".gz" else content)


def shortened(text: str) -> str:
    """Return a table's text with long decimals cut to four significant digits: a figure's data are a third of the report."""
    return LONG_NUMBER.sub(lambda found: f"{float(found.group()):.4g}", text)


def data_path(block: Figure | Table) -> str:
    """Return where, under reports/data/, the data behind a figure or table lies."""
    kind = "figures" if isinstance(block, Figure) else "tables"
    large = block.data is not None and block.data.stat().st_size > LARGE
    return f"{kind}/{block.label}.csv{'.gz' if large else ''}"


def _write_metrics(pages: list[Page], runs_dir: Path, path: Path) -> None:
    """Write what all runs measured, in the plan's order, as one table."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, METRIC_COLUMNS, lineterminator="\n")
        writer.writeheader()
        for page in pages:
            kept = runs_dir / page.id / "metrics.json"
            records = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else []
            for number, row in enumerate(records, start=1):
                if wrong := sorted(set(row) ^ set(METRIC_COLUMNS)):
                    problem = f"record {number} of metrics.json lacks, or should not have, {', '.join(wrong)}"
                    raise RenderingError(problem, f"The columns are {', '.join(METRIC_COLUMNS)}.", run=page.id)
                writer.writerow({n: float(f"{v:.6g}") if isinstance(v, float) else as_text(v) for n, v in row.items()})
