"""The report ready to be written: pages, numbers, prose, and what it was made from, which HTML and PDF share."""

import datetime
from dataclasses import dataclass
from typing import Any

from lib import claims
from lib.claims.cards import MARKS
from lib.report.document import Figure, Labelled, Page, Prose
from lib.report.markdown import Markdown, Piece
from lib.report.numbering import Numbering
from lib.report.references import FILE, References

RESERVED = {"content", "contents", "sidebar", "search", "search-results", "on-this-page", "top", "footnotes"}
"""Ids that the HTML template uses itself."""

KINDS = ("holds", "partly", "fails", "open")
VERDICTS = {claims.marked(word, p): kind for p, of in MARKS.items() for word, kind in zip(of, KINDS, strict=True)}
"""The words of verdicts with their marks, which a table shows in the colour of this kind."""


@dataclass(frozen=True)
class Report:
    """Everything that the writers need; made by `assemble`. `plan` is the plan's table of the report."""

    title: str
    subtitle: str
    plan: dict[str, Any]
    pages: list[Page]
    numbering: Numbering
    markdown: Markdown
    provenance: dict[str, Any]

    @property
    def folded(self) -> tuple[str, ...]:
        """The parts that navigation folds: those of these names, and "<name>: ..."."""
        return tuple(self.plan.get("folded", ()))

    @property
    def front(self) -> Page | None:
        """The opening page, if the plan has one."""
        return self.pages[0] if self.pages and self.pages[0].is_front else None

    def siblings(self, page: Page) -> list[Page]:
        """All pages of a page's notebook, such as one a data set: they are tabs of one entry."""
        return [other for other in self.pages if other.notebook == page.notebook]

    @property
    def chapters(self) -> list[Page]:
        """All pages but the front, of siblings the first."""
        return [page for page in self.pages if not page.is_front and self.siblings(page)[0] is page]

    @property
    def parts(self) -> list[tuple[str, list[Page]]]:
        """The chapters by part, in the plan's order."""
        parts: dict[str, list[Page]] = {}
        for page in self.chapters:
            parts.setdefault(page.part, []).append(page)
        return list(parts.items())


def prose_key(page: Page, place: int) -> str:
    """Key of a page's prose block, or of a block's caption; with ``:title`` behind it, of a figure's title."""
    return f"{page.id}:{place}"


def assemble(plan, pages: list[Page], whole=None) -> Report:
    """Bring pages, numbers and parsed prose together; the `whole` plan is of what they were cut out of."""
    numbering = Numbering(pages, {run.id: run.title for run in whole.runs} if whole else None)
    pieces = [Piece("report:description", plan.report.get("description", ""))]
    for page in pages:
        pieces.append(Piece(f"summary:{page.id}", page.summary, inline=True))
        for place, block in enumerate(page.blocks):
            if isinstance(block, Prose):
                pieces.append(Piece(prose_key(page, place), block.markdown, page, block.cell))
            elif isinstance(block, Labelled) and block.caption:
                pieces.append(Piece(prose_key(page, place), block.caption, page, block.cell, inline=True))
            if isinstance(block, Figure) and block.title:
                pieces.append(Piece(f"{prose_key(page, place)}:title", block.title, page, block.cell, inline=True))
    title, subtitle = (plan.report.get(name, "") for name in ("title", "subtitle"))
    markdown = Markdown(pieces, numbering, RESERVED, References(plan.notebooks / FILE))
    return Report(title, subtitle, plan.report, pages, numbering, markdown, _provenance(pages))


# -- provenance ---------------------------------------------------------------------------------------------------
def _provenance(pages: list[Page]) -> dict[str, Any]:
    """Bring the pages' provenance records together, for the templates.

    Commits are in the order in which the runs ended, other lists sorted; a package that differed between runs has several
    versions. What ``finished`` last, in UTC, is the report's date, the same at every build.
    """
    records = sorted((p.provenance for p in pages if p.provenance), key=lambda r: r.get("finished") or "")
    ends = [datetime.datetime.fromisoformat(record["finished"]) for record in records if record.get("finished")]
    seconds = [record["seconds"] for record in records if record.get("seconds") is not None]
    threads = [sorted((record.get("threads") or {}).items()) for record in records]
    return {
        "commits": list(dict.fromkeys(str(r["commit"]) for r in records[::-1] if r.get("commit")))[::-1],
        "modified": any(record.get("modified") for record in records),
        "finished": max(ends, default=None),
        "machines": _distinct(_machine(record) for record in records),
        "pythons": _distinct(record.get("python") for record in records),
        "threads": _distinct(", ".join(f"{name}={n}" for name, n in of) for of in threads),
        "versions": _pairs(pair for record in records for pair in (record.get("versions") or {}).items()),
        "checksums": _pairs(
            (f"{record.get('dataset') or 'data'}: {file}", value)
            for record in records
            for file, value in (record.get("data_checksums") or {}).items()
        ),
        "sources": _pairs((r.get("dataset"), r["data_source"]) for r in records if r.get("data_source")),
        "runs": [_run(page) for page in pages],
        "seconds": sum(seconds) if seconds else None,
    }


def _run(page: Page) -> dict[str, Any]:
    """How a run was parameterised and how long it took."""
    record = page.provenance
    # Where this machine keeps its runs says nothing about the results.
    given = {n: v for n, v in (record.get("parameters") or {}).items() if n not in ("run", "runs_dir")}
    return {
        "page": page,
        "dataset": record.get("dataset") or "",
        "seconds": record.get("seconds"),
        "parameters": _pairs(given.items()),
    }


def _machine(record: dict) -> str:
    cores = f"{record['cores']} cores" if record.get("cores") else ""
    return ", ".join(part for part in (record.get("processor"), cores, record.get("system")) if part)


def _distinct(values) -> list[str]:
    return sorted({str(value) for value in values if value})


def _pairs(pairs) -> list[tuple[str, str]]:
    return sorted({(str(name), str(value)) for name, value in pairs})
