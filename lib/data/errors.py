"""Errors that are an answer: Jupyter shows their sentence in place of a traceback; what a misspelt name may have meant."""

import difflib
import os
import sys
from collections.abc import Iterable

RUN_FOLDER_VARIABLE = "REPORT_RUN_FOLDER"  # set by the runner: a run's own folder until it has ended well
TO_THE_SENTENCE = "setTimeout(() => element.closest('.jp-Cell')?.scrollIntoView({block: 'end'}), 300)"
"""In JupyterLab, which goes to a notebook's end when all cells are run, whichever of them fails."""


class OneSentence:
    """Mixed into an exception whose message says what is missing and what to type: a traceback would bury that."""

    def _render_traceback_(self) -> list[str]:
        """Return what IPython prints for a traceback: nothing under the runner, which prints the message itself."""
        if os.environ.get(RUN_FOLDER_VARIABLE):
            return []
        from IPython.display import publish_display_data

        publish_display_data({"application/javascript": TO_THE_SENTENCE})
        return [str(self)]


class UnknownDataset(OneSentence, ValueError):
    """No data set has that name; the message names the nearest one, or all that are known."""


class DatasetUnavailable(OneSentence, RuntimeError):
    """No source could serve the data set; the message says what each answered and what to do."""


class CorruptDataset(OneSentence, RuntimeError):
    """A file is not what it should be; the message says what was expected, what was found and what to do."""


def lacking_package(error: Exception) -> str:
    """Say how to get the package that an import did not find; empty for any other error, or a module of the library."""
    name = error.name or "" if isinstance(error, ModuleNotFoundError) else "lib"
    then = "`make install` sets up .venv with everything that the project needs; then type .venv/bin/python run_notebooks.py"
    return "" if name.partition(".")[0] == "lib" else f"{sys.executable} has no {name}: {then}"


def near_miss(name: str, known: Iterable[str]) -> str:
    """Say what an unknown name may have meant: ``"; did you mean 'svd'?"``, or list what is there."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
    if near:
        return f"; did you mean {' or '.join(repr(n) for n in near)}?"
    return f"; known: {', '.join(known)}" if known else ""
