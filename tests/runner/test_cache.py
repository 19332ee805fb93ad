import json
import os
import shutil
from functools import partial

import pytest

from lib.experiment.stored_files import timeless
from lib.runner.cache import EXECUTE, KEEP, Cache, key_of
from lib.runner.errors import UsageError
from lib.runner.parameters import resolve
from lib.runner.plan import load_plan
from lib.runner.store import Store
from tests.toy_report import ToyReport, whole_record


class Bench:
    """A plan whose runs are 'executed' by writing their results down."""

    def __init__(self, root):
        self.toy = ToyReport(root)
        self.store = Store(self.toy.runs_dir)
        self.toy.notebook("a", "print(n)", "#| label: fig-a\nprint(n + 1)")
        self.toy.notebook("b", "print('b')")
        self.toy.plan("a", {"id": "b", "needs": ["a"]})

    def cache(self, **options):
        plan = load_plan(self.toy.root / "report.toml")
        force, outside = options.pop("force", ()), options.pop("outside", {})
        return Cache(plan, self.store, resolve(plan, plan.ids, **options), force=force, outside=outside)

    def decide(self, name, **options):
        cache = self.cache(**options)
        return cache.decide(cache.plan.run(name))

    def make(self, name, files=None, **options):
        cache = self.cache(**options)
        parts = cache.parts(cache.plan.run(name))
        folder = self.store.begin(name)
        for file, text in {"value.txt": "1", **(files or {})}.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text)
        (folder / "provenance.json").write_text("{}")
        shutil.copy(self.toy.root / "notebooks" / f"{name}.ipynb", folder / "notebook.ipynb")
        self.store.publish(name, whole_record(key=key_of(parts), parts=parts))


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path / "toy")
    bench.make("a")
    bench.make("b")
    return bench


def edit(bench, name, old, new):
    path = bench.toy.root / "notebooks" / f"{name}.ipynb"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_nothing_changed(bench):
    assert bench.decide("a").action == bench.decide("b").action == KEEP


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        (partial(edit, name="a", old="print(n)", new="print(2 * n)"), ("code changed in cell 4",)),
        (partial(edit, name="a", old="n: int = 2", new="n: int = 3"), ("parameter n 2 -> 3",)),
        (partial(edit, name="a", old="n: int = 2", new="n: int = 2\\nm: int = 1"), ("parameter m absent -> 1",)),
        (partial(edit, name="a", old="n: int = 2", new="n: int = 2  # [1, 9] things"), ()),
        (partial(edit, name="a", old="Some prose", new="Better prose"), ()),
        (partial(edit, name="a", old="label: fig-a", new="label: fig-b"), ()),
        (partial(edit, name="a", old="print(n)", new="print( n )  # a comment"), ()),
        (partial(edit, name="a", old="print(n)", new="print(n);"), ("code changed in cell 4",)),
        (partial(edit, name="a", old="print(n)", new="%time print(n)"), ("code changed in cell 4",)),
    ],
)  # fmt: skip
def test_what_a_notebook_says_and_what_it_does(bench, change, reasons):
    change(bench)
    decision = bench.decide("a")
    assert decision.reasons == reasons
    assert decision.action == (EXECUTE if reasons else KEEP)


def test_a_cell_added_removed_or_moved(bench):
    path = bench.toy.root / "notebooks" / "a.ipynb"
    content = json.loads(path.read_text())
    cells = content["cells"]

    def reasons(new):
        path.write_text(json.dumps({**content, "cells": new}))
        return bench.decide("a").reasons

    said = ("code cells were added, removed or moved",)
    assert reasons([*cells, {**cells[-1], "id": "new", "source": "1"}]) == said
    assert reasons(cells[:-1]) == said
    assert reasons([*cells[:-2], cells[-1], cells[-2]]) == said
    assert reasons([*cells, {**cells[-1], "id": "new", "source": ""}]) == ()


def test_the_library_s_code_counts_by_the_definitions_that_are_reached(bench):
    edit(bench, "a", "print(n)", "from lib.data.files import plain\\nplain(n)")
    bench.make("a")
    record = bench.store.record("a")
    assert [name for name in record["parts"]["definitions"] if name.startswith("lib.data.files:")] == [
        "lib.data.files:plain"
    ]
    record["parts"]["definitions"] |= {
        "lib.data.files:plain": "other",
        "lib.models.latent.svdpp:SVDpp.predict": "gone",
    }
    (bench.store.folder("a") / "cache.json").write_text(json.dumps(record))
    assert bench.decide("a").reasons == ("files: plain changed", "svdpp: SVDpp.predict changed")


def test_a_model_named_in_a_parameter_counts(bench):
    bench.toy.notebook("a", parameters='model: str = "bias"')
    cache = bench.cache()
    assert "lib.models.baselines.bias:Bias" in cache.parts(cache.plan.run("a"))["definitions"]


def test_what_was_found_in_the_code_is_known_at_the_next_call(bench, monkeypatch):
    edit(bench, "a", "print(n)", "from lib.data.files import plain\\nplain(n)")
    bench.make("a")
    cache = bench.cache()
    cache.decide(cache.plan.run("a"))
    cache.save()
    monkeypatch.setattr("lib.runner.cache.Cache._reached", lambda *_: pytest.fail("searched again"))
    assert bench.decide("a").action == KEEP


def test_parameters_lock_and_force(bench, tmp_path, monkeypatch):
    assert bench.decide("a", options=[("n", "5")]).reasons == ("parameter n 2 -> 5",)
    assert bench.decide("a", force=["a"]).reasons == ("asked for",)
    monkeypatch.setattr("lib.runner.cache.LOCK", tmp_path / "other.txt")
    assert bench.decide("a").reasons == ("requirements.txt changed",)


