"""What a waiting user sees: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TextIO

HEARTBEAT = 30.0
"""Seconds between plain lines about a run at work."""


@dataclass(frozen=True)
class At:
    """Where a run at work is: its code cell, of how many, its fits, and its time in seconds.

    `expected` is how long it was thought to take, `fits` what its kernel told (``done``, ``total``, ``seconds_left``,
    ``what``), `waiting` whether its kernel waits for a core.
    """

    cell: int
    cells: int
    elapsed: float
    expected: float | None = None
    fits: Mapping[str, Any] | None = None
    waiting: bool = False

    @property
    def rest(self) -> float | None:
        """Seconds that it may still take: the most of what its fits say, and of what was expected; None if nobody knows."""
        known = [(self.fits or {}).get("seconds_left") or 0.0]
        if self.expected is not None:
            known.append(self.expected - self.elapsed)
        return max(known) if max(known) > 0 else None

    @property
    def said(self) -> str:
        """Place and rest in words; a rest is never 0 while it runs."""
        if self.waiting:
            return "waiting for a core"
        fits = self.fits or {}
        told = f", {fits['done']} of {fits['total']} {fits['what']}" if fits.get("total") else ""
        where = f"cell {self.cell} of {self.cells}{told}" if self.cell else "starting"
        if self.rest is not None:
            return f"{where}, about {duration(max(1.0, self.rest))} left"
        late = "longer than expected, " if self.expected is not None else ""
        return f"{where}, {late}{duration(self.elapsed)} so far"


def duration(seconds: float) -> str:
    """Return seconds as a reader would say them."""
    seconds = max(0, round(seconds))
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


class Lines:
    """Plain lines: when a run starts and ends, and now and then in between."""

    def __init__(self, stream: TextIO | None = None):
        self.stream = stream if stream is not None else sys.stdout
        self._last: dict[str, float] = {}

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def line(self, text: str = "") -> None:
        """Say something."""
        print(text, file=self.stream, flush=True)

    def start(self, run: str, cells: int, why: str) -> None:
        """Say that a run starts, and why."""
        self._last[run] = time.monotonic()
        self.line(f"start  {run}, {cells} cells ({why})")

    def update(self, at: Mapping[str, At], rest: float | None) -> None:
        """Say where the runs at work are, if it's been a while; `rest` is an estimate of the whole."""
        now, about = time.monotonic(), f"; all runs: about {duration(rest)}" if rest else ""
        for run, place in at.items():
            if now - self._last.get(run, now) >= HEARTBEAT:
                self._last[run] = now
                self.line(f"       {run}: {place.said}{about}")

    def end(self, run: str, text: str) -> None:
        """Say that a run ended, and how."""
        self._last.pop(run, None)
        self.line(text)


class Bars(Lines):
    """A bar for each run at work, below the lines, on a terminal."""

    def __init__(self, stream: TextIO | None = None):
        super().__init__(stream)
        from rich.console import Console
        from rich.progress import BarColumn, Progress

        console = Console(file=self.stream, highlight=False)
        columns = "{task.description}", BarColumn(bar_width=24), "{task.fields[said]}"
        self._progress, self._tasks = Progress(*columns, console=console, transient=True), {}

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def line(self, text: str = "") -> None:
        """Say something, above the bars."""
        self._progress.console.print(text, markup=False, soft_wrap=True)

    def start(self, run: str, cells: int, why: str) -> None:
        """Say that a run starts, and show a bar for it."""
        super().start(run, cells, why)
        self._tasks[run] = self._progress.add_task(run, total=1.0, said="starting")

    def update(self, at: Mapping[str, At], rest: float | None) -> None:
        """Move the bars: by time where the rest is known, else by cells."""
        for place, (run, now) in enumerate(at.items()):
            total = f" · all runs: about {duration(rest)}" if rest and not place else ""
            by_cells = max(0, now.cell - 1) / max(1, now.cells)
            done = by_cells if now.rest is None else now.elapsed / (now.elapsed + now.rest)
            self._progress.update(self._tasks[run], completed=done, said=now.said + total)

    def end(self, run: str, text: str) -> None:
        """Take a run's bar away and say how it ended."""
        if run in self._tasks:
            self._progress.remove_task(self._tasks.pop(run))
        self.line(text)
