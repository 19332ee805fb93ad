"""The works that prose cites, from a BibTeX file: what each is called in a sentence, and its entry in a list of references."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lib.report import pandoc
from lib.report.document import Page
from lib.report.errors import RenderingError, nearest
from lib.report.trees import element, link, words

FILE = "references.bib"
"""Beside the notebooks, which is where MyST looks for it."""

CITE = "cite:"
LISTING = "{bibliography}"
"""What a link to a work's entry starts with, and the directive, a fenced block, in whose place the list stands."""

_ROLE = re.compile(r"\{cite:([pt])\}`([^`\n]+)`")
_ARTICLE = re.compile(r"\b[Tt]he (?=\[[^\]]*\]\(#(?:fig|tbl)-)")  # "in the figure" is "in Figure 3"
_KEY = re.compile(r"^\s*@(?!comment|string|preamble)\w+\s*\{\s*([^\s,]+)", re.M | re.I)


@dataclass(frozen=True)
class Work:
    """A cited work: what it is called within brackets, ``p``, and in a sentence, ``t``; its entry as a tree; its address."""

    called: dict[str, str]
    entry: list
    url: str


class References:
    """The works of a BibTeX file by their keys, in the order of the list; without the file there are none."""

    def __init__(self, path: Path):
        self.works = dict(_read(path)) if path.is_file() else {}

    def cited(self, address: str, **place) -> list:
        """Return a citation's words, each work a link with its key; RenderingError: a key is of no work."""
        _, kind, keys = address.split(":", 2)
        said: list = []
        for key in keys.split(","):
            if key not in self.works:
                fix = nearest(key, self.works) or f"Add the work to notebooks/{FILE}."
                raise RenderingError(f"the citation of {key} is of no work in {FILE}", fix, **place)
            said += [element("Str", "; "), link([element("Str", self.works[key].called[kind])], CITE + key)]
        return [element("Str", "("), *said[1:], element("Str", ")")] if kind == "p" else said[1:]

    def linked(self, text: list, key: str, listed: Page | None, page: Page | None) -> list:
        """Return a link from a page to a work's entry where it is `listed`, else to the work; its title is the entry."""
        href = f"{'' if listed is page else listed.file}#ref-{key}" if listed else self.works[key].url
        return [link(text, href, "cite", words(self.works[key].entry))] if href else text

    def listing(self) -> dict:
        """Return the list of all works."""
        entries = [element("Div", [[f"ref-{key}", [], []], work.entry]) for key, work in self.works.items()]
        return element("Div", [["", ["references"], []], entries])


def with_links(markdown: str) -> str:
    """Return markdown with its roles of citation, ``{cite:p}`` in brackets and ``{cite:t}`` in a sentence, as links."""
    called = _ARTICLE.sub("", markdown)
    return _ROLE.sub(lambda role: f"[](<{CITE}{role[1]}:{','.join(re.findall(r'[^,; ]+', role[2]))}>)", called)


def _read(path: Path) -> Iterator[tuple[str, Work]]:
    keys = _KEY.findall(path.read_text(encoding="utf-8"))
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise RenderingError(f"{path.name} has the key {twice[0]} twice", "Give one of the two works another key.")
    arguments = ["-f", "markdown", "--citeproc", f"--bibliography={path}", "-t", "json"]
    text, _ = pandoc.run("\n\n".join(f"@{{{key}}}" for key in keys), arguments, fix=f"Mend {path.name}.")
    *sentences, listed = json.loads(text)["blocks"] or [element("Div", ["", []])]
    called = dict(zip(keys, map(words, sentences), strict=True))
    for (name, *_), entry in (one["c"] for one in listed["c"][1]):
        key = name.removeprefix("ref-")
        sentence = called[key].removesuffix(" (n.d.)")
        author, _, year = sentence.removesuffix(")").partition(" (")
        urls = re.findall(r'"(https?://[^"]+)"', json.dumps(entry))
        yield key, Work({"p": f"{author} {year}".strip(), "t": sentence}, entry, (urls or [""])[-1])
