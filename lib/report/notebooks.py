"""Executed notebooks, parsed into the document's model; what a notebook must keep to is checked here."""

import logging
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import nbformat
from nbconvert.filters import strip_ansi
from nbformat import NotebookNode

from lib.data.files import read_json
from lib.report import document
from lib.report.display import EXPLORER_MIME, POINTS_MIME, STRIP_MIME, TABLE_MIME, typographic
from lib.report.document import Code, Empty, Explorer, Figure, Labelled, Page, Prose, Strip, Table, TableCell, Text
from lib.report.errors import RenderingError
from lib.report.exporter import NotebookReader

log = logging.getLogger(__name__)

_LABEL = re.compile(r"^(fig|tbl)-[a-z0-9]+([_-][a-z0-9]+)*$")
_TITLE = re.compile(r"\A\s*# +(?P<title>[^\n]+?)\s*#*\s*(?:\n|\Z)")
_SECTIONS = re.compile(r"^(?=#{2,6} )", re.M)
_PLACE = re.compile(r"runs_dir\s*=|run\s*=|# Parameters\s*$")
# What would run, or load, when a reader opens the image by itself.
_ACTIVE = re.compile(r"<(script|foreignObject|iframe)\b|\son[a-z]+\s*=|href\s*=\s*[\"'](https?:|//|javascript:)", re.I)


def read_pages(plan, runs_dir: Path) -> list[Page]:
    """Parse the executed notebook of every run, the front page first, then in the plan's order."""
    front = [run for run in plan.runs if run.part == document.FRONT]
    if len(front) > 1:
        names = ", ".join(run.id for run in front)
        problem = f"the plan has {len(front)} runs with part = {document.FRONT!r} ({names})"
        raise RenderingError(problem, "Keep one of them.")
    rest = [run for run in plan.runs if run.part != document.FRONT]
    pages = [read_page(run, Path(runs_dir) / run.id) for run in [*front, *rest]]
    uses = Counter(page.notebook for page in pages)
    return [_told_apart(page) if uses[page.notebook] > 1 else page for page in pages]


def _told_apart(page: Page) -> Page:
    """Give a page whose notebook other runs execute as well its run's title, and labels that end in its run's name.

    Its own prose goes on calling ``fig-x`` what from elsewhere is ``fig-x-<run>``.
    """
    blocks = [
        replace(block, label=f"{block.label}-{page.id}") if isinstance(block, Labelled) and block.label else block
        for block in page.blocks
    ]
    return replace(page, title=page.label, blocks=blocks)


def read_page(run, folder: Path) -> Page:
    """Parse one run's executed notebook; RenderingError, which names the cell and the fix, where it breaks a convention."""
    path = folder / "notebook.ipynb"
    if not path.exists():
        fix = f"Execute it: python run_notebooks.py --only {run.id}"
        raise RenderingError("there is no executed notebook", fix, run=run.id)
    notebook, _ = NotebookReader().from_notebook_node(nbformat.read(path, as_version=4), {"run": run.id})
    blocks: list[document.Block] = []
    title, noisy = "", list[int]()
    for cell in notebook.cells:
        number, before = cell.metadata.number, len(blocks)
        if cell.cell_type == "markdown":
            source, heading = cell.source, _TITLE.match(cell.source)
            if heading and not title:
                title, source = heading["title"], source[heading.end() :]
            blocks += [Prose(number, part) for part in _SECTIONS.split(source) if part.strip()]
        elif cell.cell_type == "code":
            blocks += _CodeCell(run.id, folder, cell).blocks()
            noisy += [number] if any(output.get("name") == "stderr" for output in cell.outputs) else []
        cell.metadata["places"] = list(range(before, len(blocks)))
    if noisy:
        cells = f"cell {noisy[0]}" if len(noisy) == 1 else f"{len(noisy)} cells"
        log.warning("run %s: left out what %s wrote to stderr", run.id, cells)
    return Page(
        id=run.id,
        title=typographic(re.sub(r"[*`]|(?<!\w)_|_(?!\w)", "", title).strip() or run.title),
        label=typographic(run.title),
        summary=run.summary,
        part=run.part,
        notebook=Path(run.notebook).name,
        blocks=blocks,
        cells=notebook,
        provenance=_provenance(folder),
        from_nothing=run.seconds,
    )


