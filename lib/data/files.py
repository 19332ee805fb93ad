"""Files that appear whole or not at all, and what JSON can hold."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lib.data.errors import OneSentence


class DamagedFile(OneSentence, ValueError):
    """A file of the project's own is not as it was left; the message names it and the way to get it again."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Let the caller write a file under a temporary name that takes its own name only once it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:
        error.filename = error.filename or (error.errno and str(path))  # what writes may not know its name
        raise
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, value) -> None:
    """Write JSON whole; arrays' numbers become plain ones and NaN becomes null."""
    with whole_file(path) as partial:
        partial.write_text(json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8")


_NUMBER = r"[-+]?[\d.]+(?:e[-+]\d+)?"
_FORMULA = re.compile(rf"(?=[=+\-@＝＋－＠\t\r\n])(?!{_NUMBER}(?: \(?{_NUMBER})?(?: to {_NUMBER}\)?)?$)")


def as_text(value):
    """Return text behind a quote where a spreadsheet would take it for a formula; a number, and an interval, as they are."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def write_csv(path: Path, frame) -> None:
    """Write a table whole, without its index, in which no text of a reader's file can start a formula (`as_text`)."""
    frame = frame.rename(columns=as_text)
    for place, (_, column) in enumerate(frame.items()):
        if column.dtype.kind not in "biufcmM":
            frame.isetitem(place, column.map(as_text))
    with whole_file(path) as partial:
        frame.to_csv(partial, index=False)


def read_json(path: Path, form: Any = object) -> Any:
    """Return what a JSON file holds, or None where there is none that is whole and of the form (`has_form`)."""
    with suppress(DamagedFile):
        return read_whole(path, form, "")


def read_whole(path: Path, form: Any, fix: str) -> Any:
    """Return what a JSON file holds; `DamagedFile`, which ends in the `fix`, unless it is whole and of the form."""
    try:
        if has_form(value := json.loads(path.read_text(encoding="utf-8")), form):
            return value
        raise ValueError("it holds something else")
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedFile(f"{path} is damaged ({error}). {fix}") from None


def has_form(value: Any, form: Any) -> bool:
    """Whether a value is of a type or several, a list of the one form given, or a table of forms by name, ``...`` for others.

    >>> has_form({"a": [1], "b": "x"}, {"a": [int]}), has_form({"a": [1], "b": 2}, {"a": list, ...: str}), has_form([], {})
    (True, False, False)
    """
    if isinstance(form, dict):
        there = isinstance(value, dict) and {*form} - {...} <= value.keys()
        return there and all(has_form(one, form.get(name, form.get(..., object))) for name, one in value.items())
    if isinstance(form, list):
        return isinstance(value, list) and all(has_form(one, form[0]) for one in value)
    return isinstance(value, form)


def plain(value):
    """Turn numpy's and pandas' values into what JSON can hold; NaN and infinities become None."""
    import numpy as np  # not before they are needed: who only writes a file is spared the wait
    import pandas as pd

    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, np.ndarray)):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if value is pd.NA or value is pd.NaT:
        return None
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
