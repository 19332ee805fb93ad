"""Work through the runs: each when all it needs is there, the longest first, as many at a time as there is room for."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from typing import Any

from lib.runner.cache import ABSENT, EXECUTE, KEEP, SHOW, WITHOUT, Cache, Decision, key_of
from lib.runner.data import lacking
from lib.runner.execute import Failure, Place, Request, execute_run, kernel_environment
from lib.runner.kept import unpack
from lib.runner.parameters import declared
from lib.runner.plan import Plan, Run
from lib.runner.progress import At, Lines, duration
from lib.runner.store import FITS, Store, read_json

POLL = 0.4
"""Seconds between two looks at the runs at work."""


@dataclass
class Settings:
    """How runs are executed.

    At most `jobs` compute at a time, and `kernels` are open: those over wait for a core, or for their fits. `timeout` is for
    one cell. After a failure others start if `keep_going`. `profile` goes into the records, `runs_dir_parameter` into notebooks
    whose results are not at the usual place, `environment` to every kernel. The runs in `required` were asked for by name and
    fail without their data, kept page or not. `unavailable` are data sets that no source could serve, with the answers.
    """

    jobs: int = 1
    kernels: int = 1
    timeout: float | None = None
    keep_going: bool = False
    profile: str = "full"
    runs_dir_parameter: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    unavailable: dict[str, str] = field(default_factory=dict)


@dataclass
class Summary:
    """What became of the runs: names by what happened, and the failures."""

    executed: list[str] = field(default_factory=list)
    as_made: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    failed: dict[str, Failure] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    not_run: dict[str, str] = field(default_factory=dict)


def forecast(plan: Plan, cache: Cache, selected: Collection[str]) -> dict[str, Decision]:
    """Say what each selected run will need, in the order of execution, without doing anything."""
    decisions: dict[str, Decision] = {}
    changing: dict[str, str] = {}
    coming = {EXECUTE: "will run", SHOW: "will be shown as it is kept"}
    for run in plan.order():
        if run.id in selected:
            decision = decisions[run.id] = cache.decide(run, changing=changing)
            if decision.action in coming:
                changing[run.id] = coming[decision.action]
    return decisions


@dataclass(frozen=True)
class _Work:
    run: Run
    parts: dict[str, Any]
    place: Place


class Schedule:
    """One pass over the selected runs: `executor` carries `execute_run`, `fail` is told each failure, as run and failure."""

    def __init__(self, plan: Plan, store: Store, cache: Cache, executor: Executor, settings: Settings, report: Lines, fail):  # fmt: skip
        self.plan, self.store, self.cache = plan, store, cache
        self.executor, self.settings, self.report, self.fail = executor, settings, report, fail
        self._working: dict[Future, _Work] = {}

    def work(self, selected: Collection[str]) -> Summary:
        """Bring the selected runs up to date; needs outside of them are taken as they lie there."""
        summary = Summary()
        waiting = [run for run in self.plan.order() if run.id in selected]
        waiting.sort(key=lambda run: -self._chain(run, selected, {}))
        stopping = False
        while waiting or self._working:
            if not stopping:
                self._start_ready(waiting, summary)
            if not self._working:
                break
            done, _ = wait(self._working, timeout=POLL, return_when=FIRST_COMPLETED)
            for future in done:
                work = self._working.pop(future)
                self._finish(work, _failure(future), summary)
            if summary.failed and not self.settings.keep_going and not stopping:
                stopping = True
                if self._working:
                    names = ", ".join(work.run.id for work in self._working.values())
                    self.report.line(f"No further runs start. Waiting for {names}; Ctrl-C ends it.")
            self._tell(waiting)
        for run in waiting:
            broken = sorted(self.plan.upstream([run.id]) & set(summary.failed))
            why = f"needs {', '.join(broken)}" if broken else "not started after the failure"
            summary.not_run[run.id] = why
        return summary

    def _start_ready(self, waiting: list[Run], summary: Summary) -> None:
        """Settle what holds, and start what doesn't while there is room; settling may make more runs ready."""
        moved = True
        while moved:
            moved = False
            pending = {run.id for run in waiting} | {work.run.id for work in self._working.values()}
            for run in list(waiting):
                if pending & set(run.reads) or set(summary.failed) & self.plan.upstream([run.id]):
                    continue
                decision = self.cache.decide(run)
                missing = sorted(self.cache.datasets(run) & set(self.settings.unavailable))
                if decision.action == EXECUTE and missing and self._may_be_shown(run):
                    decision = self.cache.instead(run, lacking(missing[0]))
                elif decision.action == EXECUTE and missing:
                    failure = Failure("DatasetUnavailable", self.settings.unavailable[missing[0]])
                    self._fail(run, failure, f"FAILED {run.id}: {lacking(missing[0])}", summary)
                if decision.action == EXECUTE and run.id not in summary.failed:
                    if len(self._working) >= self.settings.kernels:
                        continue
                    self._submit(run, decision)
                else:
                    self._settle(run, decision, summary)
                waiting.remove(run)
                moved = True

    def _may_be_shown(self, run: Run) -> bool:
        return run.id in self.cache.archives and run.id not in self.settings.required

    def _settle(self, run: Run, decision: Decision, summary: Summary) -> None:
        """Do what needs no kernel."""
        if decision.action == KEEP:
            summary.kept.append(run.id)
        elif decision.action == ABSENT:
            summary.absent[run.id] = decision.reasons[0]
        elif decision.action == SHOW:
            mark = decision.mark
            folder, archive = self.store.begin(run.id), self.cache.archives[run.id]
            record = unpack(archive, folder, run, mark["why"], earlier=mark["earlier"])
            self.store.publish(run.id, {**record, **mark})
            summary.as_made.append(run.id)
            by = " by earlier code" if mark["earlier"] else ""
            made = f"{record['finished'][:10]}{by}"
            self.report.line(f"kept   {run.id}: as it was made on {made}; it {mark['why']}")

    def _submit(self, run: Run, decision: Decision) -> None:
        folder = self.store.begin(run.id)
        notebook = self.cache.notebook(run)
        parameters, known = dict(self.cache.parameters[run.id].given), declared(notebook)
        if "runs_dir" in known and self.settings.runs_dir_parameter:
            parameters["runs_dir"] = self.settings.runs_dir_parameter
        if "run" in known and known["run"].default != run.id:
            parameters["run"] = run.id
        request = Request(
            run.id, self.plan.source(run), folder, self.plan.notebooks, parameters,
            kernel_environment(folder, self.settings.environment), self.settings.timeout,
        )  # fmt: skip
        future = self.executor.submit(execute_run, request)
        self._working[future] = _Work(run, self.cache.parts(run), request.place)
        self.report.start(run.id, len(notebook.code), _short(decision.reasons))

    def _finish(self, work: _Work, failure: Failure | None, summary: Summary) -> None:
        run, seconds = work.run, work.place.elapsed
        if failure is not None:
            why = self._instead_of(run, failure) if self._may_be_shown(run) else ""
            if why:
                said = failure.message.splitlines()[0]
                self.report.end(run.id, f"       {run.id} can't be executed: {said}")
                self._settle(run, self.cache.instead(run, why), summary)
            else:
                self._fail(run, failure, f"FAILED {run.id} after {duration(seconds)}", summary)
            return
        # The run may have fetched its data.
        parts = {**work.parts, "data": self.cache.parts(run)["data"]}
        record = {
            "run": run.id, "key": key_of(parts), "parts": parts, "profile": self.settings.profile,
            "seconds": round(seconds, 2),
            "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }  # fmt: skip
        self.store.publish(run.id, record)
        summary.executed.append(run.id)
        self.report.end(run.id, f"done   {run.id}, {duration(seconds)}")

    def _instead_of(self, run: Run, failure: Failure) -> str:
        """Return why a failed run's kept page stands in for it: its data, or predictions of a kept one; else nothing."""
        if failure.error == "DatasetUnavailable":
            missing = self.cache.missing(run)
            # Nobody else need ask for them in this session.
            self.settings.unavailable.update(dict.fromkeys(missing, failure.message))
            return lacking(missing[0]) if missing else "needs data that could not be had"
        pages = [name for name in run.reads if self.store.as_made(name)]
        missing = pages and failure.error == "MissingRun"
        return f"{WITHOUT}{', '.join(pages)}, of which only the page is kept" if missing else ""

    def _fail(self, run: Run, failure: Failure, line: str, summary: Summary) -> None:
        summary.failed[run.id] = failure
        self.report.end(run.id, line)
        self.fail(run, failure)

    # -- time --------------------------------------------------------------------------------------------------------
    def _expected(self, run: Run) -> float | None:
        """Return how long a run took the last time under the profile, else what the plan says of the full one."""
        record = self.store.record(run.id)
        if record is not None and record.get("profile") == self.settings.profile:
            return record["seconds"]
        return run.seconds if self.settings.profile == "full" else None

    def _chain(self, run: Run, selected: Collection[str], known: dict[str, float]) -> float:
        """Return the seconds of a run, or what is left of them, and of the longest chain that waits for it."""
        after = [other for other in self.plan.runs if run.id in other.reads and other.id in selected]
        own = known.get(run.id, self._expected(run) or run.seconds or 1.0)
        return own + max((self._chain(other, selected, known) for other in after), default=0.0)

    def _tell(self, waiting: list[Run]) -> None:
        at: dict[str, At] = {}
        for work in self._working.values():
            fits, place = read_json(self.store.partial(work.run.id) / FITS), work.place
            at[work.run.id] = At(
                place.cell, place.cells, place.elapsed, self._expected(work.run), fits, place.started is None
            )
        rests = {name: place.rest for name, place in at.items()}
        rests |= {run.id: self._expected(run) for run in waiting}
        total = None
        if None not in rests.values():
            longest = max((self._chain(w.run, rests, rests) for w in self._working.values()), default=0.0)
            total = max(longest, sum(rests.values()) / self.settings.jobs)
        self.report.update(at, total)


def _short(reasons: Sequence[str], most: int = 2) -> str:
    more = len(reasons) - most
    return "; ".join(reasons[:most]) + (f"; and {more} more" if more > 0 else "")


def _failure(future: Future) -> Failure | None:
    try:
        return future.result()
    except Exception as error:  # the runner's own
        return Failure(type(error).__name__, str(error))
