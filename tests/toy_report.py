"""A report of a few tiny notebooks, for tests of the runner: no MovieLens, no heavy import."""

import json
import os
import subprocess
import sys
from pathlib import Path

from lib import ROOT

# The runner as a user calls it, with a builder in place of the real one: these tests are not about rendering.
DRIVER = """
import signal, sys, types, lib
# A job that a script put into the background ignores Ctrl-C; these tests send it, wherever they themselves run.
signal.signal(signal.SIGINT, signal.default_int_handler)
builder = types.ModuleType("lib.report.build")
from lib.report.errors import RenderingError
def build(plan, runs_dir, output_dir, *, pdf=True, whole=None):
    if (plan.root / "unbuildable").exists():
        raise RenderingError("a caption is missing", "Write it.")
    pages = [(runs_dir / run.id / "notebook.ipynb").read_text() for run in plan.runs]
    output_dir.mkdir(parents=True, exist_ok=True)
    (output_dir / "index.html").write_text("".join(pages))
    (output_dir / "files.json").write_text('["index.html"]')
    if pdf:
        (output_dir / "report.pdf").write_text("".join(pages))
builder.build = build
sys.modules["lib.report.build"] = builder
from lib.runner.command_line import main
sys.exit(main())
"""

COUNT = """import os
from pathlib import Path
with open("../executed.txt", "a") as file:
    print(run, file=file)
folder = Path(os.environ["REPORT_RUN_FOLDER"])
"""


def whole_record(**values) -> dict:
    """Return all that the runner knows of a run's results before they are published."""
    parts = {"code": [], "parameters": {}, "data": {}, "upstream": {}, "lock": "", "python": ""}
    known = {"parts": parts, "profile": "full", "seconds": 1.0, "finished": "2026-01-02T03:04:05+00:00"}
    return known | values


class ToyReport:
    def __init__(self, root: Path):
        self.root = root
        (root / "notebooks").mkdir(parents=True)
        self.reports, self.runs_dir = root / "reports", root / "reports" / "runs"

    def notebook(self, name: str, *code: str, parameters: str = "n: int = 2", prose: str = "Some prose."):
        """Write a notebook: prose, the parameters cell, a cell that counts executions, then cells of code."""
        sources = [f'run: str = "{name}"\nruns_dir: str = ""\n{parameters}', COUNT, *code]
        cells = [{"cell_type": "markdown", "id": "prose", "metadata": {}, "source": f"# {name}\n\n{prose}"}]
        cells += [
            {
                "cell_type": "code", "id": f"code-{place}", "metadata": {"tags": ["parameters"]} if not place else {},
                "execution_count": None, "outputs": [], "source": source,
            }
            for place, source in enumerate(sources)
        ]  # fmt: skip
        content = {
            "cells": cells, "nbformat": 4, "nbformat_minor": 5,
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        }  # fmt: skip
        path = self.root / "notebooks" / f"{name}.ipynb"
        path.write_text(json.dumps(content))
        return path

    def plan(self, *runs: dict | str) -> Path:
        """Write the plan; a run is its id or a table with what differs from the toy's ways."""
        lines = ['[report]\ntitle = "Toy"\n']
        for run in runs:
            run = {"id": run} if isinstance(run, str) else run
            run = {"notebook": f"{run['id']}.ipynb", "title": run["id"].upper(), **run}
            tables = {key: value for key, value in run.items() if isinstance(value, dict)}
            lines.append("[[runs]]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in run.items() if key not in tables]
            for key, table in tables.items():
                lines.append(f"[runs.{key}]")
                lines += [f"{name} = {json.dumps(value)}" for name, value in table.items()]
        path = self.root / "report.toml"
        path.write_text("\n".join(lines) + "\n")
        return path

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-c", DRIVER, "--plan", str(self.root / "report.toml"), *arguments]

    def environment(self, **variables: str | None) -> dict[str, str]:
        left_out = ("REPORT_RUN_FOLDER", "MOVIELENS_DIR", "REPORT_CLUSTER")
        kept = {name: value for name, value in os.environ.items() if name not in left_out}
        # Toys have no fits; processes for them would take longer than all the rest.
        given = {**kept, "PYTHONPATH": str(ROOT), "REPORT_CLUSTER": "", **variables}
        return {name: value for name, value in given.items() if value is not None}

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen:
        return subprocess.Popen(
            self.command(*arguments), cwd=self.root, env=self.environment(**variables), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
        process = self.start(*arguments, **variables)
        output, _ = process.communicate(timeout=300)
        return subprocess.CompletedProcess(process.args, process.returncode, output)

    @property
    def executed(self) -> list[str]:
        """The runs executed so far, in order; cleared by reading."""
        path = self.root / "executed.txt"
        names = path.read_text().split() if path.exists() else []
        path.unlink(missing_ok=True)
        return names

    def record(self, run: str) -> dict:
        return json.loads((self.runs_dir / run / "cache.json").read_text())
