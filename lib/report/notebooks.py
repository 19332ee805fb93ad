"""Executed notebooks, parsed into the document's model; what a notebook must keep to is checked here."""

from __future__ import annotations

import ast
import base64
import json
import logging
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from lib.report.display import POINTS_MIME, TABLE_MIME
from lib.report.document import (
    FRONT,
    Block,
    Code,
    Empty,
    Explorer,
    Figure,
    Page,
    Prose,
    Table,
    TableCell,
    Text,
)
from lib.report.errors import RenderingError
from lib.report.exporter import NotebookReader

log = logging.getLogger(__name__)

EXPLORER_MIME = "application/vnd.filling-the-matrix.explorer+json"
"""The MIME type of what `lib.workbench.explorer.page.show` publishes."""

_LABEL = re.compile(r"^(fig|tbl)-[a-z0-9]+([_-][a-z0-9]+)*$")
_TITLE = re.compile(r"\A\s*# +(?P<title>[^\n]+?)\s*#*\s*(?:\n|\Z)")
_PLACE = re.compile(r"runs_dir\s*=|run\s*=|# Parameters\s*$")
# What would run, or load, when a reader opens the image by itself.
_ACTIVE = re.compile(
    r"<(script|foreignObject|iframe)\b|\son[a-z]+\s*=|href\s*=\s*[\"'](https?:|//|javascript:)", re.I
)
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


def read_pages(plan, runs_dir: Path) -> list[Page]:
    """Parse the executed notebook of every run, the front page first, then in the plan's order.

    Raises
    ------
    RenderingError
        A run has no executed notebook, its notebook failed, two runs are the front page, or a cell breaks
        the conventions that `read_page` checks.
    """
    front = [run for run in plan.runs if run.part == FRONT]
    if len(front) > 1:
        names = ", ".join(run.id for run in front)
        raise RenderingError(
            f"the plan has {len(front)} runs with part = {FRONT!r} ({names})", "Keep one of them."
        )
    rest = [run for run in plan.runs if run.part != FRONT]
    pages = [read_page(run, Path(runs_dir) / run.id) for run in [*front, *rest]]
    uses = Counter(page.notebook for page in pages)
    return [_told_apart(page) if uses[page.notebook] > 1 else page for page in pages]


def _told_apart(page: Page) -> Page:
    """Give a page whose notebook other runs execute as well its run's title, and labels that end in its run's name.

    Its own prose goes on calling ``fig-x`` what from elsewhere is ``fig-x-<run>``.
    """
    blocks = [
        replace(block, label=f"{block.label}-{page.id}") if getattr(block, "label", "") else block
        for block in page.blocks
    ]
    return replace(page, title=page.label, blocks=blocks)


def read_page(run, folder: Path) -> Page:
    """Parse one run's executed notebook.

    Raises
    ------
    RenderingError
        The notebook is missing or failed; an image has no label, caption or alt text; a label is malformed;
        a labelled cell shows nothing, or more than one figure or table.
    """
    path = folder / "notebook.ipynb"
    if not path.exists():
        raise RenderingError(
            "there is no executed notebook",
            f"Execute it: python run_notebooks.py --only {run.id}",
            run=run.id,
        )
    notebook, _ = NotebookReader().from_notebook_node(nbformat.read(path, as_version=4), {"run": run.id})
    title, blocks, noisy = "", [], []
    for cell in notebook.cells:
        number, before = cell.metadata.number, len(blocks)
        if cell.cell_type == "markdown":
            source, heading = cell.source, _TITLE.match(cell.source)
            if heading and not title:
                title, source = heading["title"], source[heading.end() :]
            if source.strip():
                blocks.append(Prose(number, source))
        elif cell.cell_type == "code":
            found, stderr = _code_cell(run.id, number, cell, folder)
            blocks += found
            noisy += [number] if stderr else []
        cell.metadata["places"] = list(range(before, len(blocks)))
    if noisy:
        log.warning(
            "run %s: left out what %s wrote to stderr",
            run.id,
            f"cell {noisy[0]}" if len(noisy) == 1 else f"{len(noisy)} cells",
        )
    return Page(
        id=run.id,
        title=_plain(title) or run.title,
        label=run.title,
        summary=run.summary,
        part=run.part,
        notebook=Path(run.notebook).name,
        blocks=blocks,
        cells=notebook,
        provenance=_provenance(folder),
        from_nothing=run.seconds,
    )


