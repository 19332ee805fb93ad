"""One call of the runner, from the plan to the report."""

from __future__ import annotations

import sys
from pathlib import Path

from lib.data.near_miss import near_miss
from lib.runner.anew import remembered, since, still_to_make
from lib.runner.cache import KEEP, Cache
from lib.runner.cluster import check_address
from lib.runner.data import known_datasets
from lib.runner.errors import OK, RENDERING_FAILED, UsageError
from lib.runner.listing import dry_run, list_runs, print_description
from lib.runner.model_option import contract, with_model
from lib.runner.options import Options
from lib.runner.own_data import is_file_name, refuse_own_options, with_own_ratings
from lib.runner.page import NotRendered
from lib.runner.parameters import resolve
from lib.runner.plan import Plan, load_plan
from lib.runner.render import is_current, part_of_report, render, without_results
from lib.runner.rerun import changed_parameters, rerun
from lib.runner.selection import outside, preset_file, select
from lib.runner.store import Store, shown
from lib.runner.sweep import split_sweep, sweep
from lib.runner.work import execute


def run_session(options: Options) -> int:
    """Do what the options say and return the exit code.

    Raises UsageError: the options or the plan are wrong.
    """
    if options.verify or options.rekey:
        from lib.experiment import upkeep

        return upkeep.rekey(print) if options.rekey else upkeep.verify(options.verify, print)
    if options.contract:
        return contract(options.model, options.parameters)
    file = options.dataset if is_file_name(options.dataset, known_datasets()) else ""
    if file:
        if options.model is not None:
            raise UsageError("--model is compared on the report's data; leave --dataset FILE out")
        plan, options = with_own_ratings(options)
    else:
        refuse_own_options(options)
        plan = load_plan(options.plan_path)
    if options.describe is not None:
        return print_description(plan, plan.run(options.describe), options.profile, dataset=file)
    if not file and options.dataset is not None and options.dataset not in known_datasets():
        raise UsageError(
            f"no data set is called {options.dataset!r}{near_miss(options.dataset, known_datasets())}; "
            "a file of your own ratings is given by its path"
        )
    if options.cluster is not None:
        check_address(options.cluster)
    if options.model is not None:
        plan, options = with_model(plan, options)
    return _work(plan, options)


def _work(plan: Plan, options: Options) -> int:
    output_dir = (options.output_dir or plan.root / "reports").resolve()
    store = Store(output_dir / "runs")
    selected, asked_for = select(plan, store, options.only, options.skip)
    required = asked_for | plan.upstream(asked_for, lambda run: run.needs) if options.only else set()
    away = outside(plan, options.profile, required)
    plain, swept = split_sweep(plan, asked_for, options.parameters)
    parameters = resolve(
        plan, selected, profile=options.profile, dataset=options.dataset, options=plain, outside=away,
        file=None if options.preset is None else preset_file(options.preset),
    )  # fmt: skip
    if swept is not None:
        return sweep(plan, store, parameters, swept, options)
    # A folder that was named is that of a report of its own; there is nothing to put it beside.
    if not (options.into_report or options.output_dir or options.list_runs):
        planned = resolve(plan, selected, profile=options.profile, outside=away)
        changed = changed_parameters(planned, parameters, asked_for)
        if not changed and options.preset is not None:
            raise UsageError(f"the preset {options.preset!r} changes nothing of the runs of this call")
        if changed or options.model is not None:
            return rerun(plan, store, parameters, changed, options)
    anew = since(store, options)
    force = (asked_for if options.force else set()) | still_to_make(store, selected - set(away), anew)
    cache = Cache(plan, store, parameters, force=force, outside=away)
    if options.list_runs:
        return list_runs(plan, cache)
    if options.dry_run:
        return dry_run(plan, cache, selected, output_dir, pdf=not options.no_pdf)
    with store.locked():
        store.recover()
        code = OK
        if not options.render_only:
            with remembered(store, plan, force, anew) as codes:
                required = asked_for if options.only else ()
                codes.append(code := execute(plan, store, cache, selected, required, options, anew))
        return code or _render(plan, store, cache, selected, output_dir, options)


def _render(plan: Plan, store: Store, cache: Cache, selected: set[str], output_dir: Path, options: Options) -> int:  # fmt: skip
    part, pdf = part_of_report(plan, cache), not options.no_pdf
    missing = without_results(part, store)
    if missing and not options.render_only:
        print(f"No report yet: {', '.join(missing)} have no results. Make them with: python run_notebooks.py")
        return OK
    if not missing and not options.render_only and is_current(part, store, output_dir, pdf=pdf):
        print(f"The report is up to date: {shown(output_dir / 'index.html')}")
        return OK
    for run in part.runs:
        decision = cache.decide(run)
        untold = options.render_only or run.id not in selected or decision.action == KEEP
        if run.id not in missing and untold and decision.mark is None and decision.reasons:
            print(f"note   {run.id} is shown as it was made: {'; '.join(decision.reasons)}")
    try:
        render(part, store, output_dir, pdf=pdf, note=print, whole=plan)
    except NotRendered as error:
        print(f"The report was not rendered, the last good one stays: {error}", file=sys.stderr)
        return RENDERING_FAILED
    print(f"The report is built: {shown(output_dir / 'index.html')}" + (" and report.pdf" if pdf else ""))
    return OK
