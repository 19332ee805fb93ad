"""The order of work, with an executor that stands in for the processes."""

import io
from concurrent.futures import Executor, Future
from pathlib import Path

import pytest

from lib.runner.cache import Cache
from lib.runner.execute import Failure, Outcome
from lib.runner.parameters import resolve
from lib.runner.plan import load_plan
from lib.runner.progress import At, Bars, Lines, duration
from lib.runner.schedule import Schedule, Settings, default_jobs
from lib.runner.session import command_for
from lib.runner.store import Store
from tests.toy_report import ToyReport


class StandIn(Executor):
    """Ends each run at once: well, or as told."""

    def __init__(self, broken=()):
        self.broken, self.requests = broken, []

    def submit(self, fn, request):
        self.requests.append(request)
        (Path(request.folder) / "value.txt").write_text(str(request.parameters))
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

    def work(*runs, broken=(), selected=None, **settings):
        plan, store = load_plan(toy.plan(*runs)), Store(toy.runs_dir)
        executor, said, failed = StandIn(broken), io.StringIO(), []
        cache = Cache(plan, store, resolve(plan, plan.ids))
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