# -- one code cell -----------------------------------------------------------------------------------------------
def _code_cell(run: str, number: int, cell: NotebookNode, folder: Path) -> tuple[list[Block], bool]:
    """Return a code cell's blocks, and whether it wrote to stderr."""
    settings, code, tags = cell.metadata.options, cell.source, cell.metadata.get("tags", [])
    if "injected-parameters" in tags:
        code = _without_places(code)
    label = settings.get("label", "")
    if label and not _LABEL.match(label):
        raise RenderingError(
            f"the label {label!r} is malformed",
            "Write fig-... or tbl-..., lower case, with hyphens.",
            run=run,
            cell=number,
        )
    blocks: list[Block] = []
    hidden = cell.metadata.get("transient", {}).get("remove_source", False)
    if code and not hidden and not _only_speaks(code):
        parameters = bool({"parameters", "injected-parameters"} & set(tags))
        blocks.append(Code(number, code, parameters))
    stderr, shown = False, []
    for output in cell.get("outputs", []):
        kind = output["output_type"]
        if kind == "error":
            raise RenderingError(
                f"the notebook failed here with {output.get('ename')}: {output.get('evalue')}",
                f"Run it again: python run_notebooks.py --only {run}",
                run=run,
                cell=number,
            )
        if kind == "stream":
            if output.get("name") == "stderr":
                stderr = True
            elif text := _clean(_joined(output["text"])).strip("\n"):
                shown.append(Text(number, text))
        else:
            block = _result(run, number, output.get("data", {}), settings, folder)
            shown += [block] if block else []
    _check_label(run, number, label, shown)
    return blocks + [_or_empty(block) for block in shown], stderr


def _or_empty(block: Block) -> Block:
    """Return the block, or that it is empty where no row stands behind a labelled figure or table."""
    if isinstance(block, Figure):
        empty = block.data is not None and not _has_rows(block.data)
    else:
        empty = isinstance(block, Table) and bool(block.label) and not block.rows
    return Empty(block.cell, block.label, block.caption) if empty else block


def _result(run: str, number: int, data: dict, settings: dict[str, str], folder: Path) -> Block | None:
    """Turn one displayed result into a block; of its forms the one that the report can check and escape."""
    label = settings.get("label", "")
    if EXPLORER_MIME in data:
        found = data[EXPLORER_MIME]
        return Explorer(number, json.loads(found) if isinstance(found, str) else found)
    if TABLE_MIME in data:
        return _table(run, number, data[TABLE_MIME], settings, folder)
    for mime, kind in (("image/svg+xml", "svg"), ("image/png", "png")):
        if mime not in data:
            continue
        missing = [f"#| {key}: ..." for key in ("label", "fig-cap", "fig-alt") if not settings.get(key)]
        if missing:
            raise RenderingError(
                f"the figure {label or ''} has no {', no '.join(missing)}".replace("  ", " "),
                "Add the option lines at the top of the cell.",
                run=run,
                cell=number,
            )
        text = _joined(data[mime])
        if kind == "svg" and _ACTIVE.search(text):
            raise RenderingError(
                f"the figure {label} holds a script or another document",
                "Draw it with matplotlib, through run.figure.",
                run=run,
                cell=number,
            )
        image = text.encode("utf-8") if kind == "svg" else base64.b64decode(text)
        return Figure(
            number,
            label,
            settings["fig-cap"],
            settings["fig-alt"],
            kind,
            image,
            _existing(folder / "figures" / f"{label}.csv"),
            _points(data.get(POINTS_MIME, [])),
        )
    if "text/markdown" in data:
        return Prose(number, _joined(data["text/markdown"]))
    text = _clean(_joined(data.get("text/plain", "")))
    return Text(number, text) if text else None


