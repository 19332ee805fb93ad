"""The cores' slots: as many files as cores, of which each process that computes keeps one locked.

Several notebooks' kernels and the processes that make fits share a machine. Each takes a slot before it computes and gives
it back while it waits, so that no core is idle while there is work and none is asked for twice. A slot is an ``flock`` on
a file: the system gives back the slot of a process that was killed.
"""

import os
import sys
import time
from functools import cache
from pathlib import Path
from typing import Self

if sys.platform != "win32":
    import fcntl

SLOTS = "REPORT_SLOTS"  # environment variable ``FOLDER:COUNT``: where the slots are; without it nobody waits for any
FIRST_WAIT, LONGEST_WAIT = 0.02, 0.05  # seconds between two looks for a free slot


class Slots:
    """What one holder sees of the slots, of which it holds none, one, or all; where there are none, nobody waits."""

    def __init__(self, folder: Path | str = "", count: int = 0):
        self.folder, self.count = Path(folder), count
        self._names, self._files = [str(n) for n in range(count)], list[int]()

    @property
    def holds(self) -> bool:
        """Whether a slot is held."""
        return bool(self._files)

    def take(self, patience: float | None = None) -> bool:
        """Wait for a slot, for so many seconds or however long it takes, unless one is held already; say if one is now."""
        return self.holds or self._take([self._names], patience)

    def take_all(self) -> None:
        """Wait until this holder has every slot: nothing else computes then."""
        self.give_back()
        self._take([[name] for name in self._names], None)

    def give_back(self) -> None:
        """Give back what is held, if anything."""
        while self._files:
            _unlock(self._files.pop())

    def _take(self, wanted: list[list[str]], patience: float | None) -> bool:
        """Take one of each of the lists in its turn: who waits keeps the queue's file locked, and others wait for that.

        Without a queue a process that goes from fit to fit would have its slot again before anyone who looks every few
        hundredths of a second sees it free; and two who want all slots would each hold half of them.
        """
        if not self.count:
            return True
        self.folder.mkdir(parents=True, exist_ok=True)
        end = float("inf") if patience is None else time.monotonic() + patience
        turn = self._lock(["queue"], end)
        if turn is None:
            return False
        try:
            for names in wanted:
                file = self._lock(names, end)
                if file is None:
                    break
                self._files.append(file)
        finally:
            _unlock(turn)
            if len(self._files) < len(wanted):
                self.give_back()
        return self.holds

    def _lock(self, names: list[str], end: float) -> int | None:
        """Lock the first of some files that comes free; None once it's too late."""
        wait = FIRST_WAIT
        while True:
            for name in names:
                file = os.open(self.folder / name, os.O_RDWR | os.O_CREAT, 0o600)
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return file
                except BlockingIOError:
                    os.close(file)
            if time.monotonic() >= end:
                return None
            time.sleep(wait)
            wait = min(wait * 1.25, LONGEST_WAIT)

    def __str__(self) -> str:
        return f"{self.folder}:{self.count}" if self.count else ""

    def __enter__(self) -> Self:
        self.take()
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back()


def _unlock(file: int) -> None:
    fcntl.flock(file, fcntl.LOCK_UN)  # closing isn't enough where a forked child has the file open, too
    os.close(file)


def slots(text: str) -> Slots:
    """Return a new holder of the slots that a value of `SLOTS` names."""
    folder, _, count = text.rpartition(":")
    return Slots(folder, int(count)) if folder and sys.platform != "win32" else Slots()


@cache
def held() -> Slots:
    """Return this process's own holder of slots, the same each time."""
    return slots(os.environ.get(SLOTS, ""))
