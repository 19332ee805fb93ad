"""The report ready to be written: pages, numbers and prose, which HTML and PDF share."""

from __future__ import annotations

from dataclasses import dataclass

from lib import claims
from lib.report.document import Labelled, Page, Prose
from lib.report.markdown import Markdown, Piece
from lib.report.numbering import Numbering

RESERVED = {"content", "contents", "sidebar", "search", "search-results", "on-this-page", "top", "footnotes"}
"""Ids that the HTML template uses itself."""

VERDICTS = dict(zip(claims.VERDICTS, ("holds", "partly", "fails", "open"), strict=True))
"""The verdicts on claims, which a table marks with a sign of this kind, in colour."""


@dataclass(frozen=True)
class Report:
    """Everything that the writers need; made by `assemble`."""

    title: str
    subtitle: str
    pages: list[Page]
    numbering: Numbering
    markdown: Markdown
    provenance: dict

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
    title, subtitle, description = (
        plan.report.get(name, "") for name in ("title", "subtitle", "description")
    )
    pieces = [Piece("report:description", description)]
    for page in pages:
        pieces.append(Piece(f"summary:{page.id}", page.summary, inline=True))
        for place, block in enumerate(page.blocks):
            if isinstance(block, Prose):
                pieces.append(Piece(prose_key(page, place), block.markdown, page, block.cell))
            elif isinstance(block, Labelled) and block.caption:
                pieces.append(Piece(prose_key(page, place), block.caption, page, block.cell, inline=True))
    return Report(title, subtitle, pages, numbering, Markdown(pieces, numbering, RESERVED), provenance)
