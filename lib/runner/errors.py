"""What can go wrong in a run of the report, and the exit code of each."""

import errno
import tempfile
import traceback

import click

from lib.data.errors import OneSentence, lacking_package
from lib.report.errors import RenderingError

OK, NOTEBOOK_FAILED, USAGE, DATA, RENDERING_FAILED, INTERRUPTED = 0, 1, 2, 3, 4, 130


class UsageError(click.ClickException):
    """The command line asks for something that isn't there; printed without a traceback."""

    exit_code = USAGE


class PlanError(UsageError):
    """The plan or a notebook it names is malformed; the message names the run and the fix."""


NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE}
"""Errors of the system that are about the machine's memory and disk, not about a place."""


def in_words(error: Exception) -> tuple[str, int]:
    """Return what is said of an error that ended a call, and the exit code."""
    name = getattr(error, "filename", None)
    if isinstance(error, click.ClickException):
        return error.format_message(), error.exit_code
    if isinstance(error, (OneSentence, RenderingError)):
        return str(error), DATA if isinstance(error, OneSentence) else RENDERING_FAILED
    if said := lacking_package(error):
        return said, USAGE
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in NO_ROOM):
        what = f"{name or 'a file'}: {error.strerror}" if isinstance(error, OSError) else "memory ran out"
        return f"{what}. Make room and type the same command: what was finished is kept", NOTEBOOK_FAILED
    if isinstance(error, OSError) and name is not None:
        return f"{name}: {error.strerror}. Mend that, or name another folder with --output-dir", USAGE
    return f"it met what nobody has foreseen: {type(error).__name__}: {error}. {put_down(error)}", NOTEBOOK_FAILED


def put_down(error: Exception) -> str:
    """Write an error's traceback into a file, and say which."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False, encoding="utf-8") as log:
        log.write("".join(traceback.format_exception(error)))
    return f"The whole traceback, for a report of it: {log.name}"
