"""One call of the runner, from the plan to the report."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lib import ROOT
from lib.runner.cache import EXECUTE, KEEP, LEAVE, RESTORE, Cache, Decision
from lib.runner.data import known_datasets
from lib.runner.errors import DATA, NOTEBOOK_FAILED, OK, RENDERING_FAILED, UsageError, near_miss
from lib.runner.execute import Failure
from lib.runner.executor import ProcessPerCall
from lib.runner.fetching import fetch_all
from lib.runner.parameters import resolve
from lib.runner.plan import PROFILES, Plan, Run, load_plan
from lib.runner.progress import duration, progress
from lib.runner.render import NotRendered, is_current, render, without_results
from lib.runner.schedule import (
    Schedule,
    Settings,
    Summary,
    available_cores,
    default_jobs,
    forecast,
    of_another_profile,
)
from lib.runner.store import NOTEBOOK, Store, shown


@dataclass(frozen=True)
class Options:
    """What the command line said; see `lib.runner.command_line`."""

    list_runs: bool = False
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    parameters_file: Path | None = None
    profile: str = "full"
    dataset: str | None = None
    jobs: int | None = None
    force: bool = False
    keep_going: bool = False
    dry_run: bool = False
    render_only: bool = False
    no_pdf: bool = False
    output_dir: Path | None = None
    timeout: float | None = None
    plan_path: Path | None = None


def run_session(options: Options, arguments: Iterable[str] = ()) -> int:
    """Do what the options say and return the exit code.

    Parameters
    ----------
    options : Options
        What to do.
    arguments : iterable of str
        The command line as it was given, for the command that a failure's message repeats.

    Raises
    ------
    UsageError
        The options or the plan are wrong.
    """
    plan = load_plan(options.plan_path)
    if options.dataset is not None and options.dataset not in known_datasets():
        raise UsageError(
            f"no data set is called {options.dataset!r}{near_miss(options.dataset, known_datasets())}"
        )
    output_dir = (options.output_dir or plan.root / "reports").resolve()
    store = Store(output_dir / "runs")
    selected, asked_for = select(plan, store, options.only, options.skip)
    parameters = resolve(
        plan,
        selected,
        profile=options.profile,
        dataset=options.dataset,
        file=options.parameters_file,
        options=options.parameters,
    )
    required = (asked_for | _hard_needs(plan, asked_for)) if options.only else set()
    cache = Cache(
        plan, store, parameters, force=asked_for if options.force else (),
        outside=outside(plan, options.profile, required),
    )  # fmt: skip
    if options.list_runs:
        return list_runs(plan, cache)
    if options.dry_run:
        return dry_run(plan, cache, selected, output_dir, pdf=not options.no_pdf)
    with store.locked():
        store.recover()
        code = OK
        if not options.render_only:
            code = _execute(plan, store, cache, selected, required, options, list(arguments))
        return code or _render(plan, store, cache, selected, output_dir, options)


def select(plan: Plan, store: Store, only: Iterable[str], skip: Iterable[str]) -> tuple[set[str], set[str]]:
    """Return the runs of this call, and those of them that were asked for rather than needed.

    Raises
    ------
    UsageError
        A pattern names nothing, nothing is left, or a skipped run has no results for one that needs them.
    """
    skipped = plan.match(skip)
    asked_for = (plan.match(only) if only else set(plan.ids)) - skipped
    if not asked_for:
        raise UsageError("--only and --skip leave nothing to do")
    selected, waiting = set(asked_for), list(asked_for)
    while waiting:
        name = waiting.pop()
        for need in plan.run(name).needs:
            if need in selected or (store.record(need) is not None and not store.left_out(need)):
                continue
            if need in skipped:
                raise UsageError(f"{name} needs the results of {need}, which is skipped and has none yet")
            selected.add(need)
            waiting.append(need)
    return selected, asked_for


def outside(plan: Plan, profile: str, required: Iterable[str] = ()) -> dict[str, str]:
    """Return the runs that a profile does not execute, each with the profile that does; none of those required."""
    required = set(required)
    found = {run.id: run.outside(profile) for run in plan.runs if run.id not in required}
    return {name: other for name, other in found.items() if other}


def list_runs(plan: Plan, cache: Cache) -> int:
    """Print the plan: name, title, notebook, what it needs, when it last ran."""
    width = max(map(len, plan.ids))
    for run in plan.runs:
        record = cache.store.record(run.id)
        took = "never run" if record is None else f"{record['profile']}, {duration(record['seconds'])}"
        if why := cache.store.left_out(run.id):
            took = f"left out, {why}"
        needs = f", needs {', '.join(run.needs)}" if run.needs else ""
        wants = f", wants {', '.join(run.wants)}" if run.wants else ""
        optional = ", optional" if run.optional else ""
        profiles = "" if set(run.profiles) == set(PROFILES) else f", profile {' or '.join(run.profiles)}"
        print(f"{run.id:{width}}  {run.title} ({run.notebook}{needs}{wants}{optional}{profiles}; {took})")
    return OK


def dry_run(plan: Plan, cache: Cache, selected: set[str], output_dir: Path, *, pdf: bool) -> int:
    """Print what would happen to each run, and why."""
    decisions = forecast(plan, cache, selected)
    width = max(map(len, decisions))
    for name, decision in decisions.items():
        print(f"{name:{width}}  {_in_words(decision)}{_about_data(plan.run(name), cache, decision)}")
    executed = any(decision.action != KEEP for decision in decisions.values())
    current = not executed and not without_results(plan, cache.store) and is_current(plan, cache.store, output_dir, pdf=pdf)  # fmt: skip
    print(f"{'report':{width}}  {'up to date' if current else 'would be built'}")
    return OK


def _in_words(decision: Decision) -> str:
    if decision.action == KEEP:
        return "up to date"
    if decision.action == LEAVE:
        return "; ".join(["would be left out", *decision.reasons])
    verb = "would take back earlier results" if decision.action == RESTORE else "would run"
    return f"{verb}: {'; '.join(decision.reasons)}"


def _about_data(run: Run, cache: Cache, decision: Decision) -> str:
    """Say, without asking any source, what a run's data have to do with what would happen to it."""
    if decision.action == LEAVE:
        return f": it {of_another_profile(cache.outside[run.id])}"
    if decision.action == KEEP:
        why = cache.store.left_out(run.id)
        if run.id in cache.outside and not why:
            return f", as --profile {cache.store.record(run.id)['profile']} made it"
        return f", left out: {why}" if why else ""
    absent = [name for name in sorted(cache.datasets(run)) if not cache.data.here([name])]
    if decision.action == RESTORE or not absent:
        return ""
    left = ", and be left out if no source serves it" if run.optional else ""
    return f"; it would first get {', '.join(absent)}, which is not here{left}"


