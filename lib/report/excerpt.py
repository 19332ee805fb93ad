"""Pages cut out of a report: references to what is not among them become plain words."""

from __future__ import annotations

import copy
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NOTEBOOK = "notebook.ipynb"

_LABEL = re.compile(r"^#\| label:\s*(\S+)", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?:|mailto:|#)([^)\s]*)\)")


@contextmanager
def cut_copies(plan, runs, runs_dir: Path) -> Iterator[Path]:
    """Give a folder with copies of some `runs` of a `plan` in which references to the others' pages are plain words."""
    large = shutil.ignore_patterns("*.parquet", "scores", ".*")
    with tempfile.TemporaryDirectory(prefix="pages-") as scratch:
        pages, known = Path(scratch), {f"sec-{run.id}" for run in runs}
        for run in runs:
            shutil.copytree(runs_dir / run.id, pages / run.id, ignore=large)
        notebooks = {run.id: json.loads((pages / run.id / NOTEBOOK).read_text("utf-8")) for run in runs}
        for name, notebook in notebooks.items():
            code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
            labels = [label for source in code for label in _LABEL.findall(source)]
            known |= {*labels, *(f"{label}-{name}" for label in labels)}
        titles = {run.id: run.title for run in plan.runs}
        for name, notebook in notebooks.items():
            cut = cut_out(notebook, known, titles)
            (pages / name / NOTEBOOK).write_text(json.dumps(cut, ensure_ascii=False), encoding="utf-8")
        yield pages


def cut_out(notebook: dict[str, Any], known: set[str], titles: dict[str, str]) -> dict[str, Any]:
    """Return an executed notebook whose references are plain words, but for the labels in `known`; `titles` are the runs'."""
    from lib.report.display import TABLE_MIME

    notebook, words = copy.deepcopy(notebook), _in_words(known, titles)
    for cell in notebook["cells"]:
        lines, prose = "".join(cell["source"]).split("\n"), cell["cell_type"] == "markdown"
        # Captions are prose; the code stays as it was executed.
        cell["source"] = "\n".join(words(line) if prose or line.startswith("#|") else line for line in lines)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "text/markdown" in data:
                data["text/markdown"] = words("".join(data["text/markdown"]))
            for item in [item for row in data.get(TABLE_MIME, {}).get("rows", []) for item in row]:
                # A table's link stays only where it leads to an address or to what is shown here.
                href = item.get("href", "") if isinstance(item, dict) else ""
                if href and href not in known and not href.startswith(("http:", "https:")):
                    del item["href"]
    return notebook


def _in_words(known: set[str], titles: dict[str, str]) -> Callable[[str], str]:
    """Return what puts words in the place of references, but for the labels in `known`, and of links to files."""
    from lib.report.numbering import LINKED, REFERENCE

    def reference(match: re.Match) -> str:
        label = match["label"]
        kind, _, name = label.partition("-")
        if label in known:
            return match[0]
        if kind == "sec":
            return f"the report's page “{titles.get(name, name)}”"
        return f"the report's {'figure' if kind == 'fig' else 'table'} “{name.replace('-', ' ')}”"

    return lambda text: _LINK.sub(r"\1", REFERENCE.sub(reference, LINKED.sub(r"@\g<label>", text)))
