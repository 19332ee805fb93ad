import pytest

from lib.runner.errors import PlanError, UsageError
from lib.runner.plan import load_plan
from tests.toy_report import ToyReport


@pytest.fixture
def toy(tmp_path):
    toy = ToyReport(tmp_path / "toy")
    for name in ("a", "b", "c"):
        toy.notebook(name)
    return toy


def test_order_puts_needs_first_and_else_keeps_the_files_order(toy):
    plan = load_plan(toy.plan({"id": "c", "needs": ["b"]}, "a", {"id": "b", "needs": ["a"]}))
    assert plan.ids == ["c", "a", "b"]
    assert [run.id for run in plan.order()] == ["a", "b", "c"]
    assert plan.upstream("c") == {"a", "b"}


def test_what_a_run_wants_comes_before_it_too(toy):
    plan = load_plan(toy.plan({"id": "c", "needs": ["a"], "wants": ["b"]}, "a", "b"))
    assert [run.id for run in plan.order()] == ["a", "b", "c"]
    assert plan.run("c").reads == ("a", "b")
    assert plan.upstream("c") == {"a", "b"}


def test_profiles_override_the_full_values(toy):
    plan = load_plan(
        toy.plan(
            {
                "id": "a",
                "parameters": {"n": 3, "m": 4},
                "quick": {"n": 1},
                "full": {"k": 7},
                "large": {"m": 9},
            }
        )
    )
    run = plan.run("a")
    assert run.values("full") == {"n": 3, "m": 4, "k": 7}
    assert run.values("quick") == {"n": 1, "m": 4}
    assert run.values("large") == {"n": 3, "m": 9}


def test_a_run_of_some_profiles_names_the_one_to_ask_for_under_the_others(toy):
    plan = load_plan(toy.plan("a", {"id": "b", "profiles": ["quick", "large"]}, {"id": "c", "profiles": ["quick"]}))
    profiles = ("quick", "full", "large")
    assert [plan.run("a").outside(name) for name in profiles] == ["", "", ""]
    assert [plan.run("b").outside(name) for name in profiles] == ["", "large", ""]
    assert [plan.run("c").outside(name) for name in profiles] == ["", "quick", "quick"]


def test_globs_match_and_an_unknown_one_names_the_near_miss(toy):
    plan = load_plan(toy.plan("a", {"id": "svd", "notebook": "b.ipynb"}, {"id": "svdpp", "notebook": "c.ipynb"}))
    assert plan.match(["svd*"]) == {"svd", "svdpp"}
    with pytest.raises(UsageError, match="did you mean 'svd'"):
        plan.match(["sdv"])


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        (
            [{"id": "a", "needs": ["b"]}, {"id": "b", "needs": ["c"]}, {"id": "c", "needs": ["a"]}],
            "a -> b -> c -> a",
        ),
        ([{"id": "a", "needs": ["a"]}], "a -> a"),
        ([{"id": "a", "needs": ["bb"]}, "b"], "did you mean 'b'"),
        ([{"id": "a", "wants": ["bb"]}, "b"], "a wants 'bb', which is no run; did you mean 'b'"),
        ([{"id": "a", "wants": ["b"]}, {"id": "b", "needs": ["a"]}], "in a circle"),
        (["a", {"id": "a", "notebook": "b.ipynb"}], "two runs are called 'a'"),
        ([{"id": "a", "notebook": "aa.ipynb"}], "did you mean 'a.ipynb'"),
        ([{"id": "a", "note_book": "a.ipynb"}], "unknown key 'note_book'; did you mean 'notebook'"),
        ([{"id": "a", "needs": "b"}], "needs is tuple[str, ...], not 'b'"),
        ([{"id": "a", "needs": [1]}], "needs is tuple[str, ...], not [1]"),
        ([{"id": "a", "profiles": ["ful"]}], "profiles is tuple[Profile, ...], not ['ful']"),
        ([{"id": "a", "profiles": []}], "has no profiles"),
        ([{"id": "a", "profiles": "large"}], "profiles is tuple[Profile, ...], not 'large'"),
        ([{"id": "a", "title": ""}], "has no title"),
        ([{"id": "../a", "notebook": "a.ipynb"}], "names a folder"),
        ([{"id": "a", "files": ["data/none.toml"]}], "reads data/none.toml, which is not there"),
        ([], "has no runs"),
    ],
)
def test_a_malformed_plan_is_refused_with_the_reason(toy, runs, message):
    with pytest.raises(PlanError) as caught:
        load_plan(toy.plan(*runs))
    assert message in str(caught.value)


def test_a_missing_or_broken_file(tmp_path):
    with pytest.raises(PlanError, match=r"none\.toml can't be read"):
        load_plan(tmp_path / "none.toml")
    (tmp_path / "report.toml").write_text("[[runs]\n")
    with pytest.raises(PlanError, match="can't be read"):
        load_plan(tmp_path / "report.toml")


def test_the_projects_own_plan_loads_and_its_parameters_fit_its_notebooks():
    from lib.runner.parameters import resolve

    plan = load_plan()
    for profile in ("quick", "full", "large"):
        resolve(plan, plan.ids, profile=profile)
    assert all(run.summary and run.part for run in plan.runs)


@pytest.mark.parametrize("profile", ["quick", "full"])
def test_the_projects_own_profiles_execute_every_notebook_and_leave_no_need_out(profile):
    plan = load_plan()
    executed = [run for run in plan.runs if not run.outside(profile)]
    assert {run.notebook for run in executed} == {run.notebook for run in plan.runs}
    names = {run.id for run in executed}
    assert {need for run in executed for need in run.needs} <= names
