"""Prose: all markdown of the report through pandoc's document tree, made safe, and out again as HTML or Typst.

The markdown is CommonMark, as JupyterLab shows it, with mathematics, pipe tables, footnotes and cross-references.
Raw HTML is shown as text, never passed through: prose may hold titles and ids from data.
"""

from __future__ import annotations

import logging
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

from lib.report import pandoc
from lib.report.document import Page
from lib.report.errors import RenderingError, nearest
from lib.report.highlighting import highlight
from lib.report.mathml import polish
from lib.report.numbering import Numbering, Target
from lib.report.trees import link, para, raw, raw_block, slug, string, unique, walk, words

log = logging.getLogger(__name__)

SAFE_SCHEMES = {"", "http", "https", "mailto"}
_REF = "ref:"
_SIDES = {"AlignDefault": "AlignLeft"}


@dataclass(frozen=True)
class Piece:
    """A stretch of markdown and where it stands; `inline` for captions, which are one line of text."""

    key: str
    markdown: str
    page: Page | None = None
    cell: int | None = None
    inline: bool = False

    @property
    def place(self) -> dict:
        """Keyword arguments that name the place in a `RenderingError`."""
        return {"run": self.page.id if self.page else None, "cell": self.cell}


@dataclass(frozen=True)
class Heading:
    """A section's heading: its level (2 and below; 1 is the page's title), id and plain text."""

    level: int
    id: str
    text: str


