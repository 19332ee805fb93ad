"""What a rerun changed: a run's metrics beside those that the report holds."""

from __future__ import annotations

from typing import Any

import pandas as pd

from lib.runner.store import TIMES

MAIN = r"rmse|mae|ndcg@\d+"
"""The metrics that a reader asks for first."""
MOST_ROWS = 12
KEY = ["dataset", "split", "fold", "model", "metric"]
NUMBERS = ["value", "low", "high"]


def compare(run: str, before: list[dict[str, Any]], after: list[dict[str, Any]]) -> pd.DataFrame:
    """Set two lists of metric records side by side, a row for each that both have.

    Records belong together by data set, split, fold, model and metric; over seeds values and ends of intervals are averaged.
    Where each side has one data set, or one split, and they differ, as after ``--dataset`` or ``-p split``, that does not part
    them. Costs, which the machine makes, are left out.

    Returns
    -------
    DataFrame
        Columns: run, those of `KEY`, before, after, low_before, high_before, low_after, high_after, difference.
    """
    sides = []
    for records in (before, after):
        results = [r for r in records if r["value"] is not None and not TIMES.search(r["metric"])]
        sides.append(pd.DataFrame(results, columns=[*KEY, *NUMBERS]).astype(dict.fromkeys(NUMBERS, float)))
    for part in ("dataset", "split"):
        names = [list(side[part].unique()) for side in sides]
        if all(len(own) == 1 for own in names) and names[0] != names[1]:
            sides = [side.assign(**{part: f"{names[0][0]} -> {names[1][0]}"}) for side in sides]
    then, now = (side.groupby(KEY, sort=False)[NUMBERS].mean().reset_index() for side in sides)
    found = now.merge(then, on=KEY, suffixes=("_after", "_before"))
    found = found.rename(columns={"value_before": "before", "value_after": "after"}).assign(run=run)
    ends = ["low_before", "high_before", "low_after", "high_after"]
    return found[["run", *KEY, "before", "after", *ends]].assign(difference=found["after"] - found["before"])


def chosen(changes: pd.DataFrame, most: int = MOST_ROWS) -> tuple[pd.DataFrame, int]:
    """Return the rows worth showing, and how many more are worth it; several runs get equal room.

    Those that differ, RMSE, MAE and nDCG before the others; where nothing differs, RMSE, MAE and nDCG.
    """
    main = changes["metric"].str.fullmatch(MAIN)
    rows, differ = changes[main], changes["difference"] != 0
    if differ.any():
        rows = pd.concat([changes[differ & main], changes[differ & ~main]])
    room = max(1, most // max(1, changes["run"].nunique()))
    shown = rows.groupby("run", sort=False).head(room)
    return shown, len(rows) - len(shown)


def table(changes: pd.DataFrame) -> pd.DataFrame:
    """Return a table of changes as texts, without columns that say nothing."""
    texts = changes[["run", "model", "split", "fold", "metric", "before", "after", "difference"]].copy()
    for name in ("before", "after"):
        texts[name] = changes[name].map(number)
        ends = zip(changes[f"low_{name}"], changes[f"high_{name}"], strict=True)
        texts[f"interval {name}"] = [interval(*pair) for pair in ends]
    texts["difference"] = changes["difference"].map(lambda value: f"{value:+.4f}")
    said = [name for name in texts if texts[name].astype(bool).any()]
    return texts[said if len(set(texts["run"])) > 1 else said[1:]]


def number(value: float) -> str:
    """Return a figure as tables show it."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4f}"


def interval(low: float, high: float) -> str:
    """Return an interval as tables show it; empty where an end is NaN."""
    return "" if pd.isna(low) or pd.isna(high) else f"{low:.4f} to {high:.4f}"
