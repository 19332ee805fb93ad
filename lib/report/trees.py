"""Pandoc's document tree: walking it, and making its elements."""

from __future__ import annotations

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
                out += [_into(child, visit)] if replaced is None else replaced
            else:
                out.append(walk(child, visit))
        return out
    return _into(node, visit) if isinstance(node, dict) else node


def _into(node: dict, visit) -> dict:
    return {**node, "c": walk(node["c"], visit)} if "c" in node else node


def string(text: str) -> dict:
    """Return a word."""
    return {"t": "Str", "c": text}


def para(text: str) -> dict:
    """Return a paragraph of plain text."""
    return {"t": "Para", "c": [string(" ".join(text.split()))]}


def raw(language: str, text: str) -> dict:
    """Return markup of the output format, within a line."""
    return {"t": "RawInline", "c": [language, text]}


def raw_block(language: str, text: str) -> dict:
    """Return markup of the output format, as a block."""
    return {"t": "RawBlock", "c": [language, text]}


def link(text: list, url: str, css: str = "") -> dict:
    """Return a link."""
    return {"t": "Link", "c": [["", [css] if css else [], []], text, [url, ""]]}


def words(node) -> str:
    """Return the plain words of a tree, one space between them."""
    out: list[str] = []

    def visit(element: dict):
        kind, content = element["t"], element.get("c")
        if kind == "Str":
            out.append(content)
        elif kind == "Math":
            out.append(spoken(content[1]))
        elif kind in ("Code", "CodeBlock", "RawInline"):
            out.append(content[1])
        elif kind in ("Space", "SoftBreak", "LineBreak"):
            out.append(" ")
        elif kind in ("Quoted", "Link", "Emph", "Strong"):
            return None
        else:
            out.append(" ")
        return None

    walk(node if isinstance(node, list) else [node], visit)
    return re.sub(r"\s+", " ", "".join(out)).strip()


def slug(text: str) -> str:
    """Return a heading's id: its words in lower case, joined by hyphens."""
    return re.sub(r"[^\w]+", "-", text.lower()).strip("-") or "section"


def unique(slug: str, taken: set[str]) -> str:
    """Return `slug`, numbered if it is taken, and take it."""
    name, n = slug, 1
    while name in taken:
        n += 1
        name = f"{slug}-{n}"
    taken.add(name)
    return name
