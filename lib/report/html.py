"""The HTML site: one page a notebook, the front page, the provenance page, and the search index."""

import html
import re
import shutil
import tomllib
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2
from markupsafe import Markup, escape

from lib import ROOT
from lib.data import catalogue
from lib.report.columns import duration
from lib.report.content import VERDICTS, Report, prose_key
from lib.report.data import data_path
from lib.report.display import APART, BREAK, TOGETHER, typographic
from lib.report.document import Code, Empty, Explorer, Figure, Labelled, Page, Prose, Strip, Table, TableCell, Text
from lib.report.errors import RenderingError
from lib.report.exporter import TEMPLATE, SiteExporter, highlight
from lib.report.markdown import Heading
from lib.report.printed import Printed
from lib.report.svg import compact, size_of

STYLES = ("fonts.css", "report.css")
LONG_TABLE = 40
"""Rows from which a table scrolls in a window of its own on the screen."""
SHORT_TEXT, LONG_TEXT = 20, 32
"""Characters up to which a column of text stays on one line, and from which it gets room for sentences."""
WIDE, DENSE = 84, 100
"""Characters in a row from which a table may be wider than the text, and from which its type is smaller."""
_CITED = re.compile(r'^(?:  - )?([a-z-]+): "?(.*?)"?$', re.M)
_LONG = re.compile(r"[A-Za-z]{11,}")
_SYLLABLE = re.compile(r"(?<=[A-Za-z]{3}[aeiou])(?=[b-df-hj-np-tv-xz][aeiou][a-z]{2})")
"""Where a long word of a heading may be cut, by a rule of thumb."""
_ID, _HREF = re.compile(r'<[^<>]*?\sid="([^"]*)"'), re.compile(r'<a\s[^<>]*?href="([^"]+)"')


def write_html(report: Report, folder: Path, documents: list[Printed], *, benchmarks: bool) -> None:
    """Write the site's pages, figures and assets into `folder`, which holds data/ already.

    The printed `documents` will lie beside the pages; `benchmarks` says whether data/benchmarks.csv will, too.
    """
    exporter = SiteExporter()
    environment = exporter.environment
    prose = {key: Markup(text) for key, text in report.markdown.html().items()}
    environment.globals |= {
        "report": report,
        "prose": prose,
        "documents": documents,
        "benchmarks": benchmarks,
        "date": report.provenance["finished"],
        "duration": duration,
        "data_sets": {name: one.title for name, one in catalogue.entries().items()},
        "cited": dict(_CITED.findall((ROOT / "CITATION.cff").read_text(encoding="utf-8"))),
        "terms": tomllib.loads((catalogue.DATA / "glossary.toml").read_text(encoding="utf-8"))["terms"],
        "style": Markup("".join((TEMPLATE / name).read_text(encoding="utf-8") for name in STYLES)),
    }
    for page in report.pages:
        exporter.template_file = "front.html.j2" if page.is_front else "page.html.j2"
        resources: dict[str, Any] = {"view": _view(report, page, prose, environment), "current": page.file}
        if not page.is_front:
            place, row = report.chapters.index(report.siblings(page)[0]), [None, *report.chapters, None]
            resources |= {"previous": row[place], "next": row[place + 2]}
        _write(folder / page.file, exporter.from_notebook_node(page.cells, resources)[0])
    for name in ["provenance.html"] if report.front else ["provenance.html", "index.html"]:
        template = environment.get_template("front.html.j2" if name == "index.html" else "provenance.html.j2")
        _write(folder / name, template.render(resources={"view": None, "current": name}))
    write_figures(report, folder / "figures")
    with as_file(files("lib.report") / "static") as static:
        shutil.copytree(static, folder / "assets", copy_function=shutil.copyfile)
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    for name in ("search-index.js", "glossary.js"):
        _write(folder / "assets" / name, environment.get_template(f"{name}.j2").render())
    _check(folder, [*(one.file for one in documents), *(["data/benchmarks.csv"] if benchmarks else [])])


