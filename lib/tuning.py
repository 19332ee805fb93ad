"""Searches of hyperparameters on validation data, with a budget: Optuna's TPE and median pruning, several at a time."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from lib.files import plain
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
from lib.search_result import ENDED, Search, load_search, quiet
from lib.search_space import Space

DIVERGED = ("ValueError", "FloatingPointError", "OverflowError", "LinAlgError")
"""Errors that only say that these hyperparameters are no good; the trial counts as failed, the search goes on."""


def search(
    objective: Work, space: Space, *, context: Mapping[str, Any], n_folds: int, n_trials: int, store: Path | str,
    name: str, seed: int = 0, version: str = "", workers: int | None = None, batch: int = 4, startup_trials: int = 20,
    jointly: bool = True, say: Callable[[str], None] | None = print, every: float = 20.0,
) -> Search:  # fmt: skip
    r"""Look for the hyperparameters with the lowest mean score over folds.

    Trials are proposed by a tree-structured Parzen estimator (Bergstra et al. 2011; `jointly`, Falkner et al. 2018) and,
    after each fold, dropped if their mean so far is above the median of earlier trials at the same fold. They are
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
    jointly : bool
        Whether the estimator looks at all hyperparameters together or at each by itself. Where good values are a small
        part of a wide range, as in project B's space, the joint form lags far behind.
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
        startup_trials=startup_trials, jointly=jointly,
    )  # fmt: skip
    path = Path(store) / f"{name}-{key}.journal"
    path.parent.mkdir(parents=True, exist_ok=True)
    with quiet():
        study = optuna.create_study(
            study_name=name, storage=optuna.storages.JournalStorage(JournalFileBackend(str(path))),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=startup_trials), load_if_exists=True,
        )  # fmt: skip
        run = _Run(
            study,
            objective,
            space,
            context,
            n_folds,
            seed,
            startup_trials,
            jointly,
            path.with_suffix(".proposing"),
        )
        progress = _Progress(study, n_trials, say, every)
        run.search(n_trials, batch, usable_cores() if workers is None else workers, progress)
        return Search.of(study, name, n_folds, n_trials)


def search_key(
    objective: Work, space: Space, *, context: Mapping[str, Any], n_folds: int, seed: int = 0, version: str = "",
    batch: int = 4, startup_trials: int = 20, jointly: bool = True,
) -> str:  # fmt: skip
    """Digest all that the trials of a search depend on, but for their number: what `search` tells searches apart by."""
    sampler = [] if jointly else [_sampler(jointly)]
    parts = [objective.__module__, objective.__qualname__, repr(space), n_folds, seed, batch, startup_trials, *sampler,
             version, fingerprint(context)]  # fmt: skip
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


# -- inside --------------------------------------------------------------------------------------------------------
def _sampler(jointly: bool) -> dict[str, bool]:
    """Return the settings of Optuna's estimator; with the constant liar a batch's trials keep apart."""
    return {"multivariate": jointly, "constant_liar": True}


class _Run:
    """One process's part in a study."""

    def __init__(
        self, study, objective, space, context, n_folds, seed, startup_trials, jointly: bool, lock: Path
    ):
        self.lock, self.jointly = lock, jointly
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
            **_sampler(self.jointly), n_startup_trials=self.startup_trials,
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


__all__ = ["DIVERGED", "Search", "load_search", "search", "search_key"]
