"""Runs beside the report: under other parameters, or a run each under several values of one, in a folder of their own."""

import hashlib
import json
import re
import shutil
import sys
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from reprlib import repr as short
from typing import Any

from lib.data.files import read_whole
from lib.experiment.stored_files import FORMS, RECORD, timeless
from lib.report.errors import RenderingError
from lib.report.folder import finish
from lib.runner.cache import Cache
from lib.runner.errors import OK, RENDERING_FAILED, UsageError
from lib.runner.hints import is_sweepable
from lib.runner.kept import archives, record_of
from lib.runner.listing import dry_run
from lib.runner.options import Options
from lib.runner.parameters import Parameter, Values, declared
from lib.runner.plan import VARIANT, Plan, Run
from lib.runner.render import build_pages, refresh
from lib.runner.schedule import bring_up_to_date
from lib.runner.selection import select
from lib.runner.store import Store, read_json, shown

Metrics = list[dict[str, Any]]
LONGEST = 60  # characters of a folder's name; a longer one is cut and told apart by a digest


def rerun(plan: Plan, stored: Store, parameters: Values, planned: Values, names: Collection, options: Options) -> int:
    """Execute runs under other parameters than those `planned`, and show what that changed in their metrics."""
    for name in names:
        old, new = planned[name], parameters[name]
        said = [f"{key} {short(old[key])} -> {short(new[key])}" for key in new if new[key] != old[key]]
        print(f"rerun  {name} beside the report: {', '.join(said) or 'the same parameters'}")
    runs = [plan.run(name) for name in names]
    folder = folder_of(plan, names, options)

    def conclude(store: Store) -> tuple[str, list[Run]]:
        if options.model is not None:
            _tell_places(store.folder(runs[0].id))
        else:
            _tell_changes({r.id: _before_and_after(plan, stored, store, r, options.profile) for r in runs}, folder)
        refresh(replace(plan, runs=tuple(runs)), store)
        return f"Rerun: {runs[0].title}", runs

    return _run_beside(plan, stored, folder, parameters, names, options, conclude)


def _run_beside(
    plan: Plan,
    stored: Store,
    folder: Path,
    parameters: Values,
    names: Collection[str],
    options: Options,
    conclude: Callable[[Store], tuple[str, list[Run]]],
) -> int:
    """Execute runs in a folder beside the report, or say what would be; return the exit code.

    What they need and isn't there is made in that folder too; what is `stored` is read and never written. Given the store of
    the folder, `conclude` says what came of it, and returns the title of the pages that are built, and the runs they show.
    """
    selected, _ = select(plan, stored, names, options.skip)
    store = Store(folder / "runs") if options.dry_run else linked_store(stored, folder, selected)
    cache = Cache(plan, store, parameters, force=names if options.force else ())
    if options.dry_run:
        print(f"In {shown(folder)}:")
        dry_run(cache, selected)
        return OK
    with store.hold():
        store.recover()
        finish(folder)
        code = OK if options.render_only else bring_up_to_date(cache, selected, options, required=names)
        if code:
            return code
        title, runs = conclude(store)
        try:
            page = build_pages(plan, runs, store.runs_dir, folder, title)
        except RenderingError as error:
            print(f"The page was not rendered; its results are kept: {error}", file=sys.stderr)
            return RENDERING_FAILED
    print(f"The page: {shown(page)}")
    return OK


def linked_store(stored: Store, folder: Path, own: Collection[str]) -> Store:
    """Return the store of a rerun's folder, in which every run of the stored report but its own can be read."""
    runs_dir = folder / "runs"
    runs_dir.mkdir(parents=True, exist_ok=True)
    for place in runs_dir.iterdir():
        if place.is_symlink():
            place.unlink()
    for record in sorted(stored.runs_dir.glob(f"*/{RECORD}")):
        name, place = record.parent.name, runs_dir / record.parent.name
        if name in own or name.startswith("."):
            continue
        if place.is_dir():  # a copy, or made here while the report had none
            if not (place / RECORD).exists():
                raise UsageError(f"{shown(place)} does not hold what a run has left; move it away")
            shutil.rmtree(place)
        try:
            place.symlink_to(record.parent.resolve(), target_is_directory=True)
        except OSError:  # a system without such links
            shutil.copytree(record.parent, place)  # with its files' times, by which the cache knows them
    return Store(runs_dir)


def folder_of(plan: Plan, runs: Collection[str], options: Options) -> Path:
    """Return the folder of runs under what a call changes, such as ``svd-n_factors-50``, with the profile if it isn't full."""
    names = sorted(runs)
    given = [*options.parameters, ("dataset", options.dataset)]
    parts = ["-".join(names) if len(names) <= 2 else f"{len(names)}_runs"]
    parts += [f"{name}-{text}" for name, text in given if text]
    whole = "-".join(parts if options.profile == "full" else [*parts, options.profile])
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", whole).strip("._")
    if safe != whole or len(safe) > LONGEST or len(names) > 2:
        digest = hashlib.sha256(json.dumps([names, given, options.profile]).encode()).hexdigest()[:8]
        safe = f"{safe[:LONGEST].rstrip('._-')}-{digest}"
    return (options.output_dir or plan.root / "reports").resolve() / "reruns" / safe


@dataclass(frozen=True)
class Sweep:
    """One swept parameter of one run, and its values in the order given."""

    run: str
    name: str
    values: tuple[Any, ...]


