"""The contract that every model keeps, and what all models share: parameters, saving, scoring a catalogue."""

import inspect
import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from lib.data.interactions import Interactions, RatingScale


class NotFitted(RuntimeError):
    """A model was asked for an answer before `fit`."""


class Recommender(ABC):
    """A model of user-item ratings.

    A subclass has keyword-only hyperparameters in ``__init__`` that `_store` keeps under their own names, implements
    `_fit` and `predict`, and keeps what it learns in attributes whose names end in ``_``. Codes (not raw ids) go in; a
    code that the id maps do not hold (such as -1), or that had no training rating, is cold: the answer is finite, and
    the class's card (`lib.models.card.Card`) says what it is.
    """

    predicts_ratings = True
    """False for models whose score only orders the items; the report shows no RMSE for those."""

    uses_time = False
    """True for models whose predictions depend on when a rating is given; all others ignore the times of `predict`."""

    keeps_order = False
    """True where the order of training ratings counts, as in a peer's code; all others learn from them by user and film."""

    loaded_first: tuple[str, ...] = ()
    """Modules of a backend that takes hundreds of MiB by itself; they are loaded before a fit's memory is measured."""

    if TYPE_CHECKING:
        # Hyperparameters are set by `_store`, fitted arrays by name: a type checker can't find either in the class.
        def __getattr__(self, name: str) -> Any: ...

    def __init__(self) -> None:
        self._store(locals())

    def fit(self, train: Interactions, *, validation: Interactions | None = None) -> Self:
        """Learn from `train`, its tables included; the order of its rows changes no bit unless `keeps_order`.

        `validation` is for early stopping, where the model has any, and never learned from. Raises ValueError: `train`
        is empty, or `validation` does not share its id maps.
        """
        self._begin(train, validation)
        self._fit(train if self.keeps_order else train.ordered(), validation)
        return self

    def _begin(self, train: Interactions, other: Interactions | None = None) -> None:
        """Check what `fit` is given, and note sizes and scale; for whatever other way of fitting a model has, too."""
        if len(train) == 0:
            raise ValueError(f"{type(self).__name__}.fit: the training set holds no ratings")
        if other is not None and (other.n_users, other.n_items) != (train.n_users, train.n_items):
            raise ValueError(f"{type(self).__name__}.fit: what was given does not share the id maps of train")
        self.n_users_, self.n_items_, self.scale_ = train.n_users, train.n_items, train.scale

    @abstractmethod
    def _fit(self, train: Interactions, validation: Interactions | None) -> None: ...

    @abstractmethod
    def predict(self, users: np.ndarray, items: np.ndarray, times: np.ndarray | None = None) -> np.ndarray:
        """Predict ratings of pairs; `users` and `items` are codes, int of shape (n,), cold ones allowed.

        `times`, int64, say when the ratings are given, in seconds since 1970; None where that is unknown. Models
        without `uses_time` ignore them; the others say in their docstring what they answer without. Returns float64 of
        shape (n,), in units of the rating scale, always finite, not clipped to it: orderings need the unclipped value.
        Raises ValueError: `users`, `items` and `times` are not equally long.
        """

    def score(self, users: np.ndarray) -> np.ndarray:
        """Score the whole catalogue for some users, training items included: float64 of shape (len(users), n_items).

        Higher is better; for a rating model it is the unclipped prediction, without times.
        """
        users = np.asarray(users)
        self._check_fitted()
        grid = self.predict(np.repeat(users, self.n_items_), np.tile(np.arange(self.n_items_), len(users)))
        return grid.reshape(len(users), self.n_items_)

    def _store(self, values: dict) -> None:
        """Keep the arguments of ``__init__`` under their own names: ``self._store(locals())``."""
        for name in values.keys() - {"self", "__class__"}:
            setattr(self, name, values[name])

    @classmethod
    def parameter_names(cls) -> list[str]:
        """Names of the hyperparameters, in the order of ``__init__``."""
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    @property
    def parameters(self) -> dict:
        """The hyperparameters by name."""
        return {name: getattr(self, name) for name in self.parameter_names()}

    @property
    def n_parameters_(self) -> int:
        """Numbers learned from data (all fitted arrays of floats); a model that learns otherwise overrides it."""
        self._check_fitted()
        return sum(v.size for v in self._state().values() if v.dtype.kind == "f")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.parameters.items())})"

    def _state(self) -> dict[str, np.ndarray]:
        """Fitted attributes as arrays; a model that keeps other things overrides this and `_restore`."""
        return {name: np.asarray(value) for name, value in vars(self).items() if name.endswith("_")}

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        for name, value in state.items():
            setattr(self, name, value if value.ndim else value.item())

    def save(self, path: Path | str) -> None:
        """Write hyperparameters and fitted arrays into one ``.npz`` file, without pickle."""
        self._check_fitted()
        head = json.dumps({"class": type(self).__name__, "parameters": self.parameters})
        arrays: dict[str, Any] = {"__model__": np.array(head), **self._state()}
        with open(path, "wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a model that `save` wrote; ValueError where the file holds another class of model, or no model."""
        with np.load(path, allow_pickle=False) as file:
            if "__model__" not in file:
                raise ValueError(f"{path} is not a saved model")
            head = json.loads(str(file["__model__"]))
            if head["class"] != cls.__name__:
                raise ValueError(f"{path} holds a {head['class']}, not a {cls.__name__}")
            model = cls(**head["parameters"])
            state = {name: file[name] for name in file.files if name != "__model__"}
        model._restore(state)
        model.scale_ = RatingScale(*map(float, state["scale_"]))
        return model

    def _check_fitted(self) -> None:
        if not hasattr(self, "n_items_"):
            raise NotFitted(f"{type(self).__name__} is not fitted yet: call fit(train) first")

    def _pairs(self, users, items, times=None) -> tuple[np.ndarray, np.ndarray]:
        """Check a request's shape, that of its times too, and hand users and items back as arrays."""
        self._check_fitted()
        users, items = np.atleast_1d(users), np.atleast_1d(items)
        if users.shape != items.shape or users.ndim != 1:
            raise ValueError(f"users and items must be equally long lists, got {users.shape} and {items.shape}")
        if times is not None and (given := np.shape(np.atleast_1d(times))) != users.shape:
            raise ValueError(f"times must be as long as users and items, {users.shape}, or None; got {given}")
        return users, items


def lookup(values: np.ndarray, codes: ArrayLike, default=0.0) -> np.ndarray:
    """Take ``values[codes]`` along the first axis, with `default` for codes outside its range."""
    codes = np.asarray(codes)
    known = (codes >= 0) & (codes < len(values))
    found = values[np.where(known, codes, 0)]
    found[~known] = default
    return found
