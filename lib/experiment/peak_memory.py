"""How much memory a piece of work takes at its peak, beyond what its process held before."""

import contextlib
import ctypes
import gc
import os
from pathlib import Path
from typing import Self

import numpy as np

MIB = 2.0**20
PROC = Path("/proc/self")


class PeakMemory:
    """Measure, around a ``with`` block, the growth of the process's resident set.

    ``resource.ru_maxrss`` is the highest mark since the process began: in a process that does one fit after another it
    tells of the largest of them. Linux lets a process put its own mark back (a 5 written to ``/proc/self/clear_refs``), so
    the mark at the end of the block is the block's own. Before the block garbage is collected and freed memory given back
    to the system (glibc's ``malloc_trim``), or a fit would find room that an earlier one had left, and seem to need none.

    `mib` is the growth in MiB, not below zero, `held` what the process held at its peak, what it had before included; both
    are NaN where the system has no such mark.
    """

    mib = held = np.nan

    def __enter__(self) -> Self:
        gc.collect()
        with contextlib.suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        self._before = _resident() if _put_mark_back() else np.nan
        return self

    def __exit__(self, *_: object) -> None:
        if not np.isnan(self._before):
            peak = max(self._before, _resident(), _mark())
            self.held, self.mib = peak / MIB, (peak - self._before) / MIB


def _resident() -> float:
    """Return the resident set in bytes."""
    return float((PROC / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _mark() -> float:
    """Return the highest resident set since the mark was put back, in bytes; 0 where it is not told."""
    lines = (PROC / "status").read_text().splitlines()
    return next((float(line.split()[1]) * 1024.0 for line in lines if line.startswith("VmHWM:")), 0.0)


def _put_mark_back() -> bool:
    """Set the mark to what is resident now, and tell whether that worked."""
    try:
        (PROC / "clear_refs").write_text("5")
        return 0.0 < _mark() <= _resident() + 4 * MIB  # some systems take the order and do nothing
    except OSError:
        return False
