"""Searches of hyperparameters on validation data, with a budget: Optuna's TPE and median pruning, told what fits found.

Optuna is asked and told in this process only; the fits run on the engine, and each is a record in the store. So a search
that was killed goes on where it was: it proposes the same points again and finds their records.
"""

import glob
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState

from lib.data.files import plain
from lib.experiment import records
from lib.experiment.fit import Fit, Parts
from lib.experiment.key import code_digest, spec_digest
from lib.experiment.run import Progress, run_fits, tell
from lib.experiment.search_result import Search
from lib.experiment.selection import rows_digest
from lib.experiment.space import Space, hyperparameters

DIVERGED = ("ValueError", "FloatingPointError", "OverflowError", "LinAlgError")
"""Errors that only say that these hyperparameters are no good; the trial counts as failed, the search goes on."""

BATCH = 4  # trials proposed at a time
STARTUP_TRIALS = 20  # drawn at random, and not pruned, before estimator and pruner have something to go by
LARGE = 7  # hyperparameters; a search of more gets more trials


def budget(space: Space, n_trials: int) -> int:
    """Return the trials of a search where others get `n_trials`: half as many again for more than `LARGE` hyperparameters."""
    return n_trials * 3 // 2 if len(space) > LARGE else n_trials


def search(
    name: str, space: Space, folds: Sequence[Fit], parts: Parts, *, n_trials: int, seed: int = 0, jointly: bool = True
) -> Search:
    r"""Look for the hyperparameters with the lowest mean score over folds, or find that it was done before.

    Trials are proposed by a tree-structured Parzen estimator (Bergstra et al. 2011; `jointly`, Falkner et al. 2018) and,
    after each fold, dropped if their mean so far is above the median of earlier trials at the same fold. They are
    proposed and judged in batches: a batch knows the trials of earlier batches only, so that what is found depends on
    the seed and not on which process was faster, nor on how many there were.

    A search that was made before, here or by the project, counts if nothing that its trials depend on has changed: data,
    space, objective, code, the settings below; with more trials than asked for, the first ones count, and with fewer it
    goes on from there. One that the project keeps counts even if the code has changed since, and says so.

    `folds` have a fit each, with the hyperparameters that are fixed; its ``test`` is validation data cut from a
    training set, and its only measurement ``score``, lower being better. `n_trials` is the budget: completed, pruned
    and failed trials together. With `jointly` the estimator looks at all hyperparameters together, not at each by
    itself: where good values are a small part of a wide range, as in project B's space, the joint form lags far behind.

    `lib.experiment.fit.FitFailed`: a fit raised an error that does not look like divergence (`DIVERGED`); what was
    finished is kept. ValueError: a budget below 1, no fold, or no trial ended with a score.
    """
    if n_trials < 1 or not folds:
        raise ValueError(f"a search needs a trial and a fold; got n_trials={n_trials} and {len(folds)} folds")
    folds = [replace(fold, records_errors=DIVERGED) for fold in folds]
    settings = {"seed": seed, "batch": BATCH, "startup_trials": STARTUP_TRIALS, "jointly": jointly}
    told = {"space": space.as_text(), "folds": [records.identity(fold, parts) for fold in folds], **settings}
    key = spec_digest(told)
    file = f"{name}-{key[:16]}.json.gz"
    code = code_digest([root for fold in folds for root in fold.roots()] + [f"{__name__}:Trials"])
    before = _found(file, code)
    if before is not None and (before["stale"] or len(before["trials"]["trial"]) >= n_trials):
        if before["stale"]:
            tell(f"The kept search {name} is shown as it was made by earlier code.")
        return Search.from_text(before).first(n_trials)
    trials = Trials(space, len(folds), seed=seed, jointly=jointly)
    known = Search.from_text(before).trials.to_dict("records") if before else []
    progress = Progress(n_trials, "trials")
    while trials.ended < n_trials:
        batch = trials.ask(min(BATCH, n_trials - trials.ended))
        for trial, row in zip(batch, known[trials.ended :], strict=False):
            if any(value != plain(row[name]) for name, value in trial.params.items()):
                raise ValueError(f"the search {name} was made by another Optuna; make it with --search-anew")
        _judge(trials, batch, folds, parts, known, progress)
    found = trials.result(name)
    content = {"key": key, "code": code, "made": records.made_here(), "time": time.time()}
    content |= {"space": told["space"], "settings": settings, "rows": rows_digest(*parts.values())}
    content |= {**found.as_text(), "folds": [records.fit_as_text(fold, parts) for fold in folds]}
    records.write_kept(records.folders()[0] / "searches" / file, content)
    return found


def lent(name: str) -> tuple[Search, str]:
    """Return the longest kept search of a name and the `rows_digest` of its ratings, be they here or not; or KeyError."""
    pattern = f"{glob.escape(name)}-{16 * '[0-9a-f]'}.json.gz"
    kept = [records.read_kept(path) for path in sorted((records.KEPT / "searches").glob(pattern))]
    if not kept:
        raise KeyError(f"the project keeps no search {name!r}; leave choices_from empty to search the data's own")
    longest = max(kept, key=lambda one: len(one["trials"]["trial"]))
    return Search.from_text(longest), longest["rows"]


