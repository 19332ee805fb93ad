"""What can be wrong with a reader's file: every message names the file, the line and the fix."""

from pathlib import Path


class InvalidRatingsFile(ValueError):
    """A file that cannot be read as ratings, or as a table of items or users; nothing was written."""


def problem(path: Path, what: str, fix: str, *, place: str = "") -> InvalidRatingsFile:
    """Make the error, such as ``ratings.csv, line 7: what. Fix``."""
    message = f"{path.name or path}{place and f', {place}'}: {what}. {fix}"
    return InvalidRatingsFile(printable(message.replace("\n", " ")))  # a library's reason may have several lines


def printable(text: str) -> str:
    """Return text fit for a terminal: a sign that is not printed, such as escape, is written as Python writes it."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
