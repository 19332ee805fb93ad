"""A reader's own model under the common protocol of a stored table: the same splits, seeds, lists and measures."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lib.evaluation import Evaluation
from lib.experiment.fit import Fit, FitFailed
from lib.experiment.protocol import make_splits, parts_of
from lib.experiment.run import run_fits
from lib.models.base import Recommender
from lib.one_table import LIST_METRICS, evaluations_of, fit_table, protocol_of
from lib.own_model import check_parameters, load_class
from lib.results import StoredRun
from lib.splits import Split

FAMILY = "your model"
METHODS = ("__init__", "fit", "_fit", "predict", "score")
CALLERS = {"fit_model": "fit", "answers": "predict", "recommend": "score"}
"""Functions of the protocol that call a method of the model, by which an error is placed that the method left behind."""
INTERVALS = ("rmse", "ndcg")


class OwnModelError(RuntimeError):
    """A reader's class failed under the protocol; the message names the class, the method and the split."""


@dataclass(frozen=True, eq=False)
class Protocol:
    """How a stored table was measured.

    Parameters
    ----------
    stored : StoredRun
        Of ``one_table.ipynb``.
    splits : dict of str to Split
        By key, as `lib.experiment.protocol.make_splits` names them.
    listed : tuple of str
        Keys of the splits whose lists were drawn.
    k : int
        Length of the lists.
    threshold : float
        A test rating of this or more is relevant.
    seed : int
        Of the models' random starts.
    """

    stored: StoredRun
    splits: dict[str, Split]
    listed: tuple[str, ...]
    k: int
    threshold: float
    seed: int


@dataclass(frozen=True)
class OwnRow:
    """A reader's model as a row of the table, in the place of a `lib.contenders.Contender`.

    Parameters
    ----------
    name, label : str
        The class's name; with "(yours)" where a model of the table has that one.
    spec : str
        ``"my_module:MyModel"``.
    parameters : mapping
        Hyperparameters that differ from the class's defaults.
    starts : bool
        Whether the fit depends on a random start.
    """

    name: str
    label: str
    spec: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    starts: bool = False
    family: str = FAMILY
    project: str = "own"


def protocol_of_run(stored: StoredRun, data, only: Iterable[str] = ()) -> Protocol:
    """Read from a stored table how it was measured, and make its splits again.

    Parameters
    ----------
    stored : StoredRun
    data : lib.datasets.Dataset
        The one that the run was measured on.
    only : iterable of str
        Keys of the only splits; empty for all.

    Raises
    ------
    ValueError
        The run is of another notebook or another data set, or has no split of such a name.
    """
    settings = stored.provenance.get("parameters", {})
    absent = [name for name in ("splits", "k", "threshold", "seed") if name not in settings]
    if absent or "contenders" not in stored.facts:
        raise ValueError(
            f"run {stored.run!r} is no table of models; name a run of one_table.ipynb, such as one_table"
        )
    if stored.provenance["dataset"] != data.name:
        raise ValueError(
            f"run {stored.run!r} was measured on {stored.provenance['dataset']}, not on {data.name}; load that one"
        )
    splits, only = make_splits(data, settings["splits"]), list(only)
    unknown = set(only) - set(splits)
    if unknown:
        raise ValueError(
            f"run {stored.run!r} has no split {', '.join(sorted(unknown))}; it has {', '.join(splits)}"
        )
    drawn = set(
        stored.top_k[["split", "fold"]].fillna("").drop_duplicates().itertuples(index=False, name=None)
    )
    splits = {key: split for key, split in splits.items() if not only or key in only}
    listed = tuple(key for key, split in splits.items() if (split.name, split.fold) in drawn)
    return Protocol(
        stored, splits, listed, int(settings["k"]), float(settings["threshold"]), int(settings["seed"])
    )


def own_row(spec: str, parameters: Mapping[str, Any], stored: StoredRun) -> OwnRow:
    """Name a class for the table of a stored run.

    Raises
    ------
    ValueError, ImportError, AttributeError, TypeError
        Of `lib.own_model.load_class`; TypeError also for a hyperparameter that the class lacks.
    """
    cls = load_class(spec)
    check_parameters(cls, parameters)
    taken = {*stored.facts["contenders"], *(one["label"] for one in stored.facts["contenders"].values())}
    name = f"{cls.__name__} (yours)" if cls.__name__ in taken else cls.__name__
    return OwnRow(name, name, spec, dict(parameters), "seed" in cls.parameter_names())


