"""The PDF: the same content through Typst, with its own fonts only, so that every machine sets the same pages."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterable
from importlib.resources import as_file, files
from pathlib import Path

import matplotlib
import typst

from lib.report.content import Report, cell_link, prose_key
from lib.report.document import Empty, Figure, Page, Prose, Table, Text
from lib.report.errors import RenderingError
from lib.report.html import write_figures
from lib.report.markdown import typst_string
from lib.report.provenance import date_of, duration
from lib.report.svg import size_of

LONG_TEXT = 26
"""Characters in a cell from which its column may break lines."""
MOST_LINES_TOGETHER = 16
"""Lines, roughly, up to which a table is kept on one page."""
LINE = 100
"""Characters in a line of a table whose columns wrap, roughly."""
TALL = 1500
"""Characters in a row from which a page may end within it."""
MEASURED = 4
"""How many of a column's longest texts are measured to find its width."""
TEXT_WIDTH = 459
"""Width of the text on the page, in points."""
FIGURE_SCALE = 0.75 * TEXT_WIDTH / (7.2 * 72)
"""Points a CSS pixel: the widest figures fill the text's width, and type has one size in all figures."""


def write_pdf(report: Report, path: Path) -> None:
    """Typeset the report.

    Raises
    ------
    RenderingError
        Typst can't set it; the message is Typst's own.
    """
    with tempfile.TemporaryDirectory(prefix="report-") as name:
        folder = Path(name)
        write_figures(report, folder / "figures")
        (folder / "tables").mkdir()
        with as_file(files("lib.report") / "templates") as templates:
            shutil.copyfile(templates / "report.typ", folder / "report.typ")
        (folder / "main.typ").write_text(_Writer(report, folder).document(), encoding="utf-8")
        date = date_of(report.provenance)
        try:
            pdf = typst.compile(
                folder / "main.typ",
                root=folder,
                format="pdf",
                pdf_standards=["ua-1"],
                # The fonts that figures name; the rest are Typst's own.
                font_paths=[Path(matplotlib.get_data_path()) / "fonts" / "ttf"],
                ignore_system_fonts=True,
                timestamp=int(date.timestamp()) if date else 0,
            )
        except typst.TypstError as error:
            hints = "; ".join(getattr(error, "hints", None) or [])
            raise RenderingError(
                f"the PDF can't be typeset: {error}{f' ({hints})' if hints else ''}",
                "Mend what the message names, or build without it: python run_notebooks.py --render-only --no-pdf",
            ) from error
    path.write_bytes(pdf)


