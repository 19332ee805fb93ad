"""A reader's own model under the common protocol of a stored table: the same splits, seeds, lists and measures."""

import inspect
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lib.data.splits import Split
from lib.experiment.fit import FitFailed
from lib.experiment.protocol import make_splits, parts_of, table_fits
from lib.experiment.run import run_fits
from lib.experiment.stored_runs import StoredRun
from lib.models import card_of_class, check_parameters
from lib.models.base import Recommender
from lib.report.columns import interval_texts
from lib.studies.one_table import LIST_METRICS, MEASURED, protocol_of
from lib.workbench.own_model.loading import load_class

METHODS = ("__init__", "fit", "_fit", "predict", "score")
CALLERS = {"fit_model": "fit", "answers": "predict", "recommend": "score"}
"""Functions of the protocol that call a method of the model; an error that the method left behind is placed by them."""


class OwnModelError(RuntimeError):
    """A reader's class failed under the protocol; the message names the class, the method and the split."""


@dataclass(frozen=True, eq=False)
class Protocol:
    """How a stored table was measured, of the run `stored`.

    `splits` are those of `lib.experiment.protocol.make_splits`, `listed` the keys of those whose lists were drawn, of
    length `k`; a test rating of `threshold` or more is relevant; `seed` is that of the models' random starts.
    """

    stored: StoredRun
    splits: dict[str, Split]
    listed: tuple[str, ...]
    k: int
    threshold: float
    seed: int


@dataclass(frozen=True)
class OwnRow:
    """A reader's model as a row of the table, in the place of a `lib.studies.contenders.Contender`.

    `name` is also what a reader sees; `model` is ``"my_module:MyModel"``, the module being the one in which the class
    is written; `parameters` are those that differ from the class's defaults; the rest is what its card says, or what is
    known without one (`lib.models.card_of_class`). Nothing finds a number of epochs for it: no `stopping`.
    """

    name: str
    label: str
    model: str
    parameters: Mapping[str, Any]
    starts: bool
    family: str
    project: str
    stopping: None = None


def protocol_of_run(stored: StoredRun, data, only: Iterable[str] = ()) -> Protocol:
    """Read from a stored table how it was measured, and make its splits, or `only` some, of the same data again.

    ValueError: the run is of another notebook or another data set, or has no split of such a name.
    """
    settings, run = stored.provenance.get("parameters", {}), f"run {stored.run!r}"
    if {"splits", "k", "threshold", "seed"} - set(settings) or "contenders" not in stored.facts:
        raise ValueError(f"{run} is no table of models; name a run of one_table.ipynb, such as one_table")
    if (dataset := stored.provenance["dataset"]) != data.name:
        raise ValueError(f"{run} was measured on {dataset}, not on {data.name}; load that one")
    splits, only = make_splits(data, settings["splits"]), list(only)
    if unknown := set(only) - set(splits):
        raise ValueError(f"{run} has no split {', '.join(sorted(unknown))}; it has {', '.join(splits)}")
    drawn = set(zip(stored.top_k["split"], stored.top_k["fold"].fillna(""), strict=True))
    splits = {key: split for key, split in splits.items() if not only or key in only}
    listed = tuple(key for key, split in splits.items() if (split.name, split.fold) in drawn)
    measured = int(settings["k"]), float(settings["threshold"]), int(settings["seed"])
    return Protocol(stored, splits, listed, *measured)


def own_row(spec: str, parameters: Mapping[str, Any], stored: StoredRun) -> OwnRow:
    """Name a class for the table of a stored run; what is wrong with it raises as in `load_class`."""
    cls = load_class(spec)
    check_parameters(cls, parameters)
    known = stored.facts["contenders"]
    taken = {*known, *(one["label"] for one in known.values())}
    card, model = card_of_class(cls), f"{cls.__module__}:{cls.__name__}"
    name = f"{card.label} (yours)" if card.label in taken else card.label
    return OwnRow(name, name, model, dict(parameters), card.starts, card.family, card.project)


def fit_own(own: OwnRow, protocol: Protocol) -> dict[str, Mapping[str, Any]]:
    """Fit a class on every split by the very function that fitted the others, in this process; records by split's key.

    The protocol's seed goes to a model that takes one, unless the row's hyperparameters have another. OwnModelError:
    the class raised an error, or gave an answer that is not finite or of another length than what was asked.
    """
    parameters, cls = dict(own.parameters), load_class(own.model)
    found: dict[str, Mapping[str, Any]] = {}
    seed = int(parameters.pop("seed", protocol.seed))
    options: dict[str, Any] = {"k": protocol.k, "listed": protocol.listed, "seed": seed}
    choices = {own.name: {"parameters": parameters}}
    for fit in table_fits({own.name: own}, choices, protocol.splits, **options):
        key = fit.labels["split"]
        split = protocol.splits[key]
        try:
            (found[key],) = run_fits([fit], parts_of({key: split}), here=True)
        except FitFailed as failed:  # whatever the reader's class does
            error = failed.__cause__ or failed
            method, place = _where(error, cls)
            raise OwnModelError(
                f"{cls.__name__}.{method} failed on the split {key}{place}: {type(error).__name__}: {error}"
            ) from error
        shape = np.shape(found[key].get("predictions", split.test.ratings))
        if shape != (len(split.test),):
            raise OwnModelError(
                f"{cls.__name__}.predict answered {len(split.test):,} pairs of the split {key} with an array of "
                f"shape {shape}; return one number a pair"
            )
    return found


