"""Work through the runs: each when all it needs is there, the longest first, as many at a time as there is room for."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from pathlib import Path

from lib.runner.cache import EXECUTE, LEAVE, RESTORE, UNPACK, Cache, Decision, key_of, without_data
from lib.runner.execute import Failure, Outcome, Request, execute_run, kernel_environment
from lib.runner.fetching import lacking
from lib.runner.kept_runs import digest, unpack
from lib.runner.notice import write_notice
from lib.runner.parameters import declared
from lib.runner.plan import Plan, Run
from lib.runner.progress import At, Lines, duration
from lib.runner.settings import Settings, Summary
from lib.runner.store import AS_MADE, LEFT_OUT, MADE_BY, NOTEBOOK, PROGRESS, Store

POLL = 0.4
"""Seconds between two looks at the runs at work."""


def forecast(plan: Plan, cache: Cache, selected: Collection[str]) -> dict[str, Decision]:
    """Say what each selected run will need, in the order of execution, without doing anything."""
    decisions: dict[str, Decision] = {}
    changing: dict[str, str] = {}
    for run in plan.order():
        if run.id in selected:
            decision = decisions[run.id] = cache.decide(run, changing=changing)
            if decision.action == LEAVE and cache.store.record(run.id) and not cache.store.left_out(run.id):
                changing[run.id] = "will be left out"
            elif decision.action in (EXECUTE, RESTORE, UNPACK):
                changing[run.id] = "will run"
    return decisions


def of_another_profile(profile: str) -> str:
    """Say that a run is another profile's."""
    return f"is part of --profile {profile}"


