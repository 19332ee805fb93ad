"""Runs under other parameters than the plan's, beside the report, and what they changed in its figures."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lib.runner.beside import folder_of, work_beside
from lib.runner.errors import UsageError
from lib.runner.options import Options
from lib.runner.parameters import Resolved
from lib.runner.plan import Plan, Run
from lib.runner.render import refresh
from lib.runner.selection import outside
from lib.runner.store import Store, read_json, shown, write_whole

if TYPE_CHECKING:
    import pandas as pd

Changes = dict[str, dict[str, tuple[Any, Any]]]
"""By run and parameter: the plan's value and this call's."""


def rerun(
    plan: Plan, stored: Store, parameters: Mapping[str, Resolved], changed: Changes, options: Options
) -> int:
    """Run what was changed, `changed` against the plan, in a folder of its own; then show and keep what it changed.

    Raises UsageError: all changed runs are another profile's.
    """
    away = {} if options.only else outside(plan, options.profile)
    all_names = list(changed) or list(options.only)
    names = [name for name in all_names if name not in away]
    if not names:
        raise UsageError(
            f"only runs of --profile {away[all_names[0]]} have such a parameter: {', '.join(all_names)}; "
            "name that profile, or the run with --only"
        )
    for name in names:
        said = [f"{key} {_short(old)} -> {_short(new)}" for key, (old, new) in changed.get(name, {}).items()]
        print(f"rerun  {name} beside the report: {', '.join(said) or 'the same parameters'}")
    folder, runs = folder_of(plan, names, options), [plan.run(name) for name in names]

    def conclude(store: Store) -> list[Run]:
        if options.model is None:
            _tell_changes(stored, store, runs, options.profile, folder / "changes.csv")
        else:
            _tell_places(store.folder(names[0]))
        refresh(Plan(plan.path, plan.report, tuple(runs)), store)
        return runs

    title = f"Rerun: {runs[0].title}"
    return work_beside(plan, stored, folder, parameters, names, options, title, conclude)


def _tell_changes(stored: Store, store: Store, runs: list[Run], profile: str, file: Path) -> None:
    """Print and keep what differs from the report's results."""
    import pandas as pd

    from lib.runner.metric_changes import chosen, table

    found = [_against(stored, store, run, profile) for run in runs]
    changes = pd.concat(found, ignore_index=True)
    if changes.empty:
        return
    rows, more = chosen(changes)
    print(table(rows).to_string(index=False))
    if more:
        print(f"and {more} more in {file.name}")
    write_whole(file, changes.to_csv(index=False))
    print(f"All figures, before and after: {shown(file)}")


def _against(stored: Store, store: Store, run: Run, profile: str) -> pd.DataFrame:
    """Compare a run's results with the report's, and say what a reader must know of both."""
    from lib.runner.metric_changes import compare

    before, after = (read_json(one.folder(run.id) / "metrics.json") for one in (stored, store))
    changes = compare(run.id, before or [], after or [])
    made = (stored.record(run.id) or {}).get("profile", profile)
    if before is None:
        print(f"The report has no results of {run.id} to compare with; they are made by `{run.command(profile)}`.")  # fmt: skip
        return changes
    if made != profile:
        print(f"{run.id}: the report's were made with --profile {made}, these with {profile}.")
    if changes.empty:
        print(f"{run.id} keeps no metric that could be compared with the report's.")
    elif not changes["difference"].any():
        print(f"{run.id}: nothing that was measured differs from the report.")
    old, new = ({record["model"] for record in records or []} for records in (before, after))
    for what, models in (("not in the report", new - old), ("only in the report", old - new)):
        if models:
            print(f"{run.id}: {what}: {', '.join(sorted(models))}.")
    return changes


def _tell_places(folder: Path) -> None:
    """Print a model's value and place on every split, as its run left them."""
    import pandas as pd

    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    columns = ["key", "metric", "value", "interval", "place", "n_models", "best", "best_value"]
    print(f"{facts['model']['name']} beside the models of the report:")
    print(pd.DataFrame(facts["places"], columns=columns).to_string(index=False, float_format="{:.4f}".format))


def changed_parameters(
    planned: Mapping[str, Resolved], now: Mapping[str, Resolved], runs: Collection[str]
) -> Changes:
    """Return the runs whose values are not those of the plan, in the plan's order, each with what differs."""
    found: Changes = {}
    for run in planned:
        before, after = planned[run].values, now[run].values
        differing = {name: (before[name], value) for name, value in after.items() if before[name] != value}
        if run in runs and differing:
            found[run] = differing
    return found


def _short(value: Any, most: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= most else f"{text[: most - 1]}…"
