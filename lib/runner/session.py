"""One call of the runner, from the plan to the report."""

import csv
import datetime
import json
import math
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from lib import ROOT
from lib.experiment.alone import usable_cores
from lib.report.errors import RenderingError
from lib.report.folder import check_folder, finish
from lib.runner.cache import KEEP, Cache
from lib.runner.errors import OK, RENDERING_FAILED, UsageError
from lib.runner.listing import dry_run, list_runs, print_description
from lib.runner.model_option import contract, with_model
from lib.runner.options import Options
from lib.runner.own_data import check_dataset, is_file_name, with_own_ratings
from lib.runner.parameters import resolve
from lib.runner.plan import Plan, load_plan
from lib.runner.progress import duration
from lib.runner.render import is_current, render, without_results
from lib.runner.reruns import rerun, split_sweep, sweep
from lib.runner.schedule import bring_up_to_date
from lib.runner.selection import outside, select
from lib.runner.store import Store, read_json, shown, write_whole

BEGAN = ".from_scratch"
"""In the folder of the runs until a call has ended well: since when fits, and searches, are to be made anew."""


def run_session(options: Options) -> int:
    """Do what the options say and return the exit code, or raise UsageError where they or the plan are wrong."""
    if options.verify or options.rekey:
        from lib.experiment import upkeep

        return upkeep.rekey(print) if options.rekey else upkeep.verify(options.verify or 0, print)
    if options.contract:
        return contract(options.model, options.parameters)
    if options.dataset is not None and not options.dataset.strip():
        raise UsageError("--dataset names nothing: give a data set of the report, or the path of a file of ratings")
    if not math.isfinite(options.timeout or 0.0):
        raise UsageError("--timeout is the longest time for one cell in seconds, such as 600")
    file = options.dataset if is_file_name(options.dataset) else ""
    if file and options.model is not None:
        raise UsageError("--model is compared on the report's data; leave --dataset FILE out")
    if not file:
        check_dataset(options)
    if file and options.output_dir is not None:  # before anything is written there
        _check_place(options.output_dir.resolve(), options)
    plan, options = with_own_ratings(options) if file else (load_plan(options.plan_path), options)
    if options.describe is not None:
        return print_description(plan, plan.run(options.describe), options.profile, dataset=file)
    if options.cluster is not None:
        from lib.experiment.driver import NoCluster, connected, disconnect

        try:
            connected(options.cluster)
        except NoCluster as error:
            raise UsageError(f"--cluster: {error}") from None
        disconnect(options.cluster)
    if options.model is not None:
        plan, options = with_model(plan, options)
    code = _carry_out(plan, options)
    if file and options.output_dir and code == OK and not (options.dry_run or options.list_runs):
        from lib.workbench.own_ratings.advice import said

        print(*said(options.output_dir / "runs"), sep="\n")
    return code


def _check_place(output_dir: Path, options: Options) -> None:
    """Check the folder of the report, which it is from now on unless the call only tells something."""
    try:
        check_folder(output_dir, claim=not (options.list_runs or options.dry_run or options.describe is not None))
    except RenderingError as error:
        raise UsageError(f"--output-dir: {error}") from None


