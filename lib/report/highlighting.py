"""Code as highlighted HTML; the colours are in the style sheet, for light and dark."""

from __future__ import annotations

import re

from pygments import highlight as pygments_highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

_FORMATTER = HtmlFormatter(nowrap=True)
_TOKEN = re.compile(r'<span class="([^"]*)">([^<]*)</span>')

COLOURED = {
    "c",
    "c1",
    "cm",
    "ch",
    "cs",
    "sd",
    "k",
    "kn",
    "kd",
    "kr",
    "ow",
    "kc",
    "s",
    "s1",
    "s2",
    "sa",
    "si",
    "se",
    "sf",
    "s3",
    "m",
    "mi",
    "mf",
    "mb",
    "mh",
    "nf",
    "nc",
    "nd",
    "nn",
    "nb",
    "bp",
    "fm",
}
"""Pygments' classes that the style sheet knows; the code's other tokens look like their surroundings."""


def highlight(code: str, language: str = "python") -> str:
    """Return `code` as an escaped ``<pre>`` with a class for each token that has a colour; an unknown language is shown plain."""
    try:
        lexer = get_lexer_by_name(language, stripnl=True)
    except ClassNotFound:
        lexer = get_lexer_by_name("text")
    body = pygments_highlight(code, lexer, _FORMATTER)
    body = _TOKEN.sub(lambda found: found.group() if found[1] in COLOURED else found[2], body)
    return f'<pre class="code" tabindex="0"><code>{body}</code></pre>'
