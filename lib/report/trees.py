"""Pandoc's document tree: walking it, and making its elements."""

import re
from collections.abc import Callable

from lib.report.mathml import spoken


def walk(node, visit: Callable[[dict], list | None]):
    """Rebuild a tree: `visit` returns what replaces an element, or None to go on into it."""
    if isinstance(node, list):
        out = []
        for child in node:
            if isinstance(child, dict) and "t" in child:
                replaced = visit(child)
                out += [walk(child, visit)] if replaced is None else replaced
            else:
                out.append(walk(child, visit))
        return out
    return {**node, "c": walk(node["c"], visit)} if isinstance(node, dict) and "c" in node else node


def element(kind: str, content) -> dict:
    """Return an element of the tree: a ``Str`` of text, or raw markup, ``RawInline`` or ``RawBlock``, of [format, text]."""
    return {"t": kind, "c": content}


def para(text: str) -> dict:
    """Return a paragraph of plain text."""
    return element("Para", [element("Str", " ".join(text.split()))])


def link(text: list, url: str, css: str = "", title: str = "") -> dict:
    """Return a link; `title` is what it tells when pointed at."""
    return element("Link", [["", [css] if css else [], []], text, [url, title]])


def words(node) -> str:
    """Return the plain words of a tree, one space between them."""
    out: list[str] = []

    def visit(element: dict):
        kind, content = element["t"], element.get("c", ())
        if kind == "Math":
            out.append(spoken(content[1]))
        elif kind in ("Str", "Code", "CodeBlock", "RawInline"):
            out.append(content if kind == "Str" else content[1])
        elif kind not in ("Quoted", "Link", "Emph", "Strong", "Span"):
            out.append(" ")

    walk(node, visit)
    return re.sub(r"\s+", " ", "".join(out)).strip()


def unique(text: str, taken: set[str]) -> str:
    """Return a heading's id, its words in lower case joined by hyphens, numbered if it is taken, and take it."""
    slug = re.sub(r"[^\w]+", "-", text.lower()).strip("-") or "section"
    name, n = slug, 1
    while name in taken:
        n += 1
        name = f"{slug}-{n}"
    taken.add(name)
    return name
