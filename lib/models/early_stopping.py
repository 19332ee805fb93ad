"""Training by epochs: weights averaged, those of the best epoch, when to slow down or stop; going on from there."""

from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np

from lib.data.interactions import Interactions

PLATEAU_MARGIN = 1e-4
"""An error must fall by more than this to count as progress for the learning rate (Keras' ``ReduceLROnPlateau``)."""


@dataclass(eq=False)
class EarlyStopping:
    """Keep the weights of the epoch with the lowest validation error.

    After each epoch, `averaged` gives the weights to measure, `record` takes their error, and ``stopped`` and
    ``learning_rate`` say how to go on.

    `averaging` is the momentum, an epoch, of the moving average of the weights that is measured and kept; 0 for the
    epoch's own. After `patience` epochs without a lower error it stops; None never does. After `plateau_patience`
    epochs without progress, None for never, the learning rate is multiplied by `plateau_factor`, but not below
    `least_rate`. Kept are the `weights` of the epoch `best`, from zero, the one of the lowest error or, without errors,
    the last; `errors` and `rates` are by epoch, the errors NaN where none was given.
    """

    learning_rate: float
    _: KW_ONLY
    averaging: float = 0.0
    patience: int | None = None
    plateau_patience: int | None = None
    plateau_factor: float = 0.5
    least_rate: float = 0.0

    def __post_init__(self):
        self.plateau_margin = PLATEAU_MARGIN
        self.best, self.weights, self.stopped = -1, {}, False
        self.errors, self.rates, self._mean = [], [], {}
        self._least, self._progress, self._waited = np.inf, np.inf, 0

    def averaged(self, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Take an epoch's weights into the average, and return it; a copy either way."""
        if self.averaging == 0:
            return {name: value.copy() for name, value in weights.items()}
        old, new = np.float32(self.averaging), np.float32(1 - self.averaging)
        for name, value in weights.items():
            mean = self._mean.setdefault(name, np.zeros_like(value))
            mean *= old
            mean += new * value
        # Dividing by the weight that the average has so far takes out its start at zero.
        share = np.float32(1 - self.averaging ** (len(self.errors) + 1))
        return {name: mean / share for name, mean in self._mean.items()}

    def record(self, weights: dict[str, np.ndarray], error: float | None = None) -> None:
        """Take the error of the weights that `averaged` gave; None keeps the latest weights."""
        epoch = len(self.errors)
        self.errors.append(np.nan if error is None else error)
        self.rates.append(self.learning_rate)
        if error is None or epoch == 0 or error < self._least:
            self.best, self.weights = epoch, weights
            self._least = np.inf if error is None else error
        self.stopped = self.patience is not None and epoch - self.best >= self.patience
        if error is None or self.plateau_patience is None:
            return
        if error < self._progress - self.plateau_margin:
            self._progress, self._waited = error, 0
            return
        self._waited += 1
        if self._waited >= self.plateau_patience:
            self.learning_rate = max(self.learning_rate * self.plateau_factor, self.least_rate)
            self._waited = 0


class Continued:
    """For models of ``n_epochs``: `_fit` keeps where it is in ``_course`` and what it learned from in ``_trained_on``."""

    curves: tuple[str, ...] = ()  # names of what is noted epoch by epoch

    n_epochs: int
    _course: Any = None
    _trained_on: Interactions | None = None

    def fit_further(self, train: Interactions, *, n_epochs: int) -> Self:
        """Train for more epochs on the ratings of ``fit``: the same bits as training through, and ``n_epochs`` counts all.

        ValueError: other ratings, or a model that was not fitted in this process (a file holds no random state).
        """
        train, known = train.ordered(), self._trained_on
        if known is None:
            raise ValueError(f"{type(self).__name__} goes on only where it was fitted: call fit(train) first")
        if not all(np.array_equal(getattr(known, of), getattr(train, of)) for of in ("users", "items", "ratings")):
            raise ValueError(f"{type(self).__name__} goes on with the ratings that fit was given, and no others")
        before = {name: getattr(self, name) for name in self.curves}
        self._train(train, None, n_epochs)
        for name, curve in before.items():
            setattr(self, name, np.concatenate([curve, getattr(self, name)[-n_epochs:]]))
        self.n_epochs += n_epochs
        return self

    def _train(self, train: Interactions, validation: Interactions | None, epochs: int) -> None:
        """Train on from ``_course``, so many epochs."""
        raise NotImplementedError
