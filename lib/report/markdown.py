"""Prose: all markdown of the report through pandoc's document tree, made safe, and out again as HTML or Typst.

The markdown is CommonMark, as JupyterLab shows it, with mathematics, pipe tables, footnotes and cross-references.
Raw HTML is shown as text, never passed through: prose may hold titles and ids from data.
"""

from __future__ import annotations

import json
import logging
import re
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

import pypandoc

from lib.report.document import Page
from lib.report.errors import RenderingError
from lib.report.highlighting import highlight
from lib.report.mathml import norms, polish
from lib.report.numbering import Numbering, Target

log = logging.getLogger(__name__)

DIALECT = "commonmark+tex_math_dollars+pipe_tables+footnotes+smart+strikeout+autolink_bare_uris"
SAFE_SCHEMES = {"", "http", "https", "mailto"}
_REF = "ref:"
_MARK = "pieceboundary"
_NO_ATTRIBUTES = ["", [], []]


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
        self._trees = {key: self._tidy(self.pieces[key], tree) for key, tree in _parse(pieces).items()}

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
                blocks += [_raw_block("html", f"<!--{_MARK} {key}-->"), *self._for_html(key)]
            blocks.append(_raw_block("html", f"<!--{_MARK} footnotes:{page}-->"))
            text = self._pandoc_out(blocks, ["-t", "html5", "--mathml", "--wrap=none"])
            return _split(polish(text), rf"<!--{_MARK} (\S+)-->")

        with ThreadPoolExecutor(4) as pool:
            found = {key: text for part in pool.map(one, by_page.items()) for key, text in part.items()}
        return {key: _unwrap(text) if self._is_inline(key) else text for key, text in found.items()}

    def typst(self) -> dict[str, str]:
        """Return each piece as Typst markup."""
        blocks = []
        for key in self.pieces:
            blocks += [_raw_block("typst", f"// {_MARK} {key}"), *self._for_typst(key)]
        return _split(self._pandoc_out(blocks, ["-t", "typst", "--wrap=none"]), rf"// {_MARK} (\S+)")

    def plain(self, key: str) -> str:
        """Return a piece's words, without markup, for the search index and for descriptions."""
        return _words(self._trees[key])

    def sections(self, key: str) -> list[tuple[Heading | None, str]]:
        """Return a piece's words cut at its headings; the first part has none."""
        parts: list[tuple[Heading | None, list]] = [(None, [])]
        headings = iter(self.headings.get(key, []))
        for block in self._trees[key]:
            if block["t"] == "Header":
                parts.append((next(headings), []))
            else:
                parts[-1][1].append(block)
        return [(heading, _words(blocks)) for heading, blocks in parts if heading or blocks]

    def _is_inline(self, key: str) -> bool:
        return key in self.pieces and self.pieces[key].inline

    def _pandoc_out(self, blocks: list, arguments: list[str]) -> str:
        document = json.dumps({"pandoc-api-version": _api_version(), "meta": {}, "blocks": blocks})
        text, warnings = _pandoc(document, ["-f", "json", *arguments])
        bad = re.search(r"Could not convert TeX math (?P<formula>.*?)(?:, rendering as TeX|$)", warnings, re.S)
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
            tree = tree[:1] if len(tree) == 1 and tree[0]["t"] == "Para" else [_para(piece.markdown)]
        headings: list[Heading] = []
        page = piece.page.id if piece.page else None
        taken = self._taken.setdefault(
            page, self._reserved | {target.anchor for target in self.numbering if target.page.id == page}
        )

        def visit(node: dict):
            kind, content = node["t"], node.get("c")
            if kind == "Str":
                parts = self.numbering.split(content, **piece.place)
                return [_string(part) if isinstance(part, str) else _reference(part) for part in parts]
            if kind == "RawInline":
                return [_string(content[1])]
            if kind == "RawBlock":
                return [_para(content[1])]
            if kind == "Link":
                _, text, (url, _) = content
                text = _walk(text, visit)
                return [_link(text, url)] if urlsplit(url).scheme.lower() in SAFE_SCHEMES else text
            if kind == "Image":
                log.warning("left out an image in prose, of %s", piece.place)
                return _walk(content[1], visit)
            if kind == "Math":
                return [{"t": "Math", "c": [content[0], norms(content[1])]}]
            if kind in ("Span", "Div"):
                return _walk(content[1], visit)
            if kind in ("Code", "CodeBlock"):
                classes = [c for c in content[0][1] if re.fullmatch(r"[A-Za-z0-9_+-]+", c)][:1]
                return [{"t": kind, "c": [["", classes, []], content[1]]}]
            if kind == "Header":
                level, _, text = content
                text = _walk(text, visit)
                heading = Heading(max(level, 2), _unique(_slug(_words(text)), taken), _words(text))
                headings.append(heading)
                return [{"t": "Header", "c": [heading.level, [heading.id, [], []], text]}]
            return None

        tree = _walk(tree, visit)
        self.headings[piece.key] = headings
        return tree

    def _for_html(self, key: str) -> list:
        piece = self.pieces[key]

        def visit(node: dict):
            kind, content = node["t"], node.get("c")
            if kind == "Link":
                _, text, (url, _) = content
                text = _walk(text, visit)
                if url.startswith(_REF):
                    target = self.numbering.target(url.removeprefix(_REF))
                    return [_link(text, target.href(piece.page), "xref")]
                page, fragment = self._local(url, piece.page)
                if page is None:
                    return [_link(text, url)]
                file = "" if page is piece.page and fragment else page.file
                return [_link(text, f"{file}#{fragment}" if fragment else file)]
            if kind == "Header":
                level, (ident, _, _), text = content
                sign = f'<a class="permalink" href="#{ident}" aria-label="Link to this section">#</a>'
                return [
                    {"t": "Header", "c": [level, [ident, [], []], [*_walk(text, visit), _raw("html", sign)]]}
                ]
            if kind == "Table":
                before = '<div class="scroll" tabindex="0" role="region" aria-label="Table in the text">'
                return [
                    _raw_block("html", before),
                    {"t": "Table", "c": _walk(content, visit)},
                    _raw_block("html", "</div>"),
                ]
            if kind == "CodeBlock":
                return [_raw_block("html", highlight(content[1], (content[0][1] or ["text"])[0]))]
            return None

        return _walk(self._trees[key], visit)

    def _for_typst(self, key: str) -> list:
        piece = self.pieces[key]
        home = piece.page.id if piece.page else "report"

        def visit(node: dict):
            kind, content = node["t"], node.get("c")
            if kind == "Link":
                _, text, (url, _) = content
                text = _walk(text, visit)
                if url.startswith(_REF):
                    return _typst_link(typst_label(self.numbering.target(url.removeprefix(_REF))), text)
                page, fragment = self._local(url, piece.page)
                if page is not None:
                    section = f"{page.id}--{fragment}" if fragment in self._anchors(page) else ""
                    label = fragment if fragment in self.numbering else section or f"page--{page.id}"
                    return _typst_link(label, text)
                return [_link(text, url)] if urlsplit(url).scheme else text
            if kind == "Header":
                level, (ident, _, _), text = content
                return [{"t": "Header", "c": [level, [f"{home}--{ident}", [], []], _walk(text, visit)]}]
            if kind == "Math":
                return [
                    _raw("typst", f"#formula({typst_string(content[1].strip())})["),
                    node,
                    _raw("typst", "]"),
                ]
            return None

        return _walk(self._trees[key], visit)

    def _local(self, url: str, page: Page | None) -> tuple[Page | None, str]:
        """Resolve a link to another notebook, its page or a section; (None, "") for any other link."""
        parts = urlsplit(url)
        if parts.scheme or parts.netloc:
            return None, ""
        stem, _, suffix = parts.path.rpartition("/")[2].partition(".")
        if not parts.path and page:
            return page, parts.fragment.lower()
        if suffix in ("ipynb", "html", "") and stem in self._pages:
            return self._pages[stem], parts.fragment.lower()
        by_notebook = [p for p in self._pages.values() if suffix == "ipynb" and p.notebook == f"{stem}.ipynb"]
        return (by_notebook[0], parts.fragment.lower()) if by_notebook else (None, "")

    def _anchors(self, page: Page) -> set[str]:
        return {
            heading.id
            for key, headings in self.headings.items()
            if self.pieces[key].page is page
            for heading in headings
        }


