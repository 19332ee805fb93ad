"""The one engine: jobs run in this process, on a cluster of this machine's own, or on one that Dask's commands started.

Whichever it is, a job runs on one thread and comes to the same bits. A job here is mostly a fit; the engine knows nothing
of fits. Dask is loaded only when a cluster is needed.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from multiprocessing import current_process
from typing import TYPE_CHECKING, Any

from lib.experiment.alone import Work, one_thread, usable_cores
from lib.experiment.driver import Call, Driver, JobFailed, NoCluster, OtherCode, connected, disconnect
from lib.experiment.slots import held

if TYPE_CHECKING:
    from lib.experiment.workers import LocalCluster

ADDRESS = "REPORT_CLUSTER"
"""Environment variable: the address of a scheduler, such as ``tcp://127.0.0.1:8786``."""

SHORT = 20.0
"""Seconds of jobs in this process after which a cluster is worth its start."""

PATIENCE = 0.1
"""Seconds to wait for a slot before a result is told."""


class WorkerDied(RuntimeError):
    """The process of a job died three times, the last time alone on a fresh worker; the message names the job."""


def run_jobs(
    work: Work,
    jobs: Sequence[Any],
    data: Mapping[str, Any],
    *,
    needs: Callable[[Any], Iterable[str]],
    name: Callable[[Any], str],
    address: str | None = None,
    here: bool = False,
    progress: Any = None,
) -> Iterator[tuple[int, dict]]:
    """Do jobs, and yield each result as it is there, so that it can be kept at once.

    Parameters
    ----------
    work : callable
        ``work(parts, job)`` of a module; it must not change `parts`, which jobs share.
    jobs : sequence
        Anything that pickles.
    data : mapping
        What jobs need, by name. Sent to a worker once.
    needs : callable
        The names of the data that a job needs.
    name : callable
        What errors call a job.
    address : str, optional
        Of a scheduler; by default what the environment's `ADDRESS` says. Without either, jobs run one after the other in
        this process; those that are left after `SHORT` seconds go to a cluster of this machine's own.
    here : bool
        Run all of them in this process, whatever the address.
    progress : callable, or object with ``done``, optional
        Is told the index of each job that is done.

    Yields
    ------
    index, result : int, dict
        The job's place in `jobs`, and what `work` returned.

    Raises
    ------
    WorkerDied
        After all other jobs are done.
    OtherCode, NoCluster
        At once.
    Exception
        Whatever a job raised, with a note that names the job. As with every error, and when the caller stops asking, no
        job of this call is at work any more.
    """
    call = Call(work, list(jobs), data, needs, name)
    inside = current_process().daemon  # a worker whose job has jobs would wait for itself
    address = address or (None if inside else os.environ.get(ADDRESS)) or None
    tell = getattr(progress, "done", progress) or (lambda index: None)
    slots, complete = held(), False
    holds = slots.holds
    results = _there(call, address) if address and not here else _here(call, may_start=not (inside or here))
    try:
        with closing(results):
            for index, result in results:
                if holds:
                    slots.take(
                        PATIENCE
                    )  # no longer: a result must not wait for others' fits to be written down
                tell(index)
                yield index, result
        complete = True
    finally:
        if holds:
            slots.take(None if complete else PATIENCE)


def local_cluster(n_workers: int | None = None) -> LocalCluster:
    """Start a cluster on this machine: one process of one thread a core, on 127.0.0.1.

    It is closed by its ``close()``, at the end of a ``with``, or by the end of this process.
    """
    from lib.experiment.workers import LocalCluster

    return LocalCluster(n_workers or usable_cores())


# -- in this process -----------------------------------------------------------------------------------------------
def _here(call: Call, may_start: bool) -> Iterator[tuple[int, dict]]:
    left, start = deque(range(len(call.jobs))), time.monotonic()
    may_start = may_start and usable_cores() > 1
    while left:
        if may_start and len(left) >= 2 and time.monotonic() - start >= SHORT:
            break
        index = left.popleft()
        try:
            with one_thread():
                result = call.work({name: call.data[name] for name in call.names(index)}, call.jobs[index])
        except Exception as error:
            error.add_note(f"in the job {call.title(index)}")
            raise
        yield index, result
    if left:
        with local_cluster(min(usable_cores(), len(left))) as cluster:
            try:
                yield from _there(call, cluster.scheduler_address, left)
            finally:
                disconnect(cluster.scheduler_address)


# -- on a cluster --------------------------------------------------------------------------------------------------
def _there(call: Call, address: str, left: Iterable[int] | None = None) -> Iterator[tuple[int, dict]]:
    left = range(len(call.jobs)) if left is None else left
    if not call.jobs:
        return
    driver = Driver(call, address)
    yield from driver.results(left)
    yield from _last_try(call, driver.killed)


def _last_try(call: Call, indices: Sequence[int]) -> Iterator[tuple[int, dict]]:
    """Run jobs that took their workers with them each alone: nothing else on this machine takes memory then."""
    from lib.experiment.workers import LocalCluster

    died = []
    for index in indices:
        slots, found = held(), []
        slots.take_all()
        try:
            with LocalCluster(1, deaths=0) as cluster:
                driver = Driver(call, cluster.scheduler_address, shares=False)
                try:
                    found = list(driver.results([index]))
                finally:
                    disconnect(cluster.scheduler_address)
        finally:
            slots.give_back()
        died += driver.killed
        yield from found
    if died:
        names = "; ".join(map(call.title, died))
        raise WorkerDied(
            f"the process of {names} died three times, the last time with this machine to itself: most likely its memory "
            "ran out. All other jobs are done."
        )


__all__ = [
    "ADDRESS",
    "JobFailed",
    "NoCluster",
    "OtherCode",
    "WorkerDied",
    "connected",
    "disconnect",
    "local_cluster",
    "run_jobs",
    "usable_cores",
]
