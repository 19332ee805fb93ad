"""Bring the runs of a call up to date: each when all it needs is there, the longest first, as many at a time as have room."""

import datetime
import json
import os
from collections.abc import Collection, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from lib import ROOT
from lib.data.present import fetch_all
from lib.experiment.alone import by_memory, usable_cores
from lib.experiment.cluster import local_cluster
from lib.experiment.stored_files import FITS, NOTEBOOK
from lib.runner.cache import EXECUTE, KEEP, SHOW, WITHOUT, Cache, Decision, key_of
from lib.runner.errors import DATA, NOTEBOOK_FAILED, OK
from lib.runner.execute import Failure, Place, Request, execute_run, kernel_environment, kernels_end
from lib.runner.forked import prepare
from lib.runner.kept import unpack
from lib.runner.options import Options
from lib.runner.parameters import changed, declared
from lib.runner.plan import VARIANT, Run
from lib.runner.progress import At, Progress, duration
from lib.runner.store import read_json, shown

LACKING = "needs {}, which no source could serve; set MOVIELENS_DIR to a folder that holds it"
"""What is said of a run whose data set is missing."""
SPARE = 2  # kernels that may be open beyond those that compute: while one waits for its fits another one may go on
POLL = 0.4  # seconds between two looks at the runs at work


@dataclass
class Summary:
    """What became of the runs: names by what happened, and the failures."""

    executed: list[str] = field(default_factory=list)
    shown_as_kept: list[str] = field(default_factory=list)
    up_to_date: list[str] = field(default_factory=list)
    failed: dict[str, Failure] = field(default_factory=dict)
    not_run: dict[str, str] = field(default_factory=dict)


def forecast(cache: Cache, selected: Collection[str]) -> dict[str, Decision]:
    """Say what each selected run will need, in the order of execution, without doing anything."""
    decisions: dict[str, Decision] = {}
    changing: dict[str, str] = {}
    coming = {EXECUTE: "will run", SHOW: "will be shown as it is kept"}
    for run in cache.plan.order():
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


