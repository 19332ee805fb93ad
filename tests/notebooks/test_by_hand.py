"""A notebook opened in JupyterLab, without the runner: what its cells import and read is there, and nothing is overwritten."""

import ast
import importlib.util
import os
import subprocess
import sys

import pytest

from lib import ROOT
from lib.data.errors import RUN_FOLDER_VARIABLE
from lib.experiment import stored_runs
from lib.report import run_writer as results
from lib.runner.notebook import read_notebook
from lib.runner.parameters import declared
from lib.runner.plan import load_plan

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PLANS = [load_plan(), load_plan(ROOT / "own_ratings.toml")]


def without_runner():
    """The environment of a kernel that a reader starts."""
    left_out = (RUN_FOLDER_VARIABLE, "PYTHONPATH")
    return {name: value for name, value in os.environ.items() if name not in left_out}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_defaults_stand_by_themselves_and_name_a_run_of_the_plan(path):
    values = {}
    exec(read_notebook(path).parameters_cell.source, values)
    runs = {run.id for plan in PLANS for run in plan.runs if run.notebook == path.name}
    assert values["run"] in runs
    assert values["runs_dir"] == ""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_results_that_its_defaults_name_are_of_runs_of_the_plan(path):
    """A parameter whose comment speaks of a run, and whose default is a text, names one that can be made."""
    notebook = read_notebook(path)
    known = {run.id for plan in PLANS for run in plan.runs}
    tree = ast.parse("\n".join(cell.source for cell in notebook.code))
    read = {
        call.args[0].id
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and ast.unparse(call.func).endswith(("load_run", "stored_runs"))
        and call.args
        and isinstance(call.args[0], ast.Name)
    }
    for name, parameter in declared(notebook).items():
        if name in read and parameter.default:
            assert parameter.default in known, name


def test_what_the_notebooks_import_is_found_from_their_folder():
    """Every module is there, and has what is imported from it; the modules of lib are read, not executed."""
    missing, modules = [], set()
    for path in NOTEBOOKS:
        for cell in read_notebook(path).code:
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.Import):
                    modules |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    modules.add(node.module)
                    missing += absent(path, node)
    assert missing == []
    code = f"import importlib.util as u\nprint([m for m in {sorted(modules)} if u.find_spec(m) is None])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "notebooks", capture_output=True, text=True,
        env=without_runner(), timeout=120, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def absent(path, node):
    """Names that a notebook imports from a module of lib that doesn't define, import or hold them."""
    if not node.module.startswith("lib"):
        return []
    spec = importlib.util.find_spec(node.module)
    if spec is None:
        return [(path.stem, node.module)]
    with open(spec.origin, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    held = {n.name for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    held |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    held |= {
        (alias.asname or alias.name)
        for n in ast.walk(tree)
        if isinstance(n, (ast.Import, ast.ImportFrom))
        for alias in n.names
    }
    inside = {f"{node.module}.{alias.name}" for alias in node.names if alias.name not in held}
    return [(path.stem, name) for name in inside if importlib.util.find_spec(name) is None]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project without the runner, in which a run is stored."""
    monkeypatch.delenv(RUN_FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(stored_runs, "ROOT", tmp_path)
    stored = results.start_run("svd", runs_dir=tmp_path / "reports" / "runs")
    stored.fact("best", 1)
    stored.finish()
    return tmp_path


def test_a_run_by_hand_leaves_the_reports_results_as_they_are_and_says_so(project, capsys):
    folder = project / "reports" / "runs" / "svd"
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    run = results.start_run("svd")
    run.fact("best", 2)
    run.finish()
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert stored_runs.load_run("svd").facts == {"best": 1}
    assert stored_runs.load_run("svd", runs_dir=project / "reports" / "by_hand").facts == {"best": 2}
    said = capsys.readouterr().out
    assert "reports/by_hand/svd" in said and said.endswith("python run_notebooks.py --only svd\n")


def test_the_runner_and_a_folder_of_ones_own_are_obeyed(project, tmp_path, monkeypatch, capsys):
    assert results.start_run("svd", runs_dir=tmp_path / "mine").folder == tmp_path / "mine" / "svd"
    monkeypatch.setenv(RUN_FOLDER_VARIABLE, str(tmp_path / "partial"))
    assert results.start_run("svd").folder == tmp_path / "partial"
    assert capsys.readouterr().out == ""
