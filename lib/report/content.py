"""The report ready to be written: pages, numbers and prose, which HTML and PDF share."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from lib.report.document import Empty, Figure, Page, Prose, Table
from lib.report.errors import RenderingError
from lib.report.markdown import Markdown, Piece, is_safe
from lib.report.numbering import Numbering

RESERVED = {"content", "contents", "sidebar", "search", "search-results", "on-this-page", "top", "footnotes"}
"""Ids that the HTML template uses itself."""


VERDICTS = {
    "holds": "holds",
    "holds with a condition": "partly",
    "does not hold": "fails",
    "could not be tested": "open",
}
"""The verdicts on claims, which a table marks with a sign of this kind, in colour."""


@dataclass(frozen=True)
class Report:
    """Everything that the writers need; made by `assemble`."""

    title: str
    subtitle: str
    pages: list[Page]
    numbering: Numbering
    markdown: Markdown
    provenance: dict = field(default_factory=dict)

    @property
    def front(self) -> Page | None:
        """The opening page, if the plan has one."""
        return self.pages[0] if self.pages and self.pages[0].is_front else None

    @property
    def chapters(self) -> list[Page]:
        """All pages but the front."""
        return [page for page in self.pages if not page.is_front]

    @property
    def parts(self) -> list[tuple[str, list[Page]]]:
        """The chapters by part, in the plan's order."""
        parts: dict[str, list[Page]] = {}
        for page in self.chapters:
            parts.setdefault(page.part, []).append(page)
        return list(parts.items())


def prose_key(page: Page, place: int) -> str:
    """Key of a page's prose block, or of a block's caption."""
    return f"{page.id}:{place}"


def assemble(plan, pages: list[Page], provenance: dict) -> Report:
    """Bring pages, numbers and parsed prose together.

    Raises
    ------
    RenderingError
        See `Numbering` and `Markdown`.
    """
    numbering = Numbering(pages)
    settings = dict(getattr(plan, "report", None) or {})
    title, subtitle, description = (
        str(settings.get(name) or getattr(plan, name, "") or "")
        for name in ("title", "subtitle", "description")
    )
    pieces = [Piece("report:description", description)]
    for page in pages:
        pieces.append(Piece(f"summary:{page.id}", page.summary, inline=True))
        for place, block in enumerate(page.blocks):
            if isinstance(block, Prose):
                pieces.append(Piece(prose_key(page, place), block.markdown, page, block.cell))
            elif isinstance(block, (Figure, Table, Empty)) and block.caption:
                pieces.append(Piece(prose_key(page, place), block.caption, page, block.cell, inline=True))
    return Report(title, subtitle, pages, numbering, Markdown(pieces, numbering, RESERVED), provenance)


def cell_link(report: Report, page: Page, cell: int, href: str) -> tuple[str, str]:
    """Resolve a table cell's link to (address in HTML, Typst label or address); empty where it is not safe.

    Raises
    ------
    RenderingError
        It is a label that no figure, table or page has.
    """
    if not href:
        return "", ""
    name = href.removeprefix("@")
    if name[:4] in ("fig-", "tbl-", "sec-"):
        target = report.numbering.target(name, run=page.id, cell=cell)
        label = f"page--{target.page.id}" if not target.anchor else target.anchor
        return target.href(page), f"<{label}>"
    known = {other.id: other for other in report.pages}
    stem = href.partition("#")[0].removesuffix(".html").removesuffix(".ipynb")
    if stem in known:
        fragment = href.partition("#")[2]
        return known[stem].file + (f"#{fragment}" if fragment else ""), f"<page--{stem}>"
    if href == "provenance.html":
        return href, "<provenance>"
    if not is_safe(href):
        return "", ""
    return href, href if urlsplit(href).scheme else ""


def check_links(addresses: dict[str, set[str]], links: list[tuple[str, str]]) -> None:
    """Check that links within the report lead somewhere.

    Parameters
    ----------
    addresses : dict
        The report's files by relative path, each with the ids it holds.
    links : list of (page file, href)
        Every link found in the pages.

    Raises
    ------
    RenderingError
        A relative link names no file of the report, or an id that its page lacks.
    """
    for source, href in links:
        parts = urlsplit(href)
        if parts.scheme or parts.netloc or href.startswith("data:"):
            continue
        file = parts.path or source
        if file not in addresses:
            raise RenderingError(
                f"the page {source} links to {href}, which is not a file of the report",
                "Link to a notebook of the plan, such as svd.ipynb, or to a full address.",
            )
        if parts.fragment and parts.fragment not in addresses[file]:
            raise RenderingError(
                f"the page {source} links to {href}, and {file} has no such heading, figure or table",
                "Mend the link's part after the #.",
            )
