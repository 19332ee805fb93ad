"""What can go wrong between a data set's name and its ratings."""

from __future__ import annotations

from lib.data.one_sentence import OneSentence


class UnknownDataset(OneSentence, ValueError):
    """No data set has that name; the message names the nearest one and all that are known."""


class DatasetUnavailable(OneSentence, RuntimeError):
    """No source could serve the data set; the message says what each answered and what to do."""


class CorruptDataset(OneSentence, RuntimeError):
    """A file is not what it should be; the message says what was expected, what was found and what to do."""
