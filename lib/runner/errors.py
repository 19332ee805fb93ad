"""What can go wrong in a run of the report, and the exit code of each."""

from __future__ import annotations

OK = 0
NOTEBOOK_FAILED = 1
USAGE = 2
DATA = 3
RENDERING_FAILED = 4
INTERRUPTED = 130


class RunnerError(Exception):
    """An end of the run that the user can do something about; printed without a traceback."""

    exit_code = NOTEBOOK_FAILED


class UsageError(RunnerError):
    """The command line asks for something that isn't there."""

    exit_code = USAGE


class PlanError(UsageError):
    """The plan or a notebook it names is malformed; the message names the run and the fix."""
