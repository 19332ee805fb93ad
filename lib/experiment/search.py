"""Searches of hyperparameters on validation data, with a budget: Optuna's TPE and median pruning, told what fits found.

Optuna is asked and told in this process only; the fits run on the engine, and each is a record in the store. So a search
that was killed goes on where it was: it proposes the same points again and finds their records.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState

from lib.data.files import plain
from lib.experiment import records
from lib.experiment.fit import Fit, Parts
from lib.experiment.key import code_digest, spec_digest
from lib.experiment.run import Progress, run_fits, tell
from lib.experiment.search_result import Search, quiet
from lib.experiment.space import Space, hyperparameters

DIVERGED = ("ValueError", "FloatingPointError", "OverflowError", "LinAlgError")
"""Errors that only say that these hyperparameters are no good; the trial counts as failed, the search goes on."""


def search(
    name: str, space: Space, folds: Sequence[Fit], parts: Parts, *, n_trials: int, seed: int = 0, batch: int = 4,
    startup_trials: int = 20, jointly: bool = True,
) -> Search:  # fmt: skip
    r"""Look for the hyperparameters with the lowest mean score over folds, or find that it was done before.

    Trials are proposed by a tree-structured Parzen estimator (Bergstra et al. 2011; `jointly`, Falkner et al. 2018) and,
    after each fold, dropped if their mean so far is above the median of earlier trials at the same fold. They are
    proposed and judged in batches: a batch knows the trials of earlier batches only, so that what is found depends on
    the seed and not on which process was faster, nor on how many there were.

    A search that was made before, here or by the project, counts if nothing that its trials depend on has changed: data,
    space, objective, code, the settings below; with more trials than asked for, the first ones count, and with fewer it
    goes on from there. One that the project keeps counts even if the code has changed since, and says so.

    Parameters
    ----------
    name : str
        Of the search, for people.
    space : Space
    folds : sequence of Fit
        One a fold, with the hyperparameters that are fixed; its ``test`` is validation data cut from a training set, and
        its only measurement ``score``, lower being better.
    parts : mapping of str to Interactions
    n_trials : int
        The budget: completed, pruned and failed trials together.
    seed : int
    batch : int
        Trials proposed at a time; part of what the result depends on.
    startup_trials : int
        Trials drawn at random, and not pruned, before the estimator and the pruner have something to go by.
    jointly : bool
        Whether the estimator looks at all hyperparameters together or at each by itself. Where good values are a small
        part of a wide range, as in project B's space, the joint form lags far behind.

    Raises
    ------
    lib.experiment.fit.FitFailed
        A fit raised an error that does not look like divergence (`DIVERGED`). What was finished is kept.
    ValueError
        A budget or batch below 1, no fold, or no trial ended with a score.
    """
    for label, value in (("n_trials", n_trials), ("batch", batch), ("folds", len(folds))):
        if value < 1:
            raise ValueError(f"{label} must be at least 1; got {value}")
    folds = [replace(fold, records_errors=DIVERGED) for fold in folds]
    settings = {"seed": seed, "batch": batch, "startup_trials": startup_trials, "jointly": jointly}
    key = spec_digest(
        {"space": space.as_text(), "folds": [records.identity(f, parts) for f in folds], **settings}
    )
    file = f"{name}-{key[:16]}.json.gz"
    code = code_digest([root for fold in folds for root in fold.roots()] + [f"{__name__}:Trials"])
    before = _found(file, code)
    if before is not None and (before["stale"] or len(before["trials"]["trial"]) >= n_trials):
        if before["stale"]:
            tell(f"The kept search {name} is shown as it was made by earlier code.")
        return Search.from_text(before).first(n_trials)
    trials = Trials(space, len(folds), seed=seed, startup_trials=startup_trials, jointly=jointly)
    _replay(trials, before, batch)
    progress = Progress(n_trials - trials.ended, "trials")
    while trials.ended < n_trials:
        _judge(trials, trials.ask(min(batch, n_trials - trials.ended)), folds, parts, progress)
    found = trials.result(name)
    content = {
        **found.as_text(), "key": key, "code": code, "made": records.made_here(), "time": time.time(),
        "space": space.as_text(), "settings": settings, "folds": [records.fit_as_text(f, parts) for f in folds],
    }  # fmt: skip
    records.write_kept(records.folders()[0] / "searches" / file, content)
    return found


class Trials:
    """Points proposed and what was found of them, by number; the part of a search that its outcome depends on."""

    def __init__(self, space: Space, n_folds: int, *, seed: int, startup_trials: int, jointly: bool):
        self.space, self.n_folds, self.seed = space, n_folds, seed
        self.startup_trials, self.jointly, self.ended = startup_trials, jointly, 0
        with quiet():
            self.study = optuna.create_study(
                pruner=optuna.pruners.MedianPruner(n_startup_trials=startup_trials)
            )

    def ask(self, count: int) -> list[optuna.Trial]:
        """Propose so many points; with the constant liar those of a batch keep apart."""
        with quiet():
            return [self._propose(number) for number in range(self.ended, self.ended + count)]

    def _propose(self, number: int) -> optuna.Trial:
        seed = int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])
        self.study.sampler = optuna.samplers.TPESampler(
            multivariate=self.jointly, constant_liar=True, n_startup_trials=self.startup_trials, seed=seed
        )
        return self.study.ask(self.space.distributions())

    def judge(self, trial: optuna.Trial, found: Sequence[Mapping[str, Any]], reason: str = "") -> TrialState:
        """Say whether a trial goes on (RUNNING), is dropped, has failed, or is complete, by its folds so far."""
        if reason:
            return TrialState.FAIL
        with quiet():
            trial.report(float(np.mean([fold["score"] for fold in found])), len(found) - 1)
            if len(found) == self.n_folds:
                return TrialState.COMPLETE
            return TrialState.PRUNED if trial.should_prune() else TrialState.RUNNING

    def tell(self, trial: optuna.Trial, found: Sequence[Mapping], state: TrialState, reason: str = "") -> None:  # fmt: skip
        """Enter how a trial ended; batches are told in the order in which they were proposed."""
        trial.set_user_attr("found", json.dumps(list(found)))
        if reason:
            trial.set_user_attr("reason", reason)
        complete = state == TrialState.COMPLETE
        value = float(np.mean([fold["score"] for fold in found])) if complete else None
        with quiet():
            self.study.tell(trial, value, state=state)
        self.ended += 1

    def result(self, name: str) -> Search:
        """Return the trials so far."""
        return Search.of(self.study, name, self.n_folds, self.ended)


def _judge(trials: Trials, batch: Sequence[optuna.Trial], folds: Sequence[Fit], parts: Parts, progress: Progress) -> None:  # fmt: skip
    """Fit a batch fold by fold, and tell how each of its trials ended."""
    found: dict[int, list[dict]] = {trial.number: [] for trial in batch}
    states = dict.fromkeys(found, TrialState.RUNNING)
    reasons = dict.fromkeys(found, "")
    for fold in folds:
        going = [trial for trial in batch if states[trial.number] == TrialState.RUNNING]
        fits = [
            replace(
                fold,
                parameters={**hyperparameters(trial.params, fold.parameters), **fold.parameters},
                labels={"trial": trial.number, **trial.params},
            )
            for trial in going
        ]
        for trial, record in zip(going, run_fits(fits, parts, progress=progress.part()), strict=True):
            number = trial.number
            reasons[number] = record.get("failure", "")
            if not reasons[number] and record["score"] is None:
                reasons[number] = "FloatingPointError: the score is not finite"
            if not reasons[number]:
                found[number].append({name: record[name] for name in ("score", "n_epochs", "seconds")})
            states[number] = trials.judge(trial, found[number], reasons[number])
    for trial in batch:
        trials.tell(trial, found[trial.number], states[trial.number], reasons[trial.number])
        progress.step()


def _replay(trials: Trials, before: Mapping[str, Any] | None, batch: int) -> None:
    """Take over the trials of a shorter search, as long as they are those that would be proposed."""
    if before is None:
        return
    known = Search.from_text(before).trials.to_dict("records")
    names = before["parameters"]
    for start in range(0, len(known) - len(known) % batch, batch):
        rows = known[start : start + batch]
        asked = trials.ask(len(rows))
        if any(
            trial.params[n] != plain(row[n]) for trial, row in zip(asked, rows, strict=True) for n in names
        ):
            raise ValueError(
                f"the search {before['name']} was made by another version of Optuna; make it anew with --search-anew"
            )
        for trial, row in zip(asked, rows, strict=True):
            scores = [
                row[f"score_{n}"] for n in range(trials.n_folds) if row[f"score_{n}"] == row[f"score_{n}"]
            ]
            shared = {"n_epochs": row["n_epochs"], "seconds": row["seconds"] / max(len(scores), 1)}
            found = [{"score": score, **shared} for score in scores]
            state = TrialState.RUNNING
            for n in range(1, len(found) + 1):
                state = trials.judge(trial, found[:n])
            failed = row["state"] == "failed"
            trials.tell(trial, found, TrialState.FAIL if failed else state, row["reason"])


def _found(file: str, code: str) -> dict[str, Any] | None:
    """Return a search that was made here by the code as it is now, or that the project keeps; the longer one of both."""
    there = []
    for folder in records.folders():
        path = folder / "searches" / file
        if path.exists() and (one := _read_made(path)) is not None and one["code"] == code:
            there.append({**one, "stale": False})
    kept = kept_search(file)
    if kept is not None and not records.since("searches"):
        there.append({**kept, "stale": kept["code"] != code})
    fresh = [one for one in there if not one["stale"]]
    return max(fresh or there, key=lambda one: len(one["trials"]["trial"]), default=None)


def _read_made(path: Path) -> dict[str, Any] | None:
    try:
        content = records.read_kept(path)
    except records.DamagedRecord:
        return None
    return content if content.get("time", 0.0) >= records.since("searches") else None


def kept_search(file: str) -> dict[str, Any] | None:
    """Return a search that the project keeps, None where there is none of that name."""
    path = records.KEPT / "searches" / file
    return records.read_kept(path) if path.exists() else None
