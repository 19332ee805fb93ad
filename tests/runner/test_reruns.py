import json
import os
from pathlib import Path

import pytest

from lib.runner.errors import UsageError
from lib.runner.options import Options
from lib.runner.plan import Plan, load_plan
from lib.runner.reruns import LONGEST, Sweep, folder_of, linked_store, split_sweep, variants
from lib.runner.store import Store
from tests.toy_report import ToyReport, whole_record


def stored(root, *names):
    store = Store(root / "reports" / "runs")
    for name in names:
        (store.begin(name) / "metrics.json").write_text(json.dumps([name]))
        store.publish(name, whole_record(key=name))
    return store


def test_stored_runs_are_read_and_never_written(tmp_path):
    report = stored(tmp_path, "a", "b")
    store = linked_store(report, tmp_path / "reports" / "reruns" / "b-n-5", {"b"})
    assert store.results("a") == report.results("a") is not None
    assert store.record("b") is None
    (store.begin("b") / "metrics.json").write_text("[]")
    store.publish("b", whole_record(key="other"))
    assert (report.folder("b") / "metrics.json").read_text() == '["b"]'


def test_links_follow_what_is_stored_now(tmp_path):
    report, folder = stored(tmp_path, "a"), tmp_path / "reports" / "reruns" / "x"
    store = linked_store(report, folder, {"b"})
    (store.begin("c") / "metrics.json").write_text('["made here"]')
    store.publish("c", whole_record(key="c"))
    report = stored(tmp_path, "c")
    store = linked_store(report, folder, {"a"})
    assert store.record("a") is None, "what is now made here is no link to the report"
    assert (store.folder("c") / "metrics.json").read_text() == '["c"]'
    assert (report.folder("a") / "metrics.json").read_text() == '["a"]'


def test_where_there_are_no_links_results_are_copied(tmp_path, monkeypatch):
    report = stored(tmp_path, "a")
    monkeypatch.setattr("pathlib.Path.symlink_to", lambda *_, **__: (_ for _ in ()).throw(OSError))
    store = linked_store(report, tmp_path / "reports" / "reruns" / "x", {"b"})
    assert store.results("a") == report.results("a")
    assert not os.path.samefile(store.folder("a") / "metrics.json", report.folder("a") / "metrics.json")


def folder_name(runs, *parameters, **options):
    plan = Plan(Path("/x/report.toml"), {}, ())
    folder = folder_of(plan, runs, Options(parameters=parameters, **options))
    assert folder.parent == Path("/x/reports/reruns")
    return folder.name


def test_a_folder_says_what_was_changed():
    assert folder_name(["svd"], ("n_factors", "50")) == "svd-n_factors-50"
    assert folder_name(["svd"], ("n_factors", "50"), profile="quick") == "svd-n_factors-50-quick"
    assert folder_name(["b", "a"], ("split", "u1")) == "a-b-split-u1"


def test_what_a_folder_can_t_be_called_is_told_apart_by_a_digest():
    one, other = (folder_name(["a"], ("film", title)) for title in ("x/y", "x?y"))
    assert one != other and one.startswith("a-film-x_y-") and "/" not in one
    long = folder_name(["a"], ("grid", str(list(range(100)))))
    assert len(long) <= LONGEST + 9
    assert long != folder_name(["a"], ("grid", str(list(range(101)))))
    three = [folder_name(names, ("k", "5")) for names in ("abc", "abd")]
    assert three[0] != three[1] and three[0].startswith("3_runs-k-5-")


CELL = """n: int = 2  # [1, 50] a
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
    plain, swept = split_sweep(plan, ["a"], [("n", "10, 20,10"), ("grid", "1,2")])
    assert plain == [("grid", "1,2")] and swept == Sweep("a", "n", (10, 20))
    assert split_sweep(plan, ["a"], [("a:rate", "none,0.1")])[1].values == (None, 0.1)
    assert split_sweep(plan, ["a"], [("on", "true,false")])[1].values == (True, False)


def test_a_text_with_a_comma_of_its_own_is_one_value(plan):
    options = [("film", "Matrix, The"), ("n", "3")]
    assert split_sweep(plan, ["a"], options) == (options, None)
    assert split_sweep(plan, ["a"], [("film", "Alien,Brazil")])[1].values == ("Alien", "Brazil")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([("n", "10,twenty")], "a takes n: int in .*, not 'twenty'"),
        ([("n", "10,10")], "two different values"),
        ([("n", "1,99")], r"n: int in \[1, 50\], not \'99\'"),
        ([("n", "1,2"), ("rate", "1,2")], "one parameter is swept at a time, not n, rate"),
    ],
)
def test_what_is_no_sweep_is_refused(plan, options, said):
    with pytest.raises(UsageError, match=said):
        split_sweep(plan, ["a"], options)


def test_a_sweep_takes_one_run_at_a_time(plan):
    with pytest.raises(UsageError, match=r"name one with --only: a, b"):
        split_sweep(plan, ["a", "b"], [("n", "1,2")])
    assert split_sweep(plan, ["a", "b"], [("b:n", "1,2")])[1].run == "b"


def test_each_value_makes_a_run(plan):
    found = variants(plan.run("a"), Sweep("a", "film", ("A b", "A-b", "A  b")))
    assert [run.id for run in found.values()] == ["a--film-a_b", "a--film-aminus_b", "a--film-a_b_"]
    assert found["A b"].notebook == "a.ipynb" and found["A b"].title == "A, film = A b"
    assert list(variants(plan.run("a"), Sweep("a", "rate", (None, 0.1)))) == ["null", "0.1"]
