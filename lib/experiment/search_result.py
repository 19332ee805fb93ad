"""What a search of hyperparameters found: its trials, the best of them, and what mattered."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.trial import TrialState

from lib.data.files import plain

# Optuna's log lines and its notes on experimental features are not for readers.
optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)


@dataclass(frozen=True)
class Search:
    """What a search found.

    `trials` has a row a trial: ``trial``, ``state`` (complete, pruned, failed), ``score`` (mean over the folds that were run;
    infinite where it failed), ``seconds``, ``score_<fold>`` of each fold, ``n_epochs`` (mean over the folds), ``reason`` of a
    failure, and the hyperparameters, whose columns are `parameters`.
    """

    name: str
    trials: pd.DataFrame
    parameters: tuple[str, ...]

    @classmethod
    def of(cls, study: optuna.Study, name: str, n_folds: int) -> Search:
        """Read a study's trials, all of which have ended."""
        rows, trials = [], study.get_trials(deepcopy=False)
        for trial in trials:
            found = json.loads(trial.user_attrs.get("found", "[]"))
            scores = [fold["score"] for fold in found]
            failed = trial.state == TrialState.FAIL
            rows.append(
                {
                    "trial": trial.number,
                    "state": "failed" if failed else trial.state.name.lower(),
                    "score": np.inf if failed else float(np.mean(scores)),
                    "seconds": sum(fold["seconds"] for fold in found),
                    **{f"score_{n}": scores[n] if n < len(scores) else np.nan for n in range(n_folds)},
                    **({"n_epochs": float(np.mean([fold["n_epochs"] for fold in found]))} if found else {}),
                    "reason": trial.user_attrs.get("reason", ""),
                    **trial.params,
                }
            )
        if not any(row["state"] == "complete" for row in rows):
            reasons = {row["reason"] for row in rows if row["reason"]}
            raise ValueError(f"the search {name!r} has no complete trial; {'; '.join(sorted(reasons))}")
        return cls(name, pd.DataFrame(rows), tuple(trials[0].params))

    @property
    def best(self) -> pd.Series:
        """The complete trial with the lowest score; of equal ones the first."""
        complete = self.trials[self.trials["state"] == "complete"]
        return complete.iloc[int(complete["score"].argmin())]

    @property
    def chosen(self) -> dict[str, Any]:
        """Hyperparameters of the best trial, as plain values."""
        return {name: plain(self.best[name]) for name in self.parameters}

    @property
    def n_epochs(self) -> int:
        """Epochs that early stopping left the best trial, the mean over folds; 0 where none were to be found."""
        return 0 if "n_epochs" in self.parameters else round(float(self.best["n_epochs"]))

    def history(self) -> pd.DataFrame:
        """Return ``trial``, ``state``, ``score`` and ``best``, the lowest score of a complete trial so far."""
        complete = self.trials["score"].where(self.trials["state"] == "complete")
        return self.trials[["trial", "state", "score"]].assign(best=complete.cummin().ffill())

    def importance(self, *, seed: int = 0) -> pd.DataFrame:
        """Share of the scores' variance that a ``parameter`` explains, by functional ANOVA (Hutter et al. 2014).

        Largest first; they add up to 1. Optuna's error tells where there are too few complete trials.
        """
        study, space = optuna.create_study(), self._distributions()
        for _, row in self.trials[self.trials["state"] == "complete"].iterrows():
            point, score = {name: plain(row[name]) for name in self.parameters}, float(row["score"])
            study.add_trial(optuna.trial.create_trial(params=point, distributions=space, value=score))
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
        table = pd.DataFrame({"parameter": list(found), "importance": list(found.values())})
        return table.sort_values("importance", ascending=False, ignore_index=True)

    def first(self, n_trials: int) -> Search:
        """Return what a search with this smaller budget would have found."""
        return replace(self, trials=self.trials[self.trials["trial"] < n_trials].reset_index(drop=True))

    def share(self, space: Mapping[str, Any]) -> float:
        """Return how much of a `lib.experiment.space.Space` the trials span from lowest to highest, or of values how many: means."""

        def spanned(name: str, of: Any) -> float:
            if hasattr(of, "choices"):
                return self.trials[name].nunique() / len(of.choices)
            scale = np.log if of.log else np.asarray
            return np.ptp(scale(self.trials[name].astype(float))) / np.ptp(scale([of.low, of.high]))

        return float(np.mean([spanned(*one) for one in space.items()]))

    def as_text(self) -> dict[str, Any]:
        """Return the search in what JSON can hold."""
        trials = self.trials.to_dict("list")
        return plain({"name": self.name, "parameters": list(self.parameters), "trials": trials})

    @classmethod
    def from_text(cls, content: Mapping[str, Any]) -> Search:
        """Read what `as_text` gave."""
        trials = pd.DataFrame(content["trials"])
        trials["score"] = trials["score"].astype(float).fillna(np.inf)
        return cls(content["name"], trials, tuple(content["parameters"]))

    def _distributions(self) -> dict[str, Any]:
        """Distributions that hold the trials' values, wide enough for all of them."""
        found: dict[str, Any] = {}
        for name in self.parameters:
            values = [plain(v) for v in self.trials[name]]
            if any(isinstance(v, (bool, str, type(None))) for v in values):
                found[name] = optuna.distributions.CategoricalDistribution(sorted(set(values), key=str))
            elif all(isinstance(v, int) for v in values):
                found[name] = optuna.distributions.IntDistribution(min(values), max(values))
            else:
                positive = min(values) > 0 and max(values) > 100 * min(values)
                found[name] = optuna.distributions.FloatDistribution(min(values), max(values), log=positive)
        return found
