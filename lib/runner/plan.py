"""The plan (report.toml): every run is a notebook, its parameters, what it needs and where it stands in the report."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from lib import ROOT
from lib.runner.errors import PlanError, UsageError, near_miss

PROFILES = ("quick", "full", "large")
"""quick: minutes, to see that all works; full: the report's figures; large: the bigger data sets."""

VARIANT = "--"
"""Between a run's name and what tells its variants of a sweep apart."""


@dataclass(frozen=True)
class Run:
    """One run of the plan.

    `id` names the run and its folder; several may share a `notebook`. `title`, `summary` and `part` are what the report calls
    it, one sentence about it, and the part it stands in. The cache counts the results of what it reads (`needs`, and `wants`
    where it copes without, by `lib.results.MissingRun`), `datasets` (and the value of a parameter ``dataset``), other `files`,
    and `modules` of ``lib``, or definitions in them (``lib.models.svd:SVD``), beside what the notebook names. `parameters` are
    values of every profile, `quick`, `full` and `large` what each changes in them; what is absent keeps the notebook's own.

    `profiles` are those that execute the run. Under another one the report shows what was made here, while it holds, or the
    page that the project keeps; where there is neither, it does without the run. `seconds` is about how long the full profile
    takes, to start the longest first and to tell the rest of time while nothing has been measured.
    """

    id: str
    notebook: str
    title: str
    summary: str = ""
    part: str = ""
    needs: tuple[str, ...] = ()
    wants: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    quick: dict[str, Any] = field(default_factory=dict)
    full: dict[str, Any] = field(default_factory=dict)
    large: dict[str, Any] = field(default_factory=dict)
    profiles: tuple[str, ...] = PROFILES
    seconds: float | None = None

    def values(self, profile: str) -> dict[str, Any]:
        """Return the plan's parameters under a profile, without the notebook's own defaults."""
        changes = {"quick": self.quick, "full": self.full, "large": self.large}
        return {**self.parameters, **changes[profile]}

    def outside(self, profile: str) -> str:
        """Return the profile that makes the run where this one does not: the next larger, else the largest; or ""."""
        if profile in self.profiles:
            return ""
        own = [name for name in PROFILES if name in self.profiles]
        return next((name for name in own if PROFILES.index(name) > PROFILES.index(profile)), own[-1])

    @property
    def reads(self) -> tuple[str, ...]:
        """All runs whose results the notebook reads: those it needs, then those it wants."""
        return self.needs + self.wants


@dataclass(frozen=True)
class Plan:
    """The whole plan, checked.

    It was read from `path`, beside which ``notebooks/`` and ``reports/`` lie. `report` is the ``[report]`` table: title,
    subtitle, description and whatever else the report's pages use. `runs` are in the order of the report.
    """

    path: Path
    report: dict[str, Any]
    runs: tuple[Run, ...]

    @property
    def root(self) -> Path:
        """The folder that holds the plan."""
        return self.path.parent

    @property
    def notebooks(self) -> Path:
        """The folder of the notebooks; they are executed with it as the working folder."""
        return self.root / "notebooks"

    @property
    def title(self) -> str:
        """The report's title."""
        return self.report.get("title", "Report")

    @property
    def ids(self) -> list[str]:
        """The runs' names in the order of the report."""
        return [run.id for run in self.runs]

    def run(self, name: str) -> Run:
        """Return one run by its name."""
        for run in self.runs:
            if run.id == name:
                return run
        raise UsageError(f"the plan has no run {name!r}{near_miss(name, self.ids)}")

    def source(self, run: Run) -> Path:
        """Return the path of a run's notebook."""
        return self.notebooks / run.notebook

    def order(self) -> list[Run]:
        """Return the runs so that each comes after all it needs; otherwise in the order of the file."""
        done: dict[str, Run] = {}
        waiting = list(self.runs)
        while waiting:
            ready = next((run for run in waiting if all(need in done for need in run.reads)), None)
            if ready is None:
                raise PlanError("these runs need each other in a circle: " + " -> ".join(_circle(waiting)))
            done[ready.id] = ready
            waiting.remove(ready)
        return list(done.values())

    def upstream(self, name: str) -> set[str]:
        """Return the names of all runs that a run needs or wants, directly or not."""
        found: set[str] = set()
        waiting = list(self.run(name).reads)
        while waiting:
            need = waiting.pop()
            if need not in found:
                found.add(need)
                waiting.extend(self.run(need).reads)
        return found

    def match(self, patterns: Iterable[str]) -> set[str]:
        """Return the runs that any of the patterns (``*``, ``?``, ``[..]``) names.

        Raises
        ------
        UsageError
            A pattern that matches nothing; the message names the nearest run.
        """
        found: set[str] = set()
        for pattern in patterns:
            matched = {name for name in self.ids if fnmatchcase(name, pattern)}
            if not matched:
                raise UsageError(f"no run of the plan matches {pattern!r}{near_miss(pattern, self.ids)}")
            found |= matched
        return found