class Schedule:
    """One pass over the selected runs.

    Parameters
    ----------
    plan, store, cache
        What to run, where results go, and what still holds.
    executor : concurrent.futures.Executor
        Carries `lib.runner.execute.execute_run`; it must reach the same files.
    settings : Settings
        How runs are executed.
    report : Lines
        Where progress is told.
    fail : callable
        Is told each failure as it happens: run, failure.
    """

    def __init__(self, plan: Plan, store: Store, cache: Cache, executor: Executor, settings: Settings, report: Lines, fail):  # fmt: skip
        self.plan, self.store, self.cache = plan, store, cache
        self.executor, self.settings, self.report, self.fail = executor, settings, report, fail
        self._working: dict[Future, tuple[Run, Decision, float]] = {}

    def work(self, selected: Collection[str]) -> Summary:
        """Bring the selected runs up to date; needs outside of them are taken as they lie there."""
        summary = Summary()
        waiting = [run for run in self.plan.order() if run.id in selected]
        waiting.sort(key=lambda run: -self._urgency(run, selected))
        stopping = False
        while waiting or self._working:
            if not stopping:
                self._start_ready(waiting, summary)
            if not self._working:
                break
            done, _ = wait(self._working, timeout=POLL, return_when=FIRST_COMPLETED)
            for future in done:
                run, decision, started = self._working.pop(future)
                self._finish(run, decision, _outcome(run, future, started), summary)
            if summary.failed and not self.settings.keep_going and not stopping:
                stopping = True
                if self._working:
                    names = ", ".join(run.id for run, _, _ in self._working.values())
                    self.report.line(f"No further runs start. Waiting for {names}; Ctrl-C ends it.")
            self._tell(waiting)
        for run in waiting:
            broken = sorted(self.plan.upstream(run.id) & set(summary.failed))
            summary.left_out[run.id] = (
                f"needs {', '.join(broken)}" if broken else "not started after the failure"
            )
        return summary

    def _start_ready(self, waiting: list[Run], summary: Summary) -> None:
        """Settle what holds, and start what doesn't while there is room; settling may make more runs ready."""
        moved = True
        while moved:
            moved = False
            pending = {run.id for run in waiting} | {run.id for run, _, _ in self._working.values()}
            for run in list(waiting):
                if pending & set(run.reads) or set(summary.failed) & self.plan.upstream(run.id):
                    continue
                decision = self.cache.decide(run)
                if decision.action in (LEAVE, UNPACK):
                    waiting.remove(run)
                    settle = self._of_another_profile if decision.action == LEAVE else self._as_made
                    settle(run, decision, summary)
                    moved = True
                    continue
                if decision.action == EXECUTE and (reason := self._hindrance(run)):
                    waiting.remove(run)
                    self._without_data(run, decision, reason, summary)
                    moved = True
                    continue
                if decision.action == RESTORE and not self.store.restore(run.id, decision.key):
                    decision = Decision(run.id, EXECUTE, decision.reasons, decision.parts, decision.key)
                if decision.action == EXECUTE:
                    if len(self._working) >= self.settings.jobs:
                        continue
                    self._submit(run, decision)
                elif decision.action == RESTORE:
                    summary.restored.append(run.id)
                    self.report.line(f"back   {run.id}: earlier results from the same inputs")
                elif left_out := self.store.left_out(run.id):
                    self._left_out(summary, run)[run.id] = left_out
                else:
                    summary.kept.append(run.id)
                waiting.remove(run)
                moved = True

    def _hindrance(self, run: Run) -> str:
        """Return why a run can't be executed: a data set that no source serves, or a need left out; else nothing."""
        for name in sorted(self.cache.datasets(run) & set(self.settings.unavailable)):
            return lacking(name)
        for need in run.needs:
            if why := self.store.left_out(need):
                return f"needs {need}, which {why}"
        return ""

    def _without_data(self, run: Run, decision: Decision, reason: str, summary: Summary) -> None:
        """Settle a run that can't be executed: a page that says so in its place, or a failure where that won't do."""
        lacks = sorted(self.cache.datasets(run) & set(self.settings.unavailable))
        if lacks and (run.id in self.settings.required or not run.optional):
            failure = Failure("DatasetUnavailable", self.settings.unavailable[lacks[0]], about_data=True)
            summary.failed[run.id] = failure
            self.report.line(f"FAILED {run.id}: {lacking(lacks[0])}")
            self.fail(run, failure)
            return
        # A need that is another profile's is what its reader has to run, too.
        profile = None if lacks else next(filter(None, map(self.store.made_by, run.needs)), None)
        parts = without_data({**decision.parts, "data": self.cache.parts(run)["data"]})
        self._leave_out(run, parts, reason, Outcome(run.id, None, 0.0), summary, profile=profile)
        self.report.line(f"empty  {run.id}: {reason}")

    def _of_another_profile(self, run: Run, decision: Decision, summary: Summary) -> None:
        profile = self.cache.outside[run.id]
        reason = of_another_profile(profile)
        self._leave_out(run, decision.parts, reason, Outcome(run.id, None, 0.0), summary, profile=profile)
        stale = f"; its results no longer hold ({_short(decision.reasons)})" if decision.reasons else ""
        self.report.line(f"empty  {run.id}: {reason}{stale}")

    def _as_made(self, run: Run, decision: Decision, summary: Summary) -> None:
        """Take a run's results from what the project keeps of it."""
        archive = self.cache.archives[run.id]
        record = unpack(archive, self.store.begin(run.id), run, self.cache.outside[run.id])
        self.store.publish(run.id, {**record, AS_MADE: digest(archive)})
        summary.as_made.append(run.id)
        self.report.line(f"kept   {run.id}: as it was made on {record['finished'][:10]}")

    def _leave_out(
        self, run: Run, parts: dict, reason: str, outcome: Outcome, summary: Summary, *, profile: str | None = None
    ) -> None:  # fmt: skip
        """Put a page that says why in the place of a run's results."""
        self.store.begin(run.id)
        write_notice(self.store.partial(run.id) / NOTEBOOK, run, reason, profile=profile)
        marks = {LEFT_OUT: reason, **({MADE_BY: profile} if profile else {})}
        self._publish(run, parts, outcome, cells=0, marks=marks)
        self._left_out(summary, run)[run.id] = reason

    def _left_out(self, summary: Summary, run: Run) -> dict[str, str]:
        """Return the part of the summary to which a run that was left out belongs."""
        return summary.outside if self.store.made_by(run.id) else summary.without_data

    def _submit(self, run: Run, decision: Decision) -> None:
        folder = self.store.begin(run.id)
        parameters = dict(self.cache.parameters[run.id].given)
        known = declared(self.cache.notebook(run))
        if "runs_dir" in known and self.settings.runs_dir_parameter:
            parameters["runs_dir"] = self.settings.runs_dir_parameter
        if "run" in known and known["run"].default != run.id:
            parameters["run"] = run.id
        request = Request(
            run=run.id,
            notebook=str(self.plan.source(run)),
            folder=str(folder),
            working_folder=str(self.plan.notebooks),
            parameters=parameters,
            environment=kernel_environment(self.settings.threads, folder),
            timeout=self.settings.timeout,
        )
        self._working[self.executor.submit(execute_run, request)] = (run, decision, time.monotonic())
        self.report.start(run.id, len(self.cache.notebook(run).code), _short(decision.reasons))

    def _finish(self, run: Run, decision: Decision, outcome: Outcome, summary: Summary) -> None:
        if outcome.failure is not None and self._does_without(run, outcome.failure):
            missing = [name for name in sorted(self.cache.datasets(run)) if not self.cache.data.here([name])]
            # Nobody else need ask for them in this session.
            self.settings.unavailable.update(dict.fromkeys(missing, outcome.failure.message))
            reason = (
                lacking(missing[0]) if missing else outcome.failure.message.partition(" Sources asked")[0]
            )
            parts = without_data({**decision.parts, "data": self.cache.parts(run)["data"]})
            self._leave_out(run, parts, reason, outcome, summary)
            self.report.end(run.id, f"empty  {run.id}: {reason}")
            return
        if outcome.failure is not None:
            summary.failed[run.id] = outcome.failure
            self.report.end(run.id, f"FAILED {run.id} after {duration(outcome.seconds)}")
            self.fail(run, outcome.failure)
            return
        parts = {**decision.parts, "data": self.cache.parts(run)["data"]}  # the run may have fetched its data
        self._publish(run, parts, outcome, cells=outcome.cells)
        summary.executed.append(run.id)
        memory = "" if outcome.peak_memory is None else f", {outcome.peak_memory:.0f} MiB"
        self.report.end(run.id, f"done   {run.id}, {duration(outcome.seconds)}{memory}")

    def _does_without(self, run: Run, failure: Failure) -> bool:
        return run.optional and run.id not in self.settings.required and failure.error == "DatasetUnavailable"

    def _publish(
        self, run: Run, parts: dict, outcome: Outcome, *, cells: int, marks: dict[str, str] | None = None
    ) -> None:
        self.store.publish(
            run.id,
            {
                **(marks or {}),
                "run": run.id,
                "key": key_of(parts),
                "parts": parts,
                "profile": self.settings.profile,
                "seconds": round(outcome.seconds, 2),
                "peak_memory_mib": None if outcome.peak_memory is None else round(outcome.peak_memory, 1),
                "threads": self.settings.threads,
                "cells": cells,
                "versions": outcome.versions,
                "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            },
        )

    # -- time --------------------------------------------------------------------------------------------------------
    def _expected(self, run: Run) -> float | None:
        measured = self.store.seconds(run.id, self.settings.profile)
        return measured if measured is not None or self.settings.profile != "full" else run.seconds

    def _urgency(self, run: Run, selected: Collection[str]) -> float:
        """Return the seconds of a run and of the longest chain that waits for it."""
        after = [other for other in self.plan.runs if run.id in other.reads and other.id in selected]
        own = self._expected(run) or run.seconds or 1.0
        return own + max((self._urgency(other, selected) for other in after), default=0.0)

    def _tell(self, waiting: list[Run]) -> None:
        at, now, known = {}, time.monotonic(), True
        rests: list[float] = []
        for run, _, started in self._working.values():
            expected, elapsed = self._expected(run), now - started
            rest = None if expected is None else max(0.0, expected - elapsed)
            known &= rest is not None
            rests.append(rest or 0.0)
            at[run.id] = At(*_cell(self.store.partial(run.id)), elapsed, rest)
        later = [self._expected(run) for run in waiting]
        known &= None not in later
        total = max([*rests, (sum(rests) + sum(s or 0.0 for s in later)) / self.settings.jobs], default=0.0)
        self.report.update(at, total if known else None)


def _cell(folder: Path) -> tuple[int, int]:
    try:
        place = json.loads((folder / PROGRESS).read_text(encoding="utf-8"))
        return place["cell"], place["cells"]
    except (OSError, ValueError):
        return 0, 0


def _short(reasons: Sequence[str], most: int = 2) -> str:
    more = len(reasons) - most
    return "; ".join(reasons[:most]) + (f"; and {more} more" if more > 0 else "")


def _outcome(run: Run, future: Future, started: float) -> Outcome:
    try:
        return future.result()
    except Exception as error:  # the worker died, or the executor couldn't carry the call
        failure = Failure(type(error).__name__, str(error))
        return Outcome(run.id, failure, time.monotonic() - started)