def write_figures(report: Report, folder: Path) -> None:
    """Write every figure's image into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for page in report.pages:
        for block in page.blocks:
            if isinstance(block, Figure):
                (folder / f"{block.label}.svg").write_bytes(compact(block.image))


# -- one page ------------------------------------------------------------------------------------------------------
def _view(report: Report, page: Page, prose: dict[str, Markup], environment: jinja2.Environment) -> dict:
    """Return a page as its template sees it; `shown` has its blocks as HTML by their place, `rest` what follows them."""
    macros: Any = environment.get_template("blocks.html.j2").module
    shown: dict[int, Markup] = {}
    headings: list[Heading] = []
    pending: list[str] = []

    def fold() -> Markup:
        """Return the code gathered since the last output; on the front page it waits for the page's end."""
        if page.is_front or not pending:
            return Markup("")
        code = macros.code(Markup(highlight("\n\n".join(pending))))
        pending.clear()
        return code

    for place, block in enumerate(page.blocks):
        key = prose_key(page, place)
        target = report.numbering.target(block.label) if isinstance(block, Labelled) and block.label else None
        download = f"data/{data_path(block)}" if isinstance(block, (Figure, Table)) and block.data else ""
        if isinstance(block, Code):
            pending.append(block.source)
        elif isinstance(block, Prose):
            shown[place] = fold() + Markup(f'<div class="{f"prose {block.look}".strip()}">{prose[key]}</div>')
            headings += report.markdown.headings.get(key, [])
        elif isinstance(block, Text):
            shown[place] = fold() + macros.output(block.text)
        elif isinstance(block, Explorer):
            shown[place] = fold() + macros.explorer(block.data)
        elif isinstance(block, Strip):
            shown[place] = macros.strip(block.rows, lambda href: report.markdown.resolve(href, page, None)[0])
        elif isinstance(block, Empty):
            shown[place] = macros.empty(block, target, prose[key], fold())
        elif isinstance(block, Figure):
            title = prose.get(f"{key}:title", "")
            shown[place] = macros.figure(block, title, target, prose[key], download, size_of(block.image), fold())
        else:
            columns, rows, look, shape = _table(report, page, block)
            caption = prose.get(key, Markup(""))
            shown[place] = macros.table(block, columns, rows, target, caption, download, look, shape, fold(), VERDICTS)
    return {
        "page": page,
        "title": report.title if page.is_front else page.title,
        "shown": shown,
        "rest": fold() + prose.get(f"footnotes:{page.id}", Markup("")),
        "headings": headings,
        "code": Markup(highlight("\n\n".join(pending))) if pending else Markup(""),
    }


def _table(report: Report, page: Page, block: Table) -> tuple[list[str], list, str, list[str]]:
    """Return a table's headings, rows of cells and their links, and the classes of the whole and of each column."""
    resolve = report.markdown.resolve
    names = {target.anchor: target.text for target in report.numbering if target.anchor}
    cells = [[replace(one, text=names.get(one.text, one.text)) for one in row] for row in block.rows]
    rows = [[(_marked(one), resolve(one.href, page, block.cell)[0]) for one in row] for row in cells]
    lengths = [max((len(row[place].text) for row in cells), default=0) for place in range(len(block.columns))]
    shape = [
        "" if side != "left" else "words" if length > LONG_TEXT else "short" if length <= SHORT_TEXT else ""
        for side, length in zip(block.align, lengths, strict=True)
    ]
    heads = [max(map(len, [*heading.split(), ""])) for heading in block.columns]
    needed = sum(max(min(length, 28), head) + 3 for length, head in zip(lengths, heads, strict=True))
    looks = {"long": len(rows) >= LONG_TABLE, "wide": needed > WIDE, "dense": needed > DENSE}
    columns = [_LONG.sub(lambda word: _SYLLABLE.sub("\u00ad", word[0]), typographic(name)) for name in block.columns]
    return columns, rows, " ".join(name for name, on in looks.items() if on), shape


def _marked(cell: TableCell) -> TableCell:
    """Return a cell with elements in the place of signs that show nothing, as these would be copied with the text."""
    text = str(escape(typographic(cell.text)))
    for sign, element in ((BREAK, "<wbr>"), (APART, "<bdi>"), (TOGETHER, "</bdi>")):
        text = text.replace(sign, element)
    return replace(cell, text=Markup(text))


# -- files ---------------------------------------------------------------------------------------------------------
def _write(path: Path, text: str) -> None:
    # The templates' empty lines go; those of code are the code's.
    parts = re.split(r"(<pre\b.*?</pre>)", text, flags=re.DOTALL)
    parts[::2] = [re.sub(r"\n{2,}", "\n", part) for part in parts[::2]]
    path.write_text("".join(parts) + "\n", encoding="utf-8")


def _check(folder: Path, others: list[str]) -> None:
    """Check that links within the report lead to a file of it, or to one of `others`, and to an id that this holds."""
    pages = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.html"))}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} | {*others}
    ids = {name: set(_ID.findall(text)) for name, text in pages.items()}
    for source, text in pages.items():
        for href in map(html.unescape, _HREF.findall(text)):
            parts = urlsplit(href)
            if parts.scheme or parts.netloc:
                continue
            file = parts.path or source
            if file not in there:
                fix = "Link to a notebook of the plan, such as svd.ipynb, or to a full address."
                raise RenderingError(f"the page {source} links to {href}, which is not a file of the report", fix)
            if parts.fragment and parts.fragment not in ids.get(file, ()):
                raise RenderingError(
                    f"the page {source} links to {href}, and {file} has no such heading, figure or table",
                    "Mend the link's part after the #.",
                )