class Markdown:
    """All prose of the report, parsed once.

    Parameters
    ----------
    pieces : list of Piece
        In reading order, each key once.
    numbering : Numbering
        What cross-references stand for.
    reserved : set of str
        Ids that a heading must not take.

    Raises
    ------
    RenderingError
        A cross-reference points nowhere, or a formula is one that pandoc can't read.
    """

    def __init__(self, pieces: list[Piece], numbering: Numbering, reserved: set[str] = frozenset()):
        self.pieces = {piece.key: piece for piece in pieces}
        self.numbering = numbering
        self.headings: dict[str, list[Heading]] = {}
        self._pages = {target.page.id: target.page for target in numbering}
        self._taken: dict[str | None, set[str]] = {}
        self._reserved = set(reserved)
        found = dict(zip(self.pieces, pandoc.parse([piece.markdown for piece in pieces]), strict=True))
        self._trees = {key: self._tidy(self.pieces[key], tree) for key, tree in found.items()}

    # -- writing -------------------------------------------------------------------------------------------------
    def html(self) -> dict[str, str]:
        """Return each piece as HTML, mathematics as MathML; a page's footnotes under ``footnotes:<page>``."""
        by_page: dict[str, list[str]] = {}
        for key, piece in self.pieces.items():
            by_page.setdefault(piece.page.id if piece.page else "", []).append(key)

        def one(item: tuple[str, list[str]]) -> dict[str, str]:
            page, keys = item
            blocks = []
            for key in keys:
                blocks += [raw_block("html", f"<!--{pandoc.MARK} {key}-->"), *self._for_html(key)]
            blocks.append(raw_block("html", f"<!--{pandoc.MARK} footnotes:{page}-->"))
            text = self._pandoc_out(blocks, ["-t", "html5", "--mathml", "--wrap=none"])
            return pandoc.split(polish(text), rf"<!--{pandoc.MARK} (\S+)-->")

        with ThreadPoolExecutor(4) as pool:
            found = {key: text for part in pool.map(one, by_page.items()) for key, text in part.items()}
        return {key: _unwrap(text) if self._is_inline(key) else text for key, text in found.items()}

    def typst(self) -> dict[str, str]:
        """Return each piece as Typst markup."""
        blocks = []
        for key in self.pieces:
            blocks += [raw_block("typst", f"// {pandoc.MARK} {key}"), *self._for_typst(key)]
        return pandoc.split(
            self._pandoc_out(blocks, ["-t", "typst", "--wrap=none"]), rf"// {pandoc.MARK} (\S+)"
        )

    def plain(self, key: str) -> str:
        """Return a piece's words, without markup, for the search index and for descriptions."""
        return words(self._trees[key])

    def sections(self, key: str) -> list[tuple[Heading | None, str]]:
        """Return a piece's words cut at its headings; the first part has none."""
        parts: list[tuple[Heading | None, list]] = [(None, [])]
        headings = iter(self.headings.get(key, []))
        for block in self._trees[key]:
            if block["t"] == "Header":
                parts.append((next(headings), []))
            else:
                parts[-1][1].append(block)
        return [(heading, words(blocks)) for heading, blocks in parts if heading or blocks]

    def _is_inline(self, key: str) -> bool:
        return key in self.pieces and self.pieces[key].inline

    def _pandoc_out(self, blocks: list, arguments: list[str]) -> str:
        text, warnings = pandoc.write(blocks, arguments)
        bad = re.search(
            r"Could not convert TeX math (?P<formula>.*?)(?:, rendering as TeX|$)", warnings, re.S
        )
        if bad:
            formula = bad["formula"].strip()
            place = next((p.place for p in self.pieces.values() if formula in p.markdown), {})
            raise RenderingError(
                f"the formula {formula!r} can't be read",
                "Write it in the part of LaTeX that pandoc knows.",
                **place,
            )
        return text

    # -- one common tree -----------------------------------------------------------------------------------------
    def _tidy(self, piece: Piece, tree: list) -> list:
        """Make a parsed piece safe, and its headings and references definite."""
        if piece.inline:
            tree = tree[:1] if len(tree) == 1 and tree[0]["t"] == "Para" else [para(piece.markdown)]
        headings: list[Heading] = []
        page = piece.page.id if piece.page else None
        taken = self._taken.setdefault(
            page, self._reserved | {target.anchor for target in self.numbering if target.page.id == page}
        )

        def visit(node: dict):
            kind, content = node["t"], node.get("c")
            if kind == "Str":
                parts = self.numbering.split(content, **piece.place)
                return [string(part) if isinstance(part, str) else _reference(part) for part in parts]
            if kind == "RawInline":
                return [string(content[1])]
            if kind == "RawBlock":
                return [para(content[1])]
            if kind == "Link":
                _, text, (url, _) = content
                text = walk(text, visit)
                return [link(text, url)] if is_safe(url) else text
            if kind == "Image":
                log.warning("left out an image in prose, of %s", piece.place)
                return walk(content[1], visit)
            if kind in ("Span", "Div"):
                return walk(content[1], visit)
            if kind in ("Code", "CodeBlock"):
                classes = [c for c in content[0][1] if re.fullmatch(r"[A-Za-z0-9_+-]+", c)][:1]
                return [{"t": kind, "c": [["", classes, []], content[1]]}]
            if kind == "Header":
                level, _, text = content
                text = walk(text, visit)
                heading = Heading(max(level, 2), unique(slug(words(text)), taken), words(text))
                headings.append(heading)
                return [{"t": "Header", "c": [heading.level, [heading.id, [], []], text]}]
            return None

        tree = walk(tree, visit)
        self.headings[piece.key] = headings
        return tree

    def _for_html(self, key: str) -> list:
        piece = self.pieces[key]

        def visit(node: dict):
            kind, content = node["t"], node.get("c")
            if kind == "Link":
                _, text, (url, _) = content
                text = walk(text, visit)
                if url.startswith(_REF):
                    target = self.numbering.target(url.removeprefix(_REF))
                    return [link(text, target.href(piece.page), "xref")]
                page, fragment = self._local(url, piece)
                if page is None:
                    return [link(text, url)]
                file = "" if page is piece.page and fragment else page.file
                return [link(text, f"{file}#{fragment}" if fragment else file)]
            if kind == "Header":
                level, (ident, _, _), text = content
                sign = f'<a class="permalink" href="#{ident}" aria-label="Link to this section">#</a>'
                return [
                    {"t": "Header", "c": [level, [ident, [], []], [*walk(text, visit), raw("html", sign)]]}
                ]
            if kind == "Table":
                before = '<div class="scroll" tabindex="0" role="region" aria-label="Table in the text">'
                return [
                    raw_block("html", before),
                    {"t": "Table", "c": walk(content, visit)},
                    raw_block("html", "</div>"),
                ]
            if kind == "CodeBlock":
                return [raw_block("html", highlight(content[1], (content[0][1] or ["text"])[0]))]
            return None

        return walk(self._trees[key], visit)

    def _for_typst(self, key: str) -> list:
        piece = self.pieces[key]
        home = piece.page.id if piece.page else "report"

        def visit(node: dict):
            kind, content = node["t"], node.get("c")
            if kind == "Link":
                _, text, (url, _) = content
                text = walk(text, visit)
                if url.startswith(_REF):
                    return _typst_link(typst_label(self.numbering.target(url.removeprefix(_REF))), text)
                if url == "provenance.html":
                    return _typst_link("provenance", text)
                page, fragment = self._local(url, piece)
                if page is not None:
                    section = f"{page.id}--{fragment}" if fragment in self._anchors(page) else ""
                    label = fragment if fragment in self.numbering else section or f"page--{page.id}"
                    return _typst_link(label, text)
                return [link(text, url)] if urlsplit(url).scheme else text
            if kind == "Header":
                level, (ident, _, _), text = content
                return [{"t": "Header", "c": [level, [f"{home}--{ident}", [], []], walk(text, visit)]}]
            if kind == "Table":
                # Typst would centre, with the table as a whole, the cells of columns without an alignment.
                columns = [[{"t": _SIDES.get(side["t"], side["t"])}, width] for side, width in content[2]]
                return [{"t": "Table", "c": walk([*content[:2], columns, *content[3:]], visit)}]
            if kind == "Math":
                return [
                    raw("typst", f"#formula({typst_string(content[1].strip())})["),
                    node,
                    raw("typst", "]"),
                ]
            return None

        return walk(self._trees[key], visit)

    def _local(self, url: str, piece: Piece) -> tuple[Page | None, str]:
        """Resolve a link to another notebook, its page or a section; (None, "") for any other link."""
        parts = urlsplit(url)
        if parts.scheme or parts.netloc:
            return None, ""
        stem, _, suffix = parts.path.rpartition("/")[2].partition(".")
        page = None
        if not parts.path:
            page = piece.page
        elif suffix in ("ipynb", "html", ""):
            page = self._pages.get(stem)
            if page is None and suffix == "ipynb":
                page = next((p for p in self._pages.values() if p.notebook == f"{stem}.ipynb"), None)
        if page is None:
            return None, ""
        fragment = parts.fragment.lower()
        if fragment and fragment not in self._anchors(page) and fragment not in self.numbering:
            raise RenderingError(
                f"the link {url} leads to no heading, figure or table of run {page.id}",
                nearest(fragment, self._anchors(page)) or "Mend the part after the #.",
                **piece.place,
            )
        return page, fragment

    def _anchors(self, page: Page) -> set[str]:
        return {
            heading.id
            for key, headings in self.headings.items()
            if self.pieces[key].page is page
            for heading in headings
        }


def is_safe(url: str) -> bool:
    """Whether a link may be followed: an ordinary address, or a place in the report."""
    try:
        return urlsplit(url).scheme.lower() in SAFE_SCHEMES
    except ValueError:
        return False


def typst_label(target: Target) -> str:
    """Return the Typst label of what a cross-reference stands for."""
    return f"page--{target.page.id}" if target.label.startswith("sec-") else target.label


def typst_string(text: str) -> str:
    """Return a text as a Typst string literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "")
    return f'"{escaped}"'


def _reference(target: Target) -> dict:
    return link([string(target.text)], _REF + target.label)


def _typst_link(label: str, text: list) -> list:
    return [raw("typst", f"#link(<{label}>)["), *text, raw("typst", "]")]


def _unwrap(text: str) -> str:
    return text.removeprefix("<p>").removesuffix("</p>")
