import json
import os

from lib.runner.beside import _link, beside
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


def test_where_there_are_no_links_results_are_the_same_files_or_copies(tmp_path, monkeypatch):
    report = stored(tmp_path, "a")
    monkeypatch.setattr("pathlib.Path.symlink_to", lambda *_, **__: (_ for _ in ()).throw(OSError))
    _link(report.folder("a"), tmp_path / "other" / "a")
    assert Store(tmp_path / "other").results("a") == report.results("a")
    assert os.path.samefile(tmp_path / "other" / "a" / "metrics.json", report.folder("a") / "metrics.json")

    def refuse(*_, **__):
        raise OSError

    monkeypatch.setattr("os.link", refuse)
    _link(report.folder("a"), tmp_path / "copy" / "a")
    assert Store(tmp_path / "copy").results("a") == report.results("a")
    assert not os.path.samefile(tmp_path / "copy" / "a" / "metrics.json", report.folder("a") / "metrics.json")
