"""How runs are executed, what became of them, and how many fit on this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from lib.runner.execute import Failure


@dataclass
class Settings:
    """How runs are executed: jobs at a time, threads for each, seconds for a cell, what goes into their records."""

    jobs: int = 1
    threads: int = 1
    timeout: float | None = None
    keep_going: bool = False
    profile: str = "full"
    runs_dir_parameter: str = ""
    required: frozenset[str] = frozenset()
    """Runs that were asked for by name: these fail without their data, optional or not."""
    unavailable: dict[str, str] = field(default_factory=dict)
    """Data sets that no source could serve, and what the sources answered."""


@dataclass
class Summary:
    """What became of the runs: names by what happened, and the failures."""

    executed: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    as_made: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    failed: dict[str, Failure] = field(default_factory=dict)
    without_data: dict[str, str] = field(default_factory=dict)
    outside: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def available_cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_jobs(cores: int, runs: int, gib_a_job: float = 3.0) -> int:
    """Return how many runs to execute at a time: a core each, memory enough for each."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError, OSError):
        memory = gib_a_job
    return max(1, min(cores, runs, int(memory / gib_a_job)))