def typst_label(target: Target) -> str:
    """Return the Typst label of what a cross-reference stands for."""
    return f"page--{target.page.id}" if target.label.startswith("sec-") else target.label


def typst_string(text: str) -> str:
    """Return a text as a Typst string literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "")
    return f'"{escaped}"'


# -- pandoc ------------------------------------------------------------------------------------------------------
@cache
def _binary() -> str:
    return pypandoc.get_pandoc_path()


@cache
def _api_version() -> list[int]:
    return json.loads(_pandoc("", ["-f", "commonmark", "-t", "json"])[0])["pandoc-api-version"]


def _pandoc(text: str, arguments: list[str]) -> tuple[str, str]:
    """Run pandoc; return what it wrote and what it warned of."""
    done = subprocess.run([_binary(), *arguments], input=text.encode("utf-8"), capture_output=True, check=False)
    errors = done.stderr.decode("utf-8", "replace")
    if done.returncode:
        raise RenderingError(f"pandoc failed: {errors.strip()}", "This is a fault of lib/report.")
    return done.stdout.decode("utf-8"), errors


def _parse(pieces: list[Piece]) -> dict[str, list]:
    """Parse all pieces in one call; one by one where a piece runs into the next (an open fence or comment)."""

    def read(text: str) -> list:
        return json.loads(_pandoc(text, ["-f", DIALECT, "-t", "json"])[0])["blocks"]

    texts = [re.sub(r"\[\^(?=[^\]\s]+\])", f"[^p{n}-", piece.markdown) for n, piece in enumerate(pieces)]
    blocks = read("".join(f"\n\n{_MARK}{n}\n\n{text}" for n, text in enumerate(texts)))
    found: list[list] = []
    for block in blocks:
        mark = [{"t": "Str", "c": f"{_MARK}{len(found)}"}]
        if block["t"] == "Para" and block["c"] == mark:
            found.append([])
        elif found:
            found[-1].append(block)
    if len(found) != len(pieces):
        found = [read(text) for text in texts]
    return {piece.key: tree for piece, tree in zip(pieces, found, strict=True)}


# -- trees -------------------------------------------------------------------------------------------------------
def _walk(node, visit: Callable[[dict], list | None]):
    """Rebuild a tree: `visit` returns what replaces an element, or None to go on into it."""
    if isinstance(node, list):
        out = []
        for child in node:
            if isinstance(child, dict) and "t" in child:
                replaced = visit(child)
                out += [_into(child, visit)] if replaced is None else replaced
            else:
                out.append(_walk(child, visit))
        return out
    return _into(node, visit) if isinstance(node, dict) else node


def _into(node: dict, visit) -> dict:
    return {**node, "c": _walk(node["c"], visit)} if "c" in node else node


def _string(text: str) -> dict:
    return {"t": "Str", "c": text}


def _para(text: str) -> dict:
    return {"t": "Para", "c": [_string(" ".join(text.split()))]}


def _raw(language: str, text: str) -> dict:
    return {"t": "RawInline", "c": [language, text]}


def _raw_block(language: str, text: str) -> dict:
    return {"t": "RawBlock", "c": [language, text]}


def _link(text: list, url: str, css: str = "") -> dict:
    return {"t": "Link", "c": [["", [css] if css else [], []], text, [url, ""]]}


def _reference(target: Target) -> dict:
    return _link([_string(target.text)], _REF + target.label)


def _typst_link(label: str, text: list) -> list:
    return [_raw("typst", f"#link(<{label}>)["), *text, _raw("typst", "]")]


def _words(node) -> str:
    """The plain words of a tree, one space between them."""
    out: list[str] = []

    def visit(element: dict):
        kind, content = element["t"], element.get("c")
        if kind == "Str":
            out.append(content)
        elif kind in ("Code", "CodeBlock", "Math", "RawInline"):
            out.append(content[1])
        elif kind in ("Space", "SoftBreak", "LineBreak"):
            out.append(" ")
        elif kind in ("Quoted", "Link", "Emph", "Strong"):
            return None
        else:
            out.append(" ")
        return None

    _walk(node if isinstance(node, list) else [node], visit)
    return re.sub(r"\s+", " ", "".join(out)).strip()


def _slug(text: str) -> str:
    return re.sub(r"[^\w]+", "-", text.lower()).strip("-") or "section"


def _unique(slug: str, taken: set[str]) -> str:
    name, n = slug, 1
    while name in taken:
        n += 1
        name = f"{slug}-{n}"
    taken.add(name)
    return name


def _split(text: str, pattern: str) -> dict[str, str]:
    parts = re.split(pattern, text)
    return {key: body.strip() for key, body in zip(parts[1::2], parts[2::2], strict=True)}


def _unwrap(text: str) -> str:
    return text.removeprefix("<p>").removesuffix("</p>")
