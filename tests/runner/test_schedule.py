"""The order of work, with an executor that stands in for the processes."""

import io
import json
from concurrent.futures import Executor, Future
from pathlib import Path

import pytest

from lib.results import MissingRun, load_run
from lib.runner.cache import LEAVE, Cache
from lib.runner.execute import Failure, Outcome
from lib.runner.failures import command_for
from lib.runner.parameters import resolve
from lib.runner.plan import load_plan
from lib.runner.progress import At, Bars, Lines, duration
from lib.runner.schedule import Schedule, forecast
from lib.runner.selection import outside
from lib.runner.settings import Settings, default_jobs
from lib.runner.store import Store
from tests.toy_report import ToyReport


class StandIn(Executor):
    """Ends each run at once: well, or as told."""

    def __init__(self, broken=()):
        self.broken, self.requests = broken, []

    def submit(self, fn, request):
        self.requests.append(request)
        (Path(request.folder) / "value.txt").write_text(str(request.parameters))
        (Path(request.folder) / "provenance.json").write_text("{}")
        future = Future()
        failure = Failure("ValueError", "no", 1, 2) if request.run in self.broken else None
        future.set_result(Outcome(request.run, failure, 1.0, 50.0, 2))
        return future

    @property
    def order(self):
        return [request.run for request in self.requests]


@pytest.fixture
def work(tmp_path):
    toy = ToyReport(tmp_path / "toy")
    for name in "abcd":
        toy.notebook(name)

    def work(*runs, broken=(), selected=None, required=(), **settings):
        plan, store = load_plan(toy.plan(*runs)), Store(toy.runs_dir)
        executor, said, failed = StandIn(broken), io.StringIO(), []
        profile = settings.get("profile", "full")
        cache = Cache(
            plan, store, resolve(plan, plan.ids, profile=profile), outside=outside(plan, profile, required)
        )
        schedule = Schedule(
            plan, store, cache, executor, Settings(**settings), Lines(said), lambda r, f: failed.append(r.id)
        )
        summary = schedule.work(selected or plan.ids)
        return executor, summary, said.getvalue()

    work.toy = toy
    return work


def test_needs_first_then_the_longest_chain(work):
    runs = ({"id": "a", "seconds": 1}, {"id": "b", "seconds": 5}, {"id": "c", "seconds": 100, "needs": ["a"]}, {"id": "d", "seconds": 50})  # fmt: skip
    executor, _, _ = work(*runs)
    assert executor.order == ["a", "c", "d", "b"]


def test_a_second_pass_does_nothing_and_another_parameter_only_its_run(work):
    work("a", {"id": "b", "needs": ["a"]})
    executor, summary, _ = work("a", {"id": "b", "needs": ["a"]})
    assert executor.order == [] and sorted(summary.kept) == ["a", "b"]
    executor, _, _ = work("a", {"id": "b", "needs": ["a"], "parameters": {"n": 9}})
    assert executor.order == ["b"]
    assert executor.requests[0].parameters["n"] == 9


def test_a_changed_need_runs_what_reads_it(work):
    chain = ({"id": "b", "needs": ["a"]}, {"id": "c", "needs": ["b"]})
    work("a", *chain)
    executor, _, _ = work({"id": "a", "parameters": {"n": 3}}, *chain)
    assert executor.order == ["a", "b"], "b's results came out the same, so c holds"


def test_after_a_failure_nothing_new_starts_unless_asked(work):
    runs = ("a", {"id": "b", "needs": ["a"]}, {"id": "c", "needs": ["b"]}, "d")
    executor, summary, _ = work(*runs, broken=["a"])
    assert executor.order == ["a"]
    assert summary.left_out == {"b": "needs a", "c": "needs a", "d": "not started after the failure"}
    executor, summary, said = work(*runs, broken=["a"], keep_going=True)
    assert executor.order == ["a", "d"]
    assert summary.executed == ["d"] and list(summary.failed) == ["a"]
    assert "FAILED a" in said and "done   d" in said


def test_each_run_has_its_folder_its_share_of_the_cores_and_its_name(work):
    executor, _, _ = work("a", threads=3, runs_dir_parameter="/somewhere/runs")
    request = executor.requests[0]
    assert request.environment["REPORT_RUN_FOLDER"] == request.folder
    assert request.environment["OMP_NUM_THREADS"] == request.environment["NUMBA_NUM_THREADS"] == "3"
    assert request.parameters == {"runs_dir": "/somewhere/runs"}
    executor, _, _ = work({"id": "other", "notebook": "a.ipynb"})
    assert executor.requests[0].parameters == {"run": "other"}, (
        "a second run of the same notebook has its own name"
    )


LARGE = {"id": "a", "profiles": ["quick", "large"], "summary": "About large data."}
AROUND = ({"id": "b", "wants": ["a"]}, {"id": "c", "needs": ["a"]}, {"id": "d", "needs": ["c"]})


def page(work, name):
    return json.loads((work.toy.runs_dir / name / "notebook.ipynb").read_text())["cells"][0]["source"]