class _CodeCell:
    """One code cell of a run, with the conventions that it must keep to."""

    def __init__(self, run: str, folder: Path, cell: NotebookNode):
        self.run, self.folder, self.cell = run, folder, cell
        self.number, self.options = cell.metadata.number, cell.metadata.options
        self.label = self.options.get("label", "")

    def wrong(self, problem: str, fix: str) -> RenderingError:
        return RenderingError(problem, fix, run=self.run, cell=self.number)

    def blocks(self) -> list[document.Block]:
        """Return the code, unless it is hidden, and what the cell shows."""
        if self.label and not _LABEL.match(self.label):
            fix = "Write fig-... or tbl-..., lower case, with hyphens."
            raise self.wrong(f"the label {self.label!r} is malformed", fix)
        code, metadata = self.cell.source, self.cell.metadata
        if "injected-parameters" in metadata.get("tags", []):
            code = _without_places(code)
        if metadata.get("transient", {}).get("remove_source"):
            code = ""
        shown = [block for output in self.cell.outputs if (block := self.shown(output))]
        self.check_label(shown)
        return [*([Code(code)] if code else []), *map(_or_empty, shown)]

    def shown(self, output: NotebookNode) -> document.Block | None:
        """Turn an output into a block; of its forms the one that the report can check and escape."""
        if output.output_type == "error":
            failure = f"the notebook failed here with {output.get('ename')}: {output.get('evalue')}"
            raise self.wrong(failure, f"Run it again: python run_notebooks.py --only {self.run}")
        if output.output_type == "stream":
            text = "" if output.get("name") == "stderr" else _clean(output.text)
            return Text(text) if text else None
        data = output.get("data", {})
        if EXPLORER_MIME in data:
            return Explorer(data[EXPLORER_MIME])
        if STRIP_MIME in data:
            return Strip(data[STRIP_MIME])
        if TABLE_MIME in data:
            return self.table(data[TABLE_MIME])
        if "image/svg+xml" in data or "image/png" in data:
            return self.figure(data.get("image/svg+xml"), data.get(POINTS_MIME, []))
        if "text/markdown" in data:
            text, label = data["text/markdown"], output.get("metadata", {}).get("label", "")
            aside = text == f"*{data.get('text/plain')}*"  # as `lib.experiment.run.tell` has it
            return Prose(self.number, text, label if label.startswith("claim ") else "", aside)
        text = _clean(data.get("text/plain", ""))
        return Text(text) if text else None

    def figure(self, svg: str | None, points: list) -> Figure:
        missing = [f"#| {key}: ..." for key in ("label", "fig-cap", "fig-alt") if not self.options.get(key)]
        if missing:
            name = f"the figure {self.label}".strip()
            raise self.wrong(f"{name} has no {', no '.join(missing)}", "Add the option lines at the top of the cell.")
        if svg is None or _ACTIVE.search(svg):
            what = "is no SVG" if svg is None else "holds a script or another document"
            raise self.wrong(f"the figure {self.label} {what}", "Draw it with matplotlib, through run.figure.")
        told = (self.number, self.label, self.options["fig-cap"], self.options["fig-alt"], svg.encode())
        places = tuple((float(x), float(y), str(text)) for x, y, text in points)
        return Figure(*told, self.data("figures"), places, self.options.get("fig-title", ""))

    def table(self, bundle: dict) -> Table:
        columns, align = tuple(map(str, bundle["columns"])), tuple(bundle["align"])
        rows = tuple(
            tuple(TableCell(**one) if isinstance(one, dict) else TableCell(one) for one in row)
            for row in bundle["rows"]
        )
        if {len(row) for row in rows} - {len(columns)} or len(align) != len(columns):
            fix = "Show it through lib.report.display.table."
            raise self.wrong("the table's rows and columns differ in number", fix)
        caption = self.options.get("tbl-cap", "")
        if self.label and not caption:
            raise self.wrong(f"the table {self.label} has no caption", "Add a line #| tbl-cap: ...")
        return Table(self.number, self.label, caption, columns, rows, align, self.data("tables"))

    def data(self, kind: str) -> Path | None:
        """Return the CSV behind the cell's figure or table, where there is one."""
        path = self.folder / kind / f"{self.label}.csv"
        return path if path.exists() else None

    def check_label(self, shown: list[document.Block]) -> None:
        """Check that a label names exactly one thing of its own kind; or, where the cell says ``optional``, nothing."""
        if not self.label or (not shown and self.options.get("optional")):
            return
        wanted, what = (Figure, "figure") if self.label.startswith("fig-") else (Table, "table")
        count = sum(isinstance(block, wanted) for block in shown)
        if count != 1 or any(isinstance(block, Figure if wanted is Table else Table) for block in shown):
            said = f"{count or 'no'} {what}{'s' if count != 1 else ', and something else'}"
            fix = f"Show exactly one {what} in a cell with such a label."
            raise self.wrong(f"the cell labelled {self.label} shows {said}", fix)


def _or_empty(block: document.Block) -> document.Block:
    """Return the block, or that it is empty where no row stands behind a labelled figure or table."""
    if isinstance(block, Figure) and block.data is not None:
        empty = not block.data.read_text(encoding="utf-8").partition("\n")[2].strip()
    else:
        empty = isinstance(block, Table) and bool(block.label) and not block.rows
    return Empty(block.cell, block.label, block.caption) if isinstance(block, Labelled) and empty else block


def _without_places(code: str) -> str:
    """Drop from injected parameters what says where this machine keeps its runs, and papermill's own comment."""
    code = "\n".join(line for line in code.split("\n") if not _PLACE.match(line)).strip()
    return f"# set for this run\n{code}" if code else ""


def _provenance(folder: Path) -> dict:
    """Read a run's provenance; the runner's time for the whole notebook goes before the run's own."""
    record = read_json(folder / "provenance.json") or {}
    seconds = (read_json(folder / "cache.json") or {}).get("seconds")
    return {**record, "seconds": seconds} if record and seconds is not None else record


def _clean(text: str) -> str:
    """Terminal output as a reader would have seen it: no colours, only the last state of a rewritten line."""
    text = strip_ansi(text).replace("\r\n", "\n")
    return "\n".join(line.rsplit("\r", 1)[-1].rstrip() for line in text.split("\n")).strip("\n")