def fit_own(own: OwnRow, protocol: Protocol) -> dict[str, Mapping[str, Any]]:
    """Fit a class on every split by the very function that fitted the others, in this process.

    Parameters
    ----------
    own : OwnRow
    protocol : Protocol
        Its seed goes to a model that takes one, unless the row's hyperparameters have another.

    Returns
    -------
    dict of str to Record
        By split's key; labelled as those of `lib.experiment.protocol.table_fits` are.

    Raises
    ------
    OwnModelError
        The class raised an error, or gave an answer that is not finite or of another length than what was asked.
    """
    parameters, cls, found = dict(own.parameters), load_class(own.spec), {}
    seed = int(parameters.pop("seed", protocol.seed)) if own.starts else 0
    # Where the class is written, which is not where it is named if that module only passes it on.
    model = f"{cls.__module__}:{cls.__name__}"
    for key, split in protocol.splits.items():
        measure = {"cost": {}, "predictions": {}}
        if key in protocol.listed:
            measure["lists"] = {"k": protocol.k}
        labels = {"contender": own.name, "split": key, "seed": seed}
        fit = Fit(model, parameters, seed, f"{key}/train", f"{key}/test", measure=measure, labels=labels)
        try:
            (found[key],) = run_fits([fit], parts_of({key: split}), here=True)
        except FitFailed as failed:  # whatever the reader's class does
            error = failed.__cause__
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


def evaluate_own(
    own: OwnRow, fits: Mapping[str, Mapping[str, Any]], protocol: Protocol, *, n_resamples: int
) -> dict[str, Evaluation]:
    """Measure the fits of `fit_own` as those of the table were, with intervals from so many resamples of users."""
    options = {"k": protocol.k, "threshold": protocol.threshold, "n_resamples": n_resamples}
    found = evaluations_of(fits.values(), {own.name: own}, protocol.splits, **options)
    return {key: one for (_, key), one in found.items()}


def table_with(own: OwnRow, evaluations: Mapping[str, Evaluation], protocol: Protocol) -> pd.DataFrame:
    """Put a class's fits beside those of the stored table.

    Returns
    -------
    DataFrame
        A row a fit with the columns of `lib.one_table.fit_table`, and ``rmse_low``, ``rmse_high``, ``ndcg_low``,
        ``ndcg_high``: 95% intervals over users (NaN where a metric was not measured). The class's rows come last.
    """
    mine = fit_table(
        {(own.name, key): one for key, one in evaluations.items()}, {own.name: own}, k=protocol.k
    )
    for metric in INTERVALS:
        source = metric if metric == "rmse" else f"{metric}@{protocol.k}"
        ends = [one.values.get(source, (np.nan,) * 3)[1:] for one in evaluations.values()]
        mine[f"{metric}_low"], mine[f"{metric}_high"] = np.array(ends).reshape(-1, 2).T
    theirs = [_stored_rows(protocol, key) for key in protocol.splits]
    return pd.concat([*theirs, mine], ignore_index=True)[list(mine.columns)]


def _stored_rows(protocol: Protocol, key: str) -> pd.DataFrame:
    split = protocol.splits[key]
    rows = protocol.stored.metrics
    rows = rows[(rows["split"] == split.name) & (rows["fold"].fillna("") == split.fold)]
    wide = rows.pivot_table(index="model", columns="metric", values="value", aggfunc="first", dropna=False)
    known = protocol.stored.facts["contenders"]
    wide = wide.reindex([name for name in known if name in wide.index])
    by_model = rows.drop_duplicates("model").set_index("model")
    found = pd.DataFrame(
        {"name": wide.index, **{c: [known[n][c] for n in wide.index] for c in ("label", "family", "project")}}
    ).assign(key=key, protocol=protocol_of(split.name))
    plain = ("rmse", "mae", "n_parameters", "peak_mib", "seconds_rank")
    for column, source in {**{m: m for m in plain}, **{m: f"{m}@{protocol.k}" for m in LIST_METRICS}}.items():
        found[column] = wide[source].to_numpy(dtype=float) if source in wide else np.nan
    for column in ("seconds_fit", "seconds_predict"):
        found[column] = by_model[column].reindex(wide.index).to_numpy(dtype=float)
    for metric in INTERVALS:
        source = metric if metric == "rmse" else f"{metric}@{protocol.k}"
        ends = rows[rows["metric"] == source].drop_duplicates("model").set_index("model").reindex(wide.index)
        found[f"{metric}_low"], found[f"{metric}_high"] = ends["low"].to_numpy(), ends["high"].to_numpy()
    return found


def _where(error: BaseException, cls: type[Recommender]) -> tuple[str, str]:
    """Return the method in which an error arose, and the line of the class's file, as text."""
    own, called, line = "", "", ""
    file = inspect.getsourcefile(cls)
    for frame, number in traceback.walk_tb(error.__traceback__):
        name = frame.f_code.co_name
        if isinstance(frame.f_locals.get("self"), cls) and name in METHODS:
            own = name
        called = CALLERS.get(name, called) if not own else called
        if frame.f_code.co_filename == file:
            line = f" ({Path(file).name}, line {number})"
    return own or called or "predict", line