def split_sweep(plan: Plan, asked_for: Iterable[str], options: Iterable[tuple[str, str]]) -> tuple[list, Sweep | None]:
    """Part the options into those that set one value and the one that sweeps several.

    Several values are told by a comma in what is no list; in a text one with a space behind it doesn't part, such as a title's.
    Raises UsageError: more than one run or parameter, fewer than two values, or a value of another type.
    """
    known = {name: declared(plan.notebook(plan.run(name))) for name in asked_for}
    plain: list[tuple[str, str]] = []
    sweeps: list[Sweep] = []
    for key, text in options:
        prefix, _, name = key.rpartition(":")
        runs = {run: p[name] for run, p in known.items() if name in p and prefix in ("", run)}
        several = {run: parts for run, p in runs.items() if len(parts := _parts(text, p)) > 1}
        if not several:
            plain.append((key, text))
            continue
        if len(runs) > 1:
            named = ", ".join(run for run in plan.ids if run in runs)
            one = "several values are a sweep, which takes one run at a time; name one with --only"
            raise UsageError(f"-p {key}: {one}: {named}")
        ((run, parts),) = several.items()
        taken = (runs[run].taken(part.strip(), f"-p {key}: {run}", as_text=True) for part in parts)
        sweeps.append(Sweep(run, name, tuple(dict.fromkeys(taken))))
        if len(sweeps[-1].values) < 2:
            raise UsageError(f"-p {key}: a sweep needs two different values at least")
    if len(sweeps) > 1:
        raise UsageError(f"one parameter is swept at a time, not {', '.join(one.name for one in sweeps)}")
    return plain, sweeps[0] if sweeps else None


def _parts(text: str, parameter: Parameter) -> list[str]:
    if not is_sweepable(parameter.type):
        return [text]
    return re.split(r",(?!\s)" if parameter.kind.startswith("str") else r",", text)


def variants(run: Run, swept: Sweep) -> dict[str, Run]:
    """Return a run for each value, by the value as the command line takes it."""
    found: dict[str, Run] = {}
    names: set[str] = set()
    for value in swept.values:
        text = value if isinstance(value, str) else json.dumps(value)
        short = re.sub(r"[^a-z0-9]+", "_", text.lower().replace("-", "minus_")).strip("_")
        name = f"{run.id}{VARIANT}{swept.name}-{short or 'empty'}"
        while name in names:  # two texts that differ in signs only
            name += "_"
        names.add(name)
        found[text] = replace(run, id=name, title=f"{run.title}, {swept.name} = {text}")
    return found


def sweep(plan: Plan, stored: Store, parameters: Values, swept: Sweep, options: Options) -> int:
    """Execute a run once for each value, and show its metrics against them; UsageError where they'd go into the report."""
    if options.into_report:
        raise UsageError("a report has one value of a parameter; leave --into-report out of a sweep")
    run, folder = plan.run(swept.run), folder_of(plan, [swept.run], options)
    found = variants(run, swept)
    values = dict(zip(found, swept.values, strict=True))
    own = {found[text].id: {**parameters[run.id], swept.name: value} for text, value in values.items()}
    whole, alone = replace(plan, runs=(*plan.runs, *found.values())), replace(options, skip=())

    def conclude(store: Store) -> tuple[str, list[Run]]:
        from lib.report.side_by_side import draw

        frame = _tell_changes({run.id: {v: _metrics(store, one) or [] for v, one in found.items()}}, folder)
        if len(frame):
            draw(frame, values, swept.name, folder / "sweep")
            print(f"The plot: {shown(folder / 'sweep.svg')} and sweep.png")
        return f"Sweep: {run.title}", list(found.values())

    return _run_beside(whole, stored, folder, parameters | own, list(own), alone, conclude)


def _metrics(store: Store, run: Run) -> Metrics | None:
    """Return a run's metric records without costs, which the machine makes."""
    return timeless(read_json(store.folder(run.id) / "metrics.json", FORMS["metrics.json"]))


def _before_and_after(plan: Plan, stored: Store, store: Store, run: Run, profile: str) -> dict[str, Metrics]:
    """Return a run's metrics beside the report's, kept ones where none were made here, and say what a reader must know of these."""
    before, record, archive = _metrics(stored, run), stored.record(run.id), archives(plan).get(run.id)
    if before is None and archive is not None:
        record, before = record_of(archive), timeless(record_of(archive, "metrics.json", FORMS["metrics.json"]))
        print(f"before: the report's as it is kept with the project, made on {record['finished'][:10]}.")
    made = (record or {}).get("profile", profile)
    if before is None:
        print(f"The report has no results of {run.id} to compare with; `{run.command(profile)}` makes them.")
    elif made != profile:
        print(f"{run.id}: the report's were made with --profile {made}, these with {profile}.")
    return {"before": before or [], "after": _metrics(store, run) or []}


def _tell_changes(results: dict[str, dict[str, Metrics]], folder: Path) -> Any:
    """Print what differs between sides, and return a frame of all of it, which ``changes.csv`` keeps."""
    from lib.report.side_by_side import compare

    frame, said = compare(results, folder / "changes.csv")
    print(said or "There are no metrics of both sides to be compared.")
    if said:
        print(f"All figures: {shown(folder / 'changes.csv')}")
    return frame


def _tell_places(folder: Path) -> None:
    """Print a model's value and place on every split, as its run left them."""
    import pandas as pd

    facts = read_whole(folder / "facts.json", {"model": {"name": str}, "places": list}, "Make it anew with --force.")
    columns = ["key", "metric", "value", "interval", "place", "n_models", "best", "best_value"]
    print(f"{facts['model']['name']} beside the models of the report:")
    print(pd.DataFrame(facts["places"], columns=columns).to_string(index=False, float_format="{:.4f}".format))
