"""What a rerun changed: a run's metrics beside those that the report holds."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from lib.runner.store import write_whole

MAIN = re.compile(r"(rmse|mae|ndcg@\d+)\Z")
"""The metrics that a reader asks for first."""
NOT_RESULTS = re.compile(r"seconds|peak_mib")
"""Metrics of the machine's, which differ between any two runs."""
MOST_ROWS = 12

COLUMNS = ("run", "model", "split", "fold", "metric", "before", "after", "difference", "interval before", "interval after")  # fmt: skip


@dataclass(frozen=True)
class MetricChange:
    """One metric before and after; `low` and `high` are the ends of its interval where one was stored.

    Of a model that was trained with several seeds, values are means, and so are the ends of intervals.
    """

    run: str
    dataset: str
    split: str
    fold: str
    model: str
    metric: str
    before: float
    after: float
    low_before: float | None = None
    high_before: float | None = None
    low_after: float | None = None
    high_after: float | None = None

    @property
    def difference(self) -> float:
        """After less before."""
        return self.after - self.before

    @property
    def is_main(self) -> bool:
        """Whether it is one of RMSE, MAE and nDCG."""
        return MAIN.match(self.metric) is not None


@dataclass(frozen=True)
class Comparison:
    """A run's changes, and the models that only one of the two has."""

    changes: tuple[MetricChange, ...]
    new: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


def read_metrics(folder: Path) -> list[dict[str, Any]] | None:
    """Return the metric records of a run's folder, or None where it has no results."""
    try:
        return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def compare(run: str, before: Iterable[dict[str, Any]], after: Iterable[dict[str, Any]]) -> Comparison:
    """Set two lists of metric records side by side.

    Records belong together by data set, split, fold, model and metric. Where each of the two has one data set, or one
    split, and they are not the same, as after ``--dataset`` or ``-p split``, that does not part them: then the change is
    what was asked about. Only metrics that both have are compared.
    """
    before, after = list(before), list(after)
    across = {part for part in ("dataset", "split") if _one_each(part, before, after)}
    old, new = _means(before, across), _means(after, across)
    changes = []
    for key, (value, low, high, now) in new.items():
        if key in old:
            was, was_low, was_high, then = old[key]
            _, _, fold, model, metric = key
            parts = [b if a == b else f"{a} -> {b}" for a, b in zip(then, now, strict=True)]
            changes.append(
                MetricChange(run, *parts, fold, model, metric, was, value, was_low, was_high, low, high)
            )
    models = [dict.fromkeys(record["model"] for record in records) for records in (before, after)]
    return Comparison(
        tuple(changes),
        tuple(name for name in models[1] if name not in models[0]),
        tuple(name for name in models[0] if name not in models[1]),
    )


def _one_each(part: str, before: list[dict[str, Any]], after: list[dict[str, Any]]) -> bool:
    sides = [{record[part] for record in records} for records in (before, after)]
    return all(len(side) == 1 for side in sides) and sides[0] != sides[1]


def _means(records: list[dict[str, Any]], across: Collection[str]) -> dict[tuple, tuple]:
    groups: dict[tuple, list[dict[str, Any]]] = {}
    for record in records:
        if record["value"] is not None and not NOT_RESULTS.search(record["metric"]):
            parts = ("dataset", "split", "fold", "model", "metric")
            key = tuple("" if part in across else record[part] for part in parts)
            groups.setdefault(key, []).append(record)
    found = {}
    for key, group in groups.items():
        value, low, high = (
            _mean([record.get(name) for record in group]) for name in ("value", "low", "high")
        )
        found[key] = (value, low, high, (group[0]["dataset"], group[0]["split"]))
    return found


def _mean(values: list[float | None]) -> float | None:
    """Return the mean of what was stored: of several trainings some keep no interval."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _number(value: float, sign: str = "") -> str:
    return f"{value:{sign},.0f}" if abs(value) >= 1000 else f"{value:{sign}.4f}"


def chosen(changes: Iterable[MetricChange], most: int = MOST_ROWS) -> tuple[list[MetricChange], int]:
    """Return the rows worth showing, and how many more are worth it.

    Those that differ, RMSE, MAE and nDCG before the others; where nothing differs, RMSE, MAE and nDCG. Several runs get
    equal room.
    """
    changes = list(changes)
    differing = [change for change in changes if change.difference != 0]
    rows = sorted(differing, key=lambda change: not change.is_main) or [c for c in changes if c.is_main]
    by_run = {run: [row for row in rows if row.run == run] for run in dict.fromkeys(c.run for c in changes)}
    room = max(1, most // max(1, len(by_run)))
    shown = [row for own in by_run.values() for row in own[:room]]
    return shown, len(rows) - len(shown)


def table_rows(changes: Iterable[MetricChange]) -> tuple[list[str], list[list[str]]]:
    """Return headings and texts of a table of changes, without columns that say nothing."""
    rows = [
        [
            c.run, c.model, c.split, c.fold, c.metric, _number(c.before), _number(c.after), _number(c.difference, "+"),
            _interval(c.low_before, c.high_before), _interval(c.low_after, c.high_after),
        ]
        for c in changes
    ]  # fmt: skip
    runs = {row[0] for row in rows}
    kept = [
        place
        for place, name in enumerate(COLUMNS)
        if any(row[place] for row in rows) and (name != "run" or len(runs) > 1)
    ]
    return [COLUMNS[place] for place in kept], [[row[place] for place in kept] for row in rows]


def remarks(comparison: Comparison) -> list[str]:
    """Say which models only one of the two has, and whether nothing differs."""
    said = []
    if comparison.changes and not any(change.difference for change in comparison.changes):
        said.append("Nothing that was measured differs from the report.")
    for names, what in ((comparison.new, "Not in the report"), (comparison.lost, "Only in the report")):
        if names:
            said.append(f"{what}: {', '.join(names)}.")
    return said


def write_changes(path: Path, changes: Sequence[MetricChange]) -> None:
    """Write all changes as CSV at full precision."""
    names = [field.name for field in fields(MetricChange)]
    text = io.StringIO()
    writer = csv.DictWriter(text, [*names, "difference"], lineterminator="\n")
    writer.writeheader()
    for change in changes:
        writer.writerow({**asdict(change), "difference": change.difference})
    write_whole(path, text.getvalue())


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.4f} to {high:.4f}"