def _hard_needs(plan: Plan, names: Iterable[str]) -> set[str]:
    """Return what these runs can't do without, directly or not."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        for need in plan.run(waiting.pop()).needs:
            if need not in found:
                found.add(need)
                waiting.append(need)
    return found


def _execute(
    plan: Plan, store: Store, cache: Cache, selected: set[str], required: Iterable[str], options: Options,
    arguments: list[str],
) -> int:  # fmt: skip
    decisions = forecast(plan, cache, selected)
    todo = sum(decision.action in (EXECUTE, RESTORE) for decision in decisions.values())
    cores = available_cores()
    # By the whole plan, not by what is left to do: a run computes and is timed with the same threads every time.
    jobs = options.jobs or default_jobs(cores, len(plan.runs))
    settings = Settings(
        jobs=jobs,
        threads=max(1, cores // jobs),
        timeout=options.timeout,
        keep_going=options.keep_going,
        profile=options.profile,
        runs_dir_parameter=_runs_dir_parameter(store.runs_dir),
        required=frozenset(required),
    )
    executor = ProcessPerCall(jobs)
    try:
        with progress() as report:
            if todo:
                report.line(
                    f"{len(selected)} runs, {todo} to do, {jobs} at a time with {_threads(settings.threads)} each"
                )

            settings.unavailable = fetch_all(_to_fetch(plan, store, cache, decisions), executor, report.line)

            def fail(run: Run, failure: Failure) -> None:
                report.line(describe(plan, store, run, failure, command_for(run, arguments)))

            summary = Schedule(plan, store, cache, executor, settings, report, fail).work(selected)
    except BaseException:
        executor.stop()
        raise
    executor.shutdown()
    cache.data.save()
    _tell(summary, len(selected))
    if not summary.failed:
        return OK
    return DATA if all(failure.about_data for failure in summary.failed.values()) else NOTEBOOK_FAILED


def _to_fetch(plan: Plan, store: Store, cache: Cache, decisions: Mapping[str, Decision]) -> list[str]:
    """Return the data sets that are not here, of runs to execute and of those left out before for want of them."""
    names: set[str] = set()
    for name, decision in decisions.items():
        left_out = decision.action == KEEP and store.left_out(name) and not store.made_by(name)
        if decision.action == EXECUTE or left_out:
            names |= cache.datasets(plan.run(name))
    return [name for name in sorted(names) if not cache.data.here([name])]


def _render(plan: Plan, store: Store, cache: Cache, selected: set[str], output_dir: Path, options: Options) -> int:  # fmt: skip
    missing = without_results(plan, store)
    if missing and not options.render_only:
        print(f"No report yet: {', '.join(missing)} have no results. Make them with: python run_notebooks.py")
        return OK
    pdf = not options.no_pdf
    if not missing and not options.render_only and is_current(plan, store, output_dir, pdf=pdf):
        print(f"The report is up to date: {shown(output_dir / 'index.html')}")
        return OK
    for run in plan.runs:
        if (options.render_only or run.id not in selected) and run.id not in missing:
            decision = cache.decide(run)
            if decision.action != KEEP and decision.reasons:
                print(f"note   {run.id} is shown as it was made: {'; '.join(decision.reasons)}")
    try:
        render(plan, store, output_dir, pdf=pdf, note=print)
    except NotRendered as error:
        print(f"The report was not rendered, the last good one stays: {error}", file=sys.stderr)
        return RENDERING_FAILED
    print(f"The report is built: {shown(output_dir / 'index.html')}" + (" and report.pdf" if pdf else ""))
    return OK


def describe(plan: Plan, store: Store, run: Run, failure: Failure, again: str) -> str:
    """Return the message about a failed run: where, what, the traceback's tail, the notebook so far, what to type."""
    place = f", cell {failure.cell} of {failure.cells}" if failure.cell else ""
    code = [
        line for line in failure.source.splitlines() if line.strip() and not line.lstrip().startswith("#|")
    ]
    lines = [
        "",
        f"{run.id} failed: {shown(plan.source(run))}{place}" + (f": {code[0].strip()}" if code else ""),
        *(f"    {line}" for line in failure.traceback),
        f"  {failure.error}: {failure.message}" if failure.message else f"  {failure.error}",
    ]
    partial = store.partial(run.id) / NOTEBOOK
    if partial.is_file():
        lines.append(f"  The notebook as far as it got: {shown(partial)}")
    if store.record(run.id) is not None:
        lines.append(f"  Its last good results are untouched: {shown(store.folder(run.id))}")
    return "\n".join([*lines, f"  Run it again: {again}", ""])


