"""Prose: all markdown of the report through pandoc's document tree, made safe, and out again as HTML or Typst.

The markdown is CommonMark, as JupyterLab shows it, with mathematics, pipe tables, footnotes, cross-references and citations.
Raw HTML is shown as text, never passed through: prose may hold titles and ids from data.
"""

import logging
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from lib.report import pandoc
from lib.report.document import Page
from lib.report.errors import RenderingError, nearest
from lib.report.exporter import highlight
from lib.report.mathml import polish
from lib.report.numbering import LINKED, Numbering
from lib.report.references import CITE, LISTING, References, with_links
from lib.report.trees import element, link, para, unique, walk, words

log = logging.getLogger(__name__)

SAFE_SCHEMES = {"", "http", "https", "mailto"}
_REF, _SIDES = "ref:", {"AlignDefault": "AlignLeft"}
_OPTION = re.compile(r"(?<!\w)–(?=[a-z])")  # of a command, as pandoc sets the two hyphens before it
_SENTENCES, _WHOLE = re.compile(r"(?<=[.?!]) (?=[A-Z“])"), re.compile(r"[^=](?s:.*)\n([^\[\]]|\[[^\[\]]*\])*\Z")
_HTML_MARK, _TYPST_MARK = f"<!--{pandoc.MARK} %s-->", f"// {pandoc.MARK} %s"


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
    """All prose of the report, `pieces` in reading order, parsed once; no heading takes a `reserved` id.

    Of runs that share a notebook the later ones print what differs: paragraphs that read as on the first run's page are
    left out, headings stay. `repeats` counts them by page.

    `headings` has each piece's, `bare` is what has nothing else, `listed` the page with the list of references, if any.
    """

    def __init__(self, pieces: list[Piece], numbering: Numbering, reserved: set[str], references: References):
        self.pieces = {piece.key: piece for piece in pieces}
        self.numbering, self.references = numbering, references
        self.headings: dict[str, list[Heading]] = {}
        self.repeats: Counter[str] = Counter()
        self.listed: Page | None = None
        self._pages = {target.page.id: target.page for target in numbering}
        self._taken: dict[str | None, set[str]] = {page: set(reserved) for page in (None, *self._pages)}
        for target in numbering:
            self._taken[target.page.id].add(target.anchor)
        found = dict(zip(self.pieces, pandoc.parse([with_links(piece.markdown) for piece in pieces]), strict=True))
        said: dict[str, tuple[Page | None, list]] = {}  # by notebook: its first run's page, and what that says
        self._trees = {
            key: self._tidy(self.pieces[key], self._differing(key, tree, said)) for key, tree in found.items()
        }
        self.bare = {key for key, tree in self._trees.items() if all(block["t"] == "Header" for block in tree)}

    # -- writing -------------------------------------------------------------------------------------------------
    def html(self) -> dict[str, str]:
        """Return each piece as HTML, mathematics as MathML; a page's footnotes under ``footnotes:<page>``."""
        by_page: dict[str, list[Piece]] = {}
        for piece in self.pieces.values():
            by_page.setdefault(piece.page.id if piece.page else "", []).append(piece)

        def one(item: tuple[str, list[Piece]]) -> dict[str, str]:
            page, pieces = item
            parts = {piece.key: self._for_html(piece) for piece in pieces} | {f"footnotes:{page}": []}
            text = self._written(parts, "html", _HTML_MARK, pandoc.HTML)
            return pandoc.split(polish(text), _HTML_MARK % r"(\S+)")

        with ThreadPoolExecutor(4) as pool:
            found = {key: text for part in pool.map(one, by_page.items()) for key, text in part.items()}
        inline = [piece.key for piece in self.pieces.values() if piece.inline]
        return found | {key: found[key].removeprefix("<p>").removesuffix("</p>") for key in inline}

    def typst(self) -> dict[str, str]:
        """Return each piece as Typst markup, repeated last sentences left out, too; each work under ``cite:<key>``."""
        parts = {key: self._for_typst(piece) for key, piece in self.pieces.items()}
        parts |= {CITE + key: work.entry for key, work in self.references.works.items()}
        found = pandoc.split(self._written(parts, "typst", _TYPST_MARK, pandoc.TYPST), _TYPST_MARK % r"(\S+)")
        said = dict[str, tuple[Page | None, set[str]]]()  # by notebook: its first run's page and sentences
        for key, piece in self.pieces.items():
            first, known = said.setdefault(piece.page.notebook if piece.page else key, (piece.page, set()))
            lines = [_SENTENCES.split(line) for line in found[key].replace("(#to(", "(#to(inside: true, ").split("\n")]
            for line in [] if piece.inline else lines:
                known.update(line if first is piece.page else ())
                while len(line) > 1 and line[-1] in known and first is not piece.page and _WHOLE.match("\n".join(line)):
                    line.pop()
            found[key] = "\n".join(map(" ".join, lines))
        return found

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

    def _written(self, parts: dict[str, list], language: str, mark: str, arguments: list[str]) -> str:
        """Have pandoc write trees, each behind a mark with its key."""
        blocks = [b for key, tree in parts.items() for b in [element("RawBlock", [language, mark % key]), *tree]]
        text, warnings = pandoc.write(blocks, arguments)
        bad = re.search(r"Could not convert TeX math (?P<formula>.*?)(?:, rendering as TeX|$)", warnings, re.S)
        if bad:
            formula, fix = bad["formula"].strip(), "Write it in the part of LaTeX that pandoc knows."
            place = next((p.place for p in self.pieces.values() if formula in p.markdown), {})
            raise RenderingError(f"the formula {formula!r} can't be read", fix, **place)
        return text

    # -- one common tree -----------------------------------------------------------------------------------------
    def _differing(self, key: str, tree: list, said: dict[str, tuple[Page | None, list]]) -> list:
        """Return what a piece says that the first run of its page's notebook has not `said`; that page's own goes there."""
        piece = self.pieces[key]
        shared = piece.page.notebook if piece.page and not piece.inline else key
        first, there = said.setdefault(shared, (piece.page, []))
        if piece.page is None or first is piece.page:
            there += tree
            return tree
        known = [*(block["t"] != "Header" and block in there for block in tree), True]
        # What leads to something new, such as a list, stays with it.
        out = [same and (known[n + 1] or not words([tree[n]]).endswith(":")) for n, same in enumerate(known[:-1])]
        self.repeats[key.partition(":")[0]] += sum(out)
        return [block for block, repeated in zip(tree, out, strict=True) if not repeated]

    def _tidy(self, piece: Piece, tree: list) -> list:
        """Make a parsed piece safe, and its headings and references definite."""
        if piece.inline:
            tree = tree[:1] if len(tree) == 1 and tree[0]["t"] == "Para" else [para(piece.markdown)]
        headings = self.headings[piece.key] = []
        taken = self._taken[piece.page.id if piece.page else None]

        def visit(node: dict):
            kind, content = node["t"], node.get("c", ())
            if kind == "Str":
                return [
                    element("Str", part)
                    if isinstance(part, str)
                    else link([element("Str", part.text)], _REF + part.label)
                    for part in self.numbering.split(_OPTION.sub("--", content), **piece.place)
                ]
            if kind == "RawInline":
                return [element("Str", content[1])]
            if kind == "RawBlock":
                return [para(content[1])]
            if kind == "Link":
                _, text, (url, _) = content
                if url.startswith(CITE):
                    return self.references.cited(url, **piece.place)
                if LINKED.fullmatch(f"[]({url})"):
                    return visit(element("Str", f"@{url[1:]}"))
                text = walk(text, visit)
                return [link(text, url)] if is_safe(url) else text
            if kind == "Image":
                log.warning("left out an image in prose, of %s", piece.place)
            if kind in ("Image", "Span", "Div"):
                return walk(content[1], visit)
            if kind == "CodeBlock" and LISTING in content[0][1]:
                self.listed = piece.page
                return [element("Div", [[LISTING, [], []], []])]
            if kind in ("Code", "CodeBlock"):
                classes = [c for c in content[0][1] if re.fullmatch(r"[A-Za-z0-9_+-]+", c)][:1]
                return [element(kind, [["", classes, []], content[1]])]
            if kind == "Header":
                level, _, text = content
                text = walk(text, visit)
                said = words(text)
                headings.append(Heading(max(level, 2), unique(said, taken), said))
                return [element(kind, [headings[-1].level, [headings[-1].id, [], []], text])]
            return None

        return walk(tree, visit)

    def _for_html(self, piece: Piece) -> list:
        def visit(node: dict):
            kind, content = node["t"], node.get("c", ())
            if kind == "Link":
                _, text, (url, _) = content
                if url.startswith(CITE):
                    return self.references.linked(text, url.removeprefix(CITE), self.listed, piece.page)
                css, href = "xref" if url.startswith(_REF) else "", self.resolve(url, piece.page, piece.cell)[0]
                return [link(walk(text, visit), href, css)] if href else walk(text, visit)
            if kind == "Header":
                level, (ident, _, _), text = content
                sign = f'<a class="permalink" href="#{ident}" aria-label="Link to this section">#</a>'
                text = [*walk(text, visit), element("RawInline", ["html", sign])]
                return [element(kind, [level, [ident, [], []], text])]
            if kind == "Table":
                start = '<div class="scroll" tabindex="0" role="region" aria-label="Table in the text">'
                before, after = (element("RawBlock", ["html", tag]) for tag in (start, "</div>"))
                return [before, element(kind, walk(content, visit)), after]
            if kind == "Div":
                return [self.references.listing()]
            if kind == "CodeBlock":
                code = highlight(content[1], (content[0][1] or ["text"])[0])
                return [element("RawBlock", ["html", code])]
            return None

        return walk(self._trees[piece.key], visit)

    def _for_typst(self, piece: Piece) -> list:
        home = piece.page.id if piece.page else "report"

        def called(call: str, content: list) -> list:
            start, end = (element("RawInline", ["typst", text]) for text in (f"#{call}[", "]"))
            return [start, *content, end]

        def visit(node: dict):
            kind, content = node["t"], node.get("c", ())
            if kind == "Link":
                _, text, (url, _) = content
                if url.startswith(CITE):
                    return called(f"cited({typst_string(url.removeprefix(CITE))})", text)
                text, place = walk(text, visit), self.resolve(url, piece.page, piece.cell)[1]
                if not place.startswith("<"):
                    return [link(text, place)] if place else text
                number = url.startswith(_REF) and not place.startswith("<page--")
                return called(f"to({typst_string(place[1:-1])}, number: {str(number).lower()})", text)
            if kind == "Div":
                return [element("RawBlock", ["typst", "#references(works)"])]
            if kind == "Header":
                level, (ident, _, _), text = content
                return [element(kind, [level, [f"{home}--{ident}", [], []], walk(text, visit)])]
            if kind == "Table":
                # Typst would centre, with the table as a whole, the cells of columns without an alignment.
                sides = [[{"t": _SIDES.get(side["t"], side["t"])}, width] for side, width in content[2]]
                return [element(kind, walk([*content[:2], sides, *content[3:]], visit))]
            if kind == "Math":
                return called(f"formula({typst_string(content[1].strip())})", [node])
            return None

        return walk(self._trees[piece.key], visit)

    # -- links ---------------------------------------------------------------------------------------------------
    def resolve(self, url: str, page: Page | None, cell: int | None) -> tuple[str, str]:
        """Return where a link of a page leads: in HTML, and in Typst as a label in angle brackets or an address.

        A link that is not safe, or has no address outside the report and no place in it, leads nowhere: an empty text.
        Raises RenderingError: it is a label that no figure, table or page has, or a section that its page lacks.
        """
        place: dict[str, Any] = {"run": page.id if page else None, "cell": cell}
        name = url.removeprefix(_REF).removeprefix("@")
        if name[:4] in ("fig-", "tbl-", "sec-"):
            target = self.numbering.target(name, **place)
            return target.href(page), f"<{target.anchor or f'page--{target.page.id}'}>" if target.label else ""
        if url == "provenance.html":
            return url, "<provenance>"
        if not url or not is_safe(url):
            return "", ""
        parts = urlsplit(url)
        other, fragment = self._page(parts, page), parts.fragment.lower()
        if other is None:
            outside = url if parts.scheme else ""
            return outside if self.numbering.whole is not None else url, outside
        there = [headings for key, headings in self.headings.items() if self.pieces[key].page is other]
        anchors = {heading.id for headings in there for heading in headings}
        if fragment and fragment not in anchors and fragment not in self.numbering:
            problem = f"the link {url} leads to no heading, figure or table of run {other.id}"
            raise RenderingError(problem, nearest(fragment, anchors) or "Mend the part after the #.", **place)
        file = "" if other is page and fragment else other.file
        section = f"{other.id}--{fragment}" if fragment in anchors else f"page--{other.id}"
        label = fragment if fragment in self.numbering else section
        return f"{file}#{fragment}" if fragment else file, f"<{label}>"

    def _page(self, parts, page: Page | None) -> Page | None:
        """Return the page that the parts of a link name: by its run, by its notebook, or by nothing but a section."""
        if parts.scheme or parts.netloc:
            return None
        if not parts.path:
            return page
        stem, _, suffix = parts.path.rpartition("/")[2].partition(".")
        found = self._pages.get(stem) if suffix in ("ipynb", "html", "") else None
        if found is None and suffix == "ipynb":
            found = next((p for p in self._pages.values() if p.notebook == f"{stem}.ipynb"), None)
        return found


def is_safe(url: str) -> bool:
    """Whether a link may be followed: an ordinary address, or a place in the report."""
    try:
        return urlsplit(url).scheme.lower() in SAFE_SCHEMES
    except ValueError:
        return False


def typst_string(text: str) -> str:
    """Return a text as a Typst string literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "")
    return f'"{escaped}"'
