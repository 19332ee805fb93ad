"""What a notebook can be given: its parameters cell read, values parsed by their type hints and resolved by run."""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lib.runner.errors import PlanError, UsageError, near_miss
from lib.runner.hints import check_value, hint_of, parse_text
from lib.runner.notebook import Notebook, parse, read_notebook
from lib.runner.plan import Plan, Run

RESERVED = ("run", "runs_dir")
"""Set by the runner itself."""

UNKNOWN = object()
"""The default of a parameter whose value the cell computes instead of writing it down."""

_NUMBER = r"-?(?:inf|\d[\d.]*(?:e-?\d+)?)"
_RANGE = re.compile(rf"([\[(]\s*({_NUMBER})\s*,\s*({_NUMBER})\s*[\])])(?:\s+|$)")


@dataclass(frozen=True)
class Range:
    """The range of a number that a parameter's comment opens with, as mathematics writes it: ``[1, 1000]``, ``(0, inf)``."""

    text: str
    low: float
    high: float

    def __contains__(self, value: Any) -> bool:
        """Whether a number, or each number of a list, lies in it; what is no number always does."""
        if isinstance(value, (list, tuple)):
            return all(item in self for item in value)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return True
        above = value >= self.low if self.text[0] == "[" else value > self.low
        return above and (value <= self.high if self.text[-1] == "]" else value < self.high)


@dataclass(frozen=True)
class Parameter:
    """One parameter: name, type hint (a syntax tree, None where there is none), default, meaning, and range if it has one."""

    name: str
    hint: ast.expr | None
    default: Any
    meaning: str = ""
    range: Range | None = None

    @property
    def kind(self) -> str:
        """The type as a user reads it, with the range."""
        if self.hint is not None:
            kind = ast.unparse(self.hint)
        else:
            kind = "value" if self.default is UNKNOWN else type(self.default).__name__
        return kind if self.range is None else f"{kind} in {self.range.text}"

    def parse(self, text: str) -> Any:
        """Turn a text of the command line into a value of the parameter's type and range.

        Lists are written ``2,5,10`` or ``[2, 5, 10]``, no value ``none``, truth ``true`` and ``false``.

        Raises
        ------
        ValueError
            The text isn't of that type, or out of the range.
        """
        return self._within(parse_text(text, self._hint()))

    def check(self, value: Any) -> Any:
        """Return a value that a file gave if it is of the parameter's type (an int will do for a float) and range.

        Raises
        ------
        ValueError
            The value isn't of that type, or out of the range.
        """
        return self._within(check_value(value, self._hint()))

    def _within(self, value: Any) -> Any:
        if self.range is not None and value not in self.range:
            raise ValueError(f"{value!r} is out of {self.range.text}")
        return value

    def _hint(self) -> ast.expr | None:
        if self.hint is not None or self.default is UNKNOWN or self.default is None:
            return self.hint
        return ast.parse(hint_of(self.default), mode="eval").body


def declared(notebook: Notebook) -> dict[str, Parameter]:
    """Return the parameters of a notebook by name.

    A parameter means what the comment behind it says, after those on the lines right above it; a comment among the values
    of a long list, or behind its closing bracket, counts as behind it. Where that opens with a range, it has one.

    Raises
    ------
    PlanError
        No parameters cell, or more than one, or one that isn't Python.
    """
    found = _declared(notebook.parameters_cell.source)
    if found is None:
        raise PlanError(f"{notebook.path.name}: the parameters cell is not valid Python")
    return found


@cache
def _declared(source: str) -> dict[str, Parameter] | None:
    tree = parse(source)
    if tree is None:
        return None
    comments, found = _comments(source), {}
    for statement in tree.body:
        hint, value = getattr(statement, "annotation", None), getattr(statement, "value", None)
        target = getattr(statement, "targets", [getattr(statement, "target", None)])[0]
        if not isinstance(statement, (ast.Assign, ast.AnnAssign)) or not isinstance(target, ast.Name):
            continue
        if isinstance(hint, ast.Constant) and isinstance(hint.value, str):
            hint = ast.parse(hint.value, mode="eval").body
        try:
            default = ast.literal_eval(value) if value is not None else UNKNOWN
        except ValueError:
            default = UNKNOWN
        first = statement.lineno
        while comments.get(first - 1, ("", False))[1]:
            first -= 1
        lines = [comments[n][0] for n in range(first, statement.end_lineno + 1) if n in comments]
        meaning, within = " ".join(filter(None, lines)), None
        if match := _RANGE.match(meaning):
            within = Range(match[1], float(match[2]), float(match[3]))
            meaning = meaning[match.end() :]
        found[target.id] = Parameter(target.id, hint, default, meaning, within)
    return found


def _comments(source: str) -> dict[int, tuple[str, bool]]:
    """Return the comments by line, and whether each has the line for itself."""
    return {
        token.start[0]: (token.string.lstrip("#").strip(), not token.line[: token.start[1]].strip())
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT and not token.string.startswith("#|")
    }


def is_literal(notebook: Notebook) -> bool:
    """Whether the parameters cell only writes values down, so that the resolved values say all about it."""
    tree = parse(notebook.parameters_cell.source)
    if tree is None:
        return False
    plain = all(isinstance(s, (ast.AnnAssign, ast.Assign, ast.Expr)) for s in tree.body)
    return plain and all(p.default is not UNKNOWN for p in declared(notebook).values())


@dataclass(frozen=True)
class Resolved:
    """A run's parameters: all values with their defaults, and those given, which are injected."""

    values: dict[str, Any]
    given: dict[str, Any]


