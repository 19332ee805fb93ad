"""What the report says when it can't be built."""

import difflib
from collections.abc import Iterable


class RenderingError(RuntimeError):
    """The report can't be built; the message names the run and the cell, where there are such, the problem and the fix.

    `problem` has no full stop, `fix` is a sentence; cells are counted from 1 as JupyterLab's command line tools do.
    """

    def __init__(self, problem: str, fix: str = "", *, run: str | None = None, cell: int | None = None):
        self.run, self.cell = run, cell
        place = ", ".join(f"{what} {of}" for what, of in (("run", run), ("cell", cell)) if of)
        super().__init__(f"{place + ': ' if place else ''}{problem}.{' ' + fix if fix else ''}")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a sentence that names the near misses of `name`, or nothing."""
    near = difflib.get_close_matches(name, list(known), n=2, cutoff=0.6)
    return f"Did you mean {' or '.join(near)}?" if near else ""
