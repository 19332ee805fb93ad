"""A fit: which model learns from which data, and what is measured of it; the one place where models are fitted."""

import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np

from lib.data.interactions import Interactions
from lib.data.splits import validation_from
from lib.experiment.peak_memory import PeakMemory
from lib.models import model_class, place_of
from lib.models.base import Recommender
from lib.models.fitting import answers, fit_model, score_matrix

Parts = Mapping[str, Interactions]  # data by the names that fits call them: ``train``, ``test``, ``u1/train`` and so on


class FitFailed(RuntimeError):
    """A fit raised an error; the message names both."""


@dataclass(frozen=True)
class Stopping:
    """How the length of a training is found.

    `limit` is the hyperparameter that ends training, such as ``n_epochs``, `most` its largest value, `patience` how
    long no better one is waited for; 0 and None leave the model's own. A model without a limit (empty) is fitted on the
    inner training ratings only to be measured on the validation ratings. `train` and `validation` are parts to learn
    from and to stop on; no validation part: a tenth of each user's training ratings is cut off. With `refit` the model
    that counts learns from all training ratings, for as long as was found; one that stops `by_model` does it by itself.
    """

    limit: str = ""
    most: int = 0
    patience: int | None = None
    train: str = ""
    validation: str = ""
    refit: bool = True
    by_model: bool = False


@dataclass(frozen=True)
class Fit:
    """One model on one set of training ratings, and what is measured of it.

    Parameters
    ----------
    model, parameters : str, mapping
        A registered name, or ``module:Class``, and its hyperparameters; plain values.
    seed : int, optional
        Of the random start, for a model that takes one.
    train, test, further : str, str, tuple of str
        Parts: what is learned from, what is asked for, and what else the preparation or a measurement reads.
    prepare : str, mapping
        ``module:function`` and its options: ``function(parts, fit, **options)`` returns the parts that the fit sees.
    stopping : Stopping, optional
    measure : mapping of str to mapping
        What is measured, by a function of `lib.experiment.measurements` (or ``module:function``), with its options; one that
        fits models itself has them as ``members``, each with its ``model``.
    records_errors : tuple of str
        Errors, by class name, that end in a record with a ``failure`` instead of being raised; ``Exception`` for all.
    slower : int
        How many times a quarter of the learning rate is tried where training diverges.
    keep : str
        Group under which the project keeps the record for good, without its arrays; empty: it is made on each machine.
    labels : mapping
        What the caller calls it; stands in the record, and does not tell fits apart.
    """

    model: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    train: str = "train"
    test: str = "test"
    further: tuple[str, ...] = ()
    prepare: tuple[str, Mapping[str, Any]] | None = None
    stopping: Stopping | None = None
    measure: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"predictions": {}})
    records_errors: tuple[str, ...] = ()
    slower: int = 0
    keep: str = ""
    labels: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        told = self.labels or {"model": self.model, **self.parameters}
        return ", ".join(f"{name}={value}" for name, value in told.items())

    def needs(self) -> tuple[str, ...]:
        """Return the parts that it reads."""
        inner = (self.stopping.train, self.stopping.validation) if self.stopping else ()
        names = (self.train, self.test, *inner, *self.further)
        return tuple(dict.fromkeys(name for name in names if name))

    def roots(self) -> list[str]:
        """Return the definitions that its outcome starts from, for `lib.experiment.key.code_digest`."""
        inner = [one["model"] for of in self.measure.values() for one in of.get("members", {}).values()]
        first = [*map(place_of, [self.model, *inner]), f"{__name__}:fit_and_measure"]
        return [*first, *map(address, self.measure), *(self.prepare[:1] if self.prepare else ())]


def address(measurement: str) -> str:
    """Return where a measurement's function stands, as ``module:function``."""
    return measurement if ":" in measurement else f"lib.experiment.measurements:{measurement}"


@dataclass(eq=False)
class Fitted:
    """A fitted model with its data, as measurements see it.

    `model` is the one that counts, `stopped` the one that was stopped on validation ratings, after `n_epochs` (0 where none
    were to be found). `parts` are the data as the model saw them, `given` as they were before the preparation. The seconds
    are those of all training, and of the last one alone; `memory` is that of training, where costs are measured.
    """

    fit: Fit
    model: Recommender
    parts: Parts
    given: Parts
    stopped: Recommender | None = None
    n_epochs: int = 0
    seconds_fit: float = np.nan
    seconds_refit: float = np.nan
    memory: PeakMemory | None = None
    _answers: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    @property
    def train(self) -> Interactions:
        """Training ratings."""
        return self.parts[self.fit.train]

    @property
    def learned(self) -> str:
        """The part that the model has learned from; less than `train` where it was stopped and not fitted again."""
        stopping = self.fit.stopping
        inner = "" if stopping is None or stopping.refit else stopping.train
        return inner or self.fit.train

    @property
    def test(self) -> Interactions:
        """Ratings that are asked for."""
        return self.parts[self.fit.test]

    def answers(self, part: str) -> np.ndarray:
        """Predict a part's ratings, clipped to the scale (float64); asked once, however often it is measured."""
        if part not in self._answers:
            self._answers[part] = answers(self.model, self.parts[part])
        return self._answers[part]

    @cached_property
    def scores(self) -> np.ndarray:
        """Unclipped scores of every user and film in single precision, shape (n_users, n_items)."""
        return score_matrix(self.model, self.train)


