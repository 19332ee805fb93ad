"""What can be wrong with a reader's file: every message names the file, the line and the fix."""

from __future__ import annotations

from pathlib import Path


class InvalidRatingsFile(ValueError):
    """A file that cannot be read as ratings, or as a table of items or users; nothing was written."""


def problem(
    path: Path, what: str, fix: str, *, line: int | None = None, unit: str = "line"
) -> InvalidRatingsFile:
    """Make the error: ``ratings.csv, line 7: what. Fix``.

    Parameters
    ----------
    path : Path
    what, fix : str
        What was found, and what to do about it.
    line : int, optional
        Counted from 1, the header included.
    unit : {"line", "row"}
        Rows are those of a Parquet file, which has no lines.
    """
    where = f", {unit} {line:,}" if line is not None else ""
    return InvalidRatingsFile(f"{path.name}{where}: {what}. {fix}")
