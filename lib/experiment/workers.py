"""A Dask cluster of this machine's own: processes of one thread each. Importing this loads Dask, a second's work."""

from contextlib import AbstractContextManager, ExitStack
from tempfile import TemporaryDirectory
from typing import Any

import dask
import distributed

from lib.experiment.alone import THREADS, environment, quiet
from lib.experiment.driver import disconnect

BEFORE_START = {  # a worker's environment from its start; the process that starts workers must have it, too
    **THREADS,
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONHASHSEED": "0",
    "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "critical",
}

AFTER_START = {"NUMBA_NUM_THREADS": "1"}
"""What the starting process must not have: numba calls another number of threads than it runs with an error."""

NEVER = "1000 days"

SETTINGS: dict[str, Any] = {
    # A worker that has a fit in hand takes no second one: one that dies takes only its own fit with it.
    "distributed.scheduler.worker-saturation": 1.0,
    # Compiled code that keeps Python's lock keeps a worker from answering for minutes. A process that died is noticed
    # at once all the same, as its connections close.
    "distributed.scheduler.worker-ttl": None,
    "distributed.comm.timeouts.connect": NEVER,
    "distributed.comm.timeouts.tcp": NEVER,
    # Else a worker that isn't back soon after its death is given up, and its core with it.
    "distributed.deploy.lost-worker-timeout": NEVER,
    # The data stay on each worker that had them once.
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.worker.profile.enabled": False,
    # Dask has malloc give memory back at once; each large array of a fit is then paged in anew, a sixth of its time.
    "distributed.nanny.pre-spawn-environ": {},
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.tick.limit": NEVER,
    "distributed.worker.preload": ["lib.experiment.alone"],
}


class Nanny(distributed.Nanny):
    """Starts a worker, and another one when it dies, in the environment above, whatever the shell's says."""

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self.pre_spawn_env = {**self.pre_spawn_env, **BEFORE_START}
        self.env = {**self.env, **BEFORE_START, **AFTER_START}


class LocalCluster(AbstractContextManager):
    """Workers of one thread each, scheduler and dashboard, all on 127.0.0.1, until `close` or the end of a ``with``.

    They end with the process that made this. Dask gives a job up that took a worker with it more than `deaths` times.
    """

    def __init__(self, n_workers: int, deaths: int = 1):
        quiet()
        with ExitStack() as stack:
            enter = stack.enter_context
            folder = enter(TemporaryDirectory(prefix="report-cluster-", ignore_cleanup_errors=True))
            enter(environment(BEFORE_START))
            enter(dask.config.set({**SETTINGS, "distributed.scheduler.allowed-failures": deaths}))
            where: dict[str, Any] = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "local_directory": folder}
            each: dict[str, Any] = {"threads_per_worker": 1, "worker_class": Nanny, "memory_limit": 0}
            cluster = distributed.LocalCluster(n_workers=n_workers, **where, **each, silence_logs=False)
            stack.callback(cluster.close)
            stack.callback(disconnect, cluster.scheduler_address)
            self.scheduler_address: str = cluster.scheduler_address
            self.dashboard_link: str = cluster.dashboard_link
            self._stack = stack.pop_all()

    def close(self) -> None:
        """End this process's connection, then the workers, and remove what they left."""
        self._stack.close()

    def __exit__(self, *_: object) -> None:
        self.close()
