"""The model of the document that every output format is written from."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from nbformat import NotebookNode

FRONT = "front"
"""The part of the plan whose one run becomes the report's first page."""


@dataclass(frozen=True)
class Prose:
    """Markdown, from a Markdown cell or shown by code; `look`, the names of its styles, where it is a card of its own."""

    cell: int
    markdown: str
    look: str = ""
    aside: bool = False  # what a run says of its making, such as where fits are from: for the screen alone


@dataclass(frozen=True)
class Code:
    """The source of a code cell, without its option lines."""

    source: str


@dataclass(frozen=True)
class Text:
    """What a cell printed, or the plain form of a result that has no better one."""

    text: str


@dataclass(frozen=True)
class Labelled:
    """What has a label and a caption, and where it stands."""

    cell: int
    label: str
    caption: str


@dataclass(frozen=True)
class Figure(Labelled):
    """A labelled image, as SVG.

    `data` is the CSV behind it, where the run left one; `points` are places, as shares of width and height from the upper
    left, and what the HTML page tells there. `title` is Markdown: a sentence that says what it shows, empty for none.
    """

    alt: str
    image: bytes
    data: Path | None = None
    points: tuple[tuple[float, float, str], ...] = ()
    title: str = ""


@dataclass(frozen=True)
class TableCell:
    """A table's cell: plain text, perhaps a link."""

    text: str
    href: str = ""


@dataclass(frozen=True)
class Table(Labelled):
    """A preformatted table; without a label it has no number and no caption."""

    columns: tuple[str, ...]
    rows: tuple[tuple[TableCell, ...], ...]
    align: tuple[str, ...]
    data: Path | None = None


@dataclass(frozen=True)
class Empty(Labelled):
    """A labelled figure or table without a single row behind it: the site keeps its place, its number and its caption.

    So it is where a run leaves a part of its notebook out; empty axes or a lone heading row would puzzle a reader, and
    without the number, references to it would lead nowhere. In print it is left out.
    """

    note: ClassVar[str] = "Nothing to show in this run."


@dataclass(frozen=True)
class Explorer:
    """Answers for a sample of users and films, for the HTML page's script; tables say the like where there is none."""

    data: dict


@dataclass(frozen=True)
class Strip:
    """Claims as marks, each a link: rows of `lib.report.display.strip`."""

    rows: list[dict]


Block = Prose | Code | Text | Figure | Table | Empty | Explorer | Strip


@dataclass(frozen=True)
class Page:
    """One run's notebook as a page of the report.

    `title` is the notebook's own (its ``# `` heading), else the plan's, `label` the plan's shorter one, for navigation. `notebook`
    is the source's file name, `blocks` what the page shows, in order, `cells` the notebook as
    `lib.report.exporter.NotebookReader` read it; each cell's metadata say which blocks are its ``places``. `provenance` is
    the run's provenance.json, empty where it has none; `from_nothing` the seconds that the plan expects of the run where
    nothing is kept from an earlier one.
    """

    id: str
    title: str
    label: str
    summary: str
    part: str
    notebook: str
    blocks: list[Block] = field(default_factory=list)
    cells: NotebookNode = field(default_factory=NotebookNode)
    provenance: dict = field(default_factory=dict)
    from_nothing: float | None = None

    @property
    def kept_much(self) -> bool:
        """Whether the run took less than half of what the plan expects, as it does where it finds kept fits."""
        seconds = self.provenance.get("seconds")
        return seconds is not None and self.from_nothing is not None and 2 * seconds < self.from_nothing

    @property
    def is_front(self) -> bool:
        """Whether this page opens the report."""
        return self.part == FRONT

    @property
    def file(self) -> str:
        """Name of the page's HTML file."""
        return "index.html" if self.is_front else f"{self.id}.html"
