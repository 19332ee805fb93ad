"""Touches that pandoc's MathML needs to look like the same formula set by LaTeX."""

import re
import unicodedata
from xml.etree import ElementTree

_NAMESPACE = "http://www.w3.org/1998/Math/MathML"
_FORMULA = re.compile(r"<math\b.*?</math>", re.S)
_BARS: dict[str | None, tuple[str, ...]] = {
    "\u2016": (r"\left\lVert", r"\left\Vert"),
    "|": (r"\left|", r"\left\lvert", r"\left\vert"),
}
"""Bars, and how a formula says that they shall grow with what they hold."""


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
    """Return HTML whose formulas have large operators in aligned lines, bars that grow only where LaTeX's do, and a text alternative."""
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
    return ElementTree.tostring(root, encoding="unicode")