def _carry_out(plan: Plan, options: Options) -> int:
    output_dir = (options.output_dir or plan.root / "reports").resolve()
    _check_place(output_dir, options)
    store = Store(output_dir / "runs")
    if options.list_runs:
        return list_runs(plan, store)
    selected, asked_for = select(plan, store, options.only, options.skip)
    required = asked_for | plan.upstream(asked_for, lambda run: run.needs) if options.only else set()
    scratch = options.from_scratch or options.search_anew
    away, nowhere = outside(plan, store, options.profile, required, scratch=scratch)
    plain, swept = split_sweep(plan, asked_for, options.parameters)
    values = partial(resolve, plan, selected, profile=options.profile, outside=away)
    parameters = values(dataset=options.dataset, options=plain)
    if swept is not None:
        return sweep(plan, store, parameters, swept, options)
    # A folder that was named is that of a report of its own; there is nothing to put it beside.
    if not (options.into_report or options.output_dir):
        planned = values()
        changed = [run for run in plan.ids if run in asked_for and parameters[run] != planned[run]]
        names = [run for run in changed if run not in away]
        if changed and not names:
            only = f"only runs of --profile {away[changed[0]]} have such a parameter: {', '.join(changed)}"
            raise UsageError(f"{only}; name that profile, or the run with --only")
        if changed or options.model is not None:
            return rerun(plan, store, parameters, planned, names or options.only, options)
    for name in sorted(nowhere & selected):
        print(f"{name} is part of --profile {away[name]} and left out")
    selected -= nowhere
    anew = since(store, options)
    force = (asked_for if options.force else set()) | still_to_make(store, selected - {*away}, anew)
    cache = Cache(plan, store, parameters, force, away)
    part = replace(plan, runs=tuple(run for run in plan.runs if run.id not in nowhere))
    if options.dry_run:
        changes = dry_run(cache, selected) or without_results(part, store)
        current = not changes and is_current(part, store, output_dir, pdf=not options.no_pdf)
        print(f"The report {'is up to date' if current else 'would be built'}.")
        return OK
    with store.hold():
        store.recover()
        finish(output_dir)
        if not options.render_only:
            if anew:
                _announce(anew)
                write_whole(store.runs_dir / BEGAN, json.dumps(anew))
            required = asked_for if options.only else set()
            if code := bring_up_to_date(cache, selected, options, required=required, anew=anew):
                return code
            if anew:
                (store.runs_dir / BEGAN).unlink()
        return _render(part, cache, selected, output_dir, options)


def _render(plan: Plan, cache: Cache, selected: set[str], output_dir: Path, options: Options) -> int:
    store, pdf = cache.store, not options.no_pdf
    missing = without_results(plan, store)
    if missing and not options.render_only:
        print(f"No report yet: {', '.join(missing)} have no results. Make them with: python run_notebooks.py")
        return OK
    if not missing and not options.render_only and is_current(plan, store, output_dir, pdf=pdf):
        print(f"The report is up to date: {shown(output_dir / 'index.html')}")
        return OK
    for run in plan.runs:
        decision = cache.decide(run)
        untold = options.render_only or run.id not in selected or decision.action == KEEP
        if run.id not in missing and untold and decision.mark is None and decision.reasons:
            print(f"note   {run.id} is shown as it was made: {'; '.join(decision.reasons)}")
    try:
        render(plan, store, output_dir, pdf=pdf, note=print, whole=cache.plan)
    except RenderingError as error:
        print(f"The report was not rendered, the last good one stays: {error}", file=sys.stderr)
        return RENDERING_FAILED
    print(f"The report is built: {shown(output_dir / 'index.html')}" + (" and report.pdf" if pdf else ""))
    return OK


def since(store: Store, options: Options) -> dict[str, float]:
    """Return the times since when fits, and searches, have to be made to count; empty where any do."""
    kinds = {"fits": options.from_scratch or options.search_anew, "searches": options.search_anew}
    asked = [kind for kind, wanted in kinds.items() if wanted]
    began = read_json(store.runs_dir / BEGAN, {...: (int, float)}) or {}  # of a call that was ended, which goes on
    goes_on = sorted(began) == asked and all(0 <= at <= time.time() for at in began.values())
    return began if goes_on else dict.fromkeys(asked, time.time())


def still_to_make(store: Store, runs: Collection[str], anew: Mapping[str, float]) -> set[str]:
    """Return those of some runs that were not executed since then."""
    if not anew:
        return set()
    began = datetime.datetime.fromtimestamp(min(anew.values()), datetime.UTC).isoformat(timespec="seconds")
    records = {name: store.record(name) or {} for name in runs}
    return {n for n, record in records.items() if store.as_made(n) or record.get("finished", "") <= began}


def _announce(anew: Mapping[str, float]) -> None:
    times, told = ROOT / "reports" / "data" / "times.csv", ""
    for row in csv.DictReader(times.read_text(encoding="utf-8").splitlines()) if times.exists() else ():
        if row["command"].endswith("--from-scratch"):
            told = f"; all pages took {duration(float(row['seconds']))}"
    if "searches" in anew:
        from lib.experiment.records import KEPT, read_kept

        trials = (read_kept(file)["trials"]["seconds"] for file in (KEPT / "searches").glob("*.json.gz"))
        longer = duration(sum(sum(filter(None, seconds)) for seconds in trials) / usable_cores())
        told += f", and the searches that made the choices are repeated, which takes up to {longer} more"
    print(f"Everything is fitted anew{told}. A call that is ended goes on.")
