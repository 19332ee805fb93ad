"""The HTML site: one page a notebook, the front page, and the provenance page."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from html.parser import HTMLParser
from importlib.resources import as_file, files
from pathlib import Path

import jinja2
from markupsafe import Markup

from lib.report.content import VERDICTS, Report, cell_link, check_links, prose_key
from lib.report.data import data_path
from lib.report.document import Code, Empty, Explorer, Figure, Page, Prose, Table, Text
from lib.report.exporter import TEMPLATE, SiteExporter
from lib.report.highlighting import highlight
from lib.report.markdown import Heading
from lib.report.provenance import date_of, duration
from lib.report.search import search_index
from lib.report.svg import compact, size_of

STYLES = ("fonts.css", "report.css")
LONG_TABLE = 40
"""Rows from which a table scrolls in a window of its own on the screen."""
SHORT_TEXT, LONG_TEXT = 20, 32
"""Characters up to which a column of text stays on one line, and from which it gets room for sentences."""
WIDE = 84
"""Characters in a row from which a table may be wider than the text."""


@dataclass(frozen=True)
class View:
    """A page as the template sees it; `shown` has its blocks as HTML by their place, `rest` what follows them."""

    page: Page
    title: str
    shown: dict[int, Markup]
    rest: Markup
    headings: list[Heading]
    code: Markup


def write_html(report: Report, folder: Path, *, pdf: bool, benchmarks: bool = False) -> None:
    """Write the site's pages, figures and assets into `folder`, which holds data/ already.

    Parameters
    ----------
    report : Report
    folder : Path
    pdf : bool
        Whether report.pdf will lie beside the pages.
    benchmarks : bool
        Whether data/benchmarks.csv will.

    Raises
    ------
    RenderingError
        A link within the report leads nowhere.
    """
    exporter = SiteExporter()
    environment = exporter.environment
    prose = {key: Markup(text) for key, text in report.markdown.html().items()}
    shared = {
        "report": report,
        "prose": prose,
        "pdf": pdf,
        "benchmarks": benchmarks,
        "date": date_of(report.provenance),
        "duration": duration,
        "style": Markup("".join((TEMPLATE / name).read_text(encoding="utf-8") for name in STYLES)),
    }
    environment.globals |= shared
    for page in report.pages:
        view = _view(report, page, prose, environment)
        position = report.chapters.index(page) if page in report.chapters else -1
        neighbours = {
            "previous": report.chapters[position - 1] if position > 0 else None,
            "next": report.chapters[position + 1] if position + 1 < len(report.chapters) else None,
        }
        exporter.template_file = "front.html.j2" if page.is_front else "page.html.j2"
        resources = {"view": view, "current": page.file, **neighbours}
        _write(folder / page.file, exporter.from_notebook_node(page.cells, resources)[0])
    others = ["provenance.html"] if report.front else ["provenance.html", "index.html"]
    for name in others:
        template = environment.get_template("front.html.j2" if name == "index.html" else "provenance.html.j2")
        _write(folder / name, template.render(resources={"view": None, "current": name}))
    _write_files(report, folder)
    others = [name for name, there in (("report.pdf", pdf), ("data/benchmarks.csv", benchmarks)) if there]
    _check(folder, others)


def write_figures(report: Report, folder: Path) -> None:
    """Write every figure's image into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for page in report.pages:
        for block in page.blocks:
            if isinstance(block, Figure):
                image = compact(block.image) if block.kind == "svg" else block.image
                (folder / f"{block.label}.{block.kind}").write_bytes(image)


