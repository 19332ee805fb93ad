import pytest

from lib.runner.errors import UsageError
from lib.runner.parameters import Resolved
from lib.runner.plan import load_plan
from lib.runner.sweep_values import split_sweeps, variants
from tests.toy_report import ToyReport

CELL = """n: int = 2  # a
rate: float | None = 0.5  # b
grid: list[int] = [1]  # c
film: str = "Alien"  # d
on: bool = True  # e"""


@pytest.fixture
def plan(tmp_path):
    toy = ToyReport(tmp_path / "toy")
    toy.notebook("a", parameters=CELL)
    toy.notebook("b", parameters="n: int = 7")
    return load_plan(toy.plan("a", "b"))


def test_a_comma_sweeps_what_is_no_list(plan):
    plain, sweeps = split_sweeps(plan, ["a"], [("n", "10, 20,10"), ("grid", "1,2"), ("a:rate", "none,0.1")])
    assert plain == [("grid", "1,2")]
    assert [(s.run, s.name, s.values) for s in sweeps] == [("a", "n", (10, 20)), ("a", "rate", (None, 0.1))]
    assert split_sweeps(plan, ["a"], [("on", "true,false")])[1][0].values == (True, False)


def test_a_text_with_a_comma_of_its_own_is_one_value(plan):
    options = [("film", "Matrix, The"), ("film", '"a,b"'), ("n", "3")]
    assert split_sweeps(plan, ["a"], options) == ([("film", "Matrix, The"), ("film", "a,b"), ("n", "3")], [])
    assert split_sweeps(plan, ["a"], [("film", "Alien,Brazil")])[1][0].values == ("Alien", "Brazil")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([("n", "10,twenty")], "a takes n: int; 'twenty' is not a whole number"),
        ([("n", "10,10")], "two different values"),
        ([("n", "1,2"), ("n", "3,4")], "swept twice"),
        ([("n", "1,2"), ("rate", "1,2"), ("on", "true,false")], "at most two parameters"),
    ],
)
def test_what_is_no_sweep_is_refused(plan, options, said):
    with pytest.raises(UsageError, match=said):
        split_sweeps(plan, ["a"], options)


def test_a_sweep_takes_one_run_at_a_time(plan):
    with pytest.raises(UsageError, match=r"name one with --only: a, b"):
        split_sweeps(plan, ["a", "b"], [("n", "1,2")])
    assert split_sweeps(plan, ["a", "b"], [("b:n", "1,2")])[1][0].run == "b"
    with pytest.raises(UsageError, match="of different runs"):
        split_sweeps(plan, ["a", "b"], [("b:n", "1,2"), ("rate", "1,2")])


def test_two_parameters_make_a_grid_of_runs(plan):
    _, sweeps = split_sweeps(plan, ["a"], [("n", "1,-1"), ("film", "A b,A-b")])
    found = variants(plan.run("a"), sweeps, Resolved({"n": 2, "film": "x", "on": True}, {"on": True}))
    assert [values for _, _, values in found.values()] == [(1, "A b"), (1, "A-b"), (-1, "A b"), (-1, "A-b")]
    assert len(found) == 4 and all(name.startswith("a--n-") for name in found)
    run, resolved, _ = list(found.values())[2]
    assert run.notebook == "a.ipynb" and run.title == "A, n = -1, film = A b"
    assert resolved.values == {"n": -1, "film": "A b", "on": True}
    assert resolved.given == {"on": True, "n": -1, "film": "A b"}
