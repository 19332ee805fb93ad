"""Training that goes on from where it stopped."""

from typing import Any, Self

import numpy as np

from lib.data.interactions import Interactions


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
