import json
import sys
import types

import pandas as pd
import pytest

from lib.runner.errors import UsageError
from lib.runner.model_option import contract, with_model
from lib.runner.options import Options
from lib.runner.plan import load_plan
from lib.workbench.own_model import contract as own_contract
from lib.workbench.own_model import loading
from tests.toy_report import ToyReport

MODEL = """import my_helper_of_a_test

class MyModel:
    def __init__(self, *, shrinkage: float = 5.0, sizes: list[int] | None = None, kind="a"):
        pass
"""
CELL = """model: str = "my_model:MyModel"  # the class
parameters: dict = {}  # its hyperparameters
n_resamples: int = 100  # for intervals"""


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """A plan with the run, a reader's module in the working folder, and a stand-in for what imports it."""
    toy = ToyReport(tmp_path / "toy")
    toy.notebook("your_model", parameters=CELL)
    here = tmp_path / "here"
    here.mkdir()
    (here / "my_model_of_a_test.py").write_text(MODEL)
    (here / "my_helper_of_a_test.py").write_text("x = 1")
    monkeypatch.chdir(here)
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setattr(sys, "path", list(sys.path))

    def load_class(spec):
        module, _, name = spec.partition(":")
        return getattr(__import__(module), name)

    stand_in = types.ModuleType("lib.workbench.own_model.loading")
    stand_in.load_class = load_class
    stand_in.own_folders = loading.own_folders
    stand_in.contract_command = loading.contract_command
    monkeypatch.setitem(sys.modules, "lib.workbench.own_model.loading", stand_in)
    yield load_plan(toy.plan("your_model"))
    for name in ("my_model_of_a_test", "my_helper_of_a_test"):
        sys.modules.pop(name, None)


def options(*parameters, **more):
    return Options(model="my_model_of_a_test:MyModel", parameters=parameters, **more)


def test_the_model_s_and_the_notebook_s_parameters_are_told_apart(plan, tmp_path):
    import os

    changed_plan, changed = with_model(
        plan, options(("shrinkage", "3"), ("your_model:n_resamples", "7"), ("sizes", "1,2"), ("kind", "b"))
    )
    assert changed.only == ("your_model",)
    given = dict(changed.parameters)
    assert given["your_model:model"] == "my_model_of_a_test:MyModel"
    assert json.loads(given["your_model:parameters"]) == {"shrinkage": 3.0, "sizes": [1, 2], "kind": "b"}
    assert given["your_model:n_resamples"] == "7" and len(given) == 3
    files = changed_plan.run("your_model").files
    assert [name.rpartition("/")[2] for name in files] == ["my_helper_of_a_test.py", "my_model_of_a_test.py"]
    assert os.environ["PYTHONPATH"].split(os.pathsep) == [str(tmp_path / "here"), "/elsewhere"]


@pytest.mark.parametrize(
    ("parameter", "said"),
    [
        (("shrinkge", "3"), r"takes shrinkage, sizes, kind; did you mean 'shrinkage'"),
        (("n_resamples", "3"), "a parameter of the notebook is written your_model:NAME"),
        (("shrinkage", "much"), "takes shrinkage: float, not 'much'"),
        (("model", "x:Y"), "MyModel takes shrinkage, sizes, kind"),
    ],
)
def test_what_neither_takes_is_refused(plan, parameter, said):
    with pytest.raises(UsageError, match=said):
        with_model(plan, options(parameter))


def test_a_module_that_can_t_be_imported_is_named(plan, tmp_path):
    (tmp_path / "here" / "my_model_of_a_test.py").write_text("1 / 0")
    with pytest.raises(UsageError, match="importing it failed: ZeroDivisionError"):
        with_model(plan, options())
    with pytest.raises(UsageError, match="leave --only out"):
        with_model(plan, options(only=("svd",)))


def test_a_plan_without_the_run_says_so(tmp_path):
    toy = ToyReport(tmp_path / "other")
    toy.notebook("a")
    with pytest.raises(UsageError, match="the plan has no run 'your_model'"):
        with_model(load_plan(toy.plan("a")), options())


def test_the_contract_is_told_in_words_and_its_exit_code_is_that_of_its_tests(plan, monkeypatch, capsys):
    def contract_results(spec, parameters):
        if not parameters:
            raise RuntimeError("the contract could not be run: no room")
        failed = parameters["shrinkage"] == 2
        rows = [
            ("a batch equals its rows", "passed", ""),
            ("finite answers", *(("failed", "it is nan") if failed else ("passed", ""))),
        ]
        return pd.DataFrame(rows, columns=["check", "result", "why"])

    monkeypatch.setattr(own_contract, "contract_results", contract_results)
    spec = "my_model_of_a_test:MyModel"
    assert contract(spec, [("shrinkage", "1")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{spec}: 2 passed"
    assert contract(spec, [("shrinkage", "2")]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[:3] == [
        "passed  a batch equals its rows",
        "failed  finite answers: it is nan",
        f"{spec}: 1 passed, 1 failed",
    ]
    assert said[3].startswith("In full: python -m pytest ") and said[3].endswith("'{\"shrinkage\": 2.0}'")
    for given, words in ((spec, "no room"), (None, "--model my_module:MyModel --contract")):
        with pytest.raises(UsageError, match=words):
            contract(given)
    with pytest.raises(UsageError, match="did you mean 'shrinkage'"):
        contract(spec, [("shrinkag", "2")])
