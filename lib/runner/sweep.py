"""A sweep: one run under several values of a parameter, side by side in a table, a plot and a page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lib.runner.beside import folder_of, work_beside
from lib.runner.errors import UsageError
from lib.runner.hints import is_sweepable
from lib.runner.notebook import read_notebook
from lib.runner.options import Options
from lib.runner.parameters import Parameter, Resolved, declared
from lib.runner.plan import VARIANT, Plan, Run
from lib.runner.store import Store, read_json, shown, write_whole

if TYPE_CHECKING:
    import pandas as pd

KEYS = ["dataset", "split", "model", "metric"]
TAKEN = (*KEYS, "fold", "seed", "value", "low", "high", "run")


@dataclass(frozen=True)
class Sweep:
    """One swept parameter of one run, and its values in the order given."""

    run: str
    name: str
    values: tuple[Any, ...]

    @property
    def column(self) -> str:
        """The name of its column; one called like a part of a metric's record is told apart from it."""
        return f"{self.name} (parameter)" if self.name in TAKEN else self.name


def split_sweep(
    plan: Plan, asked_for: Iterable[str], options: Iterable[tuple[str, str]]
) -> tuple[list[tuple[str, str]], Sweep | None]:
    """Part the options into those that set one value and the one that sweeps several.

    Several values are told by a comma in what is no list; in a text one with a space behind it doesn't part, such as a title's.
    Raises UsageError: more than one run or parameter, fewer than two values, or a value of another type.
    """
    known = {name: declared(read_notebook(plan.source(plan.run(name)))) for name in asked_for}
    plain: list[tuple[str, str]] = []
    sweeps: list[Sweep] = []
    for key, text in options:
        prefix, _, name = key.rpartition(":")
        runs = {run: p[name] for run, p in known.items() if name in p and prefix in ("", run)}
        several = {run: parts for run, p in runs.items() if len(parts := _parts(text, p)) > 1}
        if not several:
            plain.append((key, text))
        elif len(runs) > 1:
            raise UsageError(
                f"-p {key}: several values are a sweep, which takes one run at a time; name one with --only: "
                + ", ".join(run for run in plan.ids if run in runs)
            )
        else:
            ((run, parts),) = several.items()
            values = dict.fromkeys(runs[run].taken(part.strip(), f"-p {key}: {run}", as_text=True) for part in parts)  # fmt: skip
            if len(values) < 2:
                raise UsageError(f"-p {key}: a sweep needs two different values at least")
            sweeps.append(Sweep(run, name, tuple(values)))
    if len(sweeps) > 1:
        raise UsageError(f"one parameter is swept at a time, not {', '.join(one.name for one in sweeps)}")
    return plain, sweeps[0] if sweeps else None


def _parts(text: str, parameter: Parameter) -> list[str]:
    if not is_sweepable(parameter.type):
        return [text]
    return re.split(r",(?!\s)" if parameter.kind.startswith("str") else r",", text)


def variants(run: Run, swept: Sweep, base: Resolved) -> dict[str, tuple[Run, Resolved, Any]]:
    """Return a run for each value by its name: the run, its parameters, and the value."""
    found: dict[str, tuple[Run, Resolved, Any]] = {}
    for value in swept.values:
        text = written(value).lower().replace("-", "minus_")
        name = f"{run.id}{VARIANT}{swept.name}-{re.sub(r'[^a-z0-9]+', '_', text).strip('_') or 'empty'}"
        while name in found:  # two texts that differ in signs only
            name += "_"
        title, own = f"{run.title}, {swept.name} = {written(value)}", {swept.name: value}
        resolved = Resolved({**base.values, **own}, {**base.given, **own})
        found[name] = (replace(run, id=name, title=title), resolved, value)
    return found


def written(value: Any) -> str:
    """Return a value as the command line takes it."""
    return value if isinstance(value, str) else json.dumps(value)


