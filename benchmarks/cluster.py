"""The engine for fits: what it adds to a bare process pool, and what is lost when workers are killed.

`run()` returns rows of ``benchmarks.csv``. Both sides make the same 50 fits in as many processes of one thread each. They
take turns; starting processes and loading the compiled code is left out of both, and so is the pool's way of getting its
data, with its start, but not the engine's, with each call.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import signal
import statistics
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from lib.data.interactions import Interactions
from lib.data.made_up import made_up_ratings
from lib.experiment.alone import THREADS, environment, usable_cores
from lib.experiment.cluster import local_cluster, run_jobs
from lib.experiment.driver import connected, disconnect
from lib.models import create

N_JOBS, PAIRS, KILL_EVERY = 50, 3, 3.0
SIZE = {"n_ratings": 200_000, "n_users": 3_000, "n_items": 2_000}


@dataclass(frozen=True)
class Job:
    """A fit that takes about a second."""

    seed: int
    n_epochs: int = 70

    def needs(self) -> list[str]:
        """Name the data."""
        return ["train"]

    def __str__(self) -> str:
        return f"the fit of seed {self.seed}"


def work(parts: dict[str, Interactions], job: Job) -> dict[str, str]:
    """Fit a model and hash what it predicts."""
    train = parts["train"]
    model = create("biased_svd", n_factors=64, n_epochs=job.n_epochs, seed=job.seed).fit(train)
    return {"predictions": hashlib.sha256(model.predict(train.users, train.items).tobytes()).hexdigest()}


def run(n_jobs: int = N_JOBS, pairs: int = PAIRS) -> list[dict]:
    workers = usable_cores()
    data, jobs = {"train": made_up_ratings(**SIZE)}, [Job(seed) for seed in range(n_jobs)]
    warm = [Job(seed, n_epochs=1) for seed in range(4 * workers)]
    with local_cluster(workers) as cluster, _pool(workers, data) as pool:
        list(pool.map(_in_pool, warm))
        _on_engine(warm, data, cluster.scheduler_address)
        times, found = [], []
        for _ in range(pairs):
            for make in (
                lambda: _on_engine(jobs, data, cluster.scheduler_address),
                lambda: list(pool.map(_in_pool, jobs)),
            ):
                start = time.perf_counter()
                found.append(make())
                times.append(time.perf_counter() - start)
        if any(other != found[0] for other in found):
            raise AssertionError("the engine and the pool must come to the same bits first")
        disconnect(cluster.scheduler_address)
    engine, bare = times[::2], times[1::2]
    more = statistics.median(a / b for a, b in zip(engine, bare, strict=True))
    row = {
        "dataset": f"{SIZE['n_ratings']:,} made-up ratings", "subject": "run_jobs", "threads": 1, "error": 0.0,
        "peer_error": 0.0, "headline": "yes",
    }  # fmt: skip
    overhead = {
        **row, "benchmark": "cluster_overhead", "peer": "concurrent.futures",
        "subject_seconds": statistics.median(engine), "peer_seconds": statistics.median(bare), "ratio": 1 / more,
        "note": f"{n_jobs} fits of biased_svd in {workers} processes, the same bits; median of {pairs} pairs, start-up left "
        f"out of both; the engine takes {more:.3f} times as long",
    }  # fmt: skip
    seconds, killed, lost, wrong = _with_kills(jobs, data, found[0], workers)
    if lost or wrong:
        raise AssertionError(
            f"{killed} workers killed: {lost} of {n_jobs} fits lost and {wrong} wrong; must be 0 and 0"
        )
    return [
        overhead,
        {
            **row, "benchmark": "cluster_kills", "peer": "run_jobs undisturbed", "subject_seconds": seconds,
            "peer_seconds": statistics.median(engine), "ratio": statistics.median(engine) / seconds,
            "note": f"{n_jobs} fits while every {KILL_EVERY:g} s a worker at random was killed, {killed} in all: {lost} lost, "
            f"{wrong} wrong",
        },
    ]  # fmt: skip


def _on_engine(jobs: list[Job], data: dict, address: str) -> list[dict]:
    found = dict(run_jobs(work, jobs, data, address=address))
    return [found[index] for index in range(len(jobs))]


def _with_kills(jobs: list[Job], data: dict, right: list[dict], workers: int) -> tuple[float, int, int, int]:
    """Return seconds, how many workers were killed, and how many results were lost or wrong."""
    chance, killed, done = random.Random(0), [], threading.Event()
    with local_cluster(workers) as cluster:
        client = connected(cluster.scheduler_address)

        def kill() -> None:
            while not done.wait(KILL_EVERY):
                pids = list(client.run(os.getpid, on_error="ignore").values())
                if pids:
                    killed.append(chance.choice(pids))
                    os.kill(killed[-1], signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        start, found = time.perf_counter(), {}
        try:
            for index, result in run_jobs(work, jobs, data, address=cluster.scheduler_address):
                found[index] = result
        finally:
            done.set()
            killer.join()
        seconds = time.perf_counter() - start
        disconnect(cluster.scheduler_address)
    wrong = sum(result != right[index] for index, result in found.items())
    return seconds, len(killed), len(jobs) - len(found), wrong


_given: dict[str, dict] = {}


def _pool(workers: int, data: dict) -> ProcessPoolExecutor:
    """Make a pool whose processes have the data; they start inside, as they are handed their first jobs."""
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=spawn, initializer=_give, initargs=(data,))
    with environment({**THREADS, "NUMBA_NUM_THREADS": "1"}):
        list(pool.map(abs, range(workers)))
    return pool


def _give(data: dict) -> None:
    _given["data"] = data


def _in_pool(job: Job) -> dict:
    return work(_given["data"], job)


if __name__ == "__main__":
    from benchmarks.cluster import run as run_imported  # by a name that workers can import, too

    for row in run_imported():
        print(row)
