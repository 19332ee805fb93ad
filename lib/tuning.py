"""Searches of hyperparameters on validation data, with a budget: Optuna's TPE and median pruning, several at a time."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import time
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from lib.processes import (
    Work,
    WorkFailed,
    call,
    do,
    fingerprint,
    one_thread_each,
    usable_cores,
    worker_pool,
)
from lib.results import plain, whole_file
from lib.search_space import Space

DIVERGED = ("ValueError", "FloatingPointError", "OverflowError", "LinAlgError")
"""Errors that only say that these hyperparameters are no good; the trial counts as failed, the search goes on."""
ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


def search(
    objective: Work, space: Space, *, context: Mapping[str, Any], n_folds: int, n_trials: int, store: Path | str,
    name: str, seed: int = 0, version: str = "", workers: int | None = None, batch: int = 4, startup_trials: int = 20,
    say: Callable[[str], None] | None = print, every: float = 20.0,
) -> Search:  # fmt: skip
    r"""Look for the hyperparameters with the lowest mean score over folds.

    Trials are proposed by a multivariate tree-structured Parzen estimator (Bergstra et al. 2011, Falkner et al. 2018)
    and, after each fold, dropped if their mean so far is above the median of earlier trials at the same fold. They are
    proposed and judged in batches: a batch knows the trials of earlier batches only, so that what is found depends on
    the seed and not on which process was faster, nor on how many there were.

    A journal in `store` keeps every trial as it comes. A search that was killed goes on where it was, and ends as if it
    had not been. A second process that calls `search` alike, at the same time, joins in and shares the budget (what is
    found then does depend on who was faster).

    Parameters
    ----------
    objective : callable
        ``objective(context, parameters=..., fold=...)`` returns a dictionary with ``score``, lower being better, and
        whatever else is worth keeping; numbers only. It lives in a module: processes import it by name.
    space : Space
    context : mapping
        What all trials share, such as the folds; sent to each process once.
    n_folds : int
        `fold` counts from 0.
    n_trials : int
        The budget: completed, pruned and failed trials together.
    store : path
        Folder of the journal.
    name : str
        Of the search, for people; searches of the same name over another space, objective, version, seed or data are
        kept apart.
    seed : int
    version : str
        What else a score depends on, such as `lib.processes.source_version`.
    workers : int, optional
        Processes of one thread each, by default one a core; 0 works in this very process.
    batch : int
        Trials proposed at a time; part of what the result depends on.
    startup_trials : int
        Trials drawn at random, and not pruned, before the estimator and the pruner have something to go by.
    say : callable or None
        Takes a line about progress now and then.
    every : float
        Seconds between such lines.

    Raises
    ------
    WorkFailed
        The objective raised an error that does not look like divergence (`DIVERGED`). Trials made so far are kept.
    ValueError
        A budget, batch or number of folds below 1, or no trial ended with a score.
    """
    for label, value in (("n_trials", n_trials), ("batch", batch), ("n_folds", n_folds)):
        if value < 1:
            raise ValueError(f"{label} must be at least 1; got {value}")
    key = search_key(
        objective, space, context=context, n_folds=n_folds, seed=seed, version=version, batch=batch,
        startup_trials=startup_trials,
    )  # fmt: skip
    path = Path(store) / f"{name}-{key}.journal"
    path.parent.mkdir(parents=True, exist_ok=True)
    with _quiet():
        study = optuna.create_study(
            study_name=name, storage=optuna.storages.JournalStorage(JournalFileBackend(str(path))),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=startup_trials), load_if_exists=True,
        )  # fmt: skip
        run = _Run(
            study, objective, space, context, n_folds, seed, startup_trials, path.with_suffix(".proposing")
        )
        progress = _Progress(study, n_trials, say, every)
        run.search(n_trials, batch, usable_cores() if workers is None else workers, progress)
        return Search.of(study, name, n_folds, n_trials)


def search_key(
    objective: Work, space: Space, *, context: Mapping[str, Any], n_folds: int, seed: int = 0, version: str = "",
    batch: int = 4, startup_trials: int = 20,
) -> str:  # fmt: skip
    """Digest all that the trials of a search depend on, but for their number: what `search` tells searches apart by."""
    parts = [objective.__module__, objective.__qualname__, repr(space), n_folds, seed, batch, startup_trials, version,
             fingerprint(context)]  # fmt: skip
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Search:
    """What a search found.

    Parameters
    ----------
    name : str
    trials : DataFrame
        A row an ended trial: ``trial``, ``state`` (complete, pruned, failed), ``score`` (mean over the folds that were
        run; infinite where it failed), ``seconds``, a column ``score_<fold>`` a fold, one a further value of the
        objective (its mean over folds), one a hyperparameter.
    parameters : tuple of str
        The hyperparameters' columns.
    """

    name: str
    trials: pd.DataFrame
    parameters: tuple[str, ...]

    @classmethod
    def of(cls, study: optuna.Study, name: str, n_folds: int, n_trials: int) -> Search:
        """Read a study's ended trials, the first `n_trials` of them: what a search with that budget would have found."""
        rows = []
        for trial in study.get_trials(deepcopy=False, states=ENDED):
            if trial.number >= n_trials:
                continue
            found = json.loads(trial.user_attrs.get("found", "[]"))
            scores = [fold["score"] for fold in found]
            further = {key for fold in found for key in fold} - {"score", "seconds"}
            failed = trial.state == TrialState.FAIL
            rows.append(
                {
                    "trial": trial.number,
                    "state": "failed" if failed else trial.state.name.lower(),
                    "score": np.inf if failed else float(np.mean(scores)),
                    "seconds": sum(fold["seconds"] for fold in found),
                    **{f"score_{n}": scores[n] if n < len(scores) else np.nan for n in range(n_folds)},
                    **{key: float(np.mean([fold[key] for fold in found])) for key in sorted(further)},
                    "reason": trial.user_attrs.get("reason", ""),
                    **trial.params,
                }
            )
        if not any(row["state"] == "complete" for row in rows):
            reasons = {row["reason"] for row in rows if row["reason"]}
            raise ValueError(f"the search {name!r} has no complete trial; {'; '.join(sorted(reasons))}")
        parameters = tuple(study.get_trials(deepcopy=False)[0].params)
        return cls(name, pd.DataFrame(rows).sort_values("trial", ignore_index=True), parameters)

    @property
    def best(self) -> pd.Series:
        """The complete trial with the lowest score; of equal ones the first."""
        complete = self.trials[self.trials["state"] == "complete"]
        return complete.loc[complete["score"].idxmin()]

    @property
    def chosen(self) -> dict[str, Any]:
        """Hyperparameters of the best trial, as plain values."""
        return {name: plain(self.best[name]) for name in self.parameters}

    def history(self) -> pd.DataFrame:
        """Return ``trial``, ``state``, ``score`` and ``best``, the lowest score of a complete trial so far."""
        complete = self.trials["score"].where(self.trials["state"] == "complete")
        return self.trials[["trial", "state", "score"]].assign(best=complete.cummin().ffill())

    def importance(self, *, seed: int = 0) -> pd.DataFrame:
        """Share of the scores' variance that each hyperparameter explains, by functional ANOVA (Hutter et al. 2014).

        Returns
        -------
        DataFrame
            ``parameter`` and ``importance``, largest first; they add up to 1.

        Raises
        ------
        ValueError
            Fewer than two complete trials.
        """
        complete = self.trials[self.trials["state"] == "complete"]
        if len(complete) < 2:
            raise ValueError("importance needs at least two complete trials")
        with _quiet():
            study = optuna.create_study()
            for _, row in complete.iterrows():
                study.add_trial(
                    optuna.trial.create_trial(
                        params={name: plain(row[name]) for name in self.parameters},
                        distributions=self._distributions(), value=float(row["score"]),
                    )
                )  # fmt: skip
            found = optuna.importance.get_param_importances(
                study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=seed)
            )
        table = pd.DataFrame({"parameter": list(found), "importance": list(found.values())})
        return table.sort_values("importance", ascending=False, ignore_index=True)

    def first(self, n_trials: int) -> Search:
        """Return what a search with this smaller budget would have found."""
        return replace(self, trials=self.trials[self.trials["trial"] < n_trials].reset_index(drop=True))

    def save(self, path: Path | str) -> None:
        """Write the search as JSON, compressed, whole; the same search gives the same bytes."""
        content = {
            "name": self.name,
            "parameters": list(self.parameters),
            "trials": self.trials.to_dict("list"),
        }
        text = json.dumps(plain(content), ensure_ascii=False)
        with whole_file(Path(path)) as partial:
            partial.write_bytes(gzip.compress(text.encode(), mtime=0))

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


