"""Numbers of figures and tables, and what a cross-reference such as ``@fig-svd-sweep`` stands for."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lib.report.document import Labelled, Page
from lib.report.errors import RenderingError, nearest

REFERENCE = re.compile(r"(?<![\w@/])@(?P<label>(?:fig|tbl|sec)-[A-Za-z0-9]+(?:[_-][A-Za-z0-9]+)*)")
"""A cross-reference in running text; ``@sec-<run>`` names a page.

Where several runs execute one notebook, ``@fig-x`` is the page's own figure, from other pages that of the first of
those runs; ``@fig-x-<run>`` is the figure of the run that it names, whether it shares its notebook or not.
"""
LINKED = re.compile(r"\[[^\]]*\]\(#(?P<label>(?:fig|tbl|sec)-[\w-]+)\)")
"""The same as Markdown cells write it, ``[figure](#fig-x)``: JupyterLab, which knows no numbers, shows the link's words."""

ELSEWHERE = Page("", "", "", "", "", "")
"""The page of what this report has no page of."""


@dataclass(frozen=True)
class Target:
    """What a label stands for: the words a reader sees, and where it is; without a label it is not in this report."""

    label: str
    text: str
    page: Page

    @property
    def anchor(self) -> str:
        """The element's id in HTML; empty for a page."""
        return "" if self.label.startswith("sec-") else self.label

    def href(self, source: Page | None) -> str:
        """Return the link to it from another (or the same) page."""
        if not self.label:
            return ""
        file = "" if self.page is source and self.anchor else self.page.file
        return f"{file}#{self.anchor}" if self.anchor else file


class Numbering:
    """Labels of all pages, in reading order, numbered through the whole report; no two cells carry the same.

    Pages cut out of a report come with the titles of all its runs, `whole`: what only the others may have is put in words.
    """

    def __init__(self, pages: list[Page], whole: Mapping[str, str] | None = None):
        self.whole = whole
        self._targets: dict[str, Target] = {}
        self._first: dict[str, str] = {}
        counts = {"Figure": 0, "Table": 0}
        for page in pages:
            self._targets[f"sec-{page.id}"] = Target(f"sec-{page.id}", page.title, page)
            for block in page.blocks:
                if not (isinstance(block, Labelled) and (label := block.label)):
                    continue
                if label in self._targets:
                    problem = f"the label {label} is taken already, in run {self._targets[label].page.id}"
                    fix = "Give one of the two another label."
                    raise RenderingError(problem, fix, run=page.id, cell=block.cell)
                word = "Figure" if label.startswith("fig-") else "Table"
                counts[word] += 1
                self._targets[label] = Target(label, f"{word}\u00a0{counts[word]}", page)
                alone = label.removesuffix(f"-{page.id}")
                self._first = {f"{alone}-{page.id}": label, alone: label} | self._first

    def __contains__(self, label: str) -> bool:
        return label in self._targets

    def __iter__(self) -> Iterator[Target]:
        return iter(self._targets.values())

    def target(self, label: str, *, run: str | None = None, cell: int | None = None) -> Target:
        """Return what a label stands for; RenderingError, with the near misses, where nothing has it."""
        # The page's own comes first, where several runs share a notebook.
        names = (f"{label}-{run}", label, self._first.get(label))
        found = next((self._targets[name] for name in names if name in self._targets), None)
        if found is None and self.whole is not None:
            kind, _, name = label.partition("-")
            what = {"fig": "figure", "tbl": "table", "sec": "page"}[kind]
            return Target("", f"the report's {what} “{self.whole.get(name) or name.replace('-', ' ')}”", ELSEWHERE)
        if found is None:
            known = [name for name in self._targets if name[:3] == label[:3]]
            fix = nearest(label, known) or f"No cell has the label {label}."
            raise RenderingError(f"the cross-reference @{label} points nowhere", fix, run=run, cell=cell)
        return found

    def split(self, text: str, *, run: str | None = None, cell: int | None = None) -> list[str | Target]:
        """Cut running text at its cross-references."""
        parts: list[Any] = REFERENCE.split(text)
        targets = [self.target(label, run=run, cell=cell) for label in parts[1::2]]
        parts[1::2] = [target if target.label else target.text for target in targets]
        return [part for part in parts if part]
