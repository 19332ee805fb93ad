"""Seconds to read a reader's file of a million ratings, checks included: `lib.workbench.own_ratings.prepare` against `pandas.read_csv`.

The peer only parses; ours also finds separator and columns, tells ids from numbers, looks for bad and double rows, and
writes the prepared folder. Both are timed in turn on the same file.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from lib.workbench.own_ratings.preparation import prepare

ROWS, USERS, ITEMS, PAIRS, SEED = 1_000_000, 6_000, 4_000, 3, 42


def run() -> list[dict]:
    """Time whole numbers and text as ids."""
    rng = np.random.default_rng(SEED)
    users, items = np.divmod(rng.permutation(USERS * ITEMS)[:ROWS], ITEMS)
    frame = pd.DataFrame(
        {
            "user": users,
            "item": items,
            "rating": rng.integers(1, 11, ROWS) / 2,
            "timestamp": rng.integers(1e9, 2e9, ROWS),
        }
    )
    text = frame.assign(user="reader-" + frame["user"].astype(str), item="book-" + frame["item"].astype(str))
    with tempfile.TemporaryDirectory() as folder:
        return [_row(Path(folder), name, table) for name, table in (("whole numbers", frame), ("text", text))]


def _row(folder: Path, ids: str, table: pd.DataFrame) -> dict:
    path = folder / f"{ids.replace(' ', '_')}.csv"
    table.to_csv(path, index=False)
    seconds = []
    for number in range(PAIRS):
        start = time.perf_counter()
        prepare(path, folder=folder / f"{path.stem}{number}")
        middle = time.perf_counter()
        parsed = pd.read_csv(path)
        seconds.append((middle - start, time.perf_counter() - middle))
        if len(pd.read_parquet(folder / f"{path.stem}{number}" / "ratings.parquet")) != len(parsed):
            raise AssertionError("both must read as many ratings")
    ours, peer = np.median(seconds, axis=0)
    return {
        "benchmark": f"own_ratings_{path.stem}", "subject": "lib.workbench.own_ratings.prepare", "peer": "pandas", "threads": 1, "error": np.nan, "peer_error": np.nan, "headline": "",
        "subject_seconds": ours, "peer_seconds": peer, "ratio": float(np.median([p / o for o, p in seconds])),
        "dataset": f"{ROWS:,} made-up ratings, ids {ids}", "note": f"median of {PAIRS} pairs; ours checks and writes what it reads, pandas.read_csv only parses",
    }  # fmt: skip


if __name__ == "__main__":
    for row in run():
        print(row)
