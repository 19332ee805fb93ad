"""How runs are executed, what became of them, and how many fit on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from lib.runner.execute import Failure


@dataclass
class Settings:
    """How runs are executed.

    At most `jobs` compute at a time, and `kernels` are open: those over wait for a core, or for their fits. `timeout` is for
    one cell. After a failure others start if `keep_going`. `profile` goes into the records, `runs_dir_parameter` into notebooks
    whose results are not at the usual place, `environment` to every kernel. The runs in `required` were asked for by name and
    fail without their data, kept page or not. `unavailable` are data sets that no source could serve, with the answers.
    """

    jobs: int = 1
    kernels: int = 1
    timeout: float | None = None
    keep_going: bool = False
    profile: str = "full"
    runs_dir_parameter: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    unavailable: dict[str, str] = field(default_factory=dict)


@dataclass
class Summary:
    """What became of the runs: names by what happened, and the failures."""

    executed: list[str] = field(default_factory=list)
    as_made: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    failed: dict[str, Failure] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    not_run: dict[str, str] = field(default_factory=dict)


def available_cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def by_memory(most: int, gib_a_job: float = 3.0) -> int:
    """Return how many kernels may be open, at most as many as given: one at least, as many as memory is enough for."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError, OSError):
        memory = gib_a_job
    return max(1, min(most, int(memory / gib_a_job)))
