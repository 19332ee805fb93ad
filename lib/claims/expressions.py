"""Expressions and texts of the rules in ``data/verdicts.toml``: what they may call, and how their names are looked up."""

import json
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lib.experiment.stored_runs import MissingRun, load_run


class Record(dict):
    """A dictionary whose entries are attributes too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"there is no {name!r} among {', '.join(map(str, self))}") from None


def records(value: Any) -> Any:
    """Return a copy of what JSON can hold with every dictionary in it as a `Record`."""
    return json.loads(json.dumps(value), object_hook=Record)


def find(rows: list[Record], **where: Any) -> Record | None:
    """Return the first row with these values, None without one."""
    return next((row for row in rows if all(row.get(key) == value for key, value in where.items())), None)


class Stored:
    """The stored runs that expressions read."""

    def __init__(self, runs_dir: str | Path = ""):
        self._runs_dir = runs_dir
        self._facts: dict[str, Record] = {}

    def run(self, name: str) -> Record:
        """Return the facts that a run kept; `MissingRun` where there is none."""
        if name not in self._facts:
            self._facts[name] = records(load_run(name, runs_dir=self._runs_dir).facts)
        return self._facts[name]

    def has(self, *names: str) -> bool:
        """Whether these runs are there."""
        try:
            return all(self.run(name) is not None for name in names)
        except MissingRun:
            return False

    def first(self, *names: str) -> str:
        """Return the first of these names whose run is there; `MissingRun` for the last where none is."""
        name = next((name for name in names if self.has(name)), names[-1])
        self.run(name)
        return name

    def drawn(self, run: str, label: str) -> list[Record]:
        """Return the rows behind a stored figure, or of a stored table."""
        folder = load_run(run, runs_dir=self._runs_dir).folder / ("tables" if label.startswith("tbl-") else "figures")
        return [Record(row) for row in pd.read_csv(folder / f"{label}.csv").to_dict("records")]


FUNCTIONS = {
    **{f.__name__: f for f in (abs, all, any, format, int, iter, len, list, max, min, next, sorted, str, sum)},
    "find": find,
    "mean": np.mean,
    "std": lambda values: np.std(values, ddof=1),
}


class Names(dict):
    """Names that an expression knows: functions, what stored runs hold, `values`, and a project's definitions.

    `definitions` maps names to expressions, which may use each other and are evaluated where they are first met; what is no
    text is a value itself.
    """

    def __init__(self, stored: Stored, definitions: Mapping[str, Any], **values: Any):
        reading = {name: getattr(stored, name) for name in ("run", "has", "first", "drawn")}
        super().__init__({"__builtins__": {}, **FUNCTIONS, **reading, **values})
        self._definitions = definitions

    def __missing__(self, name: str) -> Any:
        found = self._definitions[name]
        self[name] = self.value(found) if isinstance(found, str) else records(found)
        return self[name]

    def value(self, expression: str) -> Any:
        """Evaluate an expression."""
        return eval(f"({expression})", self)

    def text(self, template: str) -> str:
        """Fill in a text, in which ``{expression:format}`` stands for a value.

        A list is told item by item, an empty one as "none"; a format that begins with ``−`` gives numbers a real minus.
        """
        parts = string.Formatter().parse(template)
        return "".join(
            before + ("" if field is None else _shown(self.value(field), form or ""))
            for before, field, form, _ in parts
        )


def fields(template: str) -> list[str]:
    """Return the expressions in a text."""
    return [field for _, field, _, _ in string.Formatter().parse(template) if field is not None]


def _shown(value: Any, form: str) -> str:
    if isinstance(value, list):
        return ", ".join(_shown(each, form) for each in value) or "none"
    if form.startswith("−"):
        return format(value, form[1:]).replace("-", "−")
    return format(value, form)
