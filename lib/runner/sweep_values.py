"""Which parameters a call sweeps, and the runs that this makes."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lib.runner.errors import UsageError
from lib.runner.hints import is_sweepable
from lib.runner.notebook import read_notebook
from lib.runner.parameters import Parameter, Resolved, declared
from lib.runner.plan import VARIANT, Plan, Run

_COMMA = re.compile(r",(?!\s)")
"""A comma with a space behind it belongs to a text, such as a title."""


@dataclass(frozen=True)
class Sweep:
    """One swept parameter of one run, and its values in the order given."""

    run: str
    name: str
    values: tuple[Any, ...]


def split_sweeps(
    plan: Plan, asked_for: Iterable[str], options: Iterable[tuple[str, str]]
) -> tuple[list[tuple[str, str]], list[Sweep]]:
    """Part the options into those that set one value and those that sweep several.

    Several values are told by a comma in what is no list. A text in double quotes is always one value.

    Raises
    ------
    UsageError
        More than one run, more than two parameters or fewer than two values; or a value of another type.
    """
    known = {name: declared(read_notebook(plan.source(plan.run(name)))) for name in asked_for}
    plain: list[tuple[str, str]] = []
    sweeps: list[Sweep] = []
    for key, text in options:
        prefix, _, name = key.rpartition(":")
        runs = {
            run: parameters[name]
            for run, parameters in known.items()
            if name in parameters and prefix in ("", run)
        }
        several = {run: parts for run, p in runs.items() if (parts := _parts(text, p)) is not None}
        if not several:
            quoted = _quoted(text) and any(p.kind.startswith("str") for p in runs.values())
            plain.append((key, text[1:-1] if quoted else text))
            continue
        if len(runs) > 1:
            raise UsageError(
                f"-p {key}: several values are a sweep, which takes one run at a time; name one with --only: "
                + ", ".join(run for run in plan.ids if run in runs)
            )
        run, parts = next(iter(several.items()))
        sweeps.append(Sweep(run, name, _values(key, run, runs[run], parts)))
    if len({one.run for one in sweeps}) > 1:
        raise UsageError(
            "the swept parameters are of different runs; sweep one run at a time, named with --only"
        )
    names = [one.name for one in sweeps]
    if len(names) > 2:
        raise UsageError(f"at most two parameters are swept at a time, not {', '.join(names)}")
    if len(set(names)) < len(names):
        raise UsageError(f"-p {names[0]} is swept twice; give all its values at once")
    return plain, sweeps


def _parts(text: str, parameter: Parameter) -> list[str] | None:
    if not is_sweepable(parameter.hint, parameter.default) or "," not in text or _quoted(text):
        return None
    parts = (_COMMA if parameter.kind.startswith("str") else re.compile(",")).split(text)
    return [part.strip() for part in parts] if len(parts) > 1 else None


def _quoted(text: str) -> bool:
    return len(text) > 1 and text[0] == text[-1] == '"'


def _values(key: str, run: str, parameter: Parameter, parts: list[str]) -> tuple[Any, ...]:
    values = []
    for part in parts:
        try:
            value = parameter.parse(part)
        except ValueError as error:
            raise UsageError(f"-p {key}: {run} takes {parameter.name}: {parameter.kind}; {error}") from None
        if value not in values:
            values.append(value)
    if len(values) < 2:
        raise UsageError(f"-p {key}: a sweep needs two different values at least")
    return tuple(values)


def variants(run: Run, sweeps: Iterable[Sweep], base: Resolved) -> dict[str, tuple[Run, Resolved, tuple[Any, ...]]]:  # fmt: skip
    """Return a run for each combination of values by its name: the run, its parameters, and the swept values."""
    sweeps = list(sweeps)
    found: dict[str, tuple[Run, Resolved, tuple[Any, ...]]] = {}
    for values in itertools.product(*(one.values for one in sweeps)):
        named = {one.name: value for one, value in zip(sweeps, values, strict=True)}
        slug = "-".join(f"{name}-{_slug(value)}" for name, value in named.items())
        name = f"{run.id}{VARIANT}{slug}"
        while name in found:  # two texts that differ in signs only
            name += "_"
        title = f"{run.title}, " + ", ".join(f"{n} = {written(v)}" for n, v in named.items())
        resolved = Resolved({**base.values, **named}, {**base.given, **named})
        found[name] = (replace(run, id=name, title=title), resolved, values)
    return found


def written(value: Any) -> str:
    """Return a value as the command line takes it."""
    return value if isinstance(value, str) else json.dumps(value)


def by_name(sweeps: Iterable[Sweep]) -> Mapping[str, str]:
    """Return the swept values as texts, for a folder's name."""
    return {one.name: ",".join(map(written, one.values)) for one in sweeps}


def _slug(value: Any) -> str:
    return re.sub(r"[^a-z0-9]+", "_", written(value).lower().replace("-", "minus_")).strip("_") or "empty"