def test_upstream_results_count_by_content(bench):
    bench.make("a")
    assert bench.decide("b").action == KEEP, "the same results again, at another time"
    bench.make("a", {"value.txt": "2"})
    assert bench.decide("b").reasons == ("results of a changed",)
    cache = bench.cache()
    forecast = cache.decide(cache.plan.run("b"), changing={"a": "will run"})
    assert forecast.reasons[0] == "a will run"


def test_what_the_machine_makes_of_a_run_does_not_count_upstream(bench):
    def results(seconds, rmse=0.9):
        metrics = [
            {"metric": "rmse", "value": rmse, "seconds_fit": seconds},
            {"metric": "seconds", "value": seconds},
        ]
        facts = {"best": "svd", "seconds": seconds, "costs": [{"model": "a", "peak_mib": seconds}]}
        return {
            "metrics.json": json.dumps(metrics), "facts.json": json.dumps(facts), "tables/tbl-a.csv": str(seconds),
        }  # fmt: skip

    bench.make("a", results(1))
    bench.make("b")
    bench.make("a", results(2))
    assert bench.decide("b").action == KEEP
    bench.make("a", results(2, rmse=0.8))
    assert bench.decide("b").reasons == ("results of a changed",)
    assert timeless([{"metric": "peak_mib"}, {"metric": "rmse", "seconds_predict": 1}]) == [{"metric": "rmse"}]


def test_results_changed_by_hand_or_gone(bench):
    (bench.store.folder("a") / "value.txt").write_text("other")
    assert bench.decide("a").reasons == ("its results were changed since it ran",)
    (bench.store.folder("a") / "cache.json").unlink()
    assert bench.decide("a").reasons == ("never run",)


def test_a_file_of_the_plan_counts(bench):
    (bench.toy.root / "claims.toml").write_text("a = 1")
    bench.toy.plan({"id": "a", "files": ["claims.toml"]}, {"id": "b", "needs": ["a"]})
    bench.make("a")
    assert bench.decide("a").action == KEEP
    (bench.toy.root / "claims.toml").write_text("a = 2")
    assert bench.decide("a").reasons == ("data file claims.toml changed",)


def test_a_run_of_another_profile_is_shown_while_it_is_here(bench):
    assert bench.decide("a", outside={"a": "large"}).action == KEEP
    edit(bench, "a", "print(n)", "print(2 * n)")
    decision = bench.decide("a", outside={"a": "large"})
    assert (decision.action, decision.reasons) == (KEEP, ("code changed in cell 4",))


@pytest.mark.parametrize("killed_after", ["record written", "old moved away"])
def test_a_kill_between_the_renames_loses_nothing(bench, killed_after, monkeypatch):
    def die(self, run, source):
        if killed_after == "old moved away":
            self.folder(run).rename(self.runs_dir / f".{run}.old")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Store, "_replace", die)
        with pytest.raises(KeyboardInterrupt):
            bench.make("a", {"value.txt": "5"}, options=[("n", "5")])
    bench.store.recover()
    assert (bench.store.folder("a") / "value.txt").read_text() == "5"
    assert bench.decide("a", options=[("n", "5")]).action == KEEP


def test_partial_results_are_never_taken_for_whole_ones(bench):
    (bench.store.begin("a") / "value.txt").write_text("half")
    bench.store.recover()
    assert (bench.store.folder("a") / "value.txt").read_text() == "1"
    assert bench.decide("a").action == KEEP


def test_the_key_knows_places_and_code_not_ids():
    parts = {"code": [["x", "1"], ["y", "2"]], "parameters": {"n": 1}}
    assert key_of(parts) == key_of({**parts, "code": [["u", "1"], ["v", "2"]]})
    assert key_of(parts) != key_of({**parts, "code": [["y", "2"], ["x", "1"]]})
    assert key_of(parts) != key_of({**parts, "parameters": {"n": 2}})


@pytest.mark.parametrize("content", ["[]", "{}", "null", "{", None])
def test_a_damaged_record_or_notebook_is_no_result(bench, content):
    record = bench.store.folder("a") / "cache.json"
    record.unlink() if content is None else record.write_text(content)
    assert bench.store.record("a") is None
    [reason] = bench.decide("a").reasons
    assert reason == "never run" if content is None else reason.endswith("a/cache.json is damaged")
    page = bench.store.folder("b") / "notebook.ipynb"
    page.unlink() if content is None else page.write_text(content)
    assert "its results were changed since it ran" in bench.decide("b").reasons


def test_a_change_that_keeps_size_and_time_is_seen(bench):
    path = bench.store.folder("a") / "value.txt"
    before = path.stat()
    path.write_text("2")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert bench.decide("a").reasons == ("its results were changed since it ran",)


def test_what_is_somebody_elses_is_not_replaced(bench):
    (bench.store.runs_dir / "c").mkdir()
    bench.store.begin("c")
    (bench.store.runs_dir / "c" / "measured.csv").write_text("mine")
    with pytest.raises(UsageError, match="c does not hold what a run has left"):
        bench.store.begin("c")


def test_the_next_start_clears_what_a_killed_one_left(bench):
    for name in (".a.partial", ".b.old"):
        (bench.store.runs_dir / name).mkdir()
    (bench.store.runs_dir / ".x.json.123.partial").touch()
    (bench.store.runs_dir / ".mine.partial").touch()
    bench.store.recover()
    assert sorted(path.name for path in bench.store.runs_dir.glob(".*")) == [".mine.partial"]
