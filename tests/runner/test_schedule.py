"""The order of work, with an executor that stands in for the processes."""

import io
import shutil
import time
from concurrent.futures import Executor, Future
from pathlib import Path

import pytest

from lib.experiment.alone import by_memory
from lib.experiment.stored_runs import MissingRun, load_run
from lib.runner.cache import KEEP, Cache
from lib.runner.execute import Failure, Place
from lib.runner.options import Options
from lib.runner.parameters import resolve
from lib.runner.plan import load_plan
from lib.runner.progress import At, Progress, duration
from lib.runner.schedule import Schedule, _Work, forecast
from lib.runner.selection import outside
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
        shutil.copy(request.notebook, Path(request.folder) / "notebook.ipynb")
        future = Future()
        failure = Failure("ValueError", "no", 1, 2) if request.run in self.broken else None
        future.set_result(failure)
        return future

    @property
    def order(self):
        return [request.run for request in self.requests]


@pytest.fixture
def work(tmp_path):
    toy = ToyReport(tmp_path / "toy")
    for name in "abcd":
        toy.notebook(name)

    def work(*runs, broken=(), selected=None, required=(), profile="full", keep_going=False, **how):
        plan, store = load_plan(toy.plan(*runs)), Store(toy.runs_dir)
        executor, said = StandIn(broken), io.StringIO()
        away, nowhere = outside(plan, store, profile, required)
        cache = Cache(plan, store, resolve(plan, plan.ids, profile=profile, outside=away), outside=away)
        options = Options(profile=profile, keep_going=keep_going)
        schedule = Schedule(cache, executor, Progress(said), options, required=required, **how)
        return executor, schedule.work({*(selected or plan.ids)} - nowhere), said.getvalue()

    work.toy = toy
    return work


def test_needs_first_then_the_longest_chain(work):
    runs = ({"id": "a", "seconds": 1}, {"id": "b", "seconds": 5}, {"id": "c", "seconds": 100, "needs": ["a"]}, {"id": "d", "seconds": 50})  # fmt: skip
    executor, _, _ = work(*runs)
    assert executor.order == ["a", "c", "d", "b"]


def test_a_second_pass_does_nothing_and_another_parameter_only_its_run(work):
    work("a", {"id": "b", "needs": ["a"]})
    executor, summary, _ = work("a", {"id": "b", "needs": ["a"]})
    assert executor.order == [] and sorted(summary.up_to_date) == ["a", "b"]
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
    assert summary.not_run == {"b": "needs a", "c": "needs a", "d": "not started after the failure"}
    executor, summary, said = work(*runs, broken=["a"], keep_going=True)
    assert executor.order == ["a", "d"]
    assert summary.executed == ["d"] and list(summary.failed) == ["a"]
    assert "FAILED a" in said and "done   d" in said and "ValueError: no" in said and "--only a" in said


def test_each_run_has_its_folder_one_thread_and_its_name(work):
    executor, _, _ = work("a", environment={"REPORT_SLOTS": "x:2"})
    request = executor.requests[0]
    assert request.environment["REPORT_RUN_FOLDER"] == str(request.folder)
    assert request.environment["OMP_NUM_THREADS"] == request.environment["NUMBA_NUM_THREADS"] == "1"
    assert request.environment["REPORT_SLOTS"] == "x:2"
    assert request.parameters == {"runs_dir": str(work.toy.runs_dir)}
    executor, _, _ = work({"id": "other", "notebook": "a.ipynb"})
    assert executor.requests[0].parameters["run"] == "other", "a second run of a notebook has its own name"


LARGE = {"id": "a", "profiles": ["quick", "large"], "summary": "About large data."}
AROUND = ({"id": "b", "wants": ["a"]}, {"id": "c", "needs": ["a"]}, {"id": "d", "needs": ["c"]})


class TestRunsOfAnotherProfile:
    def test_one_of_which_nothing_is_kept_is_no_part_of_the_report_nor_is_what_needs_it(self, work):
        executor, _, _ = work(LARGE, *AROUND)
        assert executor.order == ["b"], "what only wants it goes on"
        plan, store = load_plan(work.toy.plan(LARGE, *AROUND)), Store(work.toy.runs_dir)
        away, nowhere = outside(plan, store, "full")
        assert away == {"a": "large", "c": "large", "d": "large"} and nowhere == {*away}
        assert not (work.toy.runs_dir / "a").exists()
        with pytest.raises(MissingRun, match="--only a"):
            load_run("a", runs_dir=work.toy.runs_dir)

    def test_its_own_profile_executes_it_and_the_others_show_what_that_made(self, work):
        executor, _, _ = work(LARGE, *AROUND, profile="large")
        assert executor.order[0] == "a" and sorted(executor.order) == ["a", "b", "c", "d"]
        executor, summary, _ = work(LARGE, *AROUND)
        assert executor.order == [] and sorted(summary.up_to_date) == ["a", "b", "c", "d"]
        quick = {"id": "a", "profiles": ["large"], "quick": {"n": 1}}
        executor, summary, _ = work(quick, *AROUND, profile="quick")
        assert "a" in summary.up_to_date, "it is held against the values of the profile that makes it"

    def test_asked_for_by_name_it_is_executed_in_any_profile(self, work):
        executor, summary, _ = work(LARGE, *AROUND, selected=["a"], required=["a"])
        assert executor.order == ["a"] and summary.executed == ["a"]
        executor, summary, _ = work(LARGE, *AROUND)
        assert sorted(executor.order) == ["b", "c", "d"] and summary.up_to_date == ["a"]

    def test_the_forecast_tells_the_same(self, work):
        work(LARGE, *AROUND, profile="large")
        plan = load_plan(work.toy.plan({**LARGE, "parameters": {"n": 9}}, *AROUND))
        store = Store(work.toy.runs_dir)
        cache = Cache(plan, store, resolve(plan, plan.ids), outside=outside(plan, store, "full")[0])
        decisions = forecast(cache, plan.ids)
        assert (decisions["a"].action, decisions["a"].reasons) == (KEEP, ("parameter n 2 -> 9",))
        assert {decisions[name].action for name in "bcd"} == {KEEP}


