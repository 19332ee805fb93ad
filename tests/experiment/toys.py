"""Toy models and measurements, in a module so that any process can import them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from lib.models.base import Recommender


class Bowl(Recommender):
    """Its score is lowest at x = 0.3, n = 7, kind = b; it writes a line into `log` for each fit."""

    def __init__(self, *, x=0.0, n=1, kind="a", log="", wait=0.0):
        self.x, self.n, self.kind, self.log, self.wait = x, n, kind, log, wait

    def _fit(self, train, validation):
        time.sleep(self.wait)
        if self.log:
            with open(self.log, "a", encoding="utf-8") as file:
                file.write(f"{os.getpid()}\n")
        self.depth_ = np.array((self.x - 0.3) ** 2 + 0.01 * (self.n - 7) ** 2 + (self.kind == "a"))

    def predict(self, users, items, times=None):
        return np.full(len(users), float(self.depth_))


def depth(fitted, *, fold=0):
    """Return the bowl's depth as a score; folds differ a little."""
    return {"score": float(fitted.model.depth_) + 0.01 * fold}


class Diverging(Recommender):
    """Diverges where x is large, and scores NaN where it is less so."""

    def __init__(self, *, x=0.0, learning_rate=1.0):
        self.x, self.learning_rate = x, learning_rate

    def _fit(self, train, validation):
        if self.x > 0.6 and self.learning_rate > 0.1:
            raise FloatingPointError("too large")
        self.depth_ = np.array(self.x if self.x < 0.5 else np.nan)

    def predict(self, users, items, times=None):
        return np.full(len(users), self.x)


class Broken(Recommender):
    """Has a mistake."""

    def __init__(self, *, x=0.0, n=1, kind="a"):
        self.x, self.n, self.kind = x, n, kind

    def _fit(self, train, validation):
        raise KeyError("no such thing")

    def predict(self, users, items, times=None):
        return np.zeros(len(users))


class Stopped(Recommender):
    """Stops at `best` epochs where it is given validation ratings, and tells what it was given."""

    def __init__(self, *, n_epochs=50, patience=2, best=7, seed=0):
        self.n_epochs, self.patience, self.best, self.seed = n_epochs, patience, best, seed

    def _fit(self, train, validation):
        self.given_ = np.array([len(train), 0 if validation is None else len(validation), self.patience])
        self.n_epochs_ = min(self.n_epochs, self.best) if validation is not None else self.n_epochs
        self.history_ = np.column_stack([np.zeros(3), [0.9, 0.5, 0.7]])

    def predict(self, users, items, times=None):
        return np.full(len(users), 3.0 + self.n_epochs_ / 100)


def told(fitted):
    """Return what the model was given."""
    return {"given": fitted.model.given_, "limit": fitted.model.n_epochs}


def halved(parts, fit, *, share=0.5):
    """Prepare: only a share of the training ratings."""
    train = parts[fit.train]
    return {fit.train: train.take(np.arange(int(len(train) * share)))}


def traces(path):
    """Count the lines of a log."""
    return len(Path(path).read_text(encoding="utf-8").split()) if Path(path).exists() else 0
