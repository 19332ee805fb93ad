import pytest

from lib.runner.listing import print_description
from lib.runner.notebook import read_notebook
from lib.runner.parameters import declared
from lib.runner.plan import load_plan
from tests.toy_report import ToyReport

CELL = """n: int = 2  # [1, 9] of something
# Where it starts,
# and why.
start: float = (
    0.5  # in metres
)
grid: list[int] = [
    1,
    2,
]  # tried in turn
plain = "a"

# a heading of its own

alone: bool = True"""


@pytest.fixture
def toy(tmp_path):
    toy = ToyReport(tmp_path / "toy")
    toy.notebook("a", parameters=CELL)
    return toy


def test_meanings_are_the_comments_behind_and_right_above(toy):
    parameters = declared(read_notebook(toy.root / "notebooks" / "a.ipynb"))
    found = {name: parameter.meaning for name, parameter in parameters.items()}
    assert found["n"] == "of something"
    assert found["start"] == "Where it starts, and why. in metres"
    assert found["grid"] == "tried in turn"
    assert found["plain"] == "" and found["alone"] == ""


def test_the_plan_s_value_stands_beside_the_default(toy, capsys):
    plan = load_plan(toy.plan({"id": "a", "parameters": {"n": 3}, "quick": {"grid": [7]}}))

    def rows(profile):
        print_description(plan, plan.run("a"), profile)
        return {line.split()[0]: " ".join(line.split()[1:]) for line in capsys.readouterr().out.splitlines()}

    found = rows("quick")
    assert "run" not in found and "runs_dir" not in found
    assert found["n"] == "int in [1, 9] 2 3 of something"
    assert found["grid"] == "list[int] [1, 2] [7] tried in turn"
    assert found["start"].startswith("float 0.5 0.5 Where")
    assert rows("full")["grid"] == "list[int] [1, 2] [1, 2] tried in turn"


def test_every_parameter_of_every_notebook_has_a_meaning():
    plan = load_plan()
    for run in plan.runs:
        parameters = declared(read_notebook(plan.source(run)))
        bare = [name for name, parameter in parameters.items() if not parameter.meaning]
        assert not bare, f"{run.notebook}: say in a comment behind it what {', '.join(bare)} means"


def test_the_commands_it_tells_name_the_reader_s_file(toy, capsys):
    plan = load_plan(toy.plan("a"))
    print_description(plan, plan.run("a"), "full", dataset="my books.csv")
    said = capsys.readouterr().out
    assert "python run_notebooks.py --dataset 'my books.csv' --only a -p n VALUE" in said
    assert "VALUE,VALUE,... is a sweep" in said
