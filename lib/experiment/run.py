"""Fits made or found: each is looked up in the store, and what is not there is made on the engine and kept."""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lib.data.errors import RUN_FOLDER_VARIABLE
from lib.data.files import write_json
from lib.experiment import records
from lib.experiment.cluster import run_jobs
from lib.experiment.fit import Fit, Parts, fit_and_measure
from lib.experiment.records import Record


def run_fits(
    fits: Sequence[Fit], parts: Parts, *, here: bool = False, keep: str = "", progress: "Progress | None" = None
) -> list[Record]:
    """Return the records of some fits, in their order; what is not in the store is made, a fit that stands twice once.

    `parts` are the data, by the names that the fits call them. With `here` fits are made in this very process, one
    after the other, and errors come as they were raised. `keep` is the group under which the project keeps those that
    name none (`Fit.keep`): the repeats of a page. `progress` is that of a larger piece of work, which counts its steps
    itself.

    `lib.experiment.fit.FitFailed` where a fit raised an error, `lib.experiment.cluster.WorkerDied` where its process
    died three times; the message names it. What was finished is kept.
    """
    fits = [replace(fit, keep=fit.keep or keep) for fit in fits]
    keys = [records.identity(fit, parts) for fit in fits]
    wanted = dict(zip(keys, fits, strict=True))
    found = {key: one for key, fit in wanted.items() if (one := records.find(fit, key)) is not None}
    missing = [key for key in wanted if key not in found]
    jobs = [wanted[key] for key in missing]
    own = Progress(len(jobs), "fits") if progress is None else None
    # One fit alone is made where its caller has a core already: on the cluster it would stand behind others' fits.
    for index, result in run_jobs(fit_and_measure, jobs, parts, here=here or len(jobs) == 1):
        found[missing[index]] = records.write(jobs[index], missing[index], result, parts)
        if own:
            own.step()
    if days := sorted({one.made["day"] for one in found.values() if one.kept}):
        n, between = sum(one.kept for one in found.values()), " to ".join(dict.fromkeys((days[0], days[-1])))
        by = ", some by earlier code" if any(one.stale for one in found.values()) else ""
        tell(f"{n} of {len(found)} fits are kept with the project, made {between}{by}.")
    return [
        Record({**one, **fit.labels}, one.made, kept=one.kept, stale=one.stale)
        for one, fit in zip([found[key] for key in keys], fits, strict=True)
    ]


class Progress:
    """Tells how many of what are done and how long the rest will take: to the runner by a file, else in lines, not too many."""

    def __init__(self, total: int, what: str, every: float = 20.0):
        self.total, self.what, self.every = total, what, every
        self.done, self.start = 0, time.perf_counter()
        self._last, self._line = self.start, Line()
        folder = os.environ.get(RUN_FOLDER_VARIABLE)
        self._file = Path(folder) / "fits.json" if folder else None
        if total:
            self._tell()

    def step(self) -> None:
        """Count one as done."""
        self.done += 1
        now = time.perf_counter()
        if self._file is not None or now - self._last >= self.every or self.done == self.total:
            self._last = now
            self._tell()

    def _tell(self) -> None:
        gone = time.perf_counter() - self.start
        # By the pace so far; the first may have waited for a core, or for a compiler.
        left = gone / self.done * (self.total - self.done) if 10 * self.done >= self.total else None
        if self._file is not None:
            told = {"done": self.done, "total": self.total, "seconds_left": left, "what": self.what}
            write_json(self._file, told)
        elif left is not None:
            self._line(f"{self.done} of {self.total} {self.what}, about {left:.0f} s left")


class Line:
    """A line that takes the place of the one before it, in JupyterLab; elsewhere lines follow each other."""

    def __init__(self):
        self._handle = None

    def __call__(self, text: str) -> None:
        """Show the line."""
        from IPython import get_ipython
        from IPython.display import display

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