def command_for(run: Run, arguments: Iterable[str]) -> str:
    """Return the command that runs one run again under the options of this call."""
    from lib.runner.command_line import command

    left_out = {"--only", "--skip", "--force", "--keep-going", "--dry-run", "--render-only", "--list"}
    by_flag = {flag: option for option in command.params for flag in option.opts}
    kept, rest = [], list(arguments)
    while rest:
        word = rest.pop(0)
        name, equals, _ = word.partition("=")
        option = by_flag.get(name)
        values = 0 if option is None or option.is_flag or equals else option.nargs
        words = [word, *rest[:values]]
        del rest[:values]
        if name in left_out:
            continue
        about_other = (
            name in ("-p", "--parameter") and ":" in words[1] and not words[1].startswith(f"{run.id}:")
        )
        if not about_other:
            kept += words
    return shlex.join(["python", "run_notebooks.py", *kept, "--only", run.id])


def _runs_dir_parameter(runs_dir: Path) -> str:
    """Return what to inject: nothing for the project's own folder, so that no path of this machine is shown."""
    return "" if runs_dir == ROOT / "reports" / "runs" else str(runs_dir)


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def _tell(summary: Summary, runs: int) -> None:
    if len(summary.kept) == runs:
        print(f"All {runs} runs are up to date." if runs > 1 else f"{summary.kept[0]} is up to date.")
        return
    parts = [
        f"{len(names)} {what}"
        for names, what in (
            (summary.executed, "executed"),
            (summary.restored, "taken back from earlier"),
            (summary.kept, "up to date"),
            (summary.without_data, "without their data"),
            (summary.outside, "of another profile"),
            (summary.failed, "failed"),
            (summary.left_out, "not run"),
        )
        if names
    ]
    print(f"Runs: {', '.join(parts)}.")
    for name, reason in [*summary.without_data.items(), *summary.outside.items(), *summary.left_out.items()]:
        print(f"  {name}: {reason}")
