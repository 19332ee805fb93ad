import json
import os
from pathlib import Path

from lib.runner.beside import LONGEST, beside, folder_of
from lib.runner.options import Options
from lib.runner.parameters import Resolved
from lib.runner.plan import Plan
from lib.runner.rerun import changed_parameters
from lib.runner.store import Store


def stored(root, *names):
    store = Store(root / "reports" / "runs")
    for name in names:
        (store.begin(name) / "metrics.json").write_text(json.dumps([name]))
        store.publish(name, {"key": name})
    return store


def test_stored_runs_are_read_and_never_written(tmp_path):
    report = stored(tmp_path, "a", "b")
    store = beside(report, tmp_path / "reports" / "reruns" / "b-n-5", {"b"})
    assert store.results("a") == report.results("a") is not None
    assert store.record("b") is None
    (store.begin("b") / "metrics.json").write_text("[]")
    store.publish("b", {"key": "other"})
    assert (report.folder("b") / "metrics.json").read_text() == '["b"]'
    assert (tmp_path / "reports" / "reruns" / ".gitignore").read_text() == "*\n"


def test_links_follow_what_is_stored_now(tmp_path):
    report, folder = stored(tmp_path, "a"), tmp_path / "reports" / "reruns" / "x"
    store = beside(report, folder, {"b"})
    (store.begin("c") / "metrics.json").write_text('["made here"]')
    store.publish("c", {"key": "c"})
    report = stored(tmp_path, "c")
    store = beside(report, folder, {"a"})
    assert store.record("a") is None, "what is now made here is no link to the report"
    assert (store.folder("c") / "metrics.json").read_text() == '["c"]'
    assert (report.folder("a") / "metrics.json").read_text() == '["a"]'


def test_where_there_are_no_links_results_are_copied(tmp_path, monkeypatch):
    report = stored(tmp_path, "a")
    monkeypatch.setattr("pathlib.Path.symlink_to", lambda *_, **__: (_ for _ in ()).throw(OSError))
    store = beside(report, tmp_path / "reports" / "reruns" / "x", {"b"})
    assert store.results("a") == report.results("a")
    assert not os.path.samefile(store.folder("a") / "metrics.json", report.folder("a") / "metrics.json")


def resolved(**values):
    return Resolved(values, {})


def test_only_values_that_are_not_the_plan_s_count_and_only_of_these_runs():
    planned = {"a": resolved(n=1, k=2), "b": resolved(n=1), "c": resolved(n=1)}
    now = {"a": resolved(n=5, k=2), "b": resolved(n=1), "c": resolved(n=9)}
    assert changed_parameters(planned, now, {"a", "b"}) == {"a": {"n": (1, 5)}}


def folder_name(runs, *parameters, **options):
    plan = Plan(Path("/x/report.toml"), {}, ())
    folder = folder_of(plan, runs, Options(parameters=parameters, **options))
    assert folder.parent == Path("/x/reports/reruns")
    return folder.name


def test_a_folder_says_what_was_changed():
    assert folder_name(["svd"], ("n_factors", "50")) == "svd-n_factors-50"
    assert folder_name(["svd"], ("n_factors", "50"), profile="quick") == "svd-n_factors-50-quick"
    assert folder_name(["b", "a"], ("split", "u1")) == "a-b-split-u1"
    assert folder_name(["svd"], preset="by_time") == "svd-preset-by_time"


def test_what_a_folder_can_t_be_called_is_told_apart_by_a_digest():
    one, other = (folder_name(["a"], ("film", title)) for title in ("x/y", "x?y"))
    assert one != other and one.startswith("a-film-x_y-") and "/" not in one
    long = folder_name(["a"], ("grid", str(list(range(100)))))
    assert len(long) <= LONGEST + 9
    assert long != folder_name(["a"], ("grid", str(list(range(101)))))
    three = [folder_name(names, ("k", "5")) for names in ("abc", "abd")]
    assert three[0] != three[1] and three[0].startswith("3_runs-k-5-")
