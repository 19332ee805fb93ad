"""Runs under other parameters than the plan's, beside the report, and what they changed in its figures."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lib.runner.beside import Changes, folder_name, reruns_folder, shared_values, work_beside
from lib.runner.errors import OK, RENDERING_FAILED, UsageError
from lib.runner.metric_changes import (
    Comparison,
    MetricChange,
    chosen,
    compare,
    read_metrics,
    remarks,
    table_rows,
    write_changes,
)
from lib.runner.options import Options
from lib.runner.page import NotRendered, Overview, build_pages
from lib.runner.parameters import Resolved
from lib.runner.plain_table import print_table
from lib.runner.plan import Plan, Run
from lib.runner.render import refresh
from lib.runner.selection import outside
from lib.runner.store import Store, shown

WORDS = ("run", "model", "split", "fold", "metric")
PLACES = ("Split", "Measured", "Value", "95% interval", "Place", "Best", "Its value")


def rerun(
    plan: Plan, stored: Store, parameters: Mapping[str, Resolved], changed: Changes, options: Options,
    arguments: list[str],
) -> int:  # fmt: skip
    """Run what was changed, `changed` against the plan, in a folder of its own; then show and keep what it changed.

    Raises
    ------
    UsageError
        All changed runs are another profile's.
    """
    names = list(changed) or list(options.only)
    if not options.only:
        away = outside(plan, options.profile)
        left = [name for name in names if name not in away]
        if not left:
            raise UsageError(
                f"only runs of --profile {away[names[0]]} have such a parameter: {', '.join(names)}; "
                "name that profile, or the run with --only"
            )
        names = left
    values = shared_values({name: changed[name] for name in names if name in changed})
    folder = reruns_folder(plan.root) / folder_name(names, values, options.profile)
    for name in names:
        print(f"rerun  {name} beside the report: {_said(changed.get(name, {}))}")

    def conclude(store: Store) -> int:
        return _conclude(plan, stored, store, names, changed, options, folder)

    return work_beside(plan, stored, folder, parameters, names, options, arguments, conclude)


def _conclude(
    plan: Plan, stored: Store, store: Store, names: list[str], changed: Changes, options: Options, folder: Path
) -> int:  # fmt: skip
    overview = Overview("What changed" if options.model is None else "A model of yours")
    overview.prose(
        "Run again with other parameters than the report's: "
        + "; ".join(f"**{plan.run(name).title}** with {_said(changed.get(name, {}), code=True)}" for name in names)
        + ". The report itself is as it was."
    )  # fmt: skip
    found: list[MetricChange] = []
    for name in names:
        comparison, why = _against(stored, store, plan.run(name), options.profile)
        found += comparison.changes
        if options.model is not None and not comparison.changes:  # another class than the report's example
            show_places(store.folder(name), overview)
            continue
        said = why + remarks(comparison)
        for text in said:
            print(f"{name}: {text}" if len(names) > 1 else text)
            overview.prose(text if len(names) == 1 else f"{plan.run(name).title}: {text}")
    if found:
        _tell(found, overview)
        write_changes(folder / "changes.csv", found)
        print(f"All figures, before and after: {shown(folder / 'changes.csv')}")
    runs = [plan.run(name) for name in names if store.record(name) is not None]
    try:
        refresh(Plan(plan.path, plan.report, tuple(runs)), store)
        page = build_pages(plan, runs, store.runs_dir, folder, overview, "Rerun: " + runs[0].title)
    except NotRendered as error:
        print(f"The rerun's page was not rendered; its results are kept: {error}", file=sys.stderr)
        return RENDERING_FAILED
    print(f"The rerun's page: {shown(page)}")
    return OK


def _against(stored: Store, store: Store, run: Run, profile: str) -> tuple[Comparison, list[str]]:
    """Compare a run's results with the report's, and say what a reader must know of the latter."""
    before, after = read_metrics(stored.folder(run.id)), read_metrics(store.folder(run.id))
    if before is None:
        make = run.outside(profile) or profile
        option = "" if make == "full" else f"--profile {make} "
        return Comparison(()), [
            f"The report has no results of {run.id} to compare with; they are made by "
            f"`python run_notebooks.py {option}--only {run.id}`."
        ]
    record = stored.record(run.id) or {}
    said = []
    if record.get("profile", profile) != profile:
        said.append(f"The report's were made with --profile {record['profile']}, these with {profile}.")
    comparison = compare(run.id, before, after or [])
    if not comparison.changes:
        said.append("It keeps no metric that could be compared with the report's.")
    return comparison, said


def _tell(found: list[MetricChange], overview: Overview) -> None:
    rows, more = chosen(found)
    if not rows:
        return
    columns, texts = table_rows(rows)
    words = sum(column in WORDS for column in columns)
    print_table(columns, texts, right=columns[words:])
    if more:
        print(f"and {more} more in changes.csv")
    overview.table(
        "tbl-changes", "What was measured, in the report and now, with intervals where they were stored; means where a model was trained with several seeds.",
        columns, texts, left=words,
    )  # fmt: skip
    if more:
        overview.prose(f"And {more} more in `changes.csv`.")


def _said(values: Mapping[str, tuple[Any, Any]], *, code: bool = False) -> str:
    said = "`{} {}` → `{}`" if code else "{} {} -> {}"
    told = [said.format(name, _short(old), _short(new)) for name, (old, new) in values.items()]
    return ", ".join(told) or "the same parameters"


def _short(value: Any, most: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def show_places(folder: Path, overview: Overview) -> None:
    """Print and keep a model's value and place on every split, as its run left them."""
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    rows = [
        [
            place["key"], place["metric"], f"{place['value']:.4f}", place["interval"],
            f"{place['place']} of {place['n_models']}", place["best"], f"{place['best_value']:.4f}",
        ]
        for place in facts["places"]
    ]  # fmt: skip
    name = facts["model"]["name"]
    print(f"{name} beside the models of the report:")
    print_table(PLACES, rows, right=[c for c in PLACES[2:] if c != "Best"])
    overview.prose(f"`{name}` on every split, with its place among the models that were fitted there.")
    overview.table("tbl-places", "The model's own figures, and the best model's.", PLACES, rows, left=2)
