"""Where the fits of a call's notebooks are made: processes started for it on this machine, or a cluster of the user's."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path

from lib.runner.errors import UsageError
from lib.runner.store import write_whole

REACHED_IN = 10
"""Seconds in which a user's cluster has to answer."""


class LocalCluster:
    """Starts processes for fits in the background, and ends them; kernels read the address from a file when it is there.

    Parameters
    ----------
    workers : int
    file : Path
        Gets the address, or nothing where the processes couldn't be started.
    say : callable
        Is told where Dask shows what they do.
    """

    def __init__(self, workers: int, file: Path, say: Callable[[str], None]):
        self.workers, self.file, self.say = workers, file, say
        self._cluster, self._ending = None, threading.Event()
        file.unlink(missing_ok=True)
        self._thread = threading.Thread(target=self._start, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the processes."""
        self._ending.set()
        self._thread.join()
        if self._cluster is not None:
            self._cluster.close()
        self.file.unlink(missing_ok=True)

    def _start(self) -> None:
        address = ""
        try:
            from lib.experiment.cluster import local_cluster

            if not self._ending.is_set():
                self._cluster = local_cluster(self.workers)
                address = self._cluster.scheduler_address
                at = f"; Dask shows them at {link}" if (link := self._cluster.dashboard_link) else ""
                self.say(f"fits   are made by {self.workers} processes{at}")
        except Exception as error:  # then each notebook makes its own fits
            self.say(f"note   no processes for fits could be started: {type(error).__name__}: {error}")
        write_whole(self.file, address)


def check_address(address: str) -> None:
    """Refuse a cluster's address that is malformed, or where no Dask scheduler answers.

    Raises
    ------
    UsageError
        The message says what is wrong.
    """
    if not re.fullmatch(r"(tcp|tls)://(\[[0-9A-Fa-f:]+\]|[\w.-]+):\d{1,5}", address):
        raise UsageError(f"--cluster {address}: an address is written tcp://HOST:PORT or tls://HOST:PORT")
    from distributed import Client

    try:
        Client(address, timeout=REACHED_IN, set_as_default=False).close()
    except Exception as error:  # of many kinds, by what answers there
        raise UsageError(f"--cluster {address}: no Dask scheduler answers there within {REACHED_IN} s ({type(error).__name__})") from None  # fmt: skip
