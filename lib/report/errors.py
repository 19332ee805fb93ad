"""What the report says when it can't be built."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RenderingError(RuntimeError):
    """The report can't be built; the message names the run, the cell and the fix.

    Parameters
    ----------
    problem : str
        What is wrong, without a full stop.
    fix : str
        What to do about it, a sentence.
    run : str, optional
        The run whose notebook holds the fault.
    cell : int, optional
        The cell, counted from 1 as JupyterLab's command line tools do.
    """

    def __init__(self, problem: str, fix: str = "", *, run: str | None = None, cell: int | None = None):
        self.problem, self.fix, self.run, self.cell = problem, fix, run, cell
        place = ", ".join(
            part for part in (f"run {run}" if run else "", f"cell {cell}" if cell else "") if part
        )
        super().__init__(f"{place + ': ' if place else ''}{problem}.{' ' + fix if fix else ''}")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a sentence that names the near misses of `name`, or nothing."""
    near = difflib.get_close_matches(name, list(known), n=2, cutoff=0.6)
    return f"Did you mean {' or '.join(near)}?" if near else ""