def sweep(
    plan: Plan, stored: Store, parameters: Mapping[str, Resolved], swept: Sweep, options: Options
) -> int:
    """Execute a run once for each value, and show its metrics against them.

    Raises UsageError: the sweep is meant to go into the report.
    """
    if options.into_report:
        raise UsageError("a report has one value of a parameter; a sweep goes beside it, without --into-report")  # fmt: skip
    run = plan.run(swept.run)
    found = variants(run, swept, parameters[run.id])
    whole = replace(plan, runs=(*plan.runs, *(variant for variant, _, _ in found.values())))
    parameters = {**parameters, **{name: resolved for name, (_, resolved, _) in found.items()}}
    folder = folder_of(plan, [run.id], options)

    def conclude(store: Store) -> list[Run]:
        records = [
            {**record, swept.column: value}
            for name, (_, _, value) in found.items()
            for record in read_json(store.folder(name) / "metrics.json") or []
        ]
        _tell(main_records(records, swept), swept, folder)
        return [one for one, _, _ in found.values()]

    alone, title = replace(options, skip=()), f"Sweep: {run.title}"
    return work_beside(whole, stored, folder, parameters, list(found), alone, title, conclude)


def _tell(frame: pd.DataFrame, swept: Sweep, folder: Path) -> None:
    """Print the main metrics at each value, and keep them as a file and a plot."""
    from lib.runner.metric_changes import interval

    if frame.empty:
        print(f"{swept.run} keeps no RMSE, MAE or nDCG that could be compared.")
        return
    write_whole(folder / "sweep.csv", frame.to_csv(index=False))
    texts = frame[[*_varying(frame, swept), "metric", swept.column]].assign(
        value=frame["value"].map("{:.4f}".format),
        interval=[interval(*ends) for ends in zip(frame["low"], frame["high"], strict=True)],
    )
    print(texts.to_string(index=False))
    draw(frame, swept, folder / "sweep")
    print(f"The plot: {shown(folder / 'sweep.svg')} and sweep.png; the figures: {shown(folder / 'sweep.csv')}")  # fmt: skip


def main_records(records: list[dict], swept: Sweep) -> pd.DataFrame:
    """Return RMSE, MAE and nDCG by swept value as a tidy table: means over folds and seeds, also of intervals' ends.

    Figures that no value changes are left out, unless that is all of them: what else a run measures says nothing about the
    swept parameter.
    """
    import pandas as pd

    from lib.runner.metric_changes import MAIN, NUMBERS

    main = [r for r in records if re.fullmatch(MAIN, r["metric"]) and r["value"] is not None]
    frame = pd.DataFrame(main, columns=[swept.column, *KEYS, *NUMBERS])
    grouped = frame.astype(dict.fromkeys(NUMBERS, float)).groupby([*KEYS, swept.column], sort=False, dropna=False)  # fmt: skip
    tidy = grouped[NUMBERS].mean().reset_index()
    # A swept split is another one in each record, and yet what is compared.
    keys = [key for key in KEYS if key != swept.name]
    moved = tidy.groupby(keys, sort=False, dropna=False)["value"].transform("nunique") > 1
    return tidy[moved].reset_index(drop=True) if moved.any() else tidy


def draw(frame: pd.DataFrame, swept: Sweep, path: Path) -> None:
    """Draw a panel a metric, a line a model, into ``path`` with ``.svg`` and ``.png``."""
    import matplotlib as mpl
    import seaborn as sns

    from lib.report.figures import svg_text, use_style

    use_style()
    mpl.rcParams["figure.constrained_layout.use"] = False  # seaborn lays its panels out itself
    numeric = all(type(value) in (int, float) for value in swept.values)
    lines = frame[_varying(frame, swept) or ["model"]].astype(str).agg(", ".join, axis=1)
    x = frame[swept.column] if numeric else frame[swept.column].map(written)
    grid = sns.relplot(
        data=frame.assign(model=lines, **{swept.column: x}), x=swept.column, y="value", hue="model", col="metric",
        col_wrap=min(3, len(set(frame["metric"]))), kind="line", marker="o", height=2.4, facet_kws={"sharey": False},
        legend=len(set(lines)) > 1,
    )  # fmt: skip
    grid.set_titles("{col_name}").set_xlabels(swept.name)
    if numeric and x.min() > 0 and x.max() >= 20 * x.min():
        grid.set(xscale="log")
    grid.figure.savefig(path.with_suffix(".png"), dpi=150)
    write_whole(path.with_suffix(".svg"), svg_text(grid.figure))


def _varying(frame: pd.DataFrame, swept: Sweep) -> list[str]:
    """Return what tells the lines apart, beside the metric and what is swept."""
    return [key for key in ("dataset", "split", "model") if key != swept.name and len(set(frame[key])) > 1]