def resolve(
    plan: Plan,
    selected: Iterable[str],
    *,
    profile: str = "full",
    dataset: str | None = None,
    file: Path | None = None,
    options: Iterable[tuple[str, str]] = (),
    preset: bool = False,
    outside: Mapping[str, str] | None = None,
) -> dict[str, Resolved]:
    """Work out every run's parameters, given names and values that JSON can hold.

    From weakest to strongest: the notebook's own values, the plan's, the profile's, ``dataset``, the file's, the options for
    all runs, the options for one run.

    Parameters
    ----------
    plan : Plan
    selected : iterable of str
        The runs of this call; a parameter for another run is an error. The others are resolved by the plan, profile and
        dataset alone.
    profile : {"full", "quick", "large"}
        Which of the plan's values hold.
    dataset : str, optional
        The value of ``dataset`` in every notebook that has such a parameter.
    file : Path, optional
        YAML: ``NAME: value`` for every run that knows the name, ``RUN: {NAME: value}`` for one.
    options : iterable of (name, text)
        As ``-p`` gives them: ``("seed", "7")``, ``("svd:n_factors", "50")``.
    preset : bool
        Whether the file is a preset, which may be about more runs than those of this call.
    outside : mapping of str to str
        Runs that the profile doesn't execute: theirs are the values of the profile that does.

    Raises
    ------
    UsageError
        A name that no run has, a run that isn't there or isn't selected, a value that isn't of its type or range.
    """
    selected = set(selected)
    known = {run.id: declared(read_notebook(plan.source(run))) for run in plan.runs}
    own = outside or {}
    given = {run.id: _from_plan(plan, run, known[run.id], own.get(run.id, profile)) for run in plan.runs}
    if dataset is not None:
        for run in plan.runs:
            if "dataset" in known[run.id]:
                given[run.id]["dataset"] = dataset
    wanted = _Wanted(plan, selected, known)
    for name, value in _read_file(file, plan).items():
        if preset and ":" in name and name.partition(":")[0] not in selected:
            continue
        wanted.add(name, value, f"{file.name}: {name}", as_text=False)
    for name, text in options:
        wanted.add(name, text, f"-p {name}", as_text=True)
    for _, run_id, name, value in sorted(wanted.found, key=lambda entry: entry[0]):
        given[run_id][name] = value
    resolved = {}
    for run in plan.runs:
        defaults = {n: "computed" if p.default is UNKNOWN else p.default for n, p in known[run.id].items()}
        values = {
            name: value for name, value in {**defaults, **given[run.id]}.items() if name not in RESERVED
        }
        resolved[run.id] = Resolved(_plain(values), given[run.id])
    return resolved


class _Wanted:
    """Parameters asked for by file and command line, checked one by one; the narrower one is the stronger."""

    def __init__(self, plan: Plan, selected: set[str], known: Mapping[str, Mapping[str, Parameter]]):
        self.plan, self.selected, self.known = plan, selected, known
        self.found: list[tuple[tuple[bool, bool], str, str, Any]] = []

    def add(self, key: str, value: Any, where: str, *, as_text: bool) -> None:
        run_id, colon, name = key.rpartition(":")
        if colon:
            self.plan.run(run_id)
            if run_id not in self.selected:
                raise UsageError(f"{where}: {run_id} is not among the runs of this call")
            if name not in self.known[run_id]:
                raise UsageError(
                    f"{where}: {run_id} has no parameter {name!r}{near_miss(name, self.names([run_id]))}"
                )
            runs = [run_id]
        else:
            runs = [r for r in self.plan.ids if r in self.selected and name in self.known[r]]
            if not runs:
                of_all = self.names(self.selected)
                raise UsageError(
                    f"{where}: no run of this call has a parameter {name!r}{near_miss(name, of_all)}"
                )
        if name in RESERVED:
            raise UsageError(f"{where}: {name} is set by the runner; --output-dir chooses where results go")
        for run in runs:
            parameter = self.known[run][name]
            try:
                parsed = parameter.parse(value) if as_text else parameter.check(value)
            except ValueError as error:
                raise UsageError(f"{where}: {run} takes {name}: {parameter.kind}; {error}") from None
            self.found.append(((bool(colon), as_text), run, name, parsed))

    def names(self, runs: Iterable[str]) -> set[str]:
        return {name for run in runs for name in self.known[run]} - set(RESERVED)


def _from_plan(plan: Plan, run: Run, known: Mapping[str, Parameter], profile: str) -> dict[str, Any]:
    given = {}
    for name, value in run.values(profile).items():
        if name not in known:
            raise PlanError(
                f"{plan.path.name}: {run.id}: {run.notebook} has no parameter {name!r}{near_miss(name, known)}"
            )
        try:
            given[name] = known[name].check(value)
        except ValueError as error:
            raise PlanError(f"{plan.path.name}: {run.id} takes {name}: {known[name].kind}; {error}") from None
    return given


def _read_file(path: Path | None, plan: Plan) -> dict[str, Any]:
    if path is None:
        return {}
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path.name} can't be read: {error}") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path.name} must map names to values")
    flat = {}
    for key, value in content.items():
        if key in plan.ids and isinstance(value, dict):
            flat |= {f"{key}:{name}": inner for name, inner in value.items()}
        else:
            flat[str(key)] = value
    return flat


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values as JSON gives them back, so that stored and fresh ones compare."""
    return json.loads(json.dumps(values, default=str))
