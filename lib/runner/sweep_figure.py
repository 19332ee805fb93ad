"""The plot and the table of a sweep: every main metric against the swept values."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.figures import PALETTE, svg_text, use_style
from lib.runner.metric_changes import MAIN
from lib.runner.store import write_whole
from lib.runner.sweep_values import written

MOST_LINES, MOST_PANELS = 6, 6
_METRICS = {"rmse": "RMSE", "mae": "MAE"}
KEYS = ["dataset", "split", "model", "metric"]
TAKEN = {*KEYS, "fold", "seed", "value", "low", "high", "figures", "run", "seconds_fit", "seconds_predict"}


def column(name: str) -> str:
    """Return the column of a swept parameter; one called like a part of a metric's record is told apart from it."""
    return f"{name} (parameter)" if name in TAKEN else name


def main_records(records: list[dict], names: list[str]) -> pd.DataFrame:
    """Return RMSE, MAE and nDCG by swept value as a tidy table: the mean over folds and seeds, and of how many.

    Of several figures to a value an interval is the mean of theirs. Figures that no value changes are left out, unless
    that is all of them: what else a run measures says nothing about the swept parameter.

    Parameters
    ----------
    records : list of dict
        Metric records, with the swept values under `column` of their names.
    names : list of str
        Those columns.
    """
    rows = [r for r in records if MAIN.match(r["metric"]) and r["value"] is not None]
    frame = pd.DataFrame(rows, columns=[*names, *KEYS, "value", "low", "high"])
    if frame.empty:
        return frame.assign(figures=pd.Series(dtype=int))
    numbers = ["value", "low", "high"]
    frame[numbers] = frame[numbers].astype(float)
    grouped = frame.groupby([*KEYS, *names], sort=False, dropna=False)
    tidy = grouped[numbers].mean().assign(figures=grouped.size()).reset_index()
    # A swept split is another one in each record, and yet what is compared.
    keys = [key for key in KEYS if key == "model" or column(key) not in names]
    moved = tidy.groupby(keys, sort=False, dropna=False)["value"].transform(lambda v: v.max() - v.min() > 0)
    return tidy[moved].reset_index(drop=True) if moved.any() else tidy


def table_rows(frame: pd.DataFrame, names: list[str]) -> tuple[list[str], list[list[str]], int]:
    """Return a table's headings, its texts, and how many of its columns are words: a row for each line and value."""
    words = [*_varying(frame, names), "metric"]
    rows = [
        [
            *(str(getattr(row, key)) for key in words),
            *(written(_plain(row[frame.columns.get_loc(name) + 1])) for name in names),
            f"{row.value:.4f}",
            "" if math.isnan(row.low) or math.isnan(row.high) else f"{row.low:.4f} to {row.high:.4f}",
        ]
        for row in frame.itertuples()
    ]
    columns = [*words, *names, "value", "interval"]
    if not any(row[-1] for row in rows):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    return columns, rows, len(words)


def draw(frame: pd.DataFrame, names: list[str], path: Path) -> tuple[str, str]:
    """Draw small multiples into ``path`` with ``.svg`` and ``.png``.

    With one parameter a panel is a metric and a line a model; with two a panel is a metric of one model and a line a
    value of the second. Panels and lines beyond the first six are in the table only.

    Returns
    -------
    str
        The SVG.
    str
        What the lines are, in words.
    """
    use_style()
    keys = _varying(frame, names)
    frame = frame.assign(series=frame[keys].astype(str).agg(", ".join, axis=1) if keys else frame["model"])
    panels = ["metric"] if len(names) == 1 else ["metric", "series"]
    lines = "series" if len(names) == 1 else names[1]
    groups = list(frame.groupby(panels, sort=False, dropna=False))[:MOST_PANELS]
    width = min(len(groups), 3)
    height = math.ceil(len(groups) / width)
    shown = list(dict.fromkeys(frame[lines]))[:MOST_LINES]
    legend = len(shown) > 1
    figure = Figure(figsize=(min(7.2, 2.6 * width + 0.6), 2.3 * height + (0.6 if legend else 0.1)), layout="constrained")  # fmt: skip
    axes = figure.subplots(height, width, squeeze=False).ravel()
    values = list(dict.fromkeys(frame[names[0]]))
    numeric = all(isinstance(v, (int, float, np.number)) and not isinstance(v, (bool, np.bool_)) for v in values)  # fmt: skip
    places = {v: v if numeric else i for i, v in enumerate(values)}
    colours = list(PALETTE.values())
    for axis, (key, part) in zip(axes, groups, strict=False):
        for place, line in enumerate(shown):
            own = part[part[lines] == line].sort_values(names[0]) if numeric else part[part[lines] == line]
            if own.empty:
                continue
            x = _apart(own[names[0]].map(places).to_numpy(float), place, len(shown), values, numeric)
            low, high = (own["value"] - own["low"]).to_numpy(), (own["high"] - own["value"]).to_numpy()
            label = (
                str(line)
                if lines == "series"
                else f"{lines.removesuffix(' (parameter)')} = {written(_plain(line))}"
            )
            errors = None if np.isnan(low).all() else np.nan_to_num(np.clip([low, high], 0, None))
            axis.errorbar(
                x, own["value"], yerr=errors, label=label, color=colours[place], marker="o", markersize=3.5,
                capsize=2, linewidth=1.2,
            )  # fmt: skip
        axis.set_title(
            ", ".join([_METRICS.get(key[0], key[0].replace("ndcg", "nDCG")), *key[1:]]), fontsize=9
        )
        axis.set_xlabel(names[0].removesuffix(" (parameter)"))
        _ticks(axis, values, numeric)
    for axis in axes[len(groups) :]:
        axis.set_visible(False)
    if legend:
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(3, len(labels)), fontsize=8)
    figure.savefig(path.with_suffix(".png"), dpi=150)
    text = svg_text(figure)
    write_whole(path.with_suffix(".svg"), text)
    return text, "models" if lines == "series" else f"`{lines}`"


def _varying(frame: pd.DataFrame, names: list[str]) -> list[str]:
    """Return what tells the lines apart, beside the metric and what is swept."""
    keys = [key for key in ("dataset", "split", "model") if key == "model" or column(key) not in names]
    return [key for key in keys if len(frame[key].unique()) > 1]


def _wide(values: list) -> bool:
    """Whether the values span so wide a range that ratios say more than differences."""
    return min(values) > 0 and max(values) / min(values) >= 20


def _apart(x: np.ndarray, place: int, lines: int, values: list, numeric: bool) -> np.ndarray:
    """Move a line's points a little to the side, so that its intervals don't hide its neighbours'."""
    step = 0.015 * (place - (lines - 1) / 2)
    if numeric and _wide(values):
        return x * (max(values) / min(values)) ** step
    return x + step * (max(values) - min(values) if numeric else max(1, len(values) - 1))


def _ticks(axis, values: list, numeric: bool) -> None:
    """Mark the values that were tried, as far as they don't touch; ratios where they span a wide range."""
    if not numeric:
        axis.set_xticks(range(len(values)), [written(_plain(v)) for v in values])
        if sum(len(written(_plain(v))) for v in values) > 24:
            axis.tick_params(axis="x", rotation=45)
        return
    if _wide(values):
        axis.set_xscale("log")
    if len(values) <= 4:
        axis.set_xticks(values, [f"{v:g}" for v in values])
        axis.set_xticks([], minor=True)


def _plain(value):
    return value.item() if isinstance(value, np.generic) else value
