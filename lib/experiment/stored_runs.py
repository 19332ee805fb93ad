"""What a run leaves behind, as later notebooks and studies read it.

A run's folder, ``reports/runs/<run>/``, holds ``metrics.json`` (tidy records), ``predictions.parquet``,
``errors.parquet``, ``top_k.parquet``, ``scores/<model>.npz`` (whole score matrices), ``figures/`` (each SVG with the CSV behind it),
``tables/``, ``facts.json`` (named values for prose and verdicts) and ``provenance.json``. Ids in files are raw ids:
later notebooks align by key, never by the order of rows.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from pyarrow import ArrowException

from lib import ROOT
from lib.data.errors import OneSentence
from lib.data.files import DamagedFile, read_whole
from lib.experiment.stored_files import FORMS
from lib.models import card_of, model_class
from lib.statistics.agreement import ScoreMatrix

NUMBERS = ("value", "low", "high", "seconds_fit", "seconds_predict")
METRIC_COLUMNS = ("dataset", "split", "fold", "seed", "model", "metric", *NUMBERS, "run", "setting", "headline")
"""Of what was measured; the last two are `setting_of` and ``yes`` for what validation chose beforehand for its setting."""
UNREADABLE = (OSError, EOFError, KeyError, ValueError, AttributeError, ArrowException, BadZipFile, zlib.error)


class MissingRun(OneSentence, FileNotFoundError):
    """A result that a notebook reads has not been made yet; the message holds the command that makes it."""

    def _render_traceback_(self) -> list[str]:
        """Add, where a notebook's parameters name its run, the command that makes all that it reads."""
        from IPython import get_ipython

        own = getattr(get_ipython(), "user_ns", {}).get("run")
        all_of_them = f". All that this notebook reads: python run_notebooks.py --only {own}" if own else ""
        return [f"{text}{all_of_them}" for text in super()._render_traceback_()]


def runs_folder(runs_dir: str | Path = "") -> Path:
    """Return the folder of all runs; an empty name stands for the project's own, reports/runs."""
    return Path(runs_dir) if str(runs_dir) else ROOT / "reports" / "runs"


@dataclass(frozen=True)
class StoredRun:
    """A finished run's results."""

    run: str
    folder: Path

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """Tidy records with the columns of `METRIC_COLUMNS`."""
        return metrics_frame(self._json("metrics.json"))

    @cached_property
    def facts(self) -> dict:
        """Named values that the run kept."""
        return self._json("facts.json")

    @cached_property
    def provenance(self) -> dict:
        """Commit, data checksums, parameters, versions, threads, seconds."""
        return self._json("provenance.json")

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """Test predictions: model, split, fold, seed, user, item, rating, prediction (raw ids)."""
        return self._read("predictions.parquet", pd.read_parquet)

    @cached_property
    def errors(self) -> pd.DataFrame:
        """Errors by user where no predictions are stored: model, split, fold, seed, user (raw id), counts, squared, absolute."""
        return self._read("errors.parquet", pd.read_parquet)

    @cached_property
    def top_k(self) -> pd.DataFrame:
        """Recommended lists: model, split, fold, seed, user, rank, item, score (raw ids)."""
        return self._read("top_k.parquet", pd.read_parquet)

    def scores(self, model: str) -> ScoreMatrix:
        """Return a model's whole score matrix with its raw ids."""

        def read(path: Path) -> ScoreMatrix:
            with np.load(path, allow_pickle=False) as file:
                return ScoreMatrix(file["user_ids"], file["item_ids"], file["values"])

        return self._read(f"scores/{model}.npz", read)

    def value(self, model: str, metric: str) -> float:
        """Return one metric's value, averaged over whatever seeds and folds it was measured on; KeyError without any."""
        rows = self.metrics.query("model == @model and metric == @metric")
        if rows.empty:
            raise KeyError(f"run {self.run!r} has no {metric!r} of model {model!r}")
        return float(rows["value"].mean())

    def _json(self, name: str) -> Any:
        return read_whole(self._file(name), FORMS[name], self._again)

    def _read(self, name: str, read: Callable[[Path], Any]) -> Any:
        path = self._file(name)
        try:
            return read(path)
        except UNREADABLE as error:
            raise DamagedFile(f"{path} is damaged ({error}). {self._again}") from error

    @property
    def _again(self) -> str:
        return f"Make it with: python run_notebooks.py --only {self.run} --force"

    def _file(self, name: str) -> Path:
        path = self.folder / name
        if not path.exists():
            raise MissingRun(f"run {self.run!r} left no {name}. {self._again}")
        return path


def setting_of(model: str, split: str) -> str:
    """Tell what the model that a result's name begins with knows of time; empty where none is registered, or without split.

    ``deployable`` where test is later than train, else ``time_known`` if it reads the time of what is asked, or ``no_time``.
    """
    card = card_of(model)
    if not split or card is None:
        return ""
    if split == "chronological":
        return "deployable"
    return "time_known" if model_class(card.name).uses_time else "no_time"


def metrics_frame(records: list[dict]) -> pd.DataFrame:
    """Make a tidy table of metric records, with every column of `METRIC_COLUMNS` present."""
    frame = pd.DataFrame(records, columns=list(METRIC_COLUMNS))
    return frame.astype({**dict.fromkeys(NUMBERS, float), "seed": "Int64"})


def load_run(run: str, *, runs_dir: str | Path = "") -> StoredRun:
    """Read a finished run; `MissingRun` where there is none."""
    folder = runs_folder(runs_dir) / run
    if not (folder / "provenance.json").exists():
        raise MissingRun(f"Run {run!r} has not been made. Make it with: python run_notebooks.py --only {run}")
    return StoredRun(run, folder)


def stored_runs(*names: str, runs_dir: str | Path = "") -> list[StoredRun]:
    """Read those of some runs that are finished, in this order."""
    found = [StoredRun(name, runs_folder(runs_dir) / name) for name in names if name]
    return [run for run in found if (run.folder / "provenance.json").exists()]