def _table(run: str, number: int, bundle: dict | str, settings: dict[str, str], folder: Path) -> Table:
    bundle = json.loads(bundle) if isinstance(bundle, str) else bundle
    columns = tuple(map(str, bundle["columns"]))
    align = tuple(bundle.get("align") or ["left"] * len(columns))
    rows = tuple(tuple(map(_table_cell, row)) for row in bundle["rows"])
    if {len(row) for row in rows} - {len(columns)} or len(align) != len(columns):
        raise RenderingError(
            "the table's rows and columns differ in number",
            "Show it through lib.report.display.table.",
            run=run,
            cell=number,
        )
    label = settings.get("label", "")
    caption = settings.get("tbl-cap", "")
    if label and not caption:
        raise RenderingError(
            f"the table {label} has no caption", "Add a line #| tbl-cap: ...", run=run, cell=number
        )
    data = _existing(folder / "tables" / f"{label}.csv") if label else None
    return Table(number, label, caption, columns, rows, align, data)


def _points(found: list | str) -> tuple[tuple[float, float, str], ...]:
    found = json.loads(found) if isinstance(found, str) else found
    return tuple((float(x), float(y), str(text)) for x, y, text in found)


def _table_cell(value) -> TableCell:
    if isinstance(value, dict):
        return TableCell(str(value["text"]), str(value.get("href") or ""), bool(value.get("strong")))
    return TableCell("" if value is None else str(value))


def _check_label(run: str, number: int, label: str, shown: list[Block]) -> None:
    """Check that a label names exactly one thing of its own kind."""
    if not label:
        return
    wanted, what = (Figure, "figure") if label.startswith("fig-") else (Table, "table")
    count = sum(isinstance(block, wanted) for block in shown)
    if count != 1 or any(isinstance(block, Figure if wanted is Table else Table) for block in shown):
        raise RenderingError(
            f"the cell labelled {label} shows {count or 'no'} {what}{'s' if count != 1 else ''}"
            + (", and something else" if count == 1 else ""),
            f"Show exactly one {what} in a cell with such a label.",
            run=run,
            cell=number,
        )


def _only_speaks(code: str) -> bool:
    """Whether the cell does nothing but `say`, so that its code would tell a reader nothing new."""
    try:
        body = ast.parse(code).body
    except SyntaxError:
        return False
    return bool(body) and all(
        isinstance(line, ast.Expr)
        and isinstance(line.value, ast.Call)
        and getattr(line.value.func, "attr", getattr(line.value.func, "id", "")) == "say"
        for line in body
    )


def _without_places(code: str) -> str:
    """Drop from injected parameters what says where this machine keeps its runs, and papermill's own comment."""
    lines = [line for line in code.split("\n") if not _PLACE.match(line)]
    code = "\n".join(lines).strip()
    return f"# set for this run\n{code}" if code else ""


def _provenance(folder: Path) -> dict:
    """Read a run's provenance; the runner's time for the whole notebook goes before the run's own."""
    record = _json(folder / "provenance.json")
    seconds = _json(folder / "cache.json").get("seconds")
    return {**record, "seconds": seconds} if record and seconds is not None else record


# -- small things ------------------------------------------------------------------------------------------------
def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def _clean(text: str) -> str:
    """Terminal output as a reader would have seen it: no colours, only the last state of a rewritten line."""
    text = _ANSI.sub("", text).replace("\r\n", "\n")
    return "\n".join(line.rsplit("\r", 1)[-1].rstrip() for line in text.split("\n")).strip("\n")


def _plain(title: str) -> str:
    return re.sub(r"[*`]|(?<!\w)_|_(?!\w)", "", title).strip()


def _existing(path: Path) -> Path | None:
    return path if path.exists() else None


def _has_rows(path: Path) -> bool:
    """Whether a CSV has anything below its heading."""
    with open(path, encoding="utf-8") as file:
        next(file, None)
        return any(line.strip() for line in file)


def _json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