class TestRunsOfAnotherProfile:
    def test_one_is_left_out_with_what_needs_it_and_its_page_says_how_to_make_it(self, work):
        executor, summary, said = work(LARGE, *AROUND)
        assert executor.order == ["b"], "what only wants it goes on"
        assert summary.outside == {
            "a": "is part of --profile large",
            "c": "needs a, which is part of --profile large",
            "d": "needs c, which needs a, which is part of --profile large",
        }
        assert summary.without_data == {} and "empty  a: is part of --profile large" in said
        assert "It is part of `--profile large`." in page(work, "a") and "About large data." in page(
            work, "a"
        )
        for name in "acd":
            assert f"python run_notebooks.py --profile large --only {name}\n" in page(work, name)
            assert "MOVIELENS_DIR" not in page(work, name)

    def test_a_second_pass_does_nothing_whatever_changes_in_its_code(self, work):
        work(LARGE, *AROUND)
        executor, summary, said = work(LARGE, *AROUND)
        assert executor.order == [] and said == "" and sorted(summary.outside) == ["a", "c", "d"]
        work.toy.notebook("a", "print('other code')")
        executor, _, said = work(LARGE, *AROUND)
        assert executor.order == [] and said == "", "its page doesn't depend on it"

    def test_its_own_profile_executes_it_and_the_others_show_what_that_made(self, work):
        work(LARGE, *AROUND)
        executor, _, _ = work(LARGE, *AROUND, profile="large")
        assert executor.order[0] == "a" and sorted(executor.order) == ["a", "b", "c", "d"]
        executor, summary, _ = work(LARGE, *AROUND)
        assert executor.order == [] and sorted(summary.kept) == ["a", "b", "c", "d"]

    def test_results_of_other_parameters_are_not_shown_and_not_lost(self, work):
        quick = {**LARGE, "quick": {"n": 1}}
        work(quick, profile="large")
        work(quick, profile="quick")
        assert (work.toy.runs_dir / "a" / "value.txt").read_text() == "{'n': 1}"
        executor, summary, _ = work(quick)
        assert executor.order == [] and summary.restored == ["a"], (
            "those of the large profile hold under full too"
        )
        assert (work.toy.runs_dir / "a" / "value.txt").read_text() == "{}"

    def test_results_that_no_longer_hold_make_way_for_the_page(self, work):
        work(LARGE, "b", profile="large")
        assert load_run("a", runs_dir=work.toy.runs_dir).run == "a"
        for n in (5, 6, 7):  # more often than results are kept
            executor, summary, said = work({**LARGE, "parameters": {"n": n}}, "b")
            assert executor.order == [] and list(summary.outside) == ["a"]
            if n == 5:
                assert "its results no longer hold (parameter n 2 -> 5)" in said
            with pytest.raises(MissingRun, match="--only a"):
                load_run("a", runs_dir=work.toy.runs_dir)
        executor, summary, _ = work(LARGE, "b")
        assert executor.order == [] and summary.restored == ["a"], "pages have not pushed them out"

    def test_asked_for_by_name_it_is_executed_in_any_profile(self, work):
        executor, summary, _ = work(LARGE, *AROUND, selected=["a"], required=["a"])
        assert executor.order == ["a"] and summary.outside == {}
        executor, summary, _ = work(LARGE, *AROUND)
        assert sorted(executor.order) == ["b", "c", "d"] and summary.kept == ["a"]

    def test_the_forecast_tells_the_same(self, work):
        work(LARGE, *AROUND, profile="large")
        plan = load_plan(work.toy.plan({**LARGE, "parameters": {"n": 9}}, *AROUND))
        cache = Cache(plan, Store(work.toy.runs_dir), resolve(plan, plan.ids), outside=outside(plan, "full"))
        decisions = forecast(plan, cache, plan.ids)
        assert (decisions["a"].action, decisions["a"].reasons) == (LEAVE, ("parameter n 2 -> 9",))
        assert decisions["b"].reasons == ("upstream a will be left out",)


def test_jobs_follow_cores_runs_and_memory():
    assert default_jobs(8, 3, gib_a_job=0.01) == 3
    assert default_jobs(2, 9, gib_a_job=0.01) == 2
    assert default_jobs(8, 8, gib_a_job=1e9) == 1


def test_plain_lines_tell_now_and_then(monkeypatch):
    monkeypatch.setattr("lib.runner.progress.HEARTBEAT", 0.0)
    said = io.StringIO()
    lines = Lines(said)
    lines.start("svd", 9, "never run")
    lines.update({"svd": At(3, 9, 75.0, 20.0)}, 140.0)
    lines.end("svd", "done   svd")
    assert said.getvalue().splitlines() == [
        "start  svd, 9 cells (never run)", "       svd: cell 3/9, 1 min 15 s, about 2 min 20 s left in all", "done   svd",
    ]  # fmt: skip


def test_bars_show_the_cell_and_leave_the_lines(monkeypatch):
    said = io.StringIO()
    with Bars(said) as bars:
        bars.start("svd", 9, "never run")
        bars.update({"svd": At(3, 9, 75.0, 20.0)}, 140.0)
        bars.line("[not markup]")
        bars.end("svd", "done   svd")
    assert "[not markup]" in said.getvalue() and "done   svd" in said.getvalue()


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "0 s"), (59.6, "1 min 00 s"), (3700, "1 h 01 min")])
def test_durations_are_said_as_people_do(seconds, text):
    assert duration(seconds) == text


def test_the_command_to_run_again_keeps_what_concerns_the_run(work):
    plan = load_plan(work.toy.plan("a", "b"))
    given = ["--profile", "quick", "--only", "*", "-p", "a:n", "3", "-p", "b:n", "4", "-p", "n", "5", "--keep-going", "--output-dir=my out"]  # fmt: skip
    assert command_for(plan.run("a"), given) == (
        "python run_notebooks.py --profile quick -p a:n 3 -p n 5 '--output-dir=my out' --only a"
    )