def fit_and_measure(parts: Parts, fit: Fit) -> dict[str, Any]:
    """Fit a model and measure it: every figure of the report that a model is behind is made here.

    Returns ``n_epochs`` (found by `Stopping`, 0 elsewhere), ``n_parameters``, ``seconds_fit``, ``seconds_refit``, ``seconds``
    (measurements included), what the measurements return, and, where asked for, ``failure`` (an error in words; then
    nothing else but seconds) or ``note`` (what was done so that there was none). Other errors are raised, as `FitFailed`.
    """
    start = time.perf_counter()
    note, asked = "", fit
    for attempt in range(asked.slower + 1):
        try:
            found = _measured(parts, fit)
            break
        except Exception as error:
            kind, rate = type(error).__name__, fit.parameters.get("learning_rate")
            if attempt < asked.slower and rate and isinstance(error, (FloatingPointError, ValueError)):
                fit = replace(fit, parameters={**fit.parameters, "learning_rate": rate / 4})
                note = f"ran with a learning rate of {rate / 4:g}, as training diverged at {rate:g}"
                continue
            if kind not in asked.records_errors and "Exception" not in asked.records_errors:
                raise FitFailed(f"{asked}: {kind}: {error}") from error
            found, note = {"failure": f"{kind}: {error}"[:300]}, ""
            break
    return {**found, **({"note": note} if note else {}), "seconds": time.perf_counter() - start}


def _measured(parts: Parts, fit: Fit) -> dict[str, Any]:
    given = {name: parts[name] for name in fit.needs() if name in parts}
    prepared = given
    if fit.prepare is not None:
        name, options = fit.prepare
        prepared = {**given, **_function(name)(given, fit, **options)}
    measurements = [(_function(address(name)), options) for name, options in fit.measure.items()]
    for module in model_class(fit.model).loaded_first:
        import_module(module)
    with PeakMemory() if "cost" in fit.measure else nullcontext() as memory:
        fitted = _train(prepared, given, fit)
    fitted.memory = memory
    found: dict[str, Any] = {
        "n_epochs": fitted.n_epochs,
        "n_parameters": int(fitted.model.n_parameters_),
        "seconds_fit": fitted.seconds_fit,
        "seconds_refit": fitted.seconds_refit,
    }
    for measure, options in measurements:
        found |= measure(fitted, **options)
    return found


def _train(parts: Parts, given: Parts, fit: Fit) -> Fitted:
    """Fit the model, its length found as `Stopping` says."""
    parameters, train = dict(fit.parameters), parts[fit.train]
    if fit.seed is not None and "seed" in model_class(fit.model).parameter_names():
        parameters["seed"] = fit.seed
    start = again = time.perf_counter()
    stopped, n, inner, validation = None, 0, None, None
    stopping = fit.stopping or Stopping(by_model=True)
    limits: dict[str, Any] = {stopping.limit: stopping.most} if stopping.limit and stopping.most else {}
    if not stopping.by_model:
        limits |= {} if stopping.patience is None else {"patience": stopping.patience}
        if stopping.validation:
            inner, validation = parts[stopping.train or fit.train], parts[stopping.validation]
        else:
            cut = validation_from(train.ordered())  # the same whatever the order of the rows
            inner, validation = cut.train, cut.test
    asked = {**limits, **parameters}  # what a page or a profile asks for in so many words is not overruled
    if validation is None or len(validation) == 0:
        model = fit_model(fit.model, train, **asked)
        n = _length(model, stopping.limit) if fit.stopping and stopping.by_model else 0
    else:
        # Where there are validation ratings, there are inner ones: an assertion would make every fit another one.
        model = stopped = fit_model(fit.model, inner, validation=validation, **asked)  # type: ignore[arg-type]
        n = _length(stopped, stopping.limit)
        if stopping.refit:
            again = time.perf_counter()
            length = {stopping.limit: n} if stopping.limit else {}
            model = fit_model(fit.model, train, **{**parameters, **length})
    now = time.perf_counter()
    return Fitted(fit, model, parts, given, stopped, n, now - start, now - again)


def _length(model: Recommender, limit: str) -> int:
    """Return how long a stopped model was trained."""
    return int(getattr(model, f"{limit}_", getattr(model, "n_epochs_", 0)))


def _function(name: str):
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)
