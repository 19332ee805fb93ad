"""Epochs of stochastic gradient descent: the order of users, the learning rates, and when to stop."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from lib.models.early_stopping import EarlyStopping
from lib.models.latent.sgd_kernels import visit_users
from lib.models.latent.sgd_parameters import Groups, Parameters, Ratings


class Descent(NamedTuple):
    """What happened.

    Parameters
    ----------
    n_epochs : int
        Behind the parameters that are kept.
    history : ndarray, shape (epochs run, 2)
        By epoch: root mean squared training error, each rating's taken just before it was learned from, and the
        validation error, NaN where none was measured.
    """

    n_epochs: int
    history: np.ndarray


def descend(
    ratings: Ratings,
    parameters: Parameters,
    users: np.ndarray,
    *,
    mean: float,
    n_epochs: int,
    rates: Groups,
    penalties: Groups,
    decay: float = 1.0,
    shuffled: bool = True,
    seed: int = 0,
    n_threads: int = 1,
    error: Callable[[], float] | None = None,
    patience: int | None = None,
    name: str = "the model",
) -> Descent:
    r"""Run epochs of `lib.models.latent.sgd_kernels.visit_users`; the parameters change in place.

    Parameters
    ----------
    ratings : Ratings
    parameters : Parameters
    users : ndarray of int
        Whom to visit, and, unless shuffled, in which order.
    mean : float
        :math:`\mu`.
    n_epochs : int
    rates, penalties : Groups
    decay : float
        Epoch e, from zero, has the learning rates times :math:`decay^e`.
    shuffled : bool
        Draw the order of users, and of each user's ratings, anew in each epoch.
    seed : int
        Of those orders.
    n_threads : int
        One gives the same bits every time. Several visit different users at once and write to the same films without
        locks (Recht et al. 2011, "Hogwild!"): of two steps of one film in the same instant, one may be lost, so that
        runs differ slightly.
    error : callable, optional
        Measures the validation error of the parameters as they stand.
    patience : int or None
        Stop after so many epochs without a lower validation error, and put the best epoch's parameters back. None
        runs all epochs and keeps the last, whatever the errors.
    name : str
        Who diverged.

    Raises
    ------
    FloatingPointError
        The training error or a parameter is not a finite number, or the error is beyond any that still comes back.
    """
    kind = parameters.item_bias.dtype.type
    penalties = Groups(*map(kind, penalties))
    stopping = EarlyStopping(1.0, patience=patience)
    trained = {key: value for key, value in parameters._asdict().items() if value.size}
    n_ratings, history = len(ratings.ratings), []
    limit = 1e3 * max(float(np.abs(ratings.ratings).max(initial=0)), 1.0)
    for epoch in range(n_epochs):
        seeds = np.random.SeedSequence((seed, epoch))
        bits = seeds.generate_state(1, np.uint64)[0]
        order = np.random.default_rng(seeds).permutation(users) if shuffled else users
        stepped = Groups(*(kind(rate * decay**epoch) for rate in rates))
        work = [
            (part, bits, shuffled, float(mean), ratings, parameters, stepped, penalties)
            for part in shares(order, ratings, n_threads)
        ]
        if len(work) == 1:
            total = visit_users(*work[0])
        else:
            with ThreadPoolExecutor(len(work)) as pool:
                total = sum(pool.map(lambda job: visit_users(*job), work))
        found = np.sqrt(total / n_ratings)
        if not found < limit or not all(np.isfinite(value).all() for value in trained.values()):
            raise FloatingPointError(
                f"{name} diverged in epoch {epoch + 1}; try smaller learning rates or more regularisation"
            )
        measured = np.nan if error is None else error()
        history.append((found, measured))
        if patience is not None and error is not None:
            stopping.record(stopping.averaged(trained), measured)
            if stopping.stopped:
                break
    for key, value in stopping.weights.items():
        trained[key][...] = value
    kept = stopping.best + 1 if stopping.weights else len(history)
    return Descent(kept, np.array(history).reshape(-1, 2))


def shares(order: np.ndarray, ratings: Ratings, n: int) -> list[np.ndarray]:
    """Cut users into at most `n` runs with about equally many ratings."""
    if n == 1 or len(order) < n:
        return [order]
    ends = np.cumsum(ratings.start[order + 1] - ratings.start[order])
    cuts = np.searchsorted(ends, ends[-1] * np.arange(1, n) / n)
    return [part for part in np.split(order, cuts) if len(part)]
