"""Many trainings over a few processes, each result kept as it comes, so that a killed grid goes on where it was."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np

from lib.files import plain, whole_file
from lib.processes import (
    Work,
    WorkFailed,
    call,
    do,
    fingerprint,
    one_thread_each,
    source_version,
    usable_cores,
    worker_pool,
)

Job = Mapping[str, Any]


class GridFailed(RuntimeError):
    """A job of a grid failed; the message names the job and the error. What was done before is kept."""


class Grid:
    """Does jobs in processes of one thread each, which stay for further jobs until `close`.

    Parameters
    ----------
    work : callable
        ``work(context, **job)`` returns a dictionary of numbers, texts and arrays. It lives in a module: the processes
        import it by name.
    context : mapping
        What all jobs share, such as the data; sent to each process once. Must pickle.
    store : Path
        Folder with one file a finished job. Jobs found there, of the same `work`, `version` and context, are not done
        again; a file appears whole or not at all.
    version : str
        What else a result depends on, such as `source_version`.
    workers : int, optional
        Processes; by default one for each core that this process may use. 0 works in this very process, for looking
        for errors.
    say : callable or None
        Takes a line about progress now and then.
    every : float
        Seconds between such lines.
    """

    def __init__(
        self, work: Work, *, context: Mapping[str, Any], store: Path | str, version: str = "",
        workers: int | None = None, say: Callable[[str], None] | None = print, every: float = 20.0,
    ):  # fmt: skip
        self.work, self.context, self.store, self.version = work, context, Path(store), version
        self.workers = usable_cores() if workers is None else workers
        self.say, self.every = say, every
        self._base = json.dumps([work.__module__, work.__qualname__, version, fingerprint(context)])
        self._pool: ProcessPoolExecutor | None = None

    def run(self, jobs: Sequence[Job]) -> list[dict[str, Any]]:
        """Do every job that is not done yet, and return the results in the jobs' order.

        Parameters
        ----------
        jobs : sequence of mappings
            Values that JSON can hold. A job that occurs twice is done once.

        Returns
        -------
        list of dict
            A job's own values, what `work` returned, and its ``seconds``. NaN comes back as None.

        Raises
        ------
        GridFailed
            A job raised an error, or a process died (of too little memory, most often). Results that were there stay.
        """
        keys = [self._key(job) for job in jobs]
        todo = {key: job for key, job in zip(keys, jobs, strict=True) if not self._path(key).exists()}
        progress = _Progress(len(todo), len(set(keys)), self.say, self.every)
        for key, result in self._in_processes(todo) if self.workers else self._here(todo):
            _keep(self._path(key), todo[key], result)
            progress.step()
        return [_read(self._path(key)) for key in keys]

    def close(self) -> None:
        """End the processes; a job at work is waited for, those that wait are dropped."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def __enter__(self) -> Grid:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _here(self, todo: Mapping[str, Job]) -> Iterator[tuple[str, dict]]:
        for key, job in todo.items():
            try:
                yield key, call(self.work, self.context, job)
            except WorkFailed as error:
                raise GridFailed(str(error)) from error

    def _in_processes(self, todo: Mapping[str, Job]) -> Iterator[tuple[str, dict]]:
        if not todo:
            return
        if self._pool is None:
            self._pool = worker_pool(self.work, self.context, self.workers)
        try:
            with one_thread_each():  # processes start as jobs are handed in
                running: dict[Future, str] = {
                    self._pool.submit(do, dict(job)): key for key, job in todo.items()
                }
            while running:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()
        except BrokenProcessPool as error:
            self.close()
            raise GridFailed(
                "a process of the grid died, of too little memory most likely; finished jobs are kept, and the next try "
                "goes on from them. Try fewer workers."
            ) from error
        except WorkFailed as error:
            self.close()
            raise GridFailed(str(error)) from error
        except BaseException:
            self.close()
            raise

    def _key(self, job: Job) -> str:
        return hashlib.sha256(
            (self._base + json.dumps(plain(dict(job)), sort_keys=True)).encode()
        ).hexdigest()[:32]

    def _path(self, key: str) -> Path:
        return self.store / f"{key}.npz"


def forget(store: Path | str) -> None:
    """Remove the kept results, once what was made of them is safe."""
    for path in Path(store).glob("*.npz"):
        path.unlink(missing_ok=True)


# -- the store -----------------------------------------------------------------------------------------------------
def _keep(path: Path, job: Job, found: Mapping[str, Any]) -> None:
    arrays = {name: value for name, value in found.items() if isinstance(value, np.ndarray)}
    rest = {name: value for name, value in found.items() if name not in arrays}
    head = np.array(json.dumps({"job": plain(dict(job)), "found": plain(rest)}))
    with whole_file(path) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, __head__=head, **arrays)


def _read(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as file:
        head = json.loads(str(file["__head__"]))
        arrays = {name: file[name] for name in file.files if name != "__head__"}
    return {**head["job"], **head["found"], **arrays}


class _Progress:
    def __init__(self, left: int, count: int, say: Callable[[str], None] | None, every: float):
        self.left, self.count, self.every = left, count, every
        self.say = say or (lambda line: None)
        self.done, self.start = 0, time.perf_counter()
        self.last = self.start
        if 0 < left < count:
            self.say(f"{count - left} of {count} were done before")

    def step(self) -> None:
        self.done += 1
        now = time.perf_counter()
        if now - self.last >= self.every or self.done == self.left:
            self.last = now
            gone = now - self.start
            rest = gone / self.done * (self.left - self.done)
            done = self.count - self.left + self.done
            self.say(f"{done} of {self.count} done, {gone:.0f} s so far, about {rest:.0f} s left")


__all__ = ["Grid", "GridFailed", "forget", "source_version", "usable_cores"]
