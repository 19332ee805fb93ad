"""One job in one process on one thread, and what two processes must have in common to come to the same bits."""

import hashlib
import logging
import os
import pickle
import platform
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from lib import ROOT
from lib.experiment.provenance import versions
from lib.experiment.slots import slots

THREADS = {  # keeps libraries to one thread; read when they load, so it is in the environment from the start
    f"{name}_THREADS": "1"
    for name in ("OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "VECLIB_MAXIMUM", "TF_NUM_INTRAOP", "TF_NUM_INTEROP")
}

Work = Callable[[Mapping[str, Any], Any], dict]


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def by_memory(most: int, gib_a_job: float = 3.0) -> int:
    """Return how many processes that compute memory is enough for: one at least, at most as many as given."""
    memory = gib_a_job
    with suppress(AttributeError, ValueError, OSError):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return max(1, min(most, int(memory / gib_a_job)))


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for as long as the block lasts."""
    before = {name: os.environ[name] for name in values if name in os.environ}
    os.environ.update(values)
    try:
        yield
    finally:
        for name in values:
            os.environ.pop(name, None)
        os.environ.update(before)


@contextmanager
def one_thread() -> Iterator[None]:
    """Have the block compute with one thread: sums in another order have other bits, and two fits share two cores."""
    import numba
    from threadpoolctl import threadpool_limits

    # The variables are for libraries that the block itself loads. Numba's is not set: once its threads run, numba calls
    # another value an error.
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        with environment(THREADS), threadpool_limits(1):
            yield
    finally:
        numba.set_num_threads(threads)


@cache
def identity() -> dict[str, str]:
    """Tell what this process runs: the lock, the library's code, Python and packages."""
    found = {"lib": code(), "Python": platform.python_version(), **versions()}
    with suppress(OSError):
        found["requirements.txt"] = hashlib.sha256((ROOT / "requirements.txt").read_bytes()).hexdigest()
    return found


def differences(wanted: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Say in words where another process's `identity` differs from the one that is wanted."""
    hashed = {"lib": "other code in lib", "requirements.txt": "another lock (requirements.txt)"}
    both = {name: (found.get(name, "none"), wanted.get(name, "none")) for name in sorted({*wanted, *found})}
    apart = {name: f"{name} {there} instead of {here}" for name, (there, here) in both.items() if there != here}
    return [hashed.get(name, words) for name, words in apart.items()]


def code() -> str:
    """Hash the library as it stands on the disk now."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "lib").rglob("*.py")):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def do(task: bytes, *parts: Any) -> tuple[str, Any]:
    """Do a job on a Dask worker; `task` is pickled, and ``work`` in it once more, which only the same code can read.

    Returns ``"result"`` and the pickled result; ``"error"`` and what was raised, pickled, if it can be, and in words; or
    ``"other"``, a sentence about what this process runs instead of the driver's code, and its address.
    """
    from distributed import get_worker

    asked, address = pickle.loads(task), get_worker().address
    here = f"the worker {address} ({socket.gethostname()}, process {os.getpid()}, {sys.executable})"
    if words := differences(asked["identity"], identity()):
        return "other", (f"{here} runs {', '.join(words)}", address)
    # A worker that listens on 127.0.0.1 serves no other machine, so the driver's slots are this one's.
    folder = asked["slots"].rpartition(":")[0]
    where = asked["slots"] if "//127.0.0.1:" in address and os.path.isdir(folder) else ""
    try:
        work, job = pickle.loads(asked["work"])
        data = dict(zip(asked["names"], parts, strict=True))
        with slots(where), one_thread():
            return "result", pickle.dumps(work(data, job), protocol=5)
    except Exception as error:
        error.add_note(f"on {here}:\n{''.join(traceback.format_tb(error.__traceback__))}")
        said, pickled = f"{type(error).__name__}: {error}", None
        with suppress(Exception):  # as where __init__ takes other arguments than it hands on
            pickle.loads(whole := pickle.dumps(error))
            pickled = whole
        return "error", (pickled, said)


def end_worker(dask_worker: Any, addresses: list[str]) -> None:
    """End the process that a nanny watches over, at once; the nanny starts another. Dask can't stop a job at work."""
    if dask_worker.worker_address in addresses:
        os.kill(dask_worker.pid, getattr(signal, "SIGKILL", signal.SIGTERM))


def dask_setup(worker: Any) -> None:
    """Prepare a worker of the local cluster; Dask calls this by name as the process starts."""
    quiet()
    with suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the process that started the cluster


def quiet() -> None:
    """Keep Dask's logs off the terminal: what a reader must know comes as an error or a result."""
    import distributed  # noqa: F401 - sets its loggers' levels, once

    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("distributed", "tornado") and name != "tornado.access":
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