@dataclass
class Schedule:
    """One pass over the runs of a call under its options: `executor` carries `execute_run`.

    At most `jobs` compute at a time, and `kernels` are open: those over wait for a core, or for their fits. Every kernel gets
    the `environment`. The runs in `required` were asked for by name and fail without their data, kept page or not.
    `unavailable` are data sets that no source could serve, with the answers.
    """

    cache: Cache
    executor: Executor
    report: Progress
    options: Options
    jobs: int = 1
    kernels: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    required: Collection[str] = ()
    unavailable: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.plan, self.store, self.summary = self.cache.plan, self.cache.store, Summary()
        self._working: dict[Future, _Work] = {}

    def work(self, selected: Collection[str]) -> Summary:
        """Bring the selected runs up to date; needs outside of them are taken as they lie there."""
        waiting = [run for run in self.plan.order() if run.id in selected]
        # The longest chain first, but for a short run: a page to read soon.
        short = min(waiting, key=lambda run: (len(run.reads), self._expected(run) or 0.0), default=None)
        waiting.sort(key=lambda run: (run is not short, -self._chain(run, selected, {})))
        stopping = False
        while True:
            while not stopping and self._start_one(waiting):
                pass
            if not self._working:
                break
            done, _ = wait(self._working, timeout=POLL, return_when=FIRST_COMPLETED)
            for future in done:
                self._finish(self._working.pop(future), future)
            if self.summary.failed and not self.options.keep_going and not stopping:
                stopping = True
                if names := ", ".join(work.run.id for work in self._working.values()):
                    self.report.line(f"No further runs start. Waiting for {names}; Ctrl-C ends it.")
            self._tell(waiting)
        for run in waiting:
            broken = sorted(self.plan.upstream([run.id]) & {*self.summary.failed})
            why = f"needs {', '.join(broken)}" if broken else "not started after the failure"
            self.summary.not_run[run.id] = why
        return self.summary

    def _start_one(self, waiting: list[Run]) -> bool:
        """Settle a run that holds, or start one that doesn't if there is room; tell whether there was such a one."""
        pending = {run.id for run in waiting} | {work.run.id for work in self._working.values()}
        for run in waiting:
            if pending & {*run.reads} or {*self.summary.failed} & self.plan.upstream([run.id]):
                continue
            decision = self.cache.decide(run)
            missing = sorted(self.cache.datasets(run) & {*self.unavailable})
            if decision.action == EXECUTE and missing and self._may_be_shown(run):
                decision = self.cache.instead(run, LACKING.format(missing[0]))
            if decision.action != EXECUTE:
                self._settle(run, decision)
            elif missing:
                failure = Failure("DatasetUnavailable", self.unavailable[missing[0]])
                self._fail(run, failure, f"FAILED {run.id}: {LACKING.format(missing[0])}")
            elif len(self._working) < self.kernels:
                self._submit(run, decision)
            else:
                continue
            waiting.remove(run)
            return True
        return False

    def _may_be_shown(self, run: Run) -> bool:
        return run.id in self.cache.archives and run.id not in self.required

    def _settle(self, run: Run, decision: Decision) -> None:
        """Do what needs no kernel."""
        if decision.action == KEEP:
            self.summary.up_to_date.append(run.id)
            return
        mark, folder = decision.mark or {}, self.store.begin(run.id)
        record = unpack(self.cache.archives[run.id], folder, run, mark["why"], earlier=mark["earlier"])
        self.store.publish(run.id, {**record, **mark})
        self.summary.shown_as_kept.append(run.id)
        made = f"{record['finished'][:10]}{' by earlier code' if mark['earlier'] else ''}"
        self.report.line(f"kept   {run.id}: as it was made on {made}; it {mark['why']}")

    def _submit(self, run: Run, decision: Decision) -> None:
        folder, notebook = self.store.begin(run.id), self.plan.notebook(run)
        known = declared(notebook)
        parameters = changed(self.cache.parameters[run.id], known)
        # Nothing for the project's own folder, so that no path of this machine is shown.
        if "runs_dir" in known and self.store.runs_dir != ROOT / "reports" / "runs":
            parameters["runs_dir"] = str(self.store.runs_dir)
        if "run" in known and known["run"].default != run.id:
            parameters["run"] = run.id
        first_come = {"REPORT_PRIORITY": str(-datetime.datetime.now().timestamp())}
        environment = kernel_environment(folder, {**self.environment, **first_come})
        where = self.plan.source(run), folder, self.plan.notebooks
        request = Request(run.id, *where, parameters, environment, self.options.timeout)
        future = self.executor.submit(execute_run, request)
        self._working[future] = _Work(run, self.cache.parts(run), request.place)
        more = len(decision.reasons) - 2
        why = "; ".join(decision.reasons[:2]) + (f"; and {more} more" if more > 0 else "")
        self.report.start(run.id, len(notebook.code), why)

    def _finish(self, work: _Work, future: Future) -> None:
        run, seconds = work.run, work.place.elapsed
        error = future.exception()  # the runner's own
        failure = Failure(type(error).__name__, str(error)) if error else future.result()
        if failure is None:
            parts = {**work.parts, "data": self.cache.parts(run)["data"]}
            now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
            record = {"run": run.id, "key": key_of(parts), "parts": parts, "profile": self.options.profile}
            self.store.publish(run.id, {**record, "seconds": round(seconds, 2), "finished": now})
            self.summary.executed.append(run.id)
            self.report.end(run.id, f"done   {run.id}, {duration(seconds)}")
        elif self._may_be_shown(run) and (why := self._instead_of(run, failure)):
            said = (failure.message or failure.error).splitlines()[0]
            self.report.end(run.id, f"       {run.id} can't be executed: {said}")
            self._settle(run, self.cache.instead(run, why))
        else:
            self._fail(run, failure, f"FAILED {run.id} after {duration(seconds)}")

    def _instead_of(self, run: Run, failure: Failure) -> str:
        """Return why a failed run's kept page stands in for it: its data, or predictions of a kept one; else nothing."""
        if failure.error == "DatasetUnavailable":
            missing = self.cache.missing(run)
            self.unavailable.update(dict.fromkeys(missing, failure.message))
            return LACKING.format(missing[0]) if missing else "needs data that could not be had"
        pages = [name for name in run.reads if self.store.as_made(name)]
        lacking = bool(pages) and failure.error == "MissingRun"
        return f"{WITHOUT}{', '.join(pages)}, of which only the page is kept" if lacking else ""

    def _fail(self, run: Run, failure: Failure, line: str) -> None:
        self.summary.failed[run.id] = failure
        self.report.end(run.id, line)
        self.report.line(describe(self.cache, run, failure))

    def _expected(self, run: Run) -> float | None:
        """Return how long a run took the last time under the profile, else what the plan says of the full one."""
        record = self.store.record(run.id)
        if record is not None and record.get("profile") == self.options.profile:
            return record["seconds"]
        return run.seconds if self.options.profile == "full" or "reckoned" in self.plan.report else None

    def _chain(self, run: Run, selected: Collection[str], known: Mapping[str, float]) -> float:
        """Return the seconds of a run, or what is left of them, and of the longest chain that waits for it."""
        after = [other for other in self.plan.runs if run.id in other.reads and other.id in selected]
        own = known.get(run.id, self._expected(run) or run.seconds or 1.0)
        return own + max((self._chain(other, selected, known) for other in after), default=0.0)

    def _tell(self, waiting: list[Run]) -> None:
        at: dict[str, At] = {}
        for run, place in ((work.run, work.place) for work in self._working.values()):
            fits = read_json(self.store.partial(run.id) / FITS, {"done": int, "total": int, "what": str})
            at[run.id] = At(place, self._expected(run), fits)
        rests = {name: one.rest for name, one in at.items()}
        rests |= {run.id: self._expected(run) for run in waiting}
        known = {name: rest for name, rest in rests.items() if rest is not None}
        total = None
        if len(known) == len(rests):
            longest = max((self._chain(w.run, known, known) for w in self._working.values()), default=0.0)
            total = max(longest, sum(known.values()) / self.jobs)
        self.report.update(at, total)