class Trials:
    """Points proposed and what was found of them, by number; the part of a search that its outcome depends on."""

    def __init__(self, space: Space, n_folds: int, *, seed: int, jointly: bool):
        self.space, self.n_folds, self.seed, self.jointly, self.ended = space, n_folds, seed, jointly, 0
        self.study = optuna.create_study(pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS))

    def ask(self, count: int) -> list[optuna.Trial]:
        """Propose so many points; with the constant liar those of a batch keep apart."""
        asked = []
        for number in range(self.ended, self.ended + count):
            seed = int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])
            self.study.sampler = optuna.samplers.TPESampler(
                multivariate=self.jointly, constant_liar=True, n_startup_trials=STARTUP_TRIALS, seed=seed
            )
            asked.append(self.study.ask(dict(self.space)))
        return asked

    def judge(self, trial: optuna.Trial, found: Sequence[Mapping[str, Any]], reason: str = "") -> TrialState:
        """Say whether a trial goes on (RUNNING), is dropped, has failed, or is complete, by its folds so far."""
        if reason:
            return TrialState.FAIL
        trial.report(float(np.mean([fold["score"] for fold in found])), len(found) - 1)
        if len(found) == self.n_folds:
            return TrialState.COMPLETE
        return TrialState.PRUNED if trial.should_prune() else TrialState.RUNNING

    def tell(self, trial: optuna.Trial, found: list[dict], state: TrialState, reason: str = "") -> None:
        """Enter how a trial ended; batches are told in the order in which they were proposed."""
        trial.set_user_attr("found", json.dumps(list(found)))
        if reason:
            trial.set_user_attr("reason", reason)
        complete = state == TrialState.COMPLETE
        value = float(np.mean([fold["score"] for fold in found])) if complete else None
        self.study.tell(trial, value, state=state)
        self.ended += 1

    def result(self, name: str) -> Search:
        """Return the trials so far."""
        return Search.of(self.study, name, self.n_folds)


def _judge(trials: Trials, batch: list, folds: list[Fit], parts: Parts, known: list, progress: Progress) -> None:
    """Fit a batch fold by fold, but for what is known of a shorter search, and tell how each of its trials ended."""
    found: dict[int, list[dict]] = {trial.number: [] for trial in batch}
    states = dict.fromkeys(found, TrialState.RUNNING)
    reasons = dict.fromkeys(found, "")
    for place, fold in enumerate(folds):
        going = [trial for trial in batch if states[trial.number] == TrialState.RUNNING]
        outcomes = {t.number: _known(known[t.number], place) for t in going if t.number < len(known)}
        new = [trial for trial in going if trial.number not in outcomes]
        made = run_fits([at_point(fold, trial.params) for trial in new], parts, progress=progress)
        outcomes |= {trial.number: record for trial, record in zip(new, made, strict=True)}
        for trial in going:
            number, record = trial.number, outcomes[trial.number]
            reasons[number] = record.get("failure", "")
            if not reasons[number] and record["score"] is None:
                reasons[number] = "FloatingPointError: the score is not finite"
            if not reasons[number]:
                found[number].append({name: record[name] for name in ("score", "n_epochs", "seconds")})
            states[number] = trials.judge(trial, found[number], reasons[number])
    for trial in batch:
        trials.tell(trial, found[trial.number], states[trial.number], reasons[trial.number])
        progress.step()


def at_point(fold: Fit, point: Mapping[str, Any]) -> Fit:
    """Return the fit of a fold at a point of the search."""
    parameters = {**hyperparameters(point, fold.parameters), **fold.parameters}
    return replace(fold, parameters=parameters, labels=dict(point), records_errors=DIVERGED)


def _known(row: Mapping[str, Any], place: int) -> dict[str, Any]:
    """Return what a row of `Search.trials` tells of one fold, as a fit's record would."""
    scores = [value for name, value in row.items() if name.startswith("score_") and not np.isnan(value)]
    if place >= len(scores):
        return {"failure": row["reason"]}
    shared = {"n_epochs": row["n_epochs"], "seconds": row["seconds"] / len(scores)}
    return {"score": scores[place], **shared}


def _found(file: str, code: str) -> dict[str, Any] | None:
    """Return a search that was made here by the code as it is now, or that the project keeps; the longer one of both."""
    there = []
    for folder in records.folders():
        with suppress(records.DamagedRecord):  # or missing
            one = records.read_kept(folder / "searches" / file)
            if one["code"] == code and one["time"] >= records.since("searches"):
                there.append({**one, "stale": False})
    kept = records.KEPT / "searches" / file
    if kept.exists() and not records.since("searches"):
        one = records.read_kept(kept)
        there.append({**one, "stale": one["code"] != code})
    fresh = [one for one in there if not one["stale"]]
    return max(fresh or there, key=lambda one: len(one["trials"]["trial"]), default=None)
