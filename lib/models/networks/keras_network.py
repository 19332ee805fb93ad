"""What the networks in Keras share: one training of pairs and ratings, and embeddings of whom it has not seen."""

from abc import abstractmethod
from collections.abc import Sequence
from functools import partial

import numpy as np

from lib.data.interactions import Interactions
from lib.models.early_stopping import EarlyStopping
from lib.models.networks.network_model import StoppedNetwork, Weights


class KerasNetwork(StoppedNetwork):
    """A network of a user's and a film's code, in Keras on any of its backends, minimised by Adam (Kingma and Ba 2015).

    Saved models answer without Keras. The same seed gives the same bits on one backend thread, the default of
    `lib.models.networks.keras_training`.
    """

    loaded_first = ("lib.models.networks.keras_training",)

    def _train(
        self, train: Interactions, validation: Interactions | None, epochs: int, rates: list[float] | None
    ) -> tuple[Sequence[float], EarlyStopping]:
        from lib.models.networks import keras_training

        stopping = self._stopping()
        stopping.plateau_margin = 0.0
        with keras_training.seeded(self.seed):
            losses = keras_training.train(
                self._network(train),
                np.column_stack([train.users, train.items]),
                self._targets(train),
                stopping,
                epochs=epochs,
                batch_size=self.batch_size,
                error=None if validation is None else partial(self._error, validation),
                rates=rates,
                seed=self.seed,
            )
        return losses, stopping

    @abstractmethod
    def _network(self, train: Interactions):
        """Build the network with its starting weights."""

    @abstractmethod
    def _targets(self, train: Interactions) -> np.ndarray:
        """Return what the network is to give, float32 of shape (n,)."""

    @abstractmethod
    def _error(self, validation: Interactions, weights: Weights) -> float:
        """Measure weights by the RMSE of validation ratings."""

    def _keep(self, weights: Weights, train: Interactions) -> None:
        """Give cold entities the mean embedding."""
        for side, counts in (("user", train.user_counts), ("item", train.item_counts)):
            embedding = weights[f"{side}/embedding"]
            embedding[counts == 0] = embedding[counts > 0].mean(axis=0)
        self.weights_ = weights
