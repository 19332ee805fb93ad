"""Our own errors on a published protocol: one figure and interval a model, from any runs' records."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import special

from lib.data.splits import FOLDS
from lib.experiment.records import kept_group, kept_values
from lib.experiment.stored_runs import StoredRun, metrics_frame, setting_of
from lib.metrics.per_user import PerUser

MEASURED_COLUMNS = ("model", "value", "low", "high", "n_folds", "basis", "timed")
AGAIN = ("dataset", "split", "model", "rank", "n_iterations", "test_rmse", "test_mae", "seconds_fit", "day", "by_user")


def measured(results: pd.DataFrame, dataset: str, split: str, metric: str = "rmse") -> pd.DataFrame:
    r"""Summarise what was measured on one data set under one protocol.

    A model's random starts on a fold are averaged first, then its folds. With :math:`n > 1` folds of mean errors
    :math:`e_1, \dots, e_n` the interval is :math:`\bar e \pm t_{0.975,\,n-1}\, s / \sqrt{n}`, which takes the folds as
    independent. With one fold it is the mean of the intervals that the records carry, over users, if they do.

    On folds (``kfold_5``) a model counts that was measured on all of them, by fold or as a mean, which names none. One without
    such results that was measured on all of GroupLens's folds u1 to u5 is summarised over these: they too part the ratings into
    five, though by blocks of users rather than at random.

    `results` are rows with `lib.experiment.stored_runs.METRIC_COLUMNS`; those without a value are left out. Returns a
    DataFrame: `MEASURED_COLUMNS`, lowest value first; ``basis`` is the split, or ``"u1 to u5"``, and ``timed`` says whether
    the model was told the second of each test rating.
    """
    rows = results[(results["dataset"] == dataset) & (results["metric"] == metric) & results["value"].notna()]
    told = zip(rows["model"], rows["split"], rows["setting"].astype(object).fillna(""), strict=True)
    timed = [(setting or setting_of(model, of)) == "time_known" for model, of, setting in told]
    rows = rows.assign(fold=rows["fold"].fillna("").astype(str), timed=np.array(timed, dtype=bool))
    own = rows[rows["split"] == split]
    if split.startswith("kfold_"):
        n_folds = own.groupby("model")["fold"].transform("nunique")
        own = own[(own["fold"] == "") | (n_folds == int(split.removeprefix("kfold_")))]
    found = _summary(own, split)
    if split == "kfold_5":
        published = rows[rows["split"].isin(FOLDS) & ~rows["model"].isin(found["model"])]
        published = published[published.groupby("model")["split"].transform("nunique") == len(FOLDS)]
        found = pd.concat([found, _summary(published, f"{FOLDS[0]} to {FOLDS[-1]}")], ignore_index=True)
    return found.sort_values(["value", "model"], ignore_index=True)


def _summary(rows: pd.DataFrame, basis: str) -> pd.DataFrame:
    """Average starts, then folds."""
    folds = rows.groupby(["model", "split", "fold"])[["value", "low", "high"]].mean()
    models = folds.groupby("model")
    found = models[["value", "low", "high"]].mean()
    found["n_folds"] = models.size()
    found["timed"] = rows.groupby("model")["timed"].any()
    several = found["n_folds"] > 1
    half = half_width(models["value"].std(), found["n_folds"])
    found["low"] = np.where(several, found["value"] - half, found["low"])
    found["high"] = np.where(several, found["value"] + half, found["high"])
    return found.assign(basis=basis).reset_index()[list(MEASURED_COLUMNS)]


def half_width(spread, n_folds):
    """Half the width of the 95% t interval of a mean over folds from their standard deviation (n - 1); NaN for one fold."""
    n_folds = np.asarray(n_folds, dtype=float)
    freedom = np.where(n_folds > 1, n_folds - 1, np.nan)
    return special.stdtrit(freedom, 0.975) * np.asarray(spread, dtype=float) / np.sqrt(n_folds)


def gather(runs: Mapping[str, StoredRun], folds_run: str, n_folds: int) -> tuple[pd.DataFrame, dict[str, str]]:
    """Put the runs' metrics together, and what a reader sees for models that are not registered.

    `runs` are the stored ones by name; the one called `folds_run`, where it is there, gives means over `n_folds` (at least 2)
    random folds, as of `lib.studies.koren_study.compare_on_folds`, in the place of its metrics.
    """
    frames = [run.metrics for name, run in runs.items() if name != folds_run]
    labels = {"ensemble": "Ensemble"}
    folds = runs[folds_run].facts.get("folds", []) if folds_run in runs else []
    if folds:
        where = {"dataset": runs[folds_run].provenance["dataset"], "split": f"kfold_{n_folds}", "fold": ""}
        rows = pd.DataFrame(folds).drop(columns="model").rename(columns={"name": "model", "rmse": "value"})
        half = half_width(rows["spread"], n_folds)
        rows = rows.assign(**where, metric="rmse", low=rows["value"] - half, high=rows["value"] + half)
        frames.append(metrics_frame(rows.to_dict("records")))
        labels |= {found["name"]: found["model"] for found in folds}
    for run in runs.values():
        labels |= {name: one["label"] for name, one in run.facts.get("contenders", {}).items()}
    together = pd.concat([frame.dropna(axis=1, how="all") for frame in frames], ignore_index=True)
    return together.reindex(columns=frames[0].columns), labels


def fitted_again(group: str = "anchors") -> pd.DataFrame:
    """Return what the project keeps of published models that were fitted again, a row a fit; empty where it keeps none.

    Columns are `AGAIN`: what tells the fit, its errors, the seconds of one core, the day that it was made on, and ``by_user``,
    a `PerUser` of the squared errors.
    """
    rows = []
    for entry in kept_group(group).values():
        found, fit = kept_values(entry), entry["fit"]
        row = {**fit["labels"], "n_iterations": fit["parameters"]["n_iterations"], "day": entry["made"]["day"]}
        users = np.arange(len(found["counts"]))
        by_user = PerUser("rmse", users, found["squared"], found["counts"], root=True)
        rows.append({**found, **row, "by_user": by_user})
    return pd.DataFrame(rows, columns=list(AGAIN)).sort_values(list(AGAIN[:4]), ignore_index=True)