def table_with(own: OwnRow, mine: StoredRun, protocol: Protocol) -> pd.DataFrame:
    """Put a class's fits, of the run `mine`, below those of the stored table: a row a fit, as of `one_table.fit_table`.

    ``rmse_interval`` and ``ndcg_interval`` are 95% intervals over users, as text.
    """
    known = {protocol.stored: protocol.stored.facts["contenders"], mine: {own.name: vars(own)}}
    rows = [_rows(*run, key, split, protocol.k) for run in known.items() for key, split in protocol.splits.items()]
    return pd.concat(rows, ignore_index=True)


def protocol_table(fits: pd.DataFrame, boards: pd.DataFrame, own: OwnRow) -> pd.DataFrame:
    """Return the first protocol's rows of `boards` with what more is shown of them.

    Intervals and MAE are of the first of `fits`' splits; each other protocol's RMSE stands under its name.
    """
    first, *others = dict.fromkeys(boards["protocol"])
    found = boards[boards["protocol"] == first].set_index("name")
    on_first = fits[fits["key"] == fits["key"].iloc[0]].set_index("name")
    found = found.assign(mark=np.where(found.index == own.name, "yours", ""))
    found = found.assign(**{name: on_first[name] for name in ("rmse_interval", "mae", "ndcg_interval")})
    rmse = boards.set_index(["protocol", "name"])["rmse"]
    return found.assign(**{name: rmse[name] for name in others}).reset_index()


def places_of(fits: pd.DataFrame, own: OwnRow, protocol: Protocol) -> pd.DataFrame:
    """Return the own model's place on every split, by RMSE and by nDCG, among all that have the metric there.

    ``best`` is a label; there is no row where the own model lacks the metric.
    """
    columns = ["key", "n_test", "metric", "value", "interval", "place", "n_models", "best", "best_value"]
    rows = []
    for key, split in protocol.splits.items():
        for metric, text in (("rmse", "RMSE"), ("ndcg", f"nDCG@{protocol.k}")):
            there = fits[(fits["key"] == key) & fits[metric].notna()]
            there = there.sort_values(metric, ascending=metric == "rmse", ignore_index=True, kind="stable")
            for place in np.flatnonzero(there["name"] == own.name):
                one = there.loc[place]
                mine = text, one[metric], one[f"{metric}_interval"], place + 1, len(there)
                rows.append((key, len(split.test), *mine, *there.loc[0, ["label", metric]]))
    return pd.DataFrame(rows, columns=columns)


def _rows(run: StoredRun, known: Mapping[str, Mapping], key: str, split: Split, k: int) -> pd.DataFrame:
    """Lay out the metrics of one split in the columns of `table_with`."""
    rows = run.metrics[(run.metrics["split"] == split.name) & (run.metrics["fold"].fillna("") == split.fold)]
    names = [name for name in known if name in set(rows["model"])]
    cells = rows.drop_duplicates(["metric", "model"]).set_index(["metric", "model"])
    told = {c: [known[n][c] for n in names] for c in ("label", "family", "project")}
    found = pd.DataFrame({"name": names, **told}).assign(key=key, protocol=protocol_of(split.name))
    for metric in MEASURED:
        of = cells.reindex([(f"{metric}@{k}" if metric in LIST_METRICS else metric, name) for name in names])
        found[metric] = of["value"].to_numpy(dtype=float)
        if metric in ("rmse", "ndcg"):
            found[f"{metric}_interval"] = interval_texts(of, "ndcg")
    for seconds in ("seconds_fit", "seconds_predict"):  # beside each metric
        found[seconds] = rows.drop_duplicates("model").set_index("model")[seconds].reindex(names).to_numpy(dtype=float)
    return found


def _where(error: BaseException, cls: type[Recommender]) -> tuple[str, str]:
    """Return the method in which an error arose, and the line of the class's file, as text."""
    file, frames = str(inspect.getsourcefile(cls)), traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == file]
    methods = [frame.name for frame in own if frame.name in METHODS]
    called = [CALLERS[frame.name] for frame in frames if frame.name in CALLERS]
    place = f" ({Path(file).name}, line {own[-1].lineno})" if own else ""
    return [*(called or ["predict"]), *methods][-1], place
