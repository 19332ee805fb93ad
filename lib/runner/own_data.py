"""``--dataset FILE``: a reader's own ratings, prepared and given to the plan that reports on them."""

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeGuard

from lib import ROOT
from lib.data.catalogue import entries
from lib.data.errors import near_miss
from lib.runner.errors import DATA, UsageError
from lib.runner.options import Options
from lib.runner.plan import Plan, load_plan
from lib.runner.store import Store

PLAN = "own_ratings.toml"
RATINGS = "ratings"  # the folder, in that of the report, of the ratings in the project's own form


class BadRatings(UsageError):
    """The file of ratings can't be read as it is; the message names file, line and fix."""

    exit_code = DATA


def is_file_name(dataset: str | None) -> TypeGuard[str]:
    """Whether a data set is given as a file: it has a separator or an ending, or lies there, and is no known name."""
    if dataset is None or dataset in entries():
        return False
    return bool(re.search(r"[/\\]", dataset)) or bool(Path(dataset).suffix) or os.path.exists(dataset)


def check_dataset(options: Options) -> None:
    """Raise a UsageError where a data set that is no file isn't known, or an option is about a file of ratings."""
    if options.dataset is not None and options.dataset not in entries():
        near, own = near_miss(options.dataset, entries()), "a file of your own ratings is given by its path"
        raise UsageError(f"no data set is called {options.dataset!r}{near}; {own}")
    for name in ("columns", "scale", "duplicates", "missing", "header", "time_unit", "items", "users"):
        if getattr(options, name) != getattr(Options, name):
            raise UsageError(f"--{name.replace('_', '-')} describes a file of your own ratings: add --dataset FILE")


def with_own_ratings(options: Options) -> tuple[Plan, Options]:
    """Prepare a reader's ratings, which no report at work reads; return its plan and options, or raise BadRatings."""
    from lib.workbench.own_ratings.errors import InvalidRatingsFile
    from lib.workbench.own_ratings.preparation import prepare, slug

    path, plan = Path(options.dataset or ""), load_plan(options.plan_path or ROOT / PLAN)
    output_dir = (options.output_dir or plan.root / "reports" / "own" / slug(path)).resolve()
    folder = output_dir / RATINGS
    if options.describe is None:
        looks_only = options.dry_run or options.list_runs
        try:
            if not looks_only:
                Store(output_dir / "runs").hold()  # until the report is made: no other call may read other ratings
            found = prepare(path, folder=folder, for_report=True, write=not looks_only, **told(options))
        except InvalidRatingsFile as error:
            raise BadRatings(str(error)) from None
        print(f"data   {found.summary}", *(f"note   {note}" for note in found.notes), sep="\n")
        base, slope = plan.report.get("reckoned", {}).get(options.profile, (60, 60))
        seconds = base + slope * found.n_ratings / 100_000
        plan = replace(plan, runs=tuple(replace(run, seconds=seconds) for run in plan.runs))
        if looks_only and found.changed and folder.exists():
            folder /= "new"  # nothing was written: no earlier ratings may stand for these
    # As the notebooks see it from their folder: then no page shows where this machine keeps it.
    inside = folder.is_relative_to(plan.root)
    dataset = Path(os.path.relpath(folder, plan.notebooks) if inside else folder).as_posix()
    return plan, replace(options, dataset=dataset, output_dir=output_dir)


def told(options: Options) -> dict[str, Any]:
    """Return what the options say of a file of ratings, ``user=reader,item=book`` and ``1,5`` taken apart."""
    names = ("duplicates", "items", "users", "missing", "time_unit")
    found: dict[str, Any] = {name: getattr(options, name) for name in names}
    found["header"] = None if options.header is None else options.header == "yes"
    wrong = f"--columns {options.columns}: write it as user=NAME,item=NAME; a name with , or = is given by its place"
    try:
        if options.columns is not None:
            pairs = [part.split("=") for part in options.columns.split(",")]
            found["columns"] = dict(pairs)
            if len({role.strip().lower() for role, _ in pairs}) < len(pairs):
                raise ValueError("a role has two columns")
        wrong = f"--scale {options.scale}: give the lowest and the highest rating, such as 1,5"
        if options.scale is not None:
            low, high = map(float, options.scale.split(","))
            found["scale"] = low, high
    except ValueError:
        raise UsageError(wrong) from None
    return found
