"""Metrics of several results side by side: what a rerun or a sweep changed, as a tidy frame, a table and a plot."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lib.data.files import whole_file, write_csv

MAIN = r"rmse|mae|ndcg@\d+"  # the metrics that a reader asks for first
MOST_ROWS = 12
MEASURED = ["run", "dataset", "split", "model", "metric"]
NUMBERS = ["value", "low", "high"]


def compare(results: Mapping[str, Mapping[str, list[dict[str, Any]]]], file: Path) -> tuple[pd.DataFrame, str]:
    """Set the metric records of runs side by side, by run and side: return them as `measured`, and a table of what differs.

    The file, a CSV, has all of them. Where no two sides have any, both are empty, and there is no file.
    """
    frame = pd.concat([measured(run, sides) for run, sides in results.items()], ignore_index=True)
    if len(set(frame["side"])) < 2:
        return frame[:0], ""
    rows, more = side_by_side(frame)
    write_csv(file, frame)
    return frame, rows.to_string(index=False) + (f"\nand {more} more in {file.name}" if more else "")


def measured(run: str, sides: Mapping[str, list[dict[str, Any]]]) -> pd.DataFrame:
    """Return the metric records of a run's several results, by what tells these apart, as a tidy frame.

    Its columns are those of `MEASURED`, fold, side, and those of `NUMBERS`, means over seeds. Where each side has one data set,
    or one split, and they differ, as after ``--dataset`` or ``-p split``, that does not part them.
    """
    rows = [{**record, "run": run, "side": side} for side, records in sides.items() for record in records]
    frame = pd.DataFrame(rows, columns=[*MEASURED, "fold", "side", *NUMBERS])
    frame = frame[frame["value"].notna()].astype(dict.fromkeys(NUMBERS, float))
    for part in ("dataset", "split"):
        names = list(dict.fromkeys(frame[part]))
        if len(names) > 1 and max(map(len, frame.groupby("side")[part].agg(set))) == 1:
            frame[part] = " -> ".join(names)
    return frame.groupby([*MEASURED, "fold", "side"], sort=False)[NUMBERS].mean().reset_index()


def side_by_side(frame: pd.DataFrame, most: int = MOST_ROWS) -> tuple[pd.DataFrame, int]:
    """Return a table of texts, a column a side, and how many more rows would be worth showing; runs get equal room.

    Rows are what all sides have, else what any has, as means over its folds: those that differ, RMSE, MAE and nDCG first; where
    nothing differs, RMSE, MAE and nDCG, or all without these. Of two sides it shows intervals and the difference, too.
    """
    sides = list(dict.fromkeys(frame["side"]))
    key = [*MEASURED, "fold"]
    parts = {side: part.set_index(key)[NUMBERS] for side, part in frame.groupby("side", sort=False)}
    wide = pd.concat(parts, axis=1).swaplevel(axis=1)
    whole = wide[["value"]].notna().all(axis=1)
    wide = (wide[whole] if whole.any() else wide).groupby(level=MEASURED, sort=False).mean()
    main, values = _main(wide.index.get_level_values("metric")), wide[["value"]]
    differ = (values.max(axis=1) > values.min(axis=1)).to_numpy()
    rows = pd.concat([wide[differ & main], wide[differ & ~main]]) if differ.any() else wide[main]
    room = max(1, most // max(1, len(set(frame["run"]))))
    shown = rows.groupby(level="run", sort=False).head(room)
    texts = shown.index.to_frame(index=False)[["run", "model", "split", "metric"]]
    for side in sides:
        texts[side] = [_text("{:,.0f}" if abs(v) >= 1000 else "{:.4f}", v) for v in shown["value", side]]
    if len(sides) == 2:
        texts["difference"] = [_text("{:+.4f}", v) for v in shown["value", sides[1]] - shown["value", sides[0]]]
        for side in sides:
            ends = zip(shown["low", side], shown["high", side], strict=True)
            texts[f"interval {side}"] = [_text("{:.4f} to {:.4f}", *of) for of in ends]
    said = [name for name in texts if texts[name].astype(bool).any()]
    return texts[said if len(set(texts["run"])) > 1 else said[1:]], len(rows) - len(shown)


def _main(metrics) -> np.ndarray:
    """Tell which metrics are RMSE, MAE and nDCG; where none is, all count as such."""
    main = np.asarray(metrics.str.fullmatch(MAIN), dtype=bool)
    return main | ~main.any()


def _text(form: str, *values: float) -> str:
    return "" if np.isnan(values).any() else form.format(*values)


def draw(frame: pd.DataFrame, values: Mapping[str, Any], name: str, path: Path) -> None:
    """Draw RMSE, MAE and nDCG, or all without these, against the values of a parameter that the sides stand for.

    A panel a metric that differs, a line a model, into `path` with ``.svg`` and ``.png``; means over folds.
    """
    import matplotlib as mpl
    import seaborn as sns

    from lib.report.figures import svg_text, use_style

    use_style()
    mpl.rcParams["figure.constrained_layout.use"] = False  # seaborn lays its panels out itself
    means = frame[_main(frame["metric"])].groupby([*MEASURED, "side"], sort=False)["value"].mean().reset_index()
    differ = means.groupby(MEASURED, sort=False)["value"].transform("nunique") > 1
    means = means[differ] if differ.any() else means
    told = [part for part in ("dataset", "split", "model") if len(set(means[part])) > 1] or ["model"]
    means["line"] = means[told].agg(", ".join, axis=1)
    numeric = all(type(value) in (int, float) for value in values.values())
    means[name] = means["side"].map(values) if numeric else means["side"]
    axes = {"x": name, "y": "value", "hue": "line", "col": "metric", "col_wrap": min(3, means["metric"].nunique())}
    look = {"kind": "line", "marker": "o", "height": 2.4, "facet_kws": {"sharey": False}}
    grid = sns.relplot(means, **axes, **look, legend=len(set(means["line"])) > 1)
    grid.set_titles("{col_name}").set_xlabels(name)
    if numeric and min(values.values()) > 0 and max(values.values()) >= 20 * min(values.values()):
        grid.set(xscale="log")
    grid.figure.savefig(path.with_suffix(".png"), dpi=150)
    with whole_file(path.with_suffix(".svg")) as partial:
        partial.write_text(svg_text(grid.figure), encoding="utf-8")
