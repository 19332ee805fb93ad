"""The plan (report.toml): every run is a notebook, its parameters, what it needs and where it stands in the report."""

from __future__ import annotations

import fnmatch
import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

from lib import ROOT
from lib.data.errors import near_miss
from lib.runner.errors import PlanError, UsageError
from lib.runner.hints import check_value
from lib.runner.notebook import Notebook, read_notebook

Profile = Literal["quick", "full", "large"]
"""quick: minutes, to see that all works; full: the report's figures; large: the bigger data sets."""
PROFILES = get_args(Profile)

VARIANT = "--"
"""Between a run's name and what tells its variants of a sweep apart."""


@dataclass(frozen=True)
class Run:
    """One run of the plan.

    `id` names the run and its folder; several may share a `notebook`. `title`, `summary` and `part` are what the report calls
    it, one sentence about it, and the part it stands in. The cache counts the results of what it reads (`needs`, and `wants`
    where it copes without, by `lib.experiment.stored_runs.MissingRun`), `datasets` (and the value of a parameter
    ``dataset``) and other `files`. `parameters` are values of every profile, `quick`, `full` and `large` what each changes
    in them; what is absent keeps the notebook's own.

    `profiles` are those that execute the run. Under another one the report shows what was made here, while it holds, or the
    page that the project keeps; where there is neither, it does without the run. A `repeat`, the same on another small data
    set, is also executed from scratch. `seconds` is about how long the full profile
    takes, to start the longest first and to tell the rest of time while nothing has been measured.
    """

    id: str
    notebook: str
    title: str
    summary: str = ""
    part: str = ""
    needs: tuple[str, ...] = ()
    wants: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    quick: dict[str, Any] = field(default_factory=dict)
    full: dict[str, Any] = field(default_factory=dict)
    large: dict[str, Any] = field(default_factory=dict)
    profiles: tuple[Profile, ...] = PROFILES
    repeat: bool = False
    seconds: float | None = None

    def values(self, profile: str) -> dict[str, Any]:
        """Return the plan's parameters under a profile, without the notebook's own defaults."""
        return {**self.parameters, **getattr(self, profile)}

    def outside(self, profile: str) -> str:
        """Return the profile that makes the run where this one does not: the next larger, else the largest; or ""."""
        if profile in self.profiles:
            return ""
        own = [name for name in PROFILES if name in self.profiles]
        return next((name for name in own if PROFILES.index(name) > PROFILES.index(profile)), own[-1])

    def command(self, profile: str = "full") -> str:
        """Return the command that makes the run's results as a profile shows them."""
        made = self.outside(profile) or profile
        return f"python run_notebooks.py {'' if made == 'full' else f'--profile {made} '}--only {self.id}"

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
    def ids(self) -> list[str]:
        """The runs' names in the order of the report."""
        return [run.id for run in self.runs]

    def run(self, name: str) -> Run:
        """Return one run by its name."""
        if name not in self.ids:
            raise UsageError(f"the plan has no run {name!r}{near_miss(name, self.ids)}")
        return self.runs[self.ids.index(name)]

    def source(self, run: Run) -> Path:
        """Return the path of a run's notebook."""
        return self.notebooks / run.notebook

    def notebook(self, run: Run) -> Notebook:
        """Return a run's notebook as it stands."""
        return read_notebook(self.source(run))

    def order(self) -> list[Run]:
        """Return the runs so that each comes after all it reads; otherwise in the order of the file."""
        done: dict[str, Run] = {}
        while waiting := [run for run in self.runs if run.id not in done]:
            ready = next(run for run in waiting if done.keys() >= {*run.reads})
            done[ready.id] = ready
        return list(done.values())

    def upstream(self, names: Iterable[str], step: Callable[[Run], Iterable[str]] | None = None) -> set[str]:
        """Return the names of all runs that some runs read, directly or not; `step` may follow less, such as needs."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            run = self.run(waiting.pop())
            new = set(step(run) if step else run.reads) - found
            found |= new
            waiting += new
        return found

    def match(self, patterns: Iterable[str]) -> set[str]:
        """Return the runs that any of the patterns (``*``, ``?``, ``[..]``) names; UsageError where one names none."""
        found: set[str] = set()
        for pattern in patterns:
            if not (matched := fnmatch.filter(self.ids, pattern)):
                raise UsageError(f"no run of the plan matches {pattern!r}{near_miss(pattern, self.ids)}")
            found.update(matched)
        return found


def load_plan(path: Path | str | None = None) -> Plan:
    """Read and check a plan, the project's ``report.toml`` by default.

    Raises PlanError: the file is missing or not TOML; a key, type or profile is unknown; a run is named twice, needs or
    wants a run that isn't there or, through others, itself; a notebook is missing.
    """
    path = Path(path if path is not None else ROOT / "report.toml").resolve()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PlanError(f"{path.name} can't be read: {error}") from None
    try:
        _known(content, ("report", "runs"), "the plan")
        entries = content.get("runs")
        if not isinstance(entries, list) or not entries:
            raise PlanError("the plan has no runs: add a [[runs]] table with an id, a notebook and a title")
        runs = tuple(_read_run(number, entry) for number, entry in enumerate(entries, 1))
        plan = Plan(path, content.get("report", {}), runs)
        _check(plan)
    except PlanError as error:
        raise PlanError(f"{path.name}: {error}") from None
    return plan


def _known(names: Iterable[str], known: Iterable[str], where: str) -> None:
    for name in names:
        if name not in known:
            raise PlanError(f"{where} has an unknown key {name!r}{near_miss(name, known)}")


def _read_run(number: int, entry: dict[str, Any]) -> Run:
    where, kinds = f"run {entry.get('id', f'number {number}')!r}", get_type_hints(Run)
    values: dict[str, Any] = {}
    _known(entry, kinds, where)
    for key, value in entry.items():
        try:
            checked = check_value(value, kinds[key])
        except ValueError:
            raise PlanError(f"{where}: {key} is {Run.__annotations__[key]}, not {value!r}") from None
        values[key] = tuple(checked) if isinstance(checked, list) else checked
    for key in ("id", "notebook", "title", "profiles"):
        if not values.get(key, key == "profiles"):
            raise PlanError(f"{where} has no {key}")
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", values["id"]):
        raise PlanError(f"{where}: an id is lower case letters, digits, '-' and '_', as it names a folder")
    return Run(**values)


def _check(plan: Plan) -> None:
    for name in plan.ids:
        if plan.ids.count(name) > 1:
            raise PlanError(f"two runs are called {name!r}; an id names one run")
    for run in plan.runs:
        for kind in ("needs", "wants"):
            for name in getattr(run, kind):
                if name not in plan.ids:
                    raise PlanError(f"{run.id} {kind} {name!r}, which is no run{near_miss(name, plan.ids)}")
        if not plan.source(run).is_file():
            known = [path.name for path in plan.notebooks.glob("*.ipynb")]
            near = near_miss(run.notebook, known)
            raise PlanError(f"{run.id}: there is no notebook notebooks/{run.notebook}{near}")
        for name in run.files:
            if not (plan.root / name).is_file():
                raise PlanError(f"{run.id} reads {name}, which is not there")
    try:
        TopologicalSorter({run.id: run.reads for run in plan.runs}).prepare()
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise PlanError(f"these runs need each other in a circle: {circle}") from None
