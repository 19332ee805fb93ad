"""Pages of the report's own look for runs that are cut out of it."""

from __future__ import annotations

import copy
import json
import re
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from lib.runner.plan import Plan, Run
from lib.runner.store import NOTEBOOK, shown, write_whole

ERROR_LOG = "rendering-error.txt"
_LABEL = re.compile(r"^#\| label:\s*(\S+)", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?:|mailto:|#)([^)\s]*)\)")


class NotRendered(RuntimeError):
    """The report can't be built; the message says why and what to do."""


def build_pages(plan: Plan, runs: Iterable[Run], runs_dir: Path, folder: Path, title: str) -> Path:
    """Build a small HTML report of some runs of `plan` into `folder`, and return its opening page.

    Raises NotRendered: the report's builder refuses.
    """
    settings = {"title": title, "subtitle": f"Beside the report “{plan.title}”"}
    runs = tuple(replace(run, part="Runs") for run in runs)
    with cut_copies(plan, runs, runs_dir) as pages:
        build(Plan(plan.path, settings, runs), pages, folder, pdf=False)
    return folder / "index.html"


@contextmanager
def cut_copies(plan: Plan, runs: Iterable[Run], runs_dir: Path) -> Iterator[Path]:
    """Give a folder with copies of runs in which references to other pages of the report are plain words."""
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
        for name, notebook in notebooks.items():
            cut = cut_out(notebook, known, plan)
            (pages / name / NOTEBOOK).write_text(json.dumps(cut, ensure_ascii=False), encoding="utf-8")
        yield pages


def build(plan: Plan, runs_dir: Path, folder: Path, *, pdf: bool) -> None:
    """Have the report's builder build pages.

    Raises NotRendered: it refuses, or breaks; then the traceback is kept.
    """
    try:
        from lib.report.build import build as build_pages

        build_pages(plan, runs_dir, folder, pdf=pdf)
    except Exception as error:
        if type(error).__name__ == "RenderingError":  # the builder's own word for what an author can mend
            raise NotRendered(str(error)) from error
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / ERROR_LOG
        write_whole(log, traceback.format_exc())
        raise NotRendered(f"{type(error).__name__}: {error} (the whole traceback: {shown(log)})") from error


def cut_out(notebook: dict[str, Any], known: set[str], plan: Plan) -> dict[str, Any]:
    """Return an executed notebook whose references are plain words, but for the labels in `known`; `plan` has the titles."""
    from lib.report.display import TABLE_MIME

    notebook, words = copy.deepcopy(notebook), _in_words(known, {run.id: run.title for run in plan.runs})
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
    from lib.report.numbering import REFERENCE

    def reference(match: re.Match) -> str:
        label = match["label"]
        kind, _, name = label.partition("-")
        if label in known:
            return match[0]
        if kind == "sec":
            return f"the report's page “{titles.get(name, name)}”"
        return f"the report's {'figure' if kind == 'fig' else 'table'} “{name.replace('-', ' ')}”"

    return lambda text: _LINK.sub(r"\1", REFERENCE.sub(reference, text))
