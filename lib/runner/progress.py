"""What a waiting user sees: on a terminal a line for each run at work, always up to date; elsewhere one now and then."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from lib.runner.execute import Place

HEARTBEAT = 30.0
"""Seconds between plain lines about a run at work."""


@dataclass(frozen=True)
class At:
    """Where a run at work is: its place in the notebook, and what is known of its time.

    `expected` is how many seconds it was thought to take, `fits` what its kernel told (``done``, ``total``,
    ``seconds_left``, ``what``).
    """

    place: Place
    expected: float | None = None
    fits: Mapping[str, Any] | None = None

    @property
    def rest(self) -> float | None:
        """Seconds that it may still take: the most of what its fits say, and of what was expected; None if nobody knows."""
        left = 0.0 if self.expected is None else self.expected - self.place.elapsed
        most = max(left, (self.fits or {}).get("seconds_left") or 0.0)
        return most if most > 0 else None

    @property
    def said(self) -> str:
        """Place and rest in words; a rest is never 0 while it runs."""
        if self.place.started is None:
            return "waiting for a core"
        fits, cell = self.fits or {}, self.place.cell
        told = f", {fits['done']} of {fits['total']} {fits['what']}" if fits.get("total") else ""
        where = f"cell {cell} of {self.place.cells}{told}" if cell else "starting"
        if self.rest is not None:
            return f"{where}, about {duration(max(1.0, self.rest))} left"
        late = "longer than expected, " if self.expected is not None else ""
        return f"{where}, {late}{duration(self.place.elapsed)} so far"


def duration(seconds: float) -> str:
    """Return seconds as a reader would say them."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


class Progress:
    """Tells on a stream what runs start and end, and where those at work are; on a terminal these stand below the rest."""

    def __init__(self, stream: TextIO | None = None):
        from rich.console import Console
        from rich.live import Live

        self._console = Console(file=stream or sys.stdout, highlight=False, markup=False, emoji=False)
        self._live = Live(console=self._console, transient=True) if self._console.is_terminal else None
        self._last: dict[str, float] = {}

    def __enter__(self) -> "Progress":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def line(self, text: str = "") -> None:
        """Say something."""
        self._console.print(text, soft_wrap=True)

    def start(self, run: str, cells: int, why: str) -> None:
        """Say that a run starts, and why."""
        self._last[run] = time.monotonic()
        self.line(f"start  {run}, {cells} cells ({why})")

    def update(self, at: Mapping[str, At], rest: float | None) -> None:
        """Say where the runs at work are; off a terminal if it's been a while; `rest` is an estimate of the whole."""
        now, about = time.monotonic(), f"; all runs: about {duration(rest)}" if rest else ""
        lines = {run: f"       {run}: {one.said}{about}" for run, one in at.items()}
        if self._live:
            self._live.update("\n".join(lines.values()), refresh=True)
            return
        for run, text in lines.items():
            if now - self._last[run] >= HEARTBEAT:
                self._last[run] = now
                self.line(text)

    def end(self, run: str, text: str) -> None:
        """Say that a run ended, and how."""
        self._last.pop(run, None)
        self.line(text)
