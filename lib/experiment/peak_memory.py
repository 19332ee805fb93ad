"""How much memory a piece of work takes at its peak, beyond what its process held before."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import threading
from pathlib import Path

import numpy as np

MIB = 2.0**20
PROC = Path("/proc/self")


class PeakMemory:
    """Measure, around a ``with`` block, the growth of the process's resident set.

    ``resource.ru_maxrss`` is the highest mark since the process began: in a process that does one fit after another it
    tells of the largest of them. Linux lets a process put its own mark back (a 5 written to ``/proc/self/clear_refs``), so
    the mark at the end of the block is the block's own; where that is forbidden, a thread reads the resident set every
    few milliseconds instead, and may miss what is allocated and freed in between. Before the block garbage is
    collected and freed memory given back to the system (glibc's ``malloc_trim``), or a fit would find room that an
    earlier one had left, and seem to need none.

    Attributes
    ----------
    mib : float
        MiB of growth, not below zero; NaN where the system has no ``/proc``.
    held : float
        MiB that the process held at its peak, what it had before included.
    method : str
        ``"mark"``, ``"samples"`` or ``"none"``.
    """

    def __init__(self, *, every: float = 0.005, use_mark: bool = True):
        self.every, self.use_mark = every, use_mark
        self.mib, self.held, self.method = np.nan, np.nan, "none"

    def __enter__(self) -> PeakMemory:
        gc.collect()
        _give_back()
        self._before = _resident()
        if np.isnan(self._before):
            return self
        self.method = "mark" if self.use_mark and _put_mark_back() else "samples"
        self._peak, self._done = self._before, threading.Event()
        if self.method == "samples":
            self._thread = threading.Thread(target=self._sample, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.method == "none":
            return
        self._peak = max(self._peak, _resident())
        if self.method == "mark":
            self._peak = max(self._peak, _mark())
        else:
            self._done.set()
            self._thread.join()
        self.held = self._peak / MIB
        self.mib = max(self._peak - self._before, 0.0) / MIB

    def _sample(self) -> None:
        while not self._done.wait(self.every):
            self._peak = max(self._peak, _resident())


def _resident() -> float:
    """Return the resident set in bytes, NaN without ``/proc``."""
    try:
        return float((PROC / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return np.nan


def _mark() -> float:
    """Return the highest resident set since the mark was put back, in bytes; 0 where it is not told."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in (PROC / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return float(line.split()[1]) * 1024.0
    return 0.0


def _put_mark_back() -> bool:
    """Set the mark to what is resident now, and tell whether that worked."""
    try:
        (PROC / "clear_refs").write_text("5")
    except OSError:
        return False
    # Some systems take the order and do nothing.
    return 0.0 < _mark() <= _resident() + 4 * MIB


def _give_back() -> None:
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)
