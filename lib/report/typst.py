"""The PDFs: the same content through Typst, with its own fonts only, so that every machine sets the same pages."""

import json
import shutil
import tempfile
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import jinja2
import matplotlib
import typst

from lib.data.catalogue import entries
from lib.report.columns import duration
from lib.report.content import Report
from lib.report.data import data_path
from lib.report.document import Page, Table
from lib.report.errors import RenderingError
from lib.report.html import write_figures
from lib.report.markdown import typst_string
from lib.report.printed import Printed

SPREADS = (1, 0.98, 0.96, 1.02, 0.94, 1.04)
"""By what a paper's type and the room between its lines are multiplied."""


def write_pdfs(report: Report, documents: list[Printed], folder: Path) -> None:
    """Typeset the documents into a folder; RenderingError, with Typst's own message, where one can't be."""

    def link(href: str, page: Page, cell: int | None) -> dict[str, str]:
        """Return where a link leads as the template takes it: a label, an address, or nothing."""
        place = report.markdown.resolve(href, page, cell)[1]
        return {"label": place.strip("<>")} if place.startswith("<") else {"url": place} if place else {}

    def rows(page: Page, of: Table, names: dict[str, str]) -> list[list[dict[str, str]]]:
        return [[{"text": names.get(c.text, c.text)} | link(c.href, page, of.cell) for c in row] for row in of.rows]

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.add_extension("jinja2.ext.do")
    environment.filters |= {"quoted": typst_string, "data": _data}
    known = {"report": report, "prose": report.markdown.typst(), "rows": rows, "link": link, "data_path": data_path}
    known |= {"duration": duration, "kinds": lambda block: type(block).__name__, "data_sets": entries()}
    with tempfile.TemporaryDirectory(prefix="report-") as name:
        source = Path(name)
        write_figures(report, source / "figures")
        with as_file(files("lib.report") / "templates") as templates:
            shutil.copyfile(templates / "report.typ", source / "report.typ")
            template = environment.from_string((templates / "main.typ.j2").read_text(encoding="utf-8"))
        for document in documents:
            (source / "main.typ").write_text(template.render(document=document, **known), encoding="utf-8")
            spreads = SPREADS[:1] if document.called == "supplement" else SPREADS
            (folder / document.file).write_bytes(_compiled(source, report.provenance["finished"], spreads))


def _compiled(source: Path, date, spreads: tuple[float, ...]) -> bytes:
    """Return the PDF with its last page at least half full, by the first of some spreads that does it, else the first of all."""
    # The fonts that figures name; the rest are Typst's own.
    fonts = [Path(matplotlib.get_data_path()) / "fonts" / "ttf"]
    compiler = typst.Compiler(source / "main.typ", source, fonts, ignore_system_fonts=True)
    made, day = list[Any](), int(date.timestamp()) if date else 0
    try:
        for spread in spreads:
            look = {"spread": str(spread)}
            made.append(compiler.compile(format="pdf", sys_inputs=look, pdf_standards=["ua-1"], timestamp=day))
            if float(compiler.query("<end>", field="value", one=True)) >= 0.5:
                return made[-1]
        return made[0]
    except typst.TypstError as error:
        hints = "; ".join(getattr(error, "hints", None) or [])
        raise RenderingError(
            f"the PDF can't be typeset: {error}{f' ({hints})' if hints else ''}",
            "Mend what the message names, or build without it: python run_notebooks.py --render-only --no-pdf",
        ) from error


def _data(value: object) -> str:
    """Return data as a Typst expression."""
    return f"json(bytes({typst_string(json.dumps(value, ensure_ascii=False))}))"
