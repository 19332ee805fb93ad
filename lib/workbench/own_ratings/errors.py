"""What can be wrong with a reader's file: every message names the file, the line and the fix."""

from __future__ import annotations

from pathlib import Path


class InvalidRatingsFile(ValueError):
    """A file that cannot be read as ratings, or as a table of items or users; nothing was written."""


def problem(
    path: Path, what: str, fix: str, *, line: int | None = None, unit: str = "line"
) -> InvalidRatingsFile:
    """Make the error: ``ratings.csv, line 7: what. Fix``.

    A `line` counts from 1, the header included; the `unit` of Parquet, which has no lines, is "row".
    """
    where = f", {unit} {line:,}" if line is not None else ""
    return InvalidRatingsFile(f"{path.name}{where}: {what}. {fix}")
