import pytest

from lib.runner.errors import PlanError, UsageError
from lib.runner.hints import check_value, kind_of, parse_text
from lib.runner.notebook import read_notebook
from lib.runner.parameters import changed, declared, resolve
from lib.runner.plan import load_plan
from tests.toy_report import ToyReport


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("int", "50", 50),
        ("int", "-3", -3),
        ("float", "1e-3", 0.001),
        ("float", "2", 2.0),
        ("str", "50", "50"),
        ("bool", "False", False),
        ("int", "010", 10),
        ("list[int]", "2,5, 10", [2, 5, 10]),
        ("list[int]", "[2, 5]", [2, 5]),
        ("list[float]", "7", [7.0]),
        ("list[str]", "svd,bias", ["svd", "bias"]),
        ("list", "2,svd", [2, "svd"]),
        ("tuple[int, ...]", "1,2", [1, 2]),
        ("list[list[int]]", "[[1, 2], [3]]", [[1, 2], [3]]),
        ("dict", '{"a": 1}', {"a": 1}),
        ("int | None", "none", None),
        ("int | None", "4", 4),
        ("Optional[float]", "2", 2.0),
        ("str | None", "none", None),
        ("int | str", "auto", "auto"),
        ("Literal['a', 'b']", "b", "b"),
    ],
)
def test_texts_become_values_of_the_hinted_type(kind, text, value):
    parsed = parse_text(text, kind_of(kind))
    assert parsed == value and type(parsed) is type(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("int", "5.5"), ("int", "many"), ("float", "much"), ("bool", "maybe"), ("list[int]", "1,two"),
        ("list[int]", "[1, 'two']"), ("float", "nan"), ("float", "inf"), ("list[float]", "1,nan"),
        ("list[float]", "[1, Infinity]"), ("int", "0o10"),
        ("dict", "a"), ("int | None", "some"), ("Literal['a', 'b']", "c"),
    ],
)  # fmt: skip
def test_texts_of_another_type_are_refused(kind, text):
    with pytest.raises(ValueError, match="is of another type"):
        parse_text(text, kind_of(kind))


def test_values_of_a_file_are_checked_without_guessing():
    assert check_value(3, kind_of("float")) == 3.0
    for value, kind in [("3", "int"), (True, "int"), (3.5, "int"), (1, "bool"), ([1, "a"], "list[int]")]:
        with pytest.raises(ValueError, match="is of another type"):
            check_value(value, kind_of(kind))


@pytest.fixture
def toy(tmp_path):
    toy = ToyReport(tmp_path / "toy")
    toy.notebook("a", parameters='n: int = 2  # a comment\ngrid: list[int] = [1, 2]\ndataset: str = "ml-100k"')
    toy.notebook("b", parameters="n: int = 7\nrate = 0.5")
    return toy


def load(toy, *runs):
    return load_plan(toy.plan(*(runs or ("a", "b"))))


def test_the_parameters_cell_is_read_with_hints_and_defaults(toy):
    found = declared(read_notebook(toy.root / "notebooks" / "b.ipynb"))
    assert {name: (p.kind, p.default) for name, p in found.items()} == {
        "run": ("str", "b"), "runs_dir": ("str", ""), "n": ("int", 7), "rate": ("float", 0.5),
    }  # fmt: skip
    toy.notebook("c", parameters="grid: list = list(range(3))")
    with pytest.raises(PlanError, match="must write values down"):
        declared(read_notebook(toy.root / "notebooks" / "c.ipynb"))


def test_the_narrower_setting_wins(toy):
    plan = load(toy, {"id": "a", "parameters": {"n": 3}, "quick": {"n": 4}}, "b")

    def n(profile="full", *options):
        found = resolve(plan, plan.ids, profile=profile, options=options)
        return found["a"]["n"], found["b"]["n"]

    assert n() == (3, 7)
    assert n("quick") == (4, 7)
    assert n("quick", ("n", "8")) == (8, 8)
    assert n("quick", ("a:n", "9"), ("n", "8")) == (9, 8)


