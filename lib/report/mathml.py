"""Touches that pandoc's MathML needs to look like the same formula set by LaTeX."""

from __future__ import annotations

import re
import unicodedata
from xml.etree import ElementTree

_NAMESPACE = "http://www.w3.org/1998/Math/MathML"
_FORMULA = re.compile(r"<math\b.*?</math>", re.S)
_APPLY = "\u2061"
_THIN = "0.1667em"
_BARS = {"\u2016": (r"\left\lVert", r"\left\Vert"), "|": (r"\left|", r"\left\lvert", r"\left\vert")}
"""Bars, and how a formula says that they shall grow with what they hold."""
_NORM = re.compile(r"(?<!\\left)(?<!\\right)(?<![bB]ig)(?<!igg)(?<!ig[lr])(?<!igg[lr])\\\|")


def norms(latex: str) -> str:
    r"""Return a formula with each pair of ``\|`` written as ``\lVert`` and ``\rVert``.

    A bare ``\|`` is neither an opening nor a closing sign, and is set with the space of a relation.
    """
    parts = _NORM.split(latex)
    if len(parts) % 2 == 0:
        return latex
    signs = [r"\lVert ", r"\rVert "]
    return parts[0] + "".join(signs[n % 2] + part for n, part in enumerate(parts[1:]))


def spoken(latex: str) -> str:
    """Return a formula as plain words for a search index: Greek letters as such, other commands and braces dropped."""

    def sign(match: re.Match) -> str:
        name = match[1]
        case = "CAPITAL" if name[0].isupper() else "SMALL"
        try:
            return unicodedata.lookup(f"GREEK {case} LETTER {name.upper().replace('LAMBDA', 'LAMDA')}")
        except KeyError:
            return " "

    return re.sub(r"[{}^_&\\]+", " ", re.sub(r"\\([A-Za-z]+)", sign, latex))


def polish(html: str) -> str:
    """Return HTML whose formulas have LaTeX's spaces, large operators in aligned lines, and a text alternative."""
    return _FORMULA.sub(lambda match: _polished(match[0]), html)


def _polished(formula: str) -> str:
    ElementTree.register_namespace("", _NAMESPACE)
    root = ElementTree.fromstring(formula)
    latex = "".join(node.text or "" for node in root.iter(f"{{{_NAMESPACE}}}annotation"))
    root.set("alttext", " ".join(latex.split()))
    for sign in root.iter(f"{{{_NAMESPACE}}}mo"):
        growing = _BARS.get(sign.text)
        if growing and "minsize" not in sign.attrib and not any(name in latex for name in growing):
            sign.set("stretchy", "false")
    for table in root.iter(f"{{{_NAMESPACE}}}mtable"):
        cell = table.find(f"{{{_NAMESPACE}}}mtr/{{{_NAMESPACE}}}mtd")
        # Lines of an aligned formula, not a matrix.
        if cell is not None and cell.get("columnalign") == "right":
            table.set("displaystyle", "true")
    for parent in list(root.iter()):
        for place, child in reversed(list(enumerate(parent))):
            if _is_named_operator(child) and place + 1 < len(parent):
                space = ElementTree.Element(f"{{{_NAMESPACE}}}mspace", {"width": _THIN})
                parent.insert(place + 1, space)
    return ElementTree.tostring(root, encoding="unicode")


def _is_named_operator(node: ElementTree.Element) -> bool:
    """Whether this is a name such as min with a limit below it: MathML leaves no space after those."""
    if node.tag not in (f"{{{_NAMESPACE}}}msub", f"{{{_NAMESPACE}}}munder") or not len(node):
        return False
    base = node[0]
    return base.tag == f"{{{_NAMESPACE}}}mrow" and len(base) == 2 and base[1].text == _APPLY
