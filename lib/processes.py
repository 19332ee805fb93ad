"""Processes of one thread each that wait for work: what grids and searches of many trainings run in."""

from __future__ import annotations

import hashlib
import importlib.util
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lib.interactions import Interactions

THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)  # fmt: skip

Work = Callable[..., Mapping[str, Any]]


class WorkFailed(RuntimeError):
    """A job raised an error; the message names both. `kind` is the error's class name."""

    def __init__(self, message: str, kind: str = ""):
        super().__init__(message, kind)  # both, so that the error pickles
        self.kind = kind

    def __str__(self) -> str:
        return str(self.args[0])


def worker_pool(work: Work, context: Mapping[str, Any], workers: int) -> ProcessPoolExecutor:
    """Make processes that all hold `context`, for ``pool.submit(do, job)``.

    Submit inside `one_thread_each`, as processes start when jobs are handed in.
    """
    spawn = multiprocessing.get_context("spawn")  # a forked TensorFlow hangs
    return ProcessPoolExecutor(workers, mp_context=spawn, initializer=_start, initargs=(work, context))


def do(job: Mapping[str, Any]) -> dict[str, Any]:
    """Do a job in a pool's process: ``work(context, **job)``, with its ``seconds``."""
    return call(_shared["work"], _shared["context"], job)


def call(work: Work, context: Mapping[str, Any], job: Mapping[str, Any]) -> dict[str, Any]:
    """Do a job here.

    Raises
    ------
    WorkFailed
        Whatever the job raised, in words: an error that does not unpickle would break the whole pool.
    """
    start = time.perf_counter()
    try:
        found = dict(work(context, **job))
    except Exception as error:
        kind = type(error).__name__
        raise WorkFailed(f"{words(job)}: {kind}: {error}", kind) from error
    return {**found, "seconds": time.perf_counter() - start}


def words(job: Mapping[str, Any]) -> str:
    """Name a job by its values."""
    return ", ".join(f"{name}={value}" for name, value in job.items()) or "the job"


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Have processes started inside compute with one thread: two that each take all cores take turns instead."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def source_version(*modules: str) -> str:
    """Hash of the source of some modules, by dotted name; edited code makes kept results stale."""
    digest = hashlib.sha256()
    for name in modules:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"no module {name!r} whose source could be read")
        digest.update(Path(spec.origin).read_bytes())
    return digest.hexdigest()


def fingerprint(value: Any) -> str:
    """Hash what a context holds: data by content, anything else by how it prints."""
    digest = hashlib.sha256()
    if isinstance(value, Mapping):
        for name in sorted(value):
            digest.update(f"{name}={fingerprint(value[name])};".encode())
    elif isinstance(value, Interactions):
        for array in (value.users, value.items, value.ratings, value.timestamps):
            digest.update(array.tobytes())
        digest.update(repr((value.user_ids.tolist(), value.item_ids.tolist(), value.scale)).encode())
        for table in (value.user_table, value.item_table):
            if table is not None:
                digest.update(repr(list(table.columns)).encode())
                digest.update(pd.util.hash_pandas_object(table).to_numpy().tobytes())
    elif isinstance(value, np.ndarray):
        digest.update(f"{value.dtype}{value.shape}".encode() + value.tobytes())
    else:
        digest.update(repr(value).encode())
    return digest.hexdigest()


_shared: dict[str, Any] = {}


def _start(work: Work, context: Mapping[str, Any]) -> None:
    _shared.update(work=work, context=context)
    parent = multiprocessing.parent_process()
    if parent is not None:
        # A killed parent can't stop its processes, and one that waits for work would wait for ever.
        threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()
