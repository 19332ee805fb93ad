"""Pages of the report's own look for what stands beside it: generated notebooks, and runs cut out of the report."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from lib.runner.plan import Plan, Run
from lib.runner.store import NOTEBOOK, shown, write_whole

FRONT = "front"
OVERVIEW = "overview"
ERROR_LOG = "rendering-error.txt"
_LABEL = re.compile(r"^#\| label:\s*(\S+)", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?:|mailto:|#)([^)\s]*)\)")


class NotRendered(RuntimeError):
    """The report can't be built; the message says why and what to do."""


class Overview:
    """The front page: a notebook written here, as if it had been executed."""

    def __init__(self, title: str):
        self._cells: list[dict[str, Any]] = []
        self.prose(f"# {title}")

    def prose(self, text: str) -> None:
        """Add a paragraph of Markdown."""
        self._cells.append({"cell_type": "markdown", "id": self._id(), "metadata": {}, "source": text})

    def table(self, label: str, caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> None:  # fmt: skip
        """Add a table of texts, of which the first `left` columns are words and the others numbers."""
        from lib.display import TABLE_MIME

        align = ["left" if place < left else "right" for place in range(len(columns))]
        bundle = {"columns": list(columns), "rows": [list(row) for row in rows], "align": align}
        self._output(f"#| label: {label}\n#| tbl-cap: {caption}", {TABLE_MIME: bundle})

    def figure(self, label: str, caption: str, alt: str, svg: str) -> None:
        """Add a figure that is SVG text."""
        self._output(f"#| label: {label}\n#| fig-cap: {caption}\n#| fig-alt: {alt}", {"image/svg+xml": svg})

    def notebook(self) -> dict[str, Any]:
        """Return the notebook."""
        return {"cells": self._cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}

    def _output(self, source: str, data: dict[str, Any]) -> None:
        output = {"output_type": "display_data", "data": data, "metadata": {}}
        self._cells.append(
            {
                "cell_type": "code", "id": self._id(), "metadata": {"tags": ["remove-input"]}, "source": source,
                "outputs": [output], "execution_count": None,
            }
        )  # fmt: skip

    def _id(self) -> str:
        return f"cell-{len(self._cells)}"


def build_pages(
    plan: Plan, runs: Iterable[Run], runs_dir: Path, folder: Path, overview: Overview, title: str
) -> Path:
    """Build a small HTML report of some runs of `plan` behind an overview, into `folder`, and return its opening page.

    Raises
    ------
    NotRendered
        The report's builder refuses.
    """
    runs = [replace(run, part="Runs") for run in runs]
    front = Run(id=OVERVIEW, notebook=f"{OVERVIEW}.ipynb", title=title, part=FRONT)
    settings = {"title": title, "subtitle": f"Beside the report “{plan.title}”"}
    small = Plan(plan.path, settings, (front, *runs))
    with cut_copies(plan, runs, runs_dir) as pages:
        (pages / OVERVIEW).mkdir()
        (pages / OVERVIEW / NOTEBOOK).write_text(json.dumps(overview.notebook()), encoding="utf-8")
        build(small, pages, folder, pdf=False)
    return folder / "index.html"


@contextmanager
def cut_copies(plan: Plan, runs: Iterable[Run], runs_dir: Path) -> Iterator[Path]:
    """Give a folder with copies of runs in which references to other pages of the report are plain words."""
    with tempfile.TemporaryDirectory(prefix="pages-") as scratch:
        pages, notebooks = Path(scratch), {}
        for run in runs:
            shutil.copytree(
                runs_dir / run.id, pages / run.id, ignore=shutil.ignore_patterns("*.parquet", "scores", ".*")
            )
            notebooks[run.id] = json.loads((pages / run.id / NOTEBOOK).read_text(encoding="utf-8"))
        known = {f"sec-{run.id}" for run in runs} | _labels(notebooks)
        for name, notebook in notebooks.items():
            cut = cut_out(notebook, known, plan)
            (pages / name / NOTEBOOK).write_text(json.dumps(cut, ensure_ascii=False), encoding="utf-8")
        yield pages


def build(plan: Plan, runs_dir: Path, folder: Path, *, pdf: bool) -> None:
    """Have the report's builder build pages.

    Raises
    ------
    NotRendered
        It refuses, or breaks; then the traceback is kept.
    """
    try:
        import lib.report

        lib.report.build(plan, runs_dir, folder, pdf=pdf)
    except Exception as error:
        if type(error).__name__ == "RenderingError":  # the builder's own word for what an author can mend
            raise NotRendered(str(error)) from error
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / ERROR_LOG
        write_whole(log, traceback.format_exc())
        raise NotRendered(f"{type(error).__name__}: {error} (the whole traceback: {shown(log)})") from error


def cut_out(notebook: dict[str, Any], known: set[str], plan: Plan) -> dict[str, Any]:
    """Return an executed notebook whose references are plain words, but for the labels in `known`; `plan` has the titles."""
    from lib.report.numbering import REFERENCE

    titles = {run.id: run.title for run in plan.runs}

    def reference(match: re.Match) -> str:
        label = match["label"]
        if label in known:
            return match[0]
        kind, _, name = label.partition("-")
        if kind == "sec":
            return f"the report's page “{titles.get(name, name)}”"
        return f"the report's {'figure' if kind == 'fig' else 'table'} “{name.replace('-', ' ')}”"

    def words(text: str | list[str]) -> str:
        whole = text if isinstance(text, str) else "".join(text)
        return _LINK.sub(r"\1", REFERENCE.sub(reference, whole))

    cells = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cells.append({**cell, "source": words(cell["source"])})
        elif cell["cell_type"] == "code":
            outputs = [_output(output, words, known) for output in cell.get("outputs", [])]
            cells.append({**cell, "source": _options(cell["source"], words), "outputs": outputs})
    return {**notebook, "cells": cells}


def _options(source: str | list[str], words: Callable[[str], str]) -> str:
    """Treat captions, which are prose; the code stays as it was executed."""
    lines = (source if isinstance(source, str) else "".join(source)).split("\n")
    return "\n".join(words(line) if line.startswith("#|") else line for line in lines)


def _output(output: dict[str, Any], words: Callable[[str], str], known: set[str]) -> dict[str, Any]:
    from lib.display import TABLE_MIME

    data = dict(output.get("data", {}))
    if TABLE_MIME in data:
        table = data[TABLE_MIME]
        data[TABLE_MIME] = {**table, "rows": [[_cell(cell, known) for cell in row] for row in table["rows"]]}
    elif "text/markdown" in data:
        data["text/markdown"] = words(data["text/markdown"])
    return {**output, "data": data} if data else output


def _cell(cell: Any, known: set[str]) -> Any:
    """Keep a table cell's link only where it leads to an address or to what is shown here."""
    if not isinstance(cell, dict):
        return cell
    target = str(cell.get("href") or "")
    stays = target in known or target.startswith(("http://", "https://"))
    return cell if stays else {key: value for key, value in cell.items() if key != "href"}


def _labels(notebooks: dict[str, dict[str, Any]]) -> set[str]:
    found = set()
    for run, notebook in notebooks.items():
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                for label in _LABEL.findall("".join(cell["source"])):
                    found |= {label, f"{label}-{run}"}
    return found