class _Writer:
    """Writes the Typst source; text from data goes in as string literals or JSON, never as markup."""

    def __init__(self, report: Report, folder: Path):
        self.report, self.folder = report, folder
        self.prose = report.markdown.typst()
        self.tables = 0

    def document(self) -> str:
        report, date = self.report, date_of(self.report.provenance)
        commits = report.provenance.get("commits") or [""]
        settings = ", ".join(
            (
                f"title: {typst_string(report.title)}",
                f"subtitle: {typst_string(report.subtitle)}",
                f"date: {f'datetime(year: {date.year}, month: {date.month}, day: {date.day})' if date else 'none'}",
                f"commit: {typst_string(commits[-1][:10])}",
                f"description: {typst_string(report.markdown.plain('report:description'))}",
                f"abstract: [{self.prose['report:description']}]",
            )
        )
        parts = ['#import "report.typ": *', f"#show: report.with({settings})"]
        for page in report.pages:
            parts += self._page(page)
        parts += self._provenance()
        return "\n\n".join(parts) + "\n"

    def _page(self, page: Page) -> list[str]:
        part = "" if page.is_front else page.part
        parts = [f"#chapter({typst_string(page.title)}, part: {typst_string(part)}) <page--{page.id}>"]
        for place, block in enumerate(page.blocks):
            key = prose_key(page, place)
            if isinstance(block, Prose):
                parts.append(self.prose[key])
            elif isinstance(block, Text):
                parts.append(f"#printed({typst_string(block.text)})")
            elif isinstance(block, Empty):
                kind = "figure" if block.label.startswith("fig-") else "table"
                parts.append(
                    f'#report-empty("{kind}", {typst_string(block.note)}, caption: [{self.prose[key]}], name: {typst_string(block.label)})'
                )
            elif isinstance(block, Figure):
                parts.append(self._figure(block, self.prose[key]))
            elif isinstance(block, Table):
                rows = [
                    [
                        {"text": cell.text, "strong": cell.strong}
                        | _link(cell_link(self.report, page, block.cell, cell.href)[1])
                        for cell in row
                    ]
                    for row in block.rows
                ]
                parts.append(
                    self._table(block.columns, rows, block.align, block.label, self.prose.get(key, ""))
                )
        return parts

    def _figure(self, block: Figure, caption: str) -> str:
        size = size_of(block.image, block.kind)
        width = f"{min(size[0] * FIGURE_SCALE, TEXT_WIDTH):.0f}pt" if size else "100%"
        return (
            f'#report-figure("figures/{block.label}.{block.kind}", alt: {typst_string(block.alt)}, '
            f"width: {width}, caption: [{caption}]) <{block.label}>"
        )

    def _table(self, columns, rows: list[list[dict]], align, label: str = "", caption: str = "") -> str:
        texts = [[row[place]["text"] for row in rows] for place in range(len(columns))]
        data = {
            "columns": list(columns),
            "rows": rows,
            "align": list(align),
            "long": [
                max(map(len, [heading, *column])) > LONG_TEXT
                for heading, column in zip(columns, texts, strict=True)
            ],
            "usual": [_usual(column) for column in texts],
            # Only a row that may fill half a page goes on over the next.
            "tall": max((sum(len(cell["text"]) for cell in row) for row in rows), default=0) > TALL,
            # What the template measures: by character count few texts are candidates for the widest.
            "heads": [_longest(_words([heading])) for heading in columns],
            "words": [_longest(_words(column)) for column in texts],
            "longest": [_longest(column) for column in texts],
        }
        name = f"tables/{self.tables}.json"
        self.tables += 1
        (self.folder / name).write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
        lines = sum(-(-sum(len(cell["text"]) + 2 for cell in row) // LINE) for row in rows)
        head = f"caption: [{caption}], name: {typst_string(label)}" if label else "caption: none"
        head += f", breakable: {'true' if lines > MOST_LINES_TOGETHER else 'false'}"
        return f'#report-table(json("{name}"), {head})'

    def _provenance(self) -> list[str]:
        p = self.report.provenance
        parts = ['#chapter("Provenance", part: "") <provenance>']
        if p.get("commits"):
            changed = ", with changes that were not committed when a run ended" if p["modified"] else ""
            parts.append(
                "Commit " + ", ".join(f"#raw({typst_string(c)})" for c in p["commits"]) + changed + "."
            )
        items = [
            *p.get("machines", []),
            *(f"Python {v}" for v in p.get("pythons", [])),
            *p.get("threads", []),
        ]
        parts.append("\n".join(f"- #{typst_string(item)}" for item in items))
        runs = [
            [r.page.id, r.page.notebook, r.dataset or "–", duration(r.seconds)] for r in p.get("runs", [])
        ]
        for heading, columns, rows, align in (
            ("Runs", ("Run", "Notebook", "Data", "Time"), runs, ("left", "left", "left", "right")),
            ("Data", ("File", "SHA-256"), p.get("checksums", []), ("left", "left")),
            ("Versions", ("Package", "Version"), p.get("versions", []), ("left", "left")),
        ):
            if rows:
                cells = [[{"text": str(value), "strong": False} for value in row] for row in rows]
                parts += [f"== {heading}", self._table(columns, cells, align)]
        return parts


def _words(texts: Iterable[str]) -> set[str]:
    """Return the pieces between which Typst may end a line: at spaces, and after a hyphen before a letter."""
    return {word for text in texts for word in re.split(r"\s+|(?<=-)(?=[^\W\d])", text)}


def _usual(texts: list[str]) -> float:
    """Return the mean length, each text weighted by its length, as a share of the longest."""
    lengths = [len(text) for text in texts]
    return sum(length**2 for length in lengths) / sum(lengths) / max(lengths) if any(lengths) else 0.0


def _longest(texts: Iterable[str]) -> list[str]:
    return sorted(set(texts), key=lambda text: (-len(text), text))[:MEASURED]


def _link(address: str) -> dict[str, str]:
    """Return a table cell's link as Typst needs it: a label in the document, or an address."""
    if address.startswith("<"):
        return {"label": address.strip("<>")}
    return {"url": address} if address else {}
