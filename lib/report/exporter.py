"""nbconvert's part: preprocessors that read our notebooks' conventions, exporters for reading and for writing, coloured code.

The template folder ``templates/filling-the-matrix`` is an ordinary one of nbconvert's: it shows anybody's notebook in the
report's style, with the preprocessors of its ``conf.json``.
"""

import logging
import re
from importlib.resources import files
from typing import Any

import jinja2
from nbconvert.exporters import Exporter, TemplateExporter
from nbconvert.preprocessors import Preprocessor, TagRemovePreprocessor
from nbformat import NotebookNode
from pygments import highlight as pygments_highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from lib.report import inline, pandoc
from lib.report.errors import RenderingError
from lib.report.mathml import polish

log = logging.getLogger(__name__)

TEMPLATE = files("lib.report") / "templates" / "filling-the-matrix"

_OPTION = re.compile(r"#\|[ \t]*(?P<key>[a-z][a-z-]*):[ \t]*(?P<value>.*?)[ \t]*(?:\n|\Z)")


class OurConventions(Preprocessor):
    """Number the cells as their author counts them, put the kernel's answers into prose, and code's option lines aside."""

    def preprocess_cell(self, cell: NotebookNode, resources: dict[str, Any], index: int):
        """Replace ``{eval}`` by values and words that don't hold by a notice; ``#| key: value`` goes to ``options``."""
        cell.metadata["number"] = index + 1
        if cell.cell_type not in ("code", "markdown"):
            return cell, resources
        run, kept, source = resources.get("run", ""), cell.metadata.get(inline.KEY, []), cell.source
        try:
            if cell.cell_type == "code":
                options, cell.source = split_options(source)
                cell.metadata["options"], broken = inline.told_options(source, options, kept)
            else:
                cell.source, broken = inline.told(source, kept)
        except inline.Unanswered as error:
            fix = f"Run it again: python run_notebooks.py --only {run} --force" if run else "Execute the notebook."
            problem = f"an inline expression has no value: {error}"
            raise RenderingError(problem, fix, run=run or None, cell=index + 1) from None
        for condition in broken:
            log.warning("run %s, cell %d: written for other results, as this is false: %s", run, index + 1, condition)
        return cell, resources


class ProseAsHTML(Preprocessor):
    """Turn Markdown cells into HTML with mathematics as MathML, so that a page needs no script; as ``html``."""

    def preprocess_cell(self, cell: NotebookNode, resources: dict[str, Any], index: int):
        """Ask pandoc."""
        if cell.cell_type == "markdown":
            html, _ = pandoc.run(cell.source, ["-f", pandoc.DIALECT, *pandoc.HTML])
            cell.metadata["html"] = polish(html)
        return cell, resources


class NotebookReader(Exporter):
    """An executed notebook as the report reads it: values in the prose, options apart, hidden cells gone."""

    def __init__(self):
        tags = {"remove_cell_tags": {"remove-cell"}, "remove_input_tags": {"remove-input"}}
        hidden = TagRemovePreprocessor(enabled=True, **tags)
        super().__init__(default_preprocessors=[], preprocessors=[OurConventions, hidden])


class SiteExporter(TemplateExporter):
    """Pages of the site: nbconvert goes through a notebook that `NotebookReader` has read, our templates write it."""

    def __init__(self):
        super().__init__(template_name=str(TEMPLATE), file_extension=".html")

    def _init_preprocessors(self) -> None:
        """Do without: the notebook has been read."""

    def _create_environment(self) -> jinja2.Environment:
        environment = super()._create_environment()
        environment.autoescape = environment.trim_blocks = environment.lstrip_blocks = True
        environment.undefined = jinja2.StrictUndefined
        return environment


def split_options(source: str) -> tuple[dict[str, str], str]:
    """Split a code cell into the ``#| key: value`` lines at its top, quotes around a value taken off, and the rest."""
    options, code = {}, source.lstrip("\n")
    while line := _OPTION.match(code):
        options[line["key"]] = re.sub(r"^([\"'])(.*)\1$", r"\2", line["value"])
        code = code[line.end() :]
    return options, code.strip()


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
