"""The grid: every job once, in order, kept as it comes, resumed after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from lib import ROOT
from lib.grid import Grid, GridFailed, forget, one_thread_each, source_version, usable_cores
from tests import grid_work
from tests.conftest import planted_interactions

JOBS = [{"factor": factor} for factor in (3, 1, 2)]


def grid(store, jobs=JOBS, work=grid_work.multiply, workers=0, base=10, **options):
    with Grid(work, context={"base": base}, store=store, workers=workers, say=None, **options) as grid:
        return grid.run(jobs)


def traces(folder):
    return {path.name: len(path.read_text()) for path in folder.iterdir()}


@pytest.mark.parametrize("workers", [0, 2])
def test_results_come_in_the_jobs_order(tmp_path, workers):
    found = grid(tmp_path / "store", workers=workers)
    assert [row["product"] for row in found] == [30, 10, 20]
    assert [row["factor"] for row in found] == [3, 1, 2]
    np.testing.assert_array_equal(found[2]["array"], [0, 1])
    assert found[0]["nothing"] is None
    assert all(row["seconds"] >= 0 for row in found)
    pids = {row["process"] for row in found}
    assert (pids == {os.getpid()}) == (workers == 0)
    if workers:
        assert {row["threads"] for row in found} == {"1"}
        assert len(pids) <= 2


def test_what_is_kept_is_not_done_again(tmp_path):
    (tmp_path / "traces").mkdir()
    jobs = [{**job, "folder": str(tmp_path / "traces")} for job in JOBS]
    first = grid(tmp_path / "store", jobs[:2])
    again = grid(tmp_path / "store", [*jobs, jobs[0]])
    assert traces(tmp_path / "traces") == {"3": 1, "1": 1, "2": 1}
    assert again[0]["seconds"] == first[0]["seconds"] == again[3]["seconds"]
    forget(tmp_path / "store")
    grid(tmp_path / "store", jobs[:1])
    assert traces(tmp_path / "traces") == {"3": 2, "1": 1, "2": 1}


@pytest.mark.parametrize("change", [{"base": 11}, {"version": "b"}, {"work": grid_work.fail_at_three}])
def test_kept_results_of_other_inputs_do_not_count(tmp_path, change):
    jobs = [{"factor": 2}]
    grid(tmp_path, jobs)
    grid(tmp_path, jobs, **change)
    assert len(list(tmp_path.glob("*.npz"))) == 2


def test_data_count_by_content(tmp_path):
    def run(data):
        Grid(grid_work.multiply, context={"base": 1, "data": data}, store=tmp_path, workers=0, say=None).run(
            JOBS[:1]
        )
        return len(list(tmp_path.glob("*.npz")))

    data = planted_interactions(seed=1)
    assert run(data) == 1
    assert len(data.user_counts), "a cached property must not count"
    assert run(data) == run(planted_interactions(seed=1)) == 1
    changed = data.ratings.copy()
    changed[0] = 1.0 if changed[0] > 2 else 5.0
    assert run(data.with_ratings(changed, data.scale)) == 2
    table = data.user_table.assign(age=data.user_table["age"] + 1)
    assert run(type(data)(**{**fields(data), "user_table": table})) == 3


def fields(data):
    return {name: getattr(data, name) for name in data.__dataclass_fields__}


@pytest.mark.parametrize("workers", [0, 1])
def test_a_failed_job_is_named_and_the_rest_is_kept(tmp_path, workers):
    jobs = [{"factor": 1}, {"factor": 3}]
    with pytest.raises(GridFailed, match="factor=3: ZeroDivisionError: three is too much"):
        grid(tmp_path, jobs, grid_work.fail_at_three, workers)
    assert len(list(tmp_path.glob("*.npz"))) == 1


def test_processes_stay_for_further_jobs_and_an_error_ends_them(tmp_path):
    with Grid(grid_work.multiply, context={"base": 1}, store=tmp_path, workers=1, say=None) as kept:
        pids = {kept.run([{"factor": factor}])[0]["process"] for factor in (1, 2)}
        assert len(pids) == 1
        with pytest.raises(GridFailed):
            kept.run([{"factor": "three"}])
        assert kept.run([{"factor": 4}])[0]["process"] not in pids
    until(lambda: not any(map(alive, pids)), "the processes' end")


def test_a_process_that_dies_is_reported(tmp_path):
    with pytest.raises(GridFailed, match="died"):
        grid(tmp_path, [{"factor": 1}], grid_work.die, workers=1)


def test_killed_grid_keeps_what_was_done_and_leaves_no_process(tmp_path):
    script = (
        "from lib.grid import Grid; from tests import grid_work; import sys\n"
        "if __name__ == '__main__':\n"
        "    grid = Grid(grid_work.wait, context={}, store=sys.argv[1], workers=1)\n"
        "    grid.run([{'factor': 0}, {'factor': 1}])\n"
    )
    path = tmp_path / "script.py"
    path.write_text(script)
    store = tmp_path / "store"
    grid_process = subprocess.Popen(
        [sys.executable, str(path), str(store)], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        until(lambda: list(store.glob("*.npz")), "the first job's result")
    finally:
        grid_process.send_signal(signal.SIGKILL)
        grid_process.wait()
    (kept,) = store.glob("*.npz")
    with np.load(kept) as file:
        worker = int(str(file["__head__"]).split('"pid": ')[1].split(",")[0])
    until(lambda: not alive(worker), "the end of the orphaned process")


def until(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.05)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_progress_is_told_in_plain_lines(tmp_path):
    lines = []
    options = {"context": {"base": 1}, "store": tmp_path, "workers": 0, "say": lines.append, "every": 0.0}
    Grid(grid_work.multiply, **options).run(JOBS[:1])
    Grid(grid_work.multiply, **options).run(JOBS)
    assert lines[0].startswith("1 of 1 done")
    assert lines[1] == "1 of 3 were done before"
    assert lines[-1].startswith("3 of 3 done")


def test_thread_counts_are_given_back(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with one_thread_each():
        assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "1"
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ
    assert usable_cores() >= 1


def test_version_is_that_of_the_source():
    assert source_version("lib.grid") != source_version("lib.grid", "lib.splits")
    with pytest.raises(ModuleNotFoundError, match=r"lib\.nothing"):
        source_version("lib.nothing")
