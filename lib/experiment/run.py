"""Fits made or found: each is looked up in the store, and what is not there is made on the engine and kept."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from lib.data.files import write_json
from lib.experiment import records
from lib.experiment.cluster import run_jobs
from lib.experiment.fit import Fit, FitFailed, Parts, fit_and_measure
from lib.experiment.records import Record

RUN_FOLDER = "REPORT_RUN_FOLDER"
"""Environment variable: the folder of the run that this process executes; the runner reads the progress there."""


def run_fits(
    fits: Sequence[Fit], parts: Parts, *, here: bool = False, what: str = "fits", progress: Progress | None = None
) -> list[Record]:  # fmt: skip
    """Return the records of some fits, in their order; those that are not in the store are made.

    Parameters
    ----------
    fits : sequence of Fit
        One that stands twice is made once.
    parts : mapping of str to Interactions
        The data, by the names that the fits call them.
    here : bool
        Make them in this very process, one after the other, and let an error come as it was raised.
    what : str
        What progress calls them.
    progress : Progress, optional
        Of a larger piece of work that these are part of.

    Raises
    ------
    FitFailed
        A fit raised an error; the message names both. What was finished is kept.
    lib.experiment.cluster.WorkerDied
        The process of a fit died three times.
    """
    keys = [records.identity(fit, parts) for fit in fits]
    found = {key: records.find(fit, key) for key, fit in dict(zip(keys, fits, strict=True)).items()}
    todo = {key: fit for key, fit in zip(keys, fits, strict=True) if found[key] is None}
    for key, fit, result in _made(todo, parts, here, progress or Progress(len(todo), what)):
        found[key] = records.write(fit, key, result)
        if fit.keep:
            _leave_for_keeping(fit, key, parts)
    stale = sorted({fit.keep for key, fit in zip(keys, fits, strict=True) if found[key].stale})
    if stale:
        tell(f"Kept results of {', '.join(stale)} are shown as they were made by earlier code.")
    return [
        Record({**found[key], **fit.labels}, found[key].made, stale=found[key].stale)
        for key, fit in zip(keys, fits, strict=True)
    ]


def _made(todo: dict[str, Fit], parts: Parts, here: bool, progress: Progress) -> Iterator[tuple[str, Fit, dict]]:  # fmt: skip
    keys, jobs = list(todo), list(todo.values())
    # One fit alone is made where its caller has a core already: on the cluster it would stand behind others' fits.
    for index, result in run_jobs(fit_and_measure, jobs, parts, here=here or len(jobs) == 1):
        yield keys[index], jobs[index], result
        progress.step()


def _leave_for_keeping(fit: Fit, key: str, parts: Parts) -> None:
    """Note how a record is made again, for ``lib.experiment.upkeep.keep`` to find."""
    write_json(
        records.folders()[0] / "to_keep" / f"{key}.json", {**records.fit_as_text(fit, parts), "key": key}
    )


class Progress:
    """Tells how many fits are done and how long the rest will take: to the runner by a file, else in a line.

    Parameters
    ----------
    total : int
    what : str
        What is counted.
    every : float
        Seconds between two lines.
    """

    def __init__(self, total: int, what: str = "fits", every: float = 20.0):
        self.total, self.what, self.every = total, what, every
        self.done, self.start = 0, time.perf_counter()
        self._last, self._line = self.start, Line()
        folder = os.environ.get(RUN_FOLDER)
        self._file = Path(folder) / "fits.json" if folder else None
        if total:
            self._tell()

    def step(self, extra: str = "") -> None:
        """Count one as done."""
        self.done += 1
        now = time.perf_counter()
        if self._file is not None or now - self._last >= self.every or self.done == self.total:
            self._last = now
            self._tell(extra)

    def part(self) -> Progress:
        """Return what a part of the work may count on, without being heard."""
        return _Silent()

    @property
    def seconds_left(self) -> float | None:
        """The rest of time by the pace so far; None before the first is done."""
        gone = time.perf_counter() - self.start
        return gone / self.done * (self.total - self.done) if self.done else None

    def _tell(self, extra: str = "") -> None:
        left = self.seconds_left
        if self._file is not None:
            told = {"done": self.done, "total": self.total, "seconds_left": left, "what": self.what}
            write_json(self._file, told)
        elif self.done:
            self._line(f"{self.done} of {self.total} {self.what}{extra}, about {left:.0f} s left")


class _Silent(Progress):
    """Counts nothing."""

    def __init__(self):
        super().__init__(0)

    def step(self, extra: str = "") -> None:
        pass


class Line:
    """A line that takes the place of the one before it, in JupyterLab; elsewhere lines follow each other."""

    def __init__(self):
        self._handle = None

    def __call__(self, text: str) -> None:
        try:
            from IPython import get_ipython
            from IPython.display import display
        except ImportError:
            print(text)
            return
        if get_ipython() is None:
            print(text, flush=True)
        elif self._handle is None:
            self._handle = display({"text/plain": text}, raw=True, display_id=True)
        else:
            self._handle.update({"text/plain": text}, raw=True)


def tell(text: str) -> None:
    """Say something to the notebook's reader."""
    from IPython.display import display

    display({"text/markdown": f"*{text}*", "text/plain": text}, raw=True)


__all__ = ["FitFailed", "Progress", "run_fits", "tell"]
