"""Read a stored notebook without Jupyter's libraries: its cells, its parameters cell, what its code says."""

import ast
import hashlib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from lib.data.files import DamagedFile
from lib.experiment.stored_files import read_cells
from lib.report import inline
from lib.runner.errors import PlanError


@dataclass(frozen=True)
class Cell:
    """One cell: its id, type, source and tags, and its place among the notebook's cells, from 1."""

    id: str
    type: str
    source: str
    tags: tuple[str, ...]
    number: int


@dataclass(frozen=True)
class Notebook:
    """A notebook's cells and where they were read."""

    path: Path
    cells: tuple[Cell, ...]

    @property
    def code(self) -> tuple[Cell, ...]:
        """The code cells."""
        return tuple(cell for cell in self.cells if cell.type == "code")

    @property
    def counted(self) -> tuple[Cell, ...]:
        """What decides a run's results: the code cells, and all cells' inline expressions as if they were code."""
        counted = []
        for cell in self.cells:
            asked = inline.expressions(inline.words_of(cell.type, cell.source))
            lines = asked if cell.type == "markdown" else [cell.source, *asked]
            counted.append(replace(cell, source="\n".join(lines)))
        return tuple(cell for cell in counted if cell.type == "code" or cell.source)

    @property
    def parameters_cell(self) -> Cell:
        """The one cell tagged ``parameters``."""
        found = [cell for cell in self.code if "parameters" in cell.tags]
        if len(found) != 1:
            raise PlanError(f"{self.path.name} has {len(found)} code cells tagged 'parameters'; it must have one")
        return found[0]


def read_notebook(path: Path) -> Notebook:
    """Read a notebook, or return what was read of it while the file is the same; else PlanError: it isn't of format 4.5."""
    try:
        status = path.stat()
        return _read(path, status.st_size, status.st_mtime_ns)
    except (OSError, DamagedFile) as error:
        raise PlanError(f"notebooks/{path.name} is not a notebook of format 4.5: {error}") from None


@cache
def _read(path: Path, *_stamp: int) -> Notebook:
    cells = []
    for number, cell in enumerate(read_cells(path)["cells"], 1):
        tags = tuple(cell["metadata"].get("tags", ()))
        cells.append(Cell(cell["id"], cell["cell_type"], "".join(cell["source"]), tags, number))
    return Notebook(path, tuple(cells))


@cache
def code_hash(source: str) -> str:
    """Hash what a cell does: comments, option lines and layout don't count.

    A closing semicolon does count, as it hides a value. A cell with IPython's magics counts as text.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # of magics, or an error
        text = "\n".join(line.rstrip() for line in source.splitlines() if not line.lstrip().startswith("#"))
    else:
        lines = [line.strip() for line in source.splitlines()]
        last = next((line for line in reversed(lines) if line and not line.startswith("#")), "")
        text = ast.dump(tree) + (";" if last.endswith(";") else "")
    return hashlib.sha256(text.encode()).hexdigest()