def test_only_what_differs_from_the_notebook_is_injected(toy):
    plan = load(toy, {"id": "a", "parameters": {"grid": [5]}}, "b")
    found = resolve(plan, plan.ids, dataset="ml-1m", options=[("b:rate", "1"), ("b:n", "7")])
    assert found["a"] == {"n": 2, "grid": [5], "dataset": "ml-1m"}
    given = {name: changed(found[name], declared(plan.notebook(plan.run(name)))) for name in "ab"}
    assert given == {"a": {"grid": [5], "dataset": "ml-1m"}, "b": {"rate": 1.0}}


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("nn", "3"), "-p nn: no run of this call has a parameter 'nn'; did you mean 'n'"),
        (("n", "many"), "a takes n: int, not 'many'"),
        (("run", "x"), "set by the runner"),
        (("a:grid", "1,x"), "a takes grid: list[int], not '1,x'"),
        (("c:n", "1"), "no run 'c'"),
    ],
)
def test_wrong_settings_are_usage_errors(toy, option, message):
    plan = load(toy)
    with pytest.raises(UsageError) as caught:
        resolve(plan, plan.ids, options=[option])
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["nan", "-inf", "1e999", "[NaN]", '{"a": Infinity}'])
def test_no_parameter_takes_what_is_not_finite(toy, text):
    toy.notebook("a", parameters="any = None\nnamed: dict = {}")
    plan = load(toy)
    for name in ("any", "named"):
        with pytest.raises(UsageError, match=f"-p {name}: a takes {name}"):
            resolve(plan, ["a"], options=[(name, text)])
    plan.path.write_text(plan.path.read_text().replace('title = "A"', 'title = "A"\nparameters = {any = [inf]}'))
    with pytest.raises(UsageError, match="a takes any"):
        resolve(load_plan(plan.path), ["a"])


def test_the_plans_own_parameters_are_checked(toy):
    with pytest.raises(PlanError, match=r"b\.ipynb has no parameter 'ratee'; did you mean 'rate'"):
        resolve(load(toy, "a", {"id": "b", "quick": {"ratee": 1}}), ["a"], profile="quick")
    with pytest.raises(UsageError, match="takes n: int, not 'x'"):
        resolve(load(toy, {"id": "a", "quick": {"n": "x"}}), ["a"], profile="quick")


@pytest.mark.parametrize(
    ("written", "value", "outside"),
    [
        ("[1, 1000]", "50", "0"), ("[1, 1000]", "1000", "1001"), ("(0, 1]", "1", "0"), ("[0, inf)", "5", "-1"),
        ("(0, 1e-3)", "0.0005", "0.001"), ("[-5, -1]", "-3", "0"),
    ],
)  # fmt: skip
def test_a_comment_that_opens_with_a_range_bounds_the_value(toy, written, value, outside):
    toy.notebook("a", parameters=f"x: float = 0.5  # {written} of something\nxs: list[float] = []  # {written}")
    found = declared(read_notebook(toy.root / "notebooks" / "a.ipynb"))
    assert found["x"].kind == f"float in {written}" and found["x"].meaning == "of something"
    plan = load(toy)
    assert resolve(plan, ["a"], options=[("x", value)])["a"]["x"] == float(value)
    for name, text in (("x", outside), ("xs", f"{value},{outside}")):
        with pytest.raises(UsageError, match=r"-p .*: a takes .* in .*, not "):
            resolve(plan, ["a"], options=[(name, text)])


def test_a_run_that_the_profile_leaves_to_another_has_the_values_of_that_one(toy):
    plan = load(toy, {"id": "a", "parameters": {"n": 3}, "quick": {"n": 4}, "profiles": ["large"]}, "b")
    assert resolve(plan, plan.ids, profile="quick")["a"]["n"] == 4
    assert resolve(plan, plan.ids, profile="quick", outside={"a": "large"})["a"]["n"] == 3


def test_a_notebook_without_a_parameters_cell_is_refused(toy):
    path = toy.notebook("a")
    path.write_text(path.read_text().replace('"parameters"', '"other"'))
    with pytest.raises(PlanError, match="0 code cells tagged 'parameters'"):
        resolve(load(toy), ["a"])