# -- one page ------------------------------------------------------------------------------------------------------
def _view(report: Report, page: Page, prose: dict[str, Markup], environment: jinja2.Environment) -> View:
    macros = environment.get_template("blocks.html.j2").module
    shown: dict[int, Markup] = {}
    headings: list[Heading] = []
    pending: list[Code] = []
    kept: list[Code] = []

    def fold() -> Markup:
        """Return the code gathered since the last output; on the front page it waits for the page's end."""
        codes = pending.copy()
        pending.clear()
        if page.is_front:
            kept.extend(codes)
            return Markup("")
        return macros.code(_code(codes)) if codes else Markup("")

    for place, block in enumerate(page.blocks):
        key = prose_key(page, place)
        if isinstance(block, Code):
            pending.append(block)
        elif isinstance(block, Prose):
            shown[place] = fold() + Markup(f'<div class="prose">{prose[key]}</div>')
            headings += report.markdown.headings.get(key, [])
        elif isinstance(block, Text):
            shown[place] = fold() + macros.output(block.text)
        elif isinstance(block, Explorer):
            shown[place] = fold() + macros.explorer(block.data)
        elif isinstance(block, Empty):
            target = report.numbering.target(block.label)
            shown[place] = macros.empty(block, target, prose[key], fold())
        elif isinstance(block, Figure):
            target = report.numbering.target(block.label)
            download = f"data/{data_path(block)}" if block.data else ""
            size = size_of(block.image, block.kind)
            shown[place] = macros.figure(block, target, prose[key], download, size, fold())
        else:
            shown[place] = _table(report, page, block, prose.get(key, Markup("")), macros, fold())
    rest = fold() + prose.get(f"footnotes:{page.id}", Markup(""))
    code = _code(kept) if kept else Markup("")
    return View(page, report.title if page.is_front else page.title, shown, rest, headings, code)


def _table(report: Report, page: Page, block: Table, caption: Markup, macros, code: Markup) -> Markup:
    target = report.numbering.target(block.label) if block.label else None
    rows = [[(cell, cell_link(report, page, block.cell, cell.href)[0]) for cell in row] for row in block.rows]
    lengths = [
        max((len(row[place].text) for row in block.rows), default=0) for place in range(len(block.columns))
    ]
    shape = [
        "" if side != "left" else "words" if length > LONG_TEXT else "short" if length <= SHORT_TEXT else ""
        for side, length in zip(block.align, lengths, strict=True)
    ]
    wide = sum(max(min(length, 40), 5) + 3 for length in lengths) > WIDE
    look = " ".join(name for name, on in (("long", len(rows) >= LONG_TABLE), ("wide", wide)) if on)
    download = f"data/{data_path(block)}" if block.data else ""
    return macros.table(block, rows, target, caption, download, look, shape, code, VERDICTS)


def _code(blocks: list[Code]) -> Markup:
    return Markup(highlight("\n\n".join(block.source for block in blocks)))


# -- files ---------------------------------------------------------------------------------------------------------
def _write(path: Path, text: str) -> None:
    # The templates' empty lines go; those of code are the code's.
    parts = re.split(r"(<pre\b.*?</pre>)", text, flags=re.DOTALL)
    parts[::2] = [re.sub(r"\n{2,}", "\n", part) for part in parts[::2]]
    path.write_text("".join(parts) + "\n", encoding="utf-8")


def _write_files(report: Report, folder: Path) -> None:
    write_figures(report, folder / "figures")
    with as_file(files("lib.report") / "static") as static:
        shutil.copytree(static, folder / "assets", copy_function=shutil.copyfile)
    (folder / "assets" / "search-index.js").write_text(search_index(report), encoding="utf-8")


# -- checking --------------------------------------------------------------------------------------------------------
class _Links(HTMLParser):
    """Collects a page's ids and the addresses it links to."""

    def __init__(self):
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id":
                self.ids.add(value)
            elif name == "href" and tag == "a" and value:
                self.links.append(value)


def _check(folder: Path, others: list[str]) -> None:
    addresses = {path.relative_to(folder).as_posix(): set() for path in folder.rglob("*") if path.is_file()}
    addresses |= {name: set() for name in others}
    links: list[tuple[str, str]] = []
    for path in sorted(folder.glob("*.html")):
        parser = _Links()
        parser.feed(path.read_text(encoding="utf-8"))
        addresses[path.name] = parser.ids
        links += [(path.name, href) for href in parser.links]
    check_links(addresses, links)
