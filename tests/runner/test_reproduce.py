import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from lib import ROOT
from lib.runner import reproduce
from lib.runner.command_line import main
from lib.runner.notebook import read_notebook
from lib.runner.plan import Plan, Run, load_plan
from tests.documents import check
from tests.toy_report import whole_record

PAGE = read_notebook(ROOT / "notebooks" / "reproduce.ipynb")
PROSE = "\n".join(cell.source for cell in PAGE.cells if cell.type == "markdown")
COMMANDS = re.findall(r"^- `([^`]+)`:", PROSE, flags=re.MULTILINE)


def notebook(folder, name, *labels):
    cells = [
        {"cell_type": "code", "id": label, "metadata": {}, "source": f"#| label: {label}\n1", "outputs": []}
        for label in labels
    ]
    (folder / name).write_text(json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}))


@pytest.fixture
def small(tmp_path):
    """A plan of three runs, two of which share a notebook; one of them is stored."""
    (tmp_path / "notebooks").mkdir()
    notebook(tmp_path / "notebooks", "a.ipynb", "tbl-a", "fig-a", "fig-not-drawn")
    notebook(tmp_path / "notebooks", "b.ipynb", "tbl-b")
    runs = (
        Run("a", "a.ipynb", "A", part="One", datasets=("ml-100k",)),
        Run("a_big", "a.ipynb", "A, big", part="One", profiles=("large",), seconds=900),
        Run("b", "b.ipynb", "B", part="Two", needs=("a",)),
    )
    stored = tmp_path / "runs"
    for file in ("a/figures/fig-a.svg", "a/tables/tbl-a.csv", "b/tables/tbl-b.csv"):
        (stored / file).parent.mkdir(parents=True, exist_ok=True)
        (stored / file).touch()
    record = whole_record(seconds=61.2, profile="quick", results="", files={})
    (stored / "a" / "cache.json").write_text(json.dumps(record))
    return Plan(tmp_path / "report.toml", {}, runs), stored


def test_a_row_says_what_to_type_and_what_was_stored(small):
    plan, stored = small
    table = reproduce.commands(plan, runs_dir=stored).set_index("run")
    assert table.loc["a", "command"] == "python run_notebooks.py --only a"
    assert table.loc["a_big", "command"] == "python run_notebooks.py --profile large --only a_big"
    assert (table.loc["a", "took"], table.loc["a", "profile"]) == (61.2, "quick")
    assert table.loc["a", "references"] == ["tbl-a-a", "fig-a-a"]  # in the notebook's order, none undrawn
    assert table.loc["b", "needs"] == "a" and table.loc["a", "data"] == "ml-100k"


def test_a_run_that_is_not_stored_has_no_figures_and_no_time(small):
    plan, stored = small
    table = reproduce.commands(plan, runs_dir=stored).set_index("run")
    for name in ("a_big", "b"):
        assert np.isnan(table.loc[name, "took"]) and table.loc[name, "references"] == []
    assert table.loc["b", "profile"] == "" and np.isnan(table.loc["b", "expected"])
    assert table.loc["a_big", "expected"] == 900


def test_the_listings_refer_to_figures_and_tables_part_by_part(small):
    plan, stored = small
    assert reproduce.listings(reproduce.commands(plan, runs_dir=stored)).splitlines() == [
        "### One",
        "",
        "- **A**, `python run_notebooks.py --only a`: [tbl-a-a](#tbl-a-a), [fig-a-a](#fig-a-a).",
        "- **A, big**, `python run_notebooks.py --profile large --only a_big`: nothing is stored.",
        "",
        "### Two",
        "",
        "- **B**, `python run_notebooks.py --only b`: nothing is stored.",
    ]


def test_only_the_runs_asked_for_are_told_of_in_the_order_of_the_plan(small):
    plan, stored = small
    assert reproduce.commands(plan, ("b", "a"), runs_dir=stored)["run"].tolist() == ["a", "b"]


def test_the_plans_page_tells_of_every_other_run():
    plan = load_plan()
    missing = set(plan.ids) - set(plan.run("reproduce").reads) - {"reproduce"}
    assert not missing, "add them to what reproduce wants in report.toml"


def test_every_label_of_the_notebooks_is_found():
    plan = load_plan()
    for run in plan.runs:
        labels = reproduce.labels_of(plan, run)
        text = plan.source(run).read_text(encoding="utf-8")
        assert len(labels) == text.count('"#| label: '), run.id


def test_every_command_of_a_run_is_taken_by_the_real_command_line(tmp_path):
    table = reproduce.commands(load_plan(), runs_dir=tmp_path / "runs")
    assert len(table) == len(load_plan().runs) and table["command"].is_unique
    for line in table["command"]:
        check(line)


def test_every_command_of_a_run_would_run_it(tmp_path, capsys):
    table = reproduce.commands(load_plan(), runs_dir=tmp_path / "runs")
    for profile, rows in table.groupby(table["command"].str.contains("--profile large")):
        names = [word for name in rows["run"] for word in ("--only", name)]
        options = ["--profile", "large"] if profile else []
        assert main([*options, *names, "--dry-run", "--output-dir", str(tmp_path)]) == 0
        said = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
        assert all(said[name].startswith("would run") for name in rows["run"])
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_page_is_one(command):
    if command.startswith("make "):
        assert f"\n{command.split()[1]}: " in (ROOT / "Makefile").read_text(encoding="utf-8")
    else:
        check(command)


def test_the_page_has_a_command_for_each_way_of_asking():
    ways = ("--describe", "-p", "--into-report", "--dataset", "--model", "make lab")
    assert all(any(way in command for command in COMMANDS) for way in ways)


@pytest.mark.parametrize("command", [command for command in COMMANDS if "--describe" in command])
def test_what_only_tells_runs_as_it_is_written(command):
    done = call(command)
    assert done.returncode == 0 and done.stderr == "" and len(done.stdout.splitlines()) > 5


def test_a_runs_command_makes_its_figures_and_tables(tmp_path):
    from lib.data.dataset import load
    from lib.data.errors import DatasetUnavailable

    try:
        load("ml-100k")
    except DatasetUnavailable as error:
        pytest.skip(f"ml-100k can't be had here: {error}")
    plan = load_plan()
    for name in ("exploration", "reproduce"):
        done = call(f"{plan.run(name).command()} --output-dir {tmp_path} --no-pdf")
        assert done.returncode == 0, done.stdout + done.stderr
        assert reproduce.stored_labels(plan, plan.run(name), runs_dir=tmp_path / "runs") == reproduce.labels_of(
            plan, plan.run(name)
        )
    text = (tmp_path / "runs" / "reproduce" / "notebook.ipynb").read_text(encoding="utf-8")
    for label in reproduce.labels_of(plan, plan.run("exploration")):
        assert f"](#{label})" in text


def call(line):
    words = line.removeprefix("python ").split()
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, env=dict(os.environ), timeout=600,
        check=False,
    )  # fmt: skip
