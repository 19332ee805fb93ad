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

from lib.runner.store import TIMES, write_whole

MAIN = re.compile(r"(rmse|mae|ndcg@\d+)\Z")
"""The metrics that a reader asks for first."""
MOST_ROWS = 12
KEY = ("dataset", "split", "fold", "model", "metric")
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
    sides = list(before), list(after)
    across = [part for part in ("dataset", "split") if _one_each({r[part] for r in side} for side in sides)]
    old, new = (_means(side, across) for side in sides)
    changes = []
    for key in (key for key in new if key in old):
        (then, was, was_low, was_high), (now, value, low, high) = old[key], new[key]
        parts = [b if a == b else f"{a} -> {b}" for a, b in zip(then, now, strict=True)]
        changes.append(MetricChange(run, *parts, *key[2:], was, value, was_low, was_high, low, high))
    first, second = (dict.fromkeys(record["model"] for record in side) for side in sides)
    return Comparison(
        tuple(changes), tuple(n for n in second if n not in first), tuple(n for n in first if n not in second)
    )


def _one_each(sides: Iterable[set[str]]) -> bool:
    first, second = sides
    return len(first) == len(second) == 1 and first != second


def _means(records: list[dict[str, Any]], across: Collection[str]) -> dict[tuple, tuple]:
    """Return data set and split, and the means of value, low and high, by key; what the machine makes is no result."""
    groups: dict[tuple, list[dict[str, Any]]] = {}
    for record in records:
        if record["value"] is not None and not TIMES.search(record["metric"]):
            groups.setdefault(tuple("" if p in across else record[p] for p in KEY), []).append(record)
    return {
        key: (
            (group[0]["dataset"], group[0]["split"]),
            *(_mean(group, name) for name in ("value", "low", "high")),
        )
        for key, group in groups.items()
    }


def _mean(group: list[dict[str, Any]], name: str) -> float | None:
    """Return the mean of what was stored: of several trainings some keep no interval."""
    known = [record[name] for record in group if record.get(name) is not None]
    return sum(known) / len(known) if known else None


def chosen(changes: Iterable[MetricChange], most: int = MOST_ROWS) -> tuple[list[MetricChange], int]:
    """Return the rows worth showing, and how many more are worth it.

    Those that differ, RMSE, MAE and nDCG before the others; where nothing differs, RMSE, MAE and nDCG. Several runs get
    equal room.
    """
    changes = list(changes)
    differing = [change for change in changes if change.difference != 0]
    rows = sorted(differing, key=lambda change: not change.is_main) or [c for c in changes if c.is_main]
    runs = dict.fromkeys(change.run for change in changes)
    room = max(1, most // max(1, len(runs)))
    shown = [row for run in runs for row in [r for r in rows if r.run == run][:room]]
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
    several = len({row[0] for row in rows}) > 1
    kept = [n for n, name in enumerate(COLUMNS) if any(row[n] for row in rows) and (name != "run" or several)]
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
    text = io.StringIO()
    writer = csv.DictWriter(
        text, [*(f.name for f in fields(MetricChange)), "difference"], lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows({**asdict(change), "difference": change.difference} for change in changes)
    write_whole(path, text.getvalue())


def _number(value: float, sign: str = "") -> str:
    return f"{value:{sign},.0f}" if abs(value) >= 1000 else f"{value:{sign}.4f}"


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.4f} to {high:.4f}"
