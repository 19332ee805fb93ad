"""The engine: the same bits wherever a job runs, nothing lost with a worker, errors that name the job."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from lib import ROOT
from lib.experiment import alone, cluster, driver
from lib.experiment.cluster import WorkerDied, local_cluster, run_jobs
from lib.experiment.driver import JobFailed, NoCluster, OtherCode, connected, disconnect
from lib.experiment.slots import SLOTS, held
from lib.experiment.workers import BEFORE_START
from tests.experiment.cluster_work import Job, work

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills processes as POSIX does")


def run(jobs, data=None, **options):
    """Results by index."""
    return dict(run_jobs(work, jobs, data or {"base": 10}, **options))


def workers(address):
    return set(connected(address).run(os.getpid, on_error="ignore").values())


def eventually(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture(scope="module")
def local():
    with local_cluster(2) as started:
        yield started.scheduler_address
        disconnect(started.scheduler_address)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    monkeypatch.delenv(cluster.ADDRESS, raising=False)
    monkeypatch.delenv(SLOTS, raising=False)
    held.cache_clear()
    yield
    held.cache_clear()


# -- where jobs run ------------------------------------------------------------------------------------------------
def test_a_few_short_jobs_run_in_this_process(monkeypatch):
    monkeypatch.setattr(cluster, "local_cluster", None)
    found = run([Job(number) for number in range(3)])
    assert found == {n: {"sum": 10 + n, "number": n, "process": os.getpid()} for n in range(3)}
    assert set(run([Job(0, "threads")])[0]["threads"]) == {1}
    assert run([]) == {}


def test_what_takes_long_goes_on_in_a_cluster_of_its_own(monkeypatch):
    monkeypatch.setattr(cluster, "SHORT", 0.2)
    monkeypatch.setattr(cluster, "usable_cores", lambda: 2)
    found = run([Job(number, seconds=0.3) for number in range(3)])
    assert [found[n]["sum"] for n in range(3)] == [10, 11, 12]
    assert found[0]["process"] == os.getpid() not in {found[1]["process"], found[2]["process"]}
    assert not driver._clients
    assert run([Job(number, seconds=0.3) for number in range(2)])[1]["process"] == os.getpid(), "the last one"


def test_bits_are_the_same_wherever_a_job_runs(local, commanded, planted, monkeypatch):
    jobs = [Job(number, kind) for kind in ("svd", "matmul") for number in range(2)]
    elsewhere = run([*jobs, Job(0, "threads")], {"train": planted, "base": 0}, address=commanded)
    assert os.getpid() not in {found["process"] for found in elsewhere.values()}
    assert set(elsewhere.pop(4)["threads"]) == {1}
    monkeypatch.setenv(cluster.ADDRESS, local)
    on_workers = run(jobs, {"train": planted})
    monkeypatch.delenv(cluster.ADDRESS)
    here = run(jobs, {"train": planted})
    for found in (elsewhere, on_workers):
        assert found.keys() == here.keys()
        for index, values in here.items():
            for name in values.keys() - {"process", "number"}:
                np.testing.assert_array_equal(found[index][name], values[name])
                assert np.asarray(found[index][name]).tobytes() == np.asarray(values[name]).tobytes()


def test_jobs_of_what_started_first_are_done_first(local, monkeypatch):
    done = []

    def ask(priority, n):
        monkeypatch.setenv(driver.PRIORITY, str(priority))
        call = driver.Driver(work, [Job(number, seconds=0.2) for number in range(n)], {"base": 0}, local)
        thread = threading.Thread(target=lambda: done.extend(priority for _ in call.results(range(n))))
        thread.start()
        return thread

    later = ask(-2.0, 20)
    eventually(lambda: done)
    first = ask(-1.0, 8)
    for thread in (later, first):
        thread.join()
    last = len(done) - 1 - done[::-1].index(-1.0)
    assert done[last + 1 :] == [-2.0] * (27 - last) and 27 - last >= 6, done


@pytest.fixture(scope="module")
def commanded(tmp_path_factory):
    """A scheduler and two workers, as a user starts them with Dask's own commands in a shell where nothing is set.

    The last test to ask for them kills the scheduler.
    """
    dask, file = [sys.executable, "-m", "dask"], tmp_path_factory.mktemp("commanded") / "scheduler.json"
    shell = {
        "cwd": ROOT, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL,
        "env": {name: value for name, value in os.environ.items() if name not in BEFORE_START},
    }  # fmt: skip
    processes = [
        subprocess.Popen(
            [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", file], **shell
        )
    ]  # fmt: skip
    try:
        eventually(lambda: file.exists() and file.read_text().endswith("}"))
        address = json.loads(file.read_text())["address"]
        processes.append(
            subprocess.Popen(
                [*dask, "worker", address, "--nworkers", "2", "--nthreads", "1", "--no-dashboard"], **shell
            )
        )
        yield address
        disconnect(address)
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait(60)


def test_works_where_an_event_loop_runs(local):
    async def cell():
        return run([Job(1), Job(2)], address=local)

    assert asyncio.run(cell())[1]["sum"] == 12


def test_data_are_sent_once_a_worker_and_forgotten(local):
    data = {"base": np.arange(2_000_000.0)}  # more than Dask likes in a graph
    found = run([Job(number) for number in range(6)], data, address=local)
    np.testing.assert_array_equal(found[5]["sum"], np.arange(2_000_000.0) + 5)
    eventually(lambda: not any(connected(local).has_what().values()))


# -- deaths --------------------------------------------------------------------------------------------------------
def test_a_killed_worker_loses_nothing(local, tmp_path):
    def kill():
        pids = workers(local)
        for pid in sorted(pids):
            time.sleep(0.7)
            os.kill(pid, signal.SIGKILL)

    jobs = [Job(number, seconds=0.25, folder=str(tmp_path)) for number in range(12)]
    killer = threading.Thread(target=kill)
    killer.start()
    found = run(jobs, address=local)
    killer.join()
    assert [found[n]["sum"] for n in range(12)] == [10 + n for n in range(12)]


def test_a_job_that_kills_its_worker_is_named_after_the_rest_is_done(local, tmp_path):
    folder = str(tmp_path)
    jobs = [
        Job(0, "kill", folder=folder),
        *(Job(n, folder=folder) for n in range(1, 5)),
        Job(5, "kill_once", folder=folder),
    ]
    found = {}
    with pytest.raises(WorkerDied, match=r"kill 0 died three times.*memory"):
        for index, result in run_jobs(work, jobs, {"base": 1}, address=local):
            found[index] = result["sum"]
    assert found == {n: 1 + n for n in range(1, 6)}
    tries = (tmp_path / "0").read_text().split()
    assert len(tries) == len(set(tries)) == 3
    assert len((tmp_path / "5").read_text().split()) == 2


def test_workers_end_with_the_process_that_started_them(tmp_path):
    script = tmp_path / "start.py"
    script.write_text(
        "import os, time\n"
        "from lib.experiment.cluster import local_cluster\n"
        "from lib.experiment.driver import connected\n"
        "if __name__ == '__main__':\n"
        "    started = local_cluster(2)\n"
        "    print(*connected(started.scheduler_address).run(os.getpid).values(), flush=True)\n"
        "    time.sleep(100)\n"
    )
    process = subprocess.Popen(
        [sys.executable, script],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    pids = [int(pid) for pid in process.stdout.readline().split()]
    assert len(pids) == 2 and all(map(alive, pids))
    process.kill()
    process.communicate()
    eventually(lambda: not any(map(alive, pids)))


# -- errors --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("where", ["here", "local"])
def test_an_error_names_its_job_and_ends_the_call(where, request, tmp_path):
    address = request.getfixturevalue("local") if where == "local" else None
    jobs = [Job(1, "fail", seconds=0.3), Job(2, seconds=60, folder=str(tmp_path)), Job(3)]
    with pytest.raises(ZeroDivisionError, match="nothing to divide by") as caught:
        run(jobs, address=address)
    assert "in the job fail 1" in caught.value.__notes__
    if where == "local":
        assert any("cluster_work.py" in note for note in caught.value.__notes__)
        started = (tmp_path / "2").read_text().split() if (tmp_path / "2").exists() else []
        eventually(lambda: not any(alive(pid) for pid in started))
        assert run([Job(4)], address=address)[0]["sum"] == 14


def test_an_error_that_does_not_travel_comes_in_words(local):
    with pytest.raises(JobFailed, match="fail_oddly 7: Unpicklable: of its own kind"):
        run([Job(7, "fail_oddly")], address=local)


def test_other_code_is_refused(local, monkeypatch):
    there = alone.identity()
    monkeypatch.setattr(driver, "identity", lambda: {**there, "lib": "edited", "numpy": "1.0"})
    with pytest.raises(OtherCode, match=r"tcp.*other code in lib, numpy .* instead of 1\.0.*start them again"):
        run([Job(1)], address=local)
    assert alone.differences({"requirements.txt": "a"}, {}) == ["another lock (requirements.txt)"]


def test_a_worker_of_before_an_edit_makes_way_for_a_new_one(local, monkeypatch):
    before = run([Job(1)], address=local)[0]["process"]
    connected(local).run(pretend, "old")
    assert run([Job(1)], address=local)[0]["process"] != before
    monkeypatch.setattr(driver, "code", lambda: "edited since this process started")
    eventually(lambda: len(workers(local)) == 2)
    connected(local).run(pretend, "old")
    with pytest.raises(OtherCode):
        run([Job(1)], address=local)
    connected(local).run(alone.identity.cache_clear)


def pretend(code):
    alone.identity()["lib"] = code


def test_a_scheduler_that_is_not_there_or_goes_away(commanded, monkeypatch):
    monkeypatch.setattr(driver, "REACHED_IN", 1)
    with pytest.raises(NoCluster, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1 "):
        run([Job(1)], address="tcp://127.0.0.1:1")
    with pytest.raises(NoCluster, match=commanded):
        for _ in run_jobs(
            work, [Job(0), Job(1, seconds=60), Job(2, seconds=60)], {"base": 1}, address=commanded
        ):  # fmt: skip
            os.kill(connected(commanded).run_on_scheduler(os.getpid), signal.SIGKILL)


# -- slots ---------------------------------------------------------------------------------------------------------
def test_jobs_and_this_process_share_the_slots(local, tmp_path, monkeypatch):
    monkeypatch.setenv(SLOTS, f"{tmp_path}:1")
    held().take()
    spans = []
    for _, found in run_jobs(
        work, [Job(n, "count", seconds=0.2) for n in range(4)], {"base": 1}, address=local
    ):  # fmt: skip
        spans.append((found["start"], found["end"]))
    assert held().holds
    spans.sort()
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans)), "one slot, one at work"
    held().give_back()
