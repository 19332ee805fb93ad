"""What a notebook can be given: its parameters cell read, values parsed by their type hints and resolved by run."""

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from lib.data.errors import near_miss
from lib.runner.errors import PlanError, UsageError
from lib.runner.hints import check_value, kind_of, parse_text
from lib.runner.notebook import Notebook
from lib.runner.plan import Plan, Run

RESERVED = ("run", "runs_dir")
"""Set by the runner itself."""

Values = dict[str, dict[str, Any]]
"""By run, the values of its notebook's parameters by name, as JSON gives them back."""

_NUMBER = r"-?(?:inf|\d[\d.]*(?:e-?\d+)?)"
_RANGE = re.compile(rf"([\[(]\s*({_NUMBER})\s*,\s*({_NUMBER})\s*[\])])(?:\s+|$)")


@dataclass(frozen=True)
class Parameter:
    """One parameter: name, type hint ("" where there is none), default, meaning, and its range as mathematics writes it."""

    name: str
    hint: str
    default: Any
    meaning: str = ""
    range: str = ""

    @property
    def type(self) -> Any:
        """The type by its hint, else by its default."""
        if self.hint:
            return kind_of(self.hint)
        return Any if self.default is None else type(self.default)

    @property
    def kind(self) -> str:
        """The type as a user reads it, with the range."""
        kind = self.hint or getattr(self.type, "__name__", "value")
        return f"{kind} in {self.range}" if self.range else kind

    def taken(self, value: Any, where: str, *, as_text: bool = False) -> Any:
        """Return a value of the parameter's type and range, made from a file's or from a text of the command line.

        Lists are written ``2,5,10`` or ``[2, 5, 10]``, no value ``none``, truth ``true`` and ``false``. The UsageError for what is
        no such value begins with `where` and says what is taken.
        """
        try:
            read = parse_text(value, self.type) if as_text else check_value(value, self.type)
            if not all(map(self._in_range, read if isinstance(read, list) else [read])):
                raise ValueError("out of range")
            json.dumps(read, default=str, allow_nan=False)  # a ValueError where a number in it is not finite
        except ValueError:
            raise UsageError(f"{where} takes {self.name}: {self.kind}, not {value!r}") from None
        return read

    def _in_range(self, value: Any) -> bool:
        if not self.range or type(value) not in (int, float):
            return True
        low, high = map(float, re.findall(_NUMBER, self.range))
        above = value >= low if self.range[0] == "[" else value > low
        return above and (value <= high if self.range[-1] == "]" else value < high)


def declared(notebook: Notebook) -> dict[str, Parameter]:
    """Return the parameters of a notebook by name.

    A parameter means what the comment behind it says, after those on the lines right above it; a comment among the values
    of a long list, or behind its closing bracket, counts as behind it. Where that opens with a range, it has one.
    Raises PlanError: no parameters cell, or more than one, or one that doesn't only write values down.
    """
    try:
        return _declared(notebook.parameters_cell.source)
    except (SyntaxError, ValueError) as error:
        name = notebook.path.name
        raise PlanError(f"{name}: the parameters cell must write values down: {error}") from None


@cache
def _declared(source: str) -> dict[str, Parameter]:
    comments, found = _comments(source), {}
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Expr):  # a text that says what the cell is about
            continue
        if not isinstance(statement, (ast.Assign, ast.AnnAssign)) or statement.value is None:
            raise ValueError(f"line {statement.lineno} does something else")
        target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        hint = ast.unparse(statement.annotation) if isinstance(statement, ast.AnnAssign) else ""
        first = statement.lineno
        while comments.get(first - 1, ("", False))[1]:
            first -= 1
        lines = [comments[n][0] for n in range(first, (statement.end_lineno or first) + 1) if n in comments]
        meaning, name = " ".join(filter(None, lines)), ast.unparse(target)
        opening = _RANGE.match(meaning)
        meaning, bounds = (meaning[opening.end() :], opening[1]) if opening else (meaning, "")
        found[name] = Parameter(name, hint, ast.literal_eval(statement.value), meaning, bounds)
    return found


def _comments(source: str) -> dict[int, tuple[str, bool]]:
    """Return the comments by line, and whether each has the line for itself."""
    return {
        token.start[0]: (token.string.lstrip("#").strip(), not token.line[: token.start[1]].strip())
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT and not token.string.startswith("#|")
    }


def resolve(
    plan: Plan,
    selected: Iterable[str],
    *,
    profile: str = "full",
    dataset: str | None = None,
    options: Iterable[tuple[str, str]] = (),
    outside: Mapping[str, str] | None = None,
) -> Values:
    """Work out the values of every run's parameters under a plan and a profile.

    From weakest to strongest: the notebook's own values, the plan's, the profile's, `dataset` in every notebook that has such
    a parameter, the `options` for all runs, those for one run (as ``-p`` gives them: ``("seed", "7")``, ``("svd:n_factors", "50")``), which
    are about the `selected` runs. Runs `outside` of the profile have the values of the one that is named.
    Raises UsageError: a name that no run has, a run that isn't there or isn't selected, a value not of its type or range.
    """
    selected = set(selected)
    known = {run.id: declared(plan.notebook(run)) for run in plan.runs}
    found = {}
    for run in plan.runs:
        own = _from_plan(plan, run, known[run.id], (outside or {}).get(run.id, profile))
        own |= {"dataset": dataset} if dataset is not None and "dataset" in known[run.id] else {}
        found[run.id] = {name: parameter.default for name, parameter in known[run.id].items()} | own
    for key, text in sorted(options, key=lambda one: ":" in one[0]):
        for name, parameter in _meant(plan, selected, known, key, f"-p {key}").items():
            found[name][parameter.name] = parameter.taken(text, f"-p {key}: {name}", as_text=True)
    values = {name: {n: v for n, v in own.items() if n not in RESERVED} for name, own in found.items()}
    return json.loads(json.dumps(values, default=str))  # so that stored and fresh ones compare


def changed(values: Mapping[str, Any], known: Mapping[str, Parameter]) -> dict[str, Any]:
    """Return those of a notebook's values that are not its own."""
    own = json.loads(json.dumps({name: known[name].default for name in values}, default=str))
    return {name: value for name, value in values.items() if value != own[name]}


def _meant(plan: Plan, selected: set[str], known: Mapping[str, Mapping], key: str, where: str) -> dict[str, Parameter]:
    """Return the parameter that ``NAME`` or ``RUN:NAME`` stands for, by run."""
    run, _, name = key.rpartition(":")
    if run and plan.run(run).id not in selected:
        raise UsageError(f"{where}: {run} is not among the runs of this call")
    runs = [one for one in plan.ids if one in ({run} if run else selected)]
    if name in RESERVED:
        raise UsageError(f"{where}: {name} is set by the runner; --output-dir chooses where results go")
    found = {one: known[one][name] for one in runs if name in known[one]}
    if not found:
        others = {other for one in runs for other in known[one]} - set(RESERVED)
        who = f"{run} has no parameter" if run else "no run of this call has a parameter"
        raise UsageError(f"{where}: {who} {name!r}{near_miss(name, others)}")
    return found


def _from_plan(plan: Plan, run: Run, known: Mapping[str, Parameter], profile: str) -> dict[str, Any]:
    where, values = f"{plan.path.name}: {run.id}", run.values(profile)
    for name in values.keys() - known:
        raise PlanError(f"{where}: {run.notebook} has no parameter {name!r}{near_miss(name, known)}")
    return {name: known[name].taken(value, where) for name, value in values.items()}
