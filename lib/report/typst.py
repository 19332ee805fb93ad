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

from lib.report.columns import duration
from lib.report.content import Report, prose_key
from lib.report.display import BREAK
from lib.report.document import Block, Empty, Figure, Labelled, Page, Prose, TableCell, Text
from lib.report.errors import RenderingError
from lib.report.html import write_figures
from lib.report.markdown import typst_string
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
    """Typeset the report; RenderingError, with Typst's own message, where it can't be."""
    with tempfile.TemporaryDirectory(prefix="report-") as name:
        folder = Path(name)
        write_figures(report, folder / "figures")
        with as_file(files("lib.report") / "templates") as templates:
            shutil.copyfile(templates / "report.typ", folder / "report.typ")
        (folder / "main.typ").write_text(_Writer(report).document(), encoding="utf-8")
        date = report.provenance["finished"]
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

    def __init__(self, report: Report):
        self.report, self.prose = report, report.markdown.typst()

    def document(self) -> str:
        report, date = self.report, self.report.provenance["finished"]
        commits = report.provenance["commits"] or [""]
        settings = {
            "title": typst_string(report.title),
            "subtitle": typst_string(report.subtitle),
            "date": f"datetime(year: {date.year}, month: {date.month}, day: {date.day})" if date else "none",
            "commit": typst_string(commits[-1][:10]),
            "description": typst_string(report.markdown.plain("report:description")),
            "abstract": f"[{self.prose['report:description']}]",
        }
        given = ", ".join(f"{name}: {value}" for name, value in settings.items())
        parts = ['#import "report.typ": *', f"#show: report.with({given})"]
        for page in report.pages:
            part = "" if page.is_front else page.part
            parts.append(f"#chapter({typst_string(page.title)}, part: {typst_string(part)}) <page--{page.id}>")
            blocks = (self._block(page, block, prose_key(page, n)) for n, block in enumerate(page.blocks))
            parts += filter(None, blocks)
        parts += self._provenance()
        return "\n\n".join(parts) + "\n"

    def _block(self, page: Page, block: Block, key: str) -> str:
        """Return a block; code and the explorer are for the screen."""
        if isinstance(block, Prose):
            return self.prose[key]
        if isinstance(block, Text):
            return f"#printed({typst_string(block.text)})"
        if not isinstance(block, Labelled):
            return ""
        caption, label = f"caption: [{self.prose.get(key, '')}]", typst_string(block.label)
        if isinstance(block, Empty):
            kind = "figure" if block.label.startswith("fig-") else "table"
            return f'#report-empty("{kind}", {typst_string(block.note)}, {caption}, name: {label})'
        if isinstance(block, Figure):
            size = size_of(block.image)
            width = f"{min(size[0] * FIGURE_SCALE, TEXT_WIDTH):.0f}pt" if size else "100%"
            look = f"alt: {typst_string(block.alt)}, width: {width}"
            return f'#report-figure("figures/{block.label}.svg", {look}, {caption}) <{block.label}>'

        def cell_of(cell: TableCell) -> dict[str, str]:
            place = self.report.markdown.resolve(cell.href, page, block.cell)[1]
            link = {"label": place.strip("<>")} if place.startswith("<") else {"url": place} if place else {}
            return {"text": cell.text} | link

        rows = [[cell_of(cell) for cell in row] for row in block.rows]
        name = f"{caption}, name: {label}" if block.label else "caption: none"
        return self._table(block.columns, rows, block.align, name)

    def _table(self, columns, rows: list[list[dict]], align, name: str = "caption: none") -> str:
        texts = [[row[place]["text"] for row in rows] for place in range(len(columns))]
        data = {
            "columns": list(columns),
            "rows": rows,
            "align": list(align),
            "long": [max(map(len, [head, *of])) > LONG_TEXT for head, of in zip(columns, texts, strict=True)],
            "usual": [_usual(column) for column in texts],
            # Only a row that may fill half a page goes on over the next.
            "tall": max((sum(len(cell["text"]) for cell in row) for row in rows), default=0) > TALL,
            # What the template measures: by character count few texts are candidates for the widest.
            "heads": [_longest(_words([heading])) for heading in columns],
            "words": [_longest(_words(column)) for column in texts],
            "longest": [_longest(column) for column in texts],
        }
        lines = sum(-(-sum(len(cell["text"]) + 2 for cell in row) // LINE) for row in rows)
        breakable = "true" if lines > MOST_LINES_TOGETHER else "false"
        text = typst_string(json.dumps(data, ensure_ascii=False))
        return f"#report-table(json(bytes({text})), {name}, breakable: {breakable})"

    def _provenance(self) -> list[str]:
        p = self.report.provenance
        parts = ['#chapter("Provenance", part: "") <provenance>']
        if p["commits"]:
            changed = ", with changes that were not committed when a run ended" if p["modified"] else ""
            raw = ", ".join(f"#raw({typst_string(commit)})" for commit in p["commits"])
            parts.append(f"Commit {raw}{changed}.")
        items = [*p["machines"], *(f"Python {version}" for version in p["pythons"]), *p["threads"]]
        parts.append("\n".join(f"- #{typst_string(item)}" for item in items))
        runs = [(r["page"].id, r["page"].notebook, r["dataset"] or "–", duration(r["seconds"])) for r in p["runs"]]
        for heading, columns, rows in (
            ("Runs", ("Run", "Notebook", "Data", "Time"), runs),
            ("Data", ("File", "SHA-256"), p["checksums"]),
            ("Versions", ("Package", "Version"), p["versions"]),
        ):
            if rows:
                cells = [[{"text": value} for value in row] for row in rows]
                align = ["right" if column == "Time" else "left" for column in columns]
                parts += [f"== {heading}", self._table(columns, cells, align)]
        return parts


def _words(texts: Iterable[str]) -> set[str]:
    """Return the pieces between which Typst may end a line: at spaces, and after a hyphen before a letter."""
    return {word for text in texts for word in re.split(rf"[\s{BREAK}]+|(?<=-)(?=[^\W\d])", text)}


def _usual(texts: list[str]) -> float:
    """Return the mean length, each text weighted by its length, as a share of the longest."""
    lengths = [len(text) for text in texts]
    return sum(length**2 for length in lengths) / sum(lengths) / max(lengths) if any(lengths) else 0.0


def _longest(texts: Iterable[str]) -> list[str]:
    return sorted(set(texts), key=lambda text: (-len(text), text))[:MEASURED]
