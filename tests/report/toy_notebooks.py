"""Small executed notebooks, made by hand, and plans over them."""

import json
from pathlib import Path

from lib.report.display import POINTS_MIME, TABLE_MIME
from lib.runner.plan import Plan, Run

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="72pt" height="36pt" viewBox="0 0 72 36">'
    '<path d="M0 0L72 36" stroke="black"/></svg>'
)


class Notebook:
    """Builds one executed notebook, cell by cell."""

    def __init__(self):
        self.cells = []

    def markdown(self, text):
        return self._add({"cell_type": "markdown", "metadata": {}, "source": text})

    def code(self, source, *outputs, tags=()):
        return self._add(
            {
                "cell_type": "code",
                "metadata": {"tags": list(tags)},
                "source": source,
                "execution_count": 1,
                "outputs": list(outputs),
            }
        )

    def say(self, text):
        return self.code('say(f"...")', shown({"text/markdown": text}))

    def card(self, text, look):
        return self._add(
            {
                "cell_type": "code",
                "metadata": {"tags": ["remove-input"]},
                "source": "claim(card)",
                "outputs": [shown({"text/markdown": text}) | {"metadata": {"label": look}}],
                "execution_count": 1,
            }
        )

    def figure(self, label, caption="A caption.", alt="What is drawn.", source="draw()", points=None, title=None):
        lines = {"label": label, "fig-title": title, "fig-cap": caption, "fig-alt": alt}
        options = "".join(f"#| {key}: {value}\n" for key, value in lines.items() if value is not None)
        return self.code(
            options + source,
            shown({"image/svg+xml": SVG, "text/plain": "[figure]"} | ({POINTS_MIME: points} if points else {})),
        )

    def table(self, label, columns, rows, caption="A caption.", align=None):
        head = f"#| label: {label}\n#| tbl-cap: {caption}\n" if label else ""
        bundle = {"columns": columns, "rows": rows, "align": align or ["left"] * len(columns)}
        return self.code(head + "show()", shown({TABLE_MIME: bundle, "text/plain": "[table]"}))

    def _add(self, cell):
        self.cells.append({"id": f"c{len(self.cells)}", **cell})
        return self

    def write(self, folder: Path, *, labels=(), **provenance):
        folder.mkdir(parents=True, exist_ok=True)
        notebook = {"cells": self.cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (folder / "notebook.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
        record = {
            "commit": "c0ffee" * 6 + "c0ff",
            "finished": "2026-03-04T05:06:07+00:00",
            "dataset": "toy",
            "data_checksums": {"u.data": "ab" * 32},
            "versions": {"numpy": "2.0"},
            "seconds": 61.0,
            "python": "3.11",
            "parameters": {"seed": 42},
            **provenance,
        }
        (folder / "provenance.json").write_text(json.dumps(record), encoding="utf-8")
        for label in labels:
            kind = "figures" if label.startswith("fig-") else "tables"
            (folder / kind).mkdir(exist_ok=True)
            (folder / kind / f"{label}.csv").write_text("x,y\n1,2\n", encoding="utf-8")


def shown(data):
    return {"output_type": "display_data", "data": data, "metadata": {}}


def make_plan(root: Path, *runs: Run) -> Plan:
    settings = {"title": "Toy report", "subtitle": "Two runs", "description": "What it *is*."}
    return Plan(path=root / "report.toml", report=settings, runs=runs)


def run(name: str, part: str = "Models") -> Run:
    return Run(id=name, notebook=f"{name}.ipynb", title=name.title(), summary=f"About {name}.", part=part)


METRIC = {
    "dataset": "toy",
    "split": "u1",
    "fold": "",
    "seed": 1,
    "model": "svd",
    "metric": "rmse",
    "value": 0.9,
    "low": 0.8,
    "high": 1.0,
    "seconds_fit": None,
    "seconds_predict": None,
    "run": "first",
    "setting": "no_time",
    "headline": "yes",
}
CLAIM = {
    "id": "A-1",
    "project": "A",
    "figure": "RMSE",
    "reported": 0.9,
    "ours": 0.91,
    "low": 0.9,
    "high": 0.92,
    "reproduced": "yes",
    "stands": "with a condition",
    "cause": "",
    "reason": "within, the interval",
    "evidence": "fig-one",
}
