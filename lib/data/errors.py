"""Errors that are an answer: Jupyter shows their sentence in place of a traceback; data sets have some."""

import os

RUN_FOLDER_VARIABLE = "REPORT_RUN_FOLDER"  # set by the runner: a run's own folder until it has ended well


class OneSentence:
    """Mixed into an exception whose message says what is missing and what to type: a traceback would bury that."""

    def _render_traceback_(self) -> list[str]:
        """Return what IPython prints for a traceback: nothing under the runner, which prints the message itself."""
        return [] if os.environ.get(RUN_FOLDER_VARIABLE) else [str(self)]


class UnknownDataset(OneSentence, ValueError):
    """No data set has that name; the message names the nearest one, or all that are known."""


class DatasetUnavailable(OneSentence, RuntimeError):
    """No source could serve the data set; the message says what each answered and what to do."""


class CorruptDataset(OneSentence, RuntimeError):
    """A file is not what it should be; the message says what was expected, what was found and what to do."""
