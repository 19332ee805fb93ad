"""A sweep: one run under several values of a parameter, side by side in a table, a plot and a page."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lib.runner.beside import folder_name, reruns_folder, work_beside
from lib.runner.errors import OK, RENDERING_FAILED, UsageError
from lib.runner.metric_changes import read_metrics
from lib.runner.options import Options
from lib.runner.page import NotRendered, Overview, build_pages
from lib.runner.parameters import Resolved
from lib.runner.plain_table import print_table
from lib.runner.plan import Plan
from lib.runner.store import Store, shown, write_whole
from lib.runner.sweep_values import Sweep, by_name, variants, written


def sweep(
    plan: Plan, stored: Store, parameters: Mapping[str, Resolved], sweeps: list[Sweep], options: Options,
    arguments: list[str],
) -> int:  # fmt: skip
    """Execute a run once for each value, or pair of values, and show its metrics against them.

    Raises
    ------
    UsageError
        The sweep is meant to go into the report.
    """
    if options.into_report:
        raise UsageError(
            "a report has one value of a parameter; a sweep goes beside it, without --into-report"
        )
    run = plan.run(sweeps[0].run)
    found = variants(run, sweeps, parameters[run.id])
    whole = replace(plan, runs=(*plan.runs, *(variant for variant, _, _ in found.values())))
    parameters = {**parameters, **{name: resolved for name, (_, resolved, _) in found.items()}}
    root = options.output_dir.resolve() / "reruns" if options.output_dir else reruns_folder(plan.root)
    folder = root / folder_name([run.id], {**_others(options), **by_name(sweeps)}, options.profile)

    def conclude(store: Store) -> int:
        from lib.runner.sweep_figure import column

        records = [
            {**record, **{column(one.name): value for one, value in zip(sweeps, values, strict=True)}}
            for name, (_, _, values) in found.items()
            for record in read_metrics(store.folder(name)) or []
        ]
        return _conclude(plan, store, sweeps, [v for v, _, _ in found.values()], records, folder)

    alone = replace(options, skip=())
    return work_beside(whole, stored, folder, parameters, list(found), alone, arguments, conclude)


def _others(options: Options) -> dict[str, str]:
    """Return what else the command line changes, so that it gets a folder of its own."""
    said = {key: text for key, text in options.parameters if "," not in text}
    return {**said, **({"dataset": options.dataset} if options.dataset else {})}


def _conclude(plan: Plan, store: Store, sweeps: list[Sweep], runs: list, records: list[dict], folder: Path) -> int:  # fmt: skip
    from lib.runner.sweep_figure import column, draw, main_records, table_rows

    names = [column(one.name) for one in sweeps]
    frame = main_records(records, names)
    if frame.empty:
        print(f"{sweeps[0].run} keeps no RMSE, MAE or nDCG that could be compared.")
        return OK
    columns, rows, words = table_rows(frame, names)
    print_table(columns, rows, right=columns[words:])
    write_whole(folder / "sweep.csv", frame.to_csv(index=False))
    run = plan.run(sweeps[0].run)
    swept = " and ".join(f"`{one.name}`" for one in sweeps)
    overview = Overview(f"A sweep of {swept}")
    tried = "; ".join(f"`{one.name}`: {', '.join(f'`{written(v)}`' for v in one.values)}" for one in sweeps)
    overview.prose(f"**{run.title}**, executed once for each value. {tried}.")
    svg, drawn = draw(frame, names, folder / "sweep")
    overview.figure(
        "fig-sweep", f"Main metrics against {swept}, with intervals where they were stored.",
        f"Lines of {drawn} over the swept values; the table has the same numbers.", svg,
    )  # fmt: skip
    overview.table("tbl-sweep", "The main metrics at each value.", columns, rows, left=words)
    print(
        f"The plot: {shown(folder / 'sweep.svg')} and sweep.png; the figures: {shown(folder / 'sweep.csv')}"
    )
    try:
        page = build_pages(plan, runs, store.runs_dir, folder, overview, f"Sweep: {run.title}")
    except NotRendered as error:
        print(f"The sweep's page was not rendered; its results are kept: {error}", file=sys.stderr)
        return RENDERING_FAILED
    print(f"The sweep's page: {shown(page)}")
    return OK
