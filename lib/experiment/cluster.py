"""The one engine: jobs run in this process, on a cluster of this machine's own, or on one that Dask's commands started.

Whichever it is, a job runs on one thread and comes to the same bits. A job here is mostly a fit; the engine knows nothing
of fits. Dask is loaded only when a cluster is needed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from multiprocessing import current_process
from typing import TYPE_CHECKING, Any

from lib.experiment.alone import Work, one_thread, usable_cores
from lib.experiment.driver import Driver, Job, data_of
from lib.experiment.slots import held

if TYPE_CHECKING:
    from lib.experiment.workers import LocalCluster

ADDRESS = "REPORT_CLUSTER"  # environment variable: the address of a scheduler, such as ``tcp://127.0.0.1:8786``
SHORT = 20.0  # seconds of jobs in this process after which a cluster is worth its start
PATIENCE = 0.1  # seconds to wait for a slot before a result is told

Results = Generator[tuple[int, dict[str, Any]]]


class WorkerDied(RuntimeError):
    """The process of a job died three times, the last time alone on a fresh worker; the message names the job."""


def run_jobs(work: Work, jobs: Sequence[Job], data: Mapping, *, address: str | None = None, here=False) -> Results:
    """Do jobs, and yield the place and the result of each as it is there, so that it can be kept at once.

    A job is done by ``work(parts, job)`` of a module, which must not change the parts: jobs share them. `data` has by
    name what jobs need; a worker is sent each once. `address` is a scheduler's, by default what the environment's
    `ADDRESS` says; without either, jobs run one after the other in this process, and those that are left after `SHORT`
    seconds go to a cluster of this machine's own. With `here` all run in this process, whatever the address.

    Raises `WorkerDied` after all other jobs are done, and at once whatever a job raised, with a note that names it,
    `lib.experiment.driver.OtherCode` or `lib.experiment.driver.NoCluster`. Then, as when the caller stops asking, no job
    of this call is at work any more.
    """
    jobs, inside = list(jobs), current_process().daemon  # a worker whose job has jobs would wait for itself
    address = address or (None if inside else os.environ.get(ADDRESS)) or None
    slots, complete = held(), False
    holds = slots.holds
    if address and not here:
        results = _there(work, jobs, data, address, range(len(jobs)))
    else:
        results = _here(work, jobs, data, may_start=not (inside or here) and usable_cores() > 1)
    try:
        with closing(results):
            for result in results:
                if holds:
                    slots.take(PATIENCE)  # no longer: a result must not wait for others' fits to be written
                yield result
        complete = True
    finally:
        if holds:
            slots.take(None if complete else PATIENCE)


def local_cluster(n_workers: int | None = None) -> LocalCluster:
    """Start a cluster of one-thread processes on 127.0.0.1, until ``close()``, the end of a ``with`` or of this process."""
    from lib.experiment.workers import LocalCluster

    return LocalCluster(n_workers or usable_cores())


def _here(work: Work, jobs: Sequence[Job], data: Mapping[str, Any], *, may_start: bool) -> Results:
    start = time.monotonic()
    for index, job in enumerate(jobs):
        if may_start and len(jobs) - index >= 2 and time.monotonic() - start >= SHORT:
            with local_cluster(min(usable_cores(), len(jobs) - index)) as own:
                yield from _there(work, jobs, data, own.scheduler_address, range(index, len(jobs)))
            return
        try:
            with one_thread():
                result = work(data_of(job, data), job)
        except Exception as error:
            error.add_note(f"in the job {job}")
            raise
        yield index, result


def _there(work: Work, jobs: Sequence[Job], data: Mapping[str, Any], address: str, left: range) -> Results:
    if not left:
        return
    driver = Driver(work, jobs, data, address)
    yield from driver.results(left)
    died = []
    for index in driver.killed:  # each alone: nothing else on this machine takes memory then
        found, killed = _last_try(work, jobs, data, index)
        died += [str(jobs[index]) for index in killed]
        yield from found
    if died:
        raise WorkerDied(
            f"the process of {'; '.join(died)} died three times, the last time with this machine to itself: most likely its "
            "memory ran out. All other jobs are done."
        )


def _last_try(work: Work, jobs: Sequence[Job], data: Mapping[str, Any], index: int) -> tuple[list[tuple], list[int]]:
    """Run a job that took its workers with it, and return what came of it, and it itself if it was killed again."""
    from lib.experiment.workers import LocalCluster

    slots = held()
    slots.take_all()
    try:
        with LocalCluster(1, deaths=0) as own:
            driver = Driver(work, jobs, data, own.scheduler_address, shares=False)
            return list(driver.results([index])), driver.killed
    finally:
        slots.give_back()
