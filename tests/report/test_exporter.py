"""nbconvert's template on a notebook that is not ours: one page, no request, prose, code, figures and tables."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from lib import ROOT
from lib.report.exporter import TEMPLATE

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="7pt" height="7pt"><path d="M0 0L7 7"/></svg>'


def test_jupyter_nbconvert_shows_a_strangers_notebook(tmp_path):
    shown = [
        new_output("stream", text="1 < 2 lines"),
        new_output("display_data", data={"image/svg+xml": SVG}),
        new_output("execute_result", data={"text/html": "<table><tr><td>7</td></tr></table>"}, execution_count=1),
    ]
    notebook = new_notebook(
        cells=[
            new_markdown_cell("# Mine\n\nA *word* and $x^2$."),
            new_code_cell("#| fig-cap: What is <drawn>.\nplot(x)", outputs=shown),
            new_code_cell("secret()", metadata={"tags": ["remove-cell"]}),
        ]
    )
    nbformat.write(notebook, tmp_path / "mine.ipynb")
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--template", str(TEMPLATE), "mine.ipynb"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "mine.html").read_text(encoding="utf-8")
    assert "<title>mine</title>" in page
    for told in (
        "<h1",
        "<em>word</em>",
        "<math",
        "1 &lt; 2 lines",
        "data:image/svg+xml;base64,",
        "What is &lt;drawn&gt;.",
        "<td>7</td>",
    ):
        assert told in page, told
    assert "secret" not in page and "#|" not in page
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)[^\"]*\"|url\((?!data:)", page), "a request leaves the page"
