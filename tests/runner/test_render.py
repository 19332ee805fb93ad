import json

from lib.runner.plan import Plan, Run
from lib.runner.render import build_pages, merge


def cell(name, source, kind="code", tags=(), **more):
    return {"id": name, "cell_type": kind, "source": source, "metadata": {"tags": list(tags)}, **more}


SOURCE = [
    cell("t", "# Old title", "markdown"),
    cell("p", "n: int = 2", tags=["parameters"]),
    cell("c", ["#| fig-cap: Old.\n", "draw(n)"]),
]
EXECUTED = [
    SOURCE[0],
    {**SOURCE[1], "outputs": [], "execution_count": 1},
    cell("i", "n = 5", tags=["injected-parameters"], outputs=[], execution_count=2),
    {**SOURCE[2], "outputs": ["a figure"], "execution_count": 3},
]


def test_prose_tags_and_options_come_from_the_source_and_outputs_stay():
    reworded = [
        cell("t", "# New title", "markdown"),
        cell("new", "More prose.", "markdown"),
        cell("p", "n: int = 3  # overridden", tags=["parameters"]),
        cell("c", ["#| fig-cap: New.\n", "draw(n)"], tags=["remove-input"]),
    ]
    merged = merge({"cells": reworded}, {"cells": EXECUTED, "metadata": {"kept": True}})
    assert [c["id"] for c in merged["cells"]] == ["t", "new", "p", "i", "c"]
    assert merged["cells"][0]["source"] == "# New title"
    last = merged["cells"][-1]
    assert last["source"][0] == "#| fig-cap: New.\n" and last["metadata"]["tags"] == ["remove-input"]
    assert last["outputs"] == ["a figure"] and last["execution_count"] == 3
    assert merged["metadata"] == {"kept": True}


def test_other_code_than_was_executed_is_not_merged():
    changed = [*SOURCE[:2], cell("c", "draw(2 * n)")]
    assert merge({"cells": changed}, {"cells": EXECUTED}) is None
    assert merge({"cells": SOURCE[:2]}, {"cells": EXECUTED}) is None


def test_a_run_by_itself_is_a_small_report(tmp_path):
    runs = (Run("svd", "svd.ipynb", "SVD"), Run("baselines", "baselines.ipynb", "Baselines"))
    plan = Plan(tmp_path / "report.toml", {"title": "The report"}, runs)
    prose = cell("t", "# SVD\n\nSee @fig-far and @sec-baselines.", "markdown")
    (tmp_path / "runs" / "svd").mkdir(parents=True)
    path = tmp_path / "runs" / "svd" / "notebook.ipynb"
    path.write_text(json.dumps({"cells": [prose], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    before = path.read_bytes()
    page = build_pages(plan, plan.runs[:1], tmp_path / "runs", tmp_path / "out", "Rerun: SVD")
    text = page.read_text()
    assert "Rerun: SVD" in text and "Beside the report “The report”" in text
    assert "svd.html" in text
    text = (tmp_path / "out" / "svd.html").read_text()
    assert "figure “far”" in text and "page “Baselines”" in text
    assert path.read_bytes() == before