_KEYS = {
    **dict.fromkeys(("id", "notebook", "title", "summary", "part"), str),
    **dict.fromkeys(("needs", "wants", "modules", "datasets", "files", "profiles"), list),
    **dict.fromkeys(("parameters", *PROFILES), dict),
    "seconds": (int, float),
}


def load_plan(path: Path | str | None = None) -> Plan:
    """Read and check a plan.

    Parameters
    ----------
    path : path, optional
        The project's ``report.toml`` by default.

    Raises
    ------
    PlanError
        The file is missing or not TOML; a key, type or profile is unknown; a run is named twice, needs or wants a run that
        isn't there or, through others, itself; a notebook is missing.
    """
    path = Path(path if path is not None else ROOT / "report.toml").resolve()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PlanError(f"there is no plan at {path}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PlanError(f"{path.name} can't be read: {error}") from None
    for key in content:
        if key not in ("report", "runs"):
            raise PlanError(f"{path.name}: unknown table [{key}]{near_miss(key, ['report', 'runs'])}")
    entries = content.get("runs", [])
    if not isinstance(entries, list) or not entries:
        raise PlanError(f"{path.name} has no runs: add a [[runs]] table with an id, a notebook and a title")
    plan = Plan(
        path, content.get("report", {}), tuple(_read_run(path.name, n, e) for n, e in enumerate(entries))
    )
    _check(plan)
    return plan


def _read_run(file: str, number: int, entry: dict[str, Any]) -> Run:
    where = f"{file}: run {entry.get('id', f'number {number + 1}')!r}"
    for key, value in entry.items():
        if key not in _KEYS:
            raise PlanError(f"{where} has an unknown key {key!r}{near_miss(key, _KEYS)}")
        if not isinstance(value, _KEYS[key]) or isinstance(value, bool):
            expected = {str: "a text", list: "a list", dict: "a table"}.get(_KEYS[key], "a number")
            raise PlanError(f"{where}: {key} must be {expected}, not {value!r}")
        if isinstance(value, list) and not all(isinstance(item, str) for item in value):
            raise PlanError(f"{where}: {key} must be a list of names, not {value!r}")
    for name in entry.get("profiles", PROFILES):
        if name not in PROFILES:
            raise PlanError(f"{where}: profiles has {name!r}, which is no profile{near_miss(name, PROFILES)}")
    if not entry.get("profiles", PROFILES):
        raise PlanError(
            f"{where}: profiles is empty; name at least one of {', '.join(PROFILES)}, or leave it out"
        )
    for key in ("id", "notebook", "title"):
        if not entry.get(key):
            raise PlanError(f"{where} has no {key}")
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", entry["id"]):
        raise PlanError(f"{where}: an id is lower case letters, digits, '-' and '_', as it names a folder")
    return Run(**{key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()})


def _check(plan: Plan) -> None:
    ids = plan.ids
    for name in ids:
        if ids.count(name) > 1:
            raise PlanError(f"{plan.path.name}: two runs are called {name!r}; an id names one run")
    for run in plan.runs:
        for kind, names in (("needs", run.needs), ("wants", run.wants)):
            for name in names:
                if name not in ids:
                    raise PlanError(
                        f"{plan.path.name}: {run.id} {kind} {name!r}, which is no run{near_miss(name, ids)}"
                    )
        for name in set(run.needs) & set(run.wants):
            raise PlanError(f"{plan.path.name}: {run.id} both needs and wants {name!r}; keep one of the two")
        if not plan.source(run).is_file():
            known = [p.name for p in plan.notebooks.glob("*.ipynb")]
            raise PlanError(
                f"{plan.path.name}: {run.id}: there is no notebook notebooks/{run.notebook}"
                + near_miss(run.notebook, known)
            )
        for name in run.files:
            if not (plan.root / name).is_file():
                raise PlanError(f"{plan.path.name}: {run.id} reads {name}, which is not there")
    plan.order()


def _circle(runs: list[Run]) -> list[str]:
    """Follow unmet needs until a name comes round again."""
    by_id = {run.id: run for run in runs}
    path = [runs[0].id]
    while True:
        step = next(need for need in by_id[path[-1]].reads if need in by_id)
        if step in path:
            return [*path[path.index(step) :], step]
        path.append(step)
