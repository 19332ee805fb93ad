"""What a notebook writes of a run: figures, tables, metrics and facts, shown and kept (`lib.experiment.stored_runs`)."""

import os
import time
from collections.abc import Hashable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from lib.data.errors import RUN_FOLDER_VARIABLE
from lib.data.files import whole_file, write_csv, write_json
from lib.experiment.provenance import collect_provenance
from lib.experiment.stored_runs import METRIC_COLUMNS, StoredRun, runs_folder, setting_of
from lib.report import display
from lib.report.figures import svg_text, use_style

BY_HAND = "by_hand"  # folder, beside the runs', of what notebooks write that a reader runs in JupyterLab


class RunWriter:
    """Collects what a run found; made by `start_run`, and complete on disk after `finish`."""

    def __init__(self, run: str, folder: Path, *, dataset=None, parameters: dict | None = None):
        self.run, self.folder = run, folder
        self.dataset = getattr(dataset, "name", dataset) or ""
        self._provenance = {"run": run, "parameters": parameters or {}, "dataset": self.dataset}
        self._provenance["data_checksums"] = dict(getattr(dataset, "checksums", {}) or {})
        self._provenance["data_source"] = getattr(dataset, "source", "")
        self._started = time.perf_counter()
        self._metrics: list[dict] = []
        self._tables: dict[str, list[pd.DataFrame]] = {"predictions": [], "top_k": [], "errors": []}
        self._facts: dict = {}
        folder.mkdir(parents=True, exist_ok=True)

    def metric(self, *, model: str, metric: str, value: float, **further) -> None:
        """Keep one measured figure; `further` are other `METRIC_COLUMNS`, such as ``low`` and ``high``, its interval's ends."""
        where = {"dataset": self.dataset, "split": "", "fold": "", "run": self.run}
        record = where | {"model": model, "metric": metric, "value": value, "headline": ""} | further
        record.setdefault("setting", setting_of(model, record["split"]))
        if unknown := set(record) - set(METRIC_COLUMNS):
            raise TypeError(f"a metric has no {', '.join(unknown)}; it has {', '.join(METRIC_COLUMNS)}")
        self._metrics.append({column: record.get(column) for column in METRIC_COLUMNS})

    def record(self, evaluation, *, predictions: bool = True, setting: str = "", headline: bool = False) -> None:
        """Keep all that an `lib.experiment.evaluation.Evaluation` measured: metrics, predictions, top-k lists, score matrix.

        `setting` is that of `lib.experiment.stored_runs.setting_of` where none is given.
        """
        told = {"setting": setting or setting_of(evaluation.model, evaluation.split.name)}
        told |= {"headline": "yes" if headline else "", "dataset": self.dataset, "run": self.run}
        self._metrics += [{**row, **told} for row in evaluation.records()]
        if not predictions:
            return
        split = evaluation.split
        key = {"model": evaluation.model, "split": split.name, "fold": split.fold, "seed": evaluation.seed}
        if evaluation.predictions is not None:
            self._tables["predictions"].append(evaluation.predictions.assign(**key))
        elif (sums := evaluation.errors) is not None:
            columns = {name: getattr(sums, name) for name in ("counts", "squared", "absolute")}
            self._tables["errors"].append(
                pd.DataFrame({"user": split.test.user_ids[sums.users], **columns}).assign(**key)
            )
        if evaluation.top_k is not None:
            self._tables["top_k"].append(evaluation.top_k.assign(**key))
        if (matrix := evaluation.scores) is not None:  # with its raw ids, in single precision
            ids, path = {"user_ids": matrix.user_ids, "item_ids": matrix.item_ids}, f"{evaluation.model}.npz"
            with whole_file(self.folder / "scores" / path) as partial, open(partial, "wb") as file:
                np.savez(file, **ids, values=np.asarray(matrix.values, dtype=np.float32))

    def fact(self, name: str, value) -> None:
        """Keep a named number, text, list or dictionary for later notebooks' prose and verdicts."""
        self._facts[name] = value

    def figure(self, figure, name: str, *, data: pd.DataFrame, points: list | None = None) -> None:
        """Keep a figure as SVG with the numbers behind it, tidy, as CSV; show it and close it.

        `name` is the cell's label; `points`, of `lib.report.figures.hover_points`, is told when the pointer is near a
        place.
        """
        self._keep_data(data, "figures", name, "fig-")
        text = svg_text(figure)
        with whole_file(self.folder / "figures" / f"{name}.svg") as partial:
            partial.write_text(text, encoding="utf-8")
        display.svg(text, name, points)

    def table(self, frame: pd.DataFrame, name: str, *, links: Mapping[Hashable, list[str]] | None = None) -> None:
        """Keep a table as CSV, at full precision, and show it; see `lib.report.display.table`."""
        self._keep_data(frame, "tables", name, "tbl-")
        display.table(frame, name, links)

    def _keep_data(self, frame: pd.DataFrame, folder: str, name: str, start: str) -> None:
        if not name.startswith(start):
            raise ValueError(f"a name among {folder} starts with {start!r}, as its label does; got {name!r}")
        write_csv(self.folder / folder / f"{name}.csv", frame)

    def measured(self) -> StoredRun:
        """Write what was measured so far, each file whole or not at all, and return it as later notebooks read it."""
        write_json(self.folder / "metrics.json", self._metrics)
        for name, frames in self._tables.items():
            path = self.folder / f"{name}.parquet"
            if not frames:
                path.unlink(missing_ok=True)
                continue
            with whole_file(path) as partial:
                together = pd.concat(frames, ignore_index=True).astype({"seed": "Int64"})
                together.to_parquet(partial, index=False)
        return StoredRun(self.run, self.folder)

    def finish(self) -> None:
        """Write everything collected, provenance last."""
        self.measured()
        write_json(self.folder / "facts.json", self._facts)
        seconds = {"seconds": time.perf_counter() - self._started}
        write_json(self.folder / "provenance.json", {**self._provenance, **collect_provenance(), **seconds})


def start_run(run: str, *, runs_dir: str | Path = "", dataset=None, parameters: dict | None = None) -> RunWriter:
    """Open a run's folder for writing, and give figures the report's look.

    An empty `runs_dir` is the folder that the runner gives; without the runner reports/by_hand, so that a notebook that
    is tried by hand leaves the report's results alone. `dataset`, or its name, and `parameters` go into the provenance.
    """
    if not run or any(c in run for c in "/\\") or run.startswith("."):
        raise ValueError(f"a run's name is a plain folder name; got {run!r}")
    given = os.environ.get(RUN_FOLDER_VARIABLE)
    if given or str(runs_dir):
        folder = Path(given or runs_folder(runs_dir) / run)
    else:
        folder = runs_folder().with_name(BY_HAND) / run
        print(
            f"What this notebook finds goes to reports/{BY_HAND}/{run}; the report's own results stay. "
            f"To make those anew: python run_notebooks.py --only {run}"
        )
    use_style()
    return RunWriter(run, folder, dataset=dataset, parameters=parameters)
