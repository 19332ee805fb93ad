"""Code as highlighted HTML; the colours are in the style sheet, for light and dark."""

from __future__ import annotations

from pygments import highlight as pygments_highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

_FORMATTER = HtmlFormatter(nowrap=True)


def highlight(code: str, language: str = "python") -> str:
    """Return `code` as an escaped ``<pre>`` with one class a token; an unknown language is shown plain."""
    try:
        lexer = get_lexer_by_name(language, stripnl=True)
    except ClassNotFound:
        lexer = get_lexer_by_name("text")
    body = pygments_highlight(code, lexer, _FORMATTER)
    return f'<pre class="code" tabindex="0"><code>{body}</code></pre>'