def load_search(path: Path | str) -> Search:
    """Read what `Search.save` wrote."""
    content = json.loads(gzip.decompress(Path(path).read_bytes()))
    trials = pd.DataFrame(content["trials"])
    trials["score"] = trials["score"].astype(float).fillna(np.inf)
    return Search(content["name"], trials, tuple(content["parameters"]))


# -- inside --------------------------------------------------------------------------------------------------------
class _Run:
    """One process's part in a study."""

    def __init__(self, study, objective, space, context, n_folds, seed, startup_trials, lock: Path):
        self.lock = lock
        self.study, self.objective, self.space, self.context = study, objective, space, context
        self.n_folds, self.seed, self.startup_trials = n_folds, seed, startup_trials
        self.me = f"{os.getpid()}"

    def search(self, n_trials: int, batch: int, workers: int, progress: _Progress) -> None:
        pool = None
        try:
            while trials := self._next(n_trials, batch):
                if workers and pool is None:
                    pool = worker_pool(self.objective, self.context, workers)
                self._evaluate(trials, pool, progress)
        finally:
            if pool is not None:
                pool.shutdown(wait=True, cancel_futures=True)

    def _next(self, n_trials: int, batch: int) -> list[optuna.Trial]:
        """Return the trials that a killed process left, or else a new batch; none once the budget is spent."""
        with self._alone():
            known = self.study.get_trials(deepcopy=False)
            numbers = [
                t.number
                for t in known
                if t.state == TrialState.RUNNING and not _alive(t.user_attrs.get("process"), self.me)
            ]
            left = {t.number: t._trial_id for t in known if t.number in numbers}
            # A batch that was cut off while it was being proposed is filled up first.
            missing = -len(known) % batch
            size = missing if left else missing or batch
            numbers += range(len(known), min(len(known) + size, n_trials))
            return [self._propose(number, left.get(number)) for number in numbers]

    def _propose(self, number: int, trial_id: int | None) -> optuna.Trial:
        """Ask for a new trial, or take over one that was left, filling in what it lacks."""
        self.study.sampler = optuna.samplers.TPESampler(
            multivariate=True, constant_liar=True, n_startup_trials=self.startup_trials,
            seed=int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0]),
        )  # fmt: skip
        if trial_id is None:
            trial = self.study.ask(self.space.distributions())
        else:
            trial = optuna.Trial(self.study, trial_id)
            for name, distribution in self.space.distributions().items():
                trial._suggest(name, distribution)
        trial.set_user_attr("process", self.me)
        return trial

    @contextmanager
    def _alone(self):
        """Keep other processes of the same search from seeing a trial that is only half proposed."""
        try:
            import fcntl
        except ImportError:  # no such lock on this system
            yield
            return
        with open(self.lock, "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _evaluate(self, trials: list[optuna.Trial], pool, progress: _Progress) -> None:
        """Run a batch, each trial fold by fold; tell the study in the order of proposal once all have ended."""
        found: dict[int, list[dict]] = {t.number: [] for t in trials}
        states: dict[int, TrialState] = {}
        reasons: dict[int, str] = {}
        running = {}

        def start(trial: optuna.Trial) -> None:
            job = {"parameters": dict(trial.params), "fold": len(found[trial.number])}
            if pool is None:
                take(trial, lambda: call(self.objective, self.context, job))
                return
            with one_thread_each():
                running[pool.submit(do, job)] = trial

        def take(trial: optuna.Trial, result: Callable[[], dict]) -> None:
            number = trial.number
            try:
                found[number].append(plain(result()))
                score = found[number][-1]["score"]
                if score is None:
                    raise WorkFailed("the score is not finite", "FloatingPointError")
            except WorkFailed as error:
                if error.kind not in DIVERGED:
                    raise
                found[number] = [fold for fold in found[number] if fold["score"] is not None]
                states[number], reasons[number] = TrialState.FAIL, str(error)
                return
            fold = len(found[number]) - 1
            # A trial that a killed process left may have been reported up to here before.
            if fold not in self.study._storage.get_trial(trial._trial_id).intermediate_values:
                trial.report(float(np.mean([f["score"] for f in found[number]])), fold)
            if len(found[number]) == self.n_folds:
                states[number] = TrialState.COMPLETE
            elif trial.should_prune():
                states[number] = TrialState.PRUNED
            else:
                start(trial)

        for trial in trials:
            start(trial)
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                take(running.pop(future), future.result)
        for trial in sorted(trials, key=lambda t: t.number):
            number = trial.number
            trial.set_user_attr("found", json.dumps(found[number]))
            if number in reasons:
                trial.set_user_attr("reason", reasons[number])
            value = (
                float(np.mean([f["score"] for f in found[number]]))
                if states[number] != TrialState.FAIL
                else None
            )
            self.study.tell(
                trial, value if states[number] == TrialState.COMPLETE else None, state=states[number]
            )
            progress.step()


def _alive(process: str | None, me: str) -> bool:
    """Whether the process that proposed a trial is still at work; this one's own trials are in its hands."""
    if process is None or process == me:
        return process == me
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class _Progress:
    def __init__(self, study: optuna.Study, n_trials: int, say: Callable[[str], None] | None, every: float):
        self.study, self.n_trials, self.say, self.every = study, n_trials, say or (lambda line: None), every
        self.before = min(len(study.get_trials(deepcopy=False, states=ENDED)), n_trials)
        self.start = self.last = time.perf_counter()
        if self.before:
            self.say(f"{self.before} of {n_trials} trials were made before")

    def step(self) -> None:
        now = time.perf_counter()
        ended = self.study.get_trials(deepcopy=False, states=ENDED)
        if now - self.last < self.every and len(ended) < self.n_trials:
            return
        self.last = now
        gone, fresh = now - self.start, max(len(ended) - self.before, 1)
        rest = gone / fresh * (self.n_trials - len(ended))
        values = [t.value for t in ended if t.state == TrialState.COMPLETE]
        best = f", lowest score {min(values):.4f}" if values else ""
        self.say(
            f"{len(ended)} of {self.n_trials} trials{best}, {gone:.0f} s so far, about {rest:.0f} s left"
        )


@contextmanager
def _quiet():
    """Keep Optuna's log lines and its notes on experimental features to itself."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
