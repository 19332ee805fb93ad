"""What can go wrong in a run of the report, and the exit code of each."""

from __future__ import annotations

import click

OK, NOTEBOOK_FAILED, USAGE, DATA, RENDERING_FAILED, INTERRUPTED = 0, 1, 2, 3, 4, 130


class UsageError(click.ClickException):
    """The command line asks for something that isn't there; printed without a traceback."""

    exit_code = USAGE


class PlanError(UsageError):
    """The plan or a notebook it names is malformed; the message names the run and the fix."""
