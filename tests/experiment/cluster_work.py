"""Toy jobs for the engine's tests, in a module of their own so that other processes can import them."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Job:
    """What to do, how long it takes, and a file to leave a mark in."""

    number: int
    kind: str = "add"
    seconds: float = 0.0
    folder: str = ""

    def needs(self) -> list[str]:
        return ["train"] if self.kind in ("svd", "matmul") else ["base"]

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"


def work(parts, job):
    """Do a job, and say which process did it."""
    if job.folder:
        with open(Path(job.folder) / str(job.number), "a", encoding="utf-8") as file:
            file.write(f"{os.getpid()}\n")
    found = globals()[f"_{job.kind}"](parts, job) or {}
    return {**found, "number": job.number, "process": os.getpid()}


def _add(parts, job):
    time.sleep(job.seconds)
    return {"sum": parts["base"] + job.number}


def _kill(parts, job):
    time.sleep(job.seconds)
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_once(parts, job):
    """Die the first time."""
    if len((Path(job.folder) / str(job.number)).read_text().split()) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return _add(parts, job)


def _fail(parts, job):
    time.sleep(job.seconds)
    raise ZeroDivisionError("nothing to divide by")


class Unpicklable(Exception):
    """Takes two arguments and hands on one: it doesn't come out of a pickle."""

    def __init__(self, message, more):
        super().__init__(message)


def _fail_oddly(parts, job):
    raise Unpicklable("of its own kind", 1)


def _svd(parts, job):
    from lib.models import create

    train = parts["train"]
    model = create("biased_svd", n_factors=7, n_epochs=5, seed=job.number).fit(train)
    return {"predictions": model.predict(train.users, train.items)}


def _matmul(parts, job):
    rng = np.random.default_rng(job.number)
    a, b = rng.normal(size=(611, 347)), rng.normal(size=(347, 523))
    return {"product": a @ b, "dot": a[:, 0] @ a[:, 1], "svd": np.linalg.svd(a[:99], compute_uv=False)}


def _threads(parts, job):
    import numba
    from threadpoolctl import threadpool_info

    return {"threads": [numba.get_num_threads(), *(pool["num_threads"] for pool in threadpool_info())]}


def _count(parts, job):
    """Leave when the job began and ended."""
    start = time.monotonic()
    time.sleep(job.seconds)
    return {"start": start, "end": time.monotonic()}