def describe(cache: Cache, run: Run, failure: Failure) -> str:
    """Return the message about a failed run: where, what, the traceback's tail, the notebook so far, what to type."""
    place = f", cell {failure.cell} of {failure.cells}" if failure.cell else ""
    code = [s for line in failure.source.splitlines() if (s := line.strip()) and not s.startswith("#|")]
    lines = [
        "",
        f"{run.id} failed: {shown(cache.plan.source(run))}{place}" + (f": {code[0]}" if code else ""),
        *(f"    {line}" for line in failure.traceback),
        f"  {failure.error}: {failure.message}" if failure.message else f"  {failure.error}",
    ]
    partial = cache.store.partial(run.id) / NOTEBOOK
    if partial.is_file():
        lines.append(f"  The notebook as far as it got: {shown(partial)}")
    if cache.store.record(run.id) is not None:
        lines.append(f"  Its last good results are untouched: {shown(cache.store.folder(run.id))}")
    alone = f"--only {run.id.partition(VARIANT)[0]}"
    return "\n".join([*lines, f"  Run it again: type the same command, with {alone} for this run alone", ""])


def bring_up_to_date(
    cache: Cache,
    selected: Collection[str],
    options: Options,
    *,
    required: Collection[str] = (),
    anew: Mapping[str, float] | None = None,
) -> int:
    """Execute the selected runs where they are not up to date, say what became of them, and return the exit code.

    Those `required` were asked for by name; `anew` are the times since when fits, and searches, have to be made to count.
    """
    decisions, store = forecast(cache, selected), cache.store
    todo = sum(decision.action in (EXECUTE, SHOW) for decision in decisions.values())
    executed = [cache.plan.run(name) for name, one in decisions.items() if one.action == EXECUTE]
    jobs = options.jobs or by_memory(usable_cores())
    slots, project = store.runs_dir / ".slots", ROOT / "reports" / "runs"
    slots.mkdir(parents=True, exist_ok=True)
    # Records of fits: here first, then what the project's own runs have left.
    records = dict.fromkeys(str(folder / ".records") for folder in (store.runs_dir, project))
    environment = {"REPORT_RECORDS": os.pathsep.join(records), "REPORT_SLOTS": f"{slots}:{jobs}"}
    environment |= {"REPORT_ANEW": json.dumps(anew)} if anew else {}
    if len(executed) > 3:  # for few the imports of all would not pay
        prepare(kernel_environment(slots, {}))
    with ExitStack() as stack:
        report = stack.enter_context(Progress())
        if todo:
            report.line(f"{len(selected)} runs, {todo} to do, {jobs} at a time")
        address = options.cluster
        # Where the variable is set, kernels have it from there; an empty one asks for no cluster.
        if len(executed) > 1 and not address and "REPORT_CLUSTER" not in os.environ:
            cluster = stack.enter_context(local_cluster(jobs))
            address = cluster.scheduler_address
            report.line(f"fits   are made by {jobs} processes; Dask shows them at {cluster.dashboard_link}")
        environment |= {"REPORT_CLUSTER": address} if address else {}
        unavailable = fetch_all(sorted({n for run in executed for n in cache.missing(run)}), report.line)
        kernels = max(jobs, by_memory(jobs + SPARE))
        executor = stack.enter_context(ThreadPoolExecutor(kernels, thread_name_prefix="runner"))
        stack.enter_context(kernels_end())
        how = jobs, kernels, environment, required, unavailable
        summary = Schedule(cache, executor, report, options, *how).work(selected)
    cache.save()
    _tell(summary, len(selected))
    if not summary.failed:
        return OK
    return DATA if all(failure.about_data for failure in summary.failed.values()) else NOTEBOOK_FAILED


def _tell(summary: Summary, runs: int) -> None:
    if len(summary.up_to_date) == runs:
        print(f"All {runs} runs are up to date." if runs != 1 else f"{summary.up_to_date[0]} is up to date.")
        return
    ended = (f"{len(names)} {what.replace('_', ' ')}" for what, names in vars(summary).items() if names)
    print(f"Runs: {', '.join(ended)}.")
    for name, reason in summary.not_run.items():
        print(f"  {name}: {reason}")
