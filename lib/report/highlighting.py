"""Code as highlighted HTML; the colours are in the style sheet, for light and dark."""

import re

from pygments import highlight as pygments_highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from lib.report.exporter import TEMPLATE

_FORMATTER = HtmlFormatter(nowrap=True)
_TOKEN = re.compile(r'<span class="([^"]*)">([^<]*)</span>')
_STYLE = (TEMPLATE / "report.css").read_text(encoding="utf-8")
_RULES = re.findall(r"^(?:\.[a-z]{1,2}\d?, )+\.[a-z]{1,2}\d? \{", _STYLE, re.M)
COLOURED = set(re.findall(r"\w+", " ".join(_RULES)))
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
