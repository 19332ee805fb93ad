"""What all networks share: bounds of hyperparameters, epochs of batches, early stopping, and how weights are kept."""

from abc import abstractmethod
from collections.abc import Callable, Sequence

import numpy as np

from lib.data.interactions import Interactions
from lib.data.splits import validation_from
from lib.models.base import Recommender
from lib.models.early_stopping import EarlyStopping

Weights = dict[str, np.ndarray]
Rule = tuple[str, Sequence[str], Callable]

COUNTS = ("n_factors", "hidden_size", "embedding_size", "user_dense_size", "item_dense_size", "final_size")
BOUNDS: tuple[Rule, ...] = (
    ("be at least 1", (*COUNTS, "batch_size", "n_epochs", "max_epochs", "patience"), lambda value: value >= 1),
    ("be at least 1, or None", ("epochs", "plateau_patience"), lambda value: value is None or value >= 1),
    ("hold positive sizes", ("hidden_sizes",), lambda sizes: all(size >= 1 for size in sizes)),
    ("be positive", ("learning_rate",), lambda value: 0 < value < np.inf),
    ("not be negative", ("l2", "init_scale", "n_samples"), lambda value: 0 <= value < np.inf),
    ("lie in [0, 1)", ("dropout", "input_dropout", "averaging"), lambda value: 0 <= value < 1),
    ("lie in (0, 1]", ("plateau_factor",), lambda value: 0 < value <= 1),
)
"""What must be, the hyperparameters of which it must, and a function that says whether it is."""

SOME_LAYERS: Rule = ("hold positive sizes", ("hidden_sizes",), len)


class NetworkModel(Recommender):
    """A model whose network's arrays are kept by name in ``weights_``."""

    learning_rate: float
    batch_size: int
    weights_: Weights

    def _check(self, *rules: Rule) -> None:
        for words, names, holds in (*BOUNDS, *rules):
            for name, value in self.parameters.items():
                if name in names and not holds(value):
                    raise ValueError(f"{type(self).__name__}: {name} must {words}; got {value!r}")

    def _descend(
        self,
        optimiser,
        stopping: EarlyStopping,
        step: Callable,
        rows: np.ndarray,
        rng: np.random.Generator,
        *,
        epochs: int,
        error: Callable[[Weights], float] | None = None,
        rates: Sequence[float] | None = None,
    ) -> np.ndarray:
        """Train in batches of `rows`, drawn anew each epoch, and return the sums of what `step` measures, by epoch.

        `step` takes a batch and returns what it measures, and gradients; `error` takes weights; `rates` are learning
        rates by epoch, in place of what `stopping` says.
        """
        sums = []
        with np.errstate(over="ignore", invalid="ignore"):  # divergence is told by the sums, in words
            for epoch in range(epochs):
                if rates is not None:
                    stopping.learning_rate = rates[epoch]
                optimiser.learning_rate = stopping.learning_rate
                order, total = rng.permutation(rows), 0.0
                for low in range(0, len(order), self.batch_size):
                    found, gradients = step(order[low : low + self.batch_size])
                    optimiser.step(gradients)
                    total = total + found
                if not np.isfinite(total).all():
                    raise FloatingPointError(
                        f"{type(self).__name__} diverged at learning_rate={self.learning_rate}; try a smaller one"
                    )
                sums.append(total)
                kept = stopping.averaged(optimiser.weights)
                stopping.record(kept, None if error is None else error(kept))
                if stopping.stopped:
                    break
        return np.array(sums)

    @property
    def n_parameters_(self) -> int:
        """Trained weights of the network."""
        self._check_fitted()
        return sum(array.size for array in self.weights_.values())

    def _state(self) -> dict[str, np.ndarray]:
        state = super()._state()
        del state["weights_"]
        return state | {f"weights_/{name}": array for name, array in self.weights_.items()}

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        mark = "weights_/"
        super()._restore({name: value for name, value in state.items() if not name.startswith(mark)})
        self.weights_ = {n.removeprefix(mark): value for n, value in state.items() if n.startswith(mark)}


class StoppedNetwork(NetworkModel):
    """A network that finds its number of epochs by the RMSE on validation ratings.

    The weights of the best epoch are kept. Where ``fit`` is given no validation data, a tenth of each user's ratings is
    cut from train (`lib.data.splits.validation_from`), the number of epochs and their learning rates are found on that,
    and the network is trained again from the same start on all of train with those. Where too few ratings leave nothing
    to cut, it is trained for `max_epochs`.

    `averaging` is the momentum, an epoch, of the moving average of the weights that is measured and kept; 0 for the
    epoch's own. `learning_rate`, of the first epochs, is multiplied by `plateau_factor` after `plateau_patience` epochs
    without progress, None for never. `epochs`, unless None, is a fixed number at one learning rate, without validation
    data; else there are at most `max_epochs`, and `patience` without a lower validation RMSE. `refit` False keeps the
    network that was stopped. `seed` is of starting weights, order, dropout and the validation data that it cuts.

    Attributes
    ----------
    n_epochs_ : int
        Epochs behind the weights that are kept.
    history_ : ndarray of float64, shape (epochs run, 3)
        By epoch of the training that stopped early: training objective, validation RMSE (NaN without validation data)
        and learning rate.
    """

    averaging: float
    epochs: int | None
    max_epochs: int
    patience: int
    plateau_patience: int | None = None
    plateau_factor = 1.0
    refit = True
    seed: int

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        self._check()
        part, refit = train, False
        if self.epochs is None and validation is None:
            cut = validation_from(train, seed=self.seed)
            if len(cut.test):
                part, validation, refit = cut.train, cut.test, self.refit
        if self.epochs is not None or (validation is not None and len(validation) == 0):
            validation = None
        losses, stopping = self._train(part, validation, self.epochs or self.max_epochs, None)
        self.n_epochs_ = stopping.best + 1
        self.history_ = np.column_stack([losses, stopping.errors, stopping.rates])
        if refit:
            part, rates = train, stopping.rates[: self.n_epochs_]
            del stopping  # lets the first weights go before the second ones come
            _, stopping = self._train(train, None, self.n_epochs_, rates)
        self._keep(stopping.weights, part)

    def _stopping(self, least_rate: float = 0.0) -> EarlyStopping:
        return EarlyStopping(
            self.learning_rate,
            averaging=self.averaging,
            patience=self.patience,
            plateau_patience=self.plateau_patience,
            plateau_factor=self.plateau_factor,
            least_rate=least_rate,
        )

    @abstractmethod
    def _train(
        self, train: Interactions, validation: Interactions | None, epochs: int, rates: list[float] | None
    ) -> tuple[Sequence[float], EarlyStopping]:
        """Train from the start; return the objective by epoch, and what was kept."""

    @abstractmethod
    def _keep(self, weights: Weights, train: Interactions) -> None:
        """Take trained weights, and answers for whom train says nothing of."""


def with_mean(values: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Give unseen rows the mean of the seen ones, and append it as a last row."""
    mean = values[seen].mean(axis=0, dtype=np.float64).astype(values.dtype)
    found = np.concatenate([values, mean[None]])
    found[:-1][~seen] = mean
    return found


def known(codes: np.ndarray, n: int) -> np.ndarray:
    """Turn codes outside 0 to n - 1 into n, the place of the mean one."""
    codes = np.asarray(codes)
    return np.where((codes >= 0) & (codes < n), codes, n)
