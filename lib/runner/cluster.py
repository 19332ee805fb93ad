"""Where the fits of a call's notebooks are made: processes started for it on this machine, or a cluster of the user's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lib.runner.errors import UsageError

REACHED_IN = 10
"""Seconds in which a user's cluster has to answer."""


@contextmanager
def local_address(workers: int, say: Callable[[str], None]) -> Iterator[str]:
    """Start processes for fits, and end them with the block; give their address, or "" where they can't be started."""
    from lib.experiment.cluster import local_cluster

    try:
        cluster = local_cluster(workers)
    except Exception as error:  # then each notebook makes its own fits
        say(f"note   no processes for fits could be started: {type(error).__name__}: {error}")
        yield ""
        return
    with cluster:
        at = f"; Dask shows them at {link}" if (link := cluster.dashboard_link) else ""
        say(f"fits   are made by {workers} processes{at}")
        yield cluster.scheduler_address


def check_address(address: str) -> None:
    """Refuse a cluster's address that is malformed, or where no Dask scheduler answers.

    Raises UsageError: the message says what is wrong.
    """
    if not re.fullmatch(r"(tcp|tls)://(\[[0-9A-Fa-f:]+\]|[\w.-]+):\d{1,5}", address):
        raise UsageError(f"--cluster {address}: an address is written tcp://HOST:PORT or tls://HOST:PORT")
    from distributed import Client

    try:
        Client(address, timeout=REACHED_IN, set_as_default=False).close()
    except Exception as error:  # of many kinds, by what answers there
        raise UsageError(f"--cluster {address}: no Dask scheduler answers there within {REACHED_IN} s ({type(error).__name__})") from None  # fmt: skip
