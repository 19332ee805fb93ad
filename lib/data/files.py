"""Files that appear whole or not at all, and what JSON can hold."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Let the caller write a file under a temporary name that takes its own name only once it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, value) -> None:
    """Write JSON whole; arrays' numbers become plain ones and NaN becomes null."""
    with whole_file(path) as partial:
        partial.write_text(json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8")


def read_json(path: Path) -> Any:
    """Return what a JSON file holds, or None where there is none that is whole."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def plain(value):
    """Turn numpy's and pandas' values into what JSON can hold; NaN and infinities become None."""
    import numpy as np  # not before they are needed: who only writes a file is spared the wait
    import pandas as pd

    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, np.ndarray)):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if value is pd.NA or value is pd.NaT:
        return None
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
