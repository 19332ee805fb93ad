"""The printed documents: the paper, which the plan puts together, and its supplement, which has the evidence."""

import re
from dataclasses import dataclass, field, replace
from functools import cached_property

from lib.report.content import Report, prose_key
from lib.report.document import Code, Empty, Explorer, Labelled, Page, Prose
from lib.report.errors import RenderingError, nearest
from lib.report.numbering import Numbering

FILES = {"paper": "report.pdf", "supplement": "supplement.pdf", "report": "report.pdf"}
"""Where a document lies, by what it is called; a report without a paper is printed whole."""

SERIES = "\u00a0S"
"""What stands before the number of a figure or a table of the supplement, as ``series`` in ``report.typ`` has it."""

_HEADING = re.compile(r"(#{2,6}) +(.+?)\s*#*\s*(?:\n|\Z)")


@dataclass(frozen=True)
class Printed:
    """A document: what it is called, the places of its blocks by page, and the `others` that it may point to."""

    report: Report
    called: str
    chapters: list[tuple[Page, list[int]]]
    others: list["Printed"] = field(default_factory=list)

    @property
    def file(self) -> str:
        """Its name beside the website."""
        return FILES[self.called]

    @cached_property
    def labels(self) -> dict[str, str]:
        """What stands in it by its label, and what that is called: Table 3, chapter 2."""
        numbering = Numbering([replace(page, blocks=[page.blocks[n] for n in of]) for page, of in self.chapters])
        space = SERIES if self.called == "supplement" else "\u00a0"
        found, chapter = {of.anchor: of.text.replace("\u00a0", space) for of in numbering if of.anchor}, 0
        for page, of in self.chapters:
            chapter += not page.is_front
            name = "abstract" if page.is_front else f"chapter\u00a0{chapter}"
            headings = (h for n in of for h in self.report.markdown.headings.get(prose_key(page, n), []))
            found |= dict.fromkeys([f"page--{page.id}", *(f"{page.id}--{heading.id}" for heading in headings)], name)
        # What all was made from ends the last document.
        last = {} if self.called == "paper" and self.others else {"provenance": f"chapter\u00a0{chapter + 1}"}
        return found | last

    def names(self) -> dict[str, str]:
        """Return what each label of the report is called here, wherever it is: Table 3; Table S12; Table 3 of the paper."""
        found = {target.anchor: f"{target.text} of the website" for target in self.report.numbering if target.anchor}
        for other in self.others:
            found |= {at: it if SERIES in it else f"{it} of the {other.called}" for at, it in other.labels.items()}
        return found | self.labels


def printed(report: Report) -> list[Printed]:
    """Return the documents: the paper and what is left, or one with everything where the plan puts nothing into a paper.

    The plan's report has tables ``paper``, in the order of its chapters, and ``supplement``: by run what of its page stands
    there, all, nothing, or the sections, figures and tables named. Pages of which they say nothing, or which are not whole
    in the paper, are in the supplement. Raises RenderingError: what is named is not there.
    """
    pages = {page.id: page for page in report.pages}
    wanted, left = (report.plan.get(name, {}) for name in ("paper", "supplement"))
    for name in sorted({*wanted, *left} - {*pages, *(report.numbering.whole or {})}):
        fix = nearest(name, pages) or "Name a run of the plan."
        raise RenderingError(f"the plan prints {name!r}, which is no run", fix)

    def chapters(of: dict[str, bool | list[str]]) -> list[tuple[Page, list[int]]]:
        return [(pages[name], filled(report, pages[name], some)) for name, some in of.items() if some and name in pages]

    paper = Printed(report, "paper", chapters(wanted))
    if not paper.chapters:
        return [Printed(report, "report", chapters(dict.fromkeys(pages, True)))]
    if evidence := chapters({name: left.get(name, wanted.get(name) is not True) for name in pages}):
        paper.others.append(Printed(report, "supplement", evidence, [paper]))
    return [paper, *paper.others]


def places(page: Page, wanted: bool | list[str]) -> list[int]:
    """Return the places of a page's blocks: all, or the words before its first heading and what is `wanted`.

    A name is that of a heading, which stands for its section, or the label of a figure or a table.
    """
    if isinstance(wanted, bool):
        return list(range(len(page.blocks)))
    found: list[int] = []
    known, opening, taken = set[str](), True, 0
    for place, block in enumerate(page.blocks):
        heading = _HEADING.match(block.markdown) if isinstance(block, Prose) else None
        names = {block.label, block.label.removesuffix(f"-{page.id}")} if isinstance(block, Labelled) else set()
        if heading:  # a section is taken up to the next heading of its level
            opening, level, names = False, len(heading[1]), {heading[2]}
            taken = taken if 0 < taken < level else level * (heading[2] in wanted)
        if taken or names & {*wanted} or (opening and isinstance(block, Prose)):
            found.append(place)
        known |= names
    for name in sorted({*wanted} - known):
        fix = nearest(name, known) or "Name a heading or a label of its notebook."
        raise RenderingError(f"the plan prints {name!r}, which the page lacks", fix, run=page.id)
    return found


def filled(report: Report, page: Page, wanted: bool | list[str]) -> list[int]:
    """Return the `places` of a page to print: no asides, no empty figure or table, no section with nothing but these."""
    sections: list[tuple[int, list[int]]] = [(0, [])]
    for place in places(page, wanted):
        heading = _HEADING.match(getattr(page.blocks[place], "markdown", ""))
        sections += [(len(heading[1]), [])] if heading else []
        sections[-1][1].append(place)
    found, below = list[int](), 0  # the level of the section that follows
    for level, section in reversed(sections):
        empty = [n for n in section if isinstance(page.blocks[n], Empty)]
        kept = [n for n in section if n not in empty and not getattr(page.blocks[n], "aside", False)]
        prose = {n for n in kept if isinstance(one := page.blocks[n], Prose) and not one.look}
        shown = any(n not in prose and not isinstance(page.blocks[n], (Code, Explorer)) for n in kept)
        # Words beside what is empty lead to it, or say why it is.
        told = not empty and any(prose_key(page, n) not in report.markdown.bare for n in prose)
        if shown or told or level < below or not level:
            found, below = kept + found, level
    return found