def test_a_run_whose_data_cannot_be_had_fails_with_one_sentence_about_them(work):
    runs = ({"id": "a", "datasets": ["ml-20m"]}, {"id": "b", "needs": ["a"]}, "c")
    executor, summary, said = work(*runs, unavailable={"ml-20m": "asked everywhere"}, keep_going=True)
    assert executor.order == ["c"] and summary.failed["a"].about_data
    assert "FAILED a: needs ml-20m, which no source could serve" in said and summary.not_run == {"b": "needs a"}


def test_kernels_follow_memory():
    assert by_memory(3, gib_a_job=0.01) == 3
    assert by_memory(8, gib_a_job=1e9) == 1


FITS = {"done": 14, "total": 30, "seconds_left": 40.0, "what": "fits"}


def at(cell, cells, elapsed, expected=None, fits=None):
    started = None if elapsed is None else time.monotonic() - elapsed
    return At(Place({str(n): "" for n in range(cells)}, cell, started), expected, fits)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ((3, 9, 75.0, 95.0), "cell 3 of 9, about 20 s left"),
        ((3, 12, 75.0, 95.0, FITS), "cell 3 of 12, 14 of 30 fits, about 40 s left"),
        ((3, 12, 75.0, 175.0, FITS), "cell 3 of 12, 14 of 30 fits, about 1 min 40 s left"),
        ((9, 9, 94.9, 95.0), "cell 9 of 9, about 1 s left"),
        ((9, 9, 130.0, 95.0), "cell 9 of 9, longer than expected, 2 min 10 s so far"),
        (
            (9, 9, 130.0, 95.0, {**FITS, "done": 30, "seconds_left": 0.0}),
            "cell 9 of 9, 30 of 30 fits, longer than expected, 2 min 10 s so far",
        ),
        ((1, 9, 5.0), "cell 1 of 9, 5 s so far"),
        ((0, 9, None, 95.0), "waiting for a core"),
    ],
)
def test_plain_lines_tell_cells_fits_and_an_honest_rest(monkeypatch, place, said):
    monkeypatch.setattr("lib.runner.progress.HEARTBEAT", 0.0)
    stream = io.StringIO()
    with Progress(stream) as progress:
        progress.start("svd", 9, "[never] run")
        progress.update({"svd": at(*place)}, 140.0)
        progress.end("svd", "done   svd")
    assert stream.getvalue().splitlines() == [
        "start  svd, 9 cells ([never] run)",
        f"       svd: {said}; all runs: about 2 min 20 s",
        "done   svd",
    ]


def test_the_rest_of_all_is_the_work_over_the_cores_or_the_longest_chain(work, monkeypatch):
    told = []
    monkeypatch.setattr(Progress, "update", lambda self, at, rest: told.append(rest))
    runs = [{"id": "a", "seconds": 10}, {"id": "b", "seconds": 10, "needs": ["a"]}, {"id": "c", "seconds": 10, "needs": ["b"]}]  # fmt: skip
    plan, store = load_plan(work.toy.plan(*runs)), Store(work.toy.runs_dir)
    cache = Cache(plan, store, resolve(plan, plan.ids))
    schedule = Schedule(cache, StandIn(), Progress(io.StringIO()), Options(), jobs=2)
    for name in "ab":
        place = Place({"x": ""}, 1, started=time.monotonic() - 4)
        schedule._working[Future()] = _Work(plan.run(name), {}, place)
    schedule._tell([plan.run("c")])
    assert told[0] == pytest.approx(22, abs=1), "a, then b, then c, whatever the cores"
    schedule.options = Options(profile="quick")
    assert schedule._expected(plan.run("a")) is None, "the plan tells of the full profile"
    plan.report["reckoned"] = {"quick": [1, 1]}  # as the plan for own ratings does, from the size of the file
    assert schedule._expected(plan.run("a")) == 10


def test_a_terminal_shows_the_runs_at_work_below_the_lines(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream = io.StringIO()
    with Progress(stream) as progress:
        progress.start("svd", 9, "never run")
        progress.update({"svd": at(3, 9, 75.0, 95.0)}, 140.0)
        progress.line("[not markup]")
        progress.end("svd", "done   svd")
    said = stream.getvalue()
    assert "svd: cell 3 of 9, about 20 s left" in said and "[not markup]" in said and "done   svd" in said


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "0 s"), (59.6, "1 min 00 s"), (3700, "1 h 01 min")])
def test_durations_are_said_as_people_do(seconds, text):
    assert duration(seconds) == text
