"""The two-tower network in Keras, on any backend; importing this loads one, so it waits for a model to be fitted."""

from collections.abc import Sequence

import numpy as np
from keras import Model as KerasModel
from keras import initializers, layers, ops, regularizers

from lib.models.networks.two_tower_features import CATEGORICAL, Feature


class Tower(layers.Layer):
    """One tower: embedding of the id and layers of the features, joined, dense, dense, normalised to length one.

    What a tower says depends on the entity alone, so the features of all entities are weights that do not learn, and an
    input is a code. Each feature's layer has width `feature_size`. Embeddings start uniform in plus or minus
    `init_scale`; `l2` weighs their squared norm in the loss. `whole` computes the vectors of all entities before it
    gathers the batch's, as `lib.models.networks.neural_mf_network.Entities` does.
    """

    def __init__(
        self,
        n_entities: int,
        features: Sequence[Feature],
        feature_size: int,
        *,
        embedding_size: int,
        hidden_size: int,
        final_size: int,
        init_scale: float,
        l2: float,
        whole: bool,
        seed: int,
        name: str,
    ):
        super().__init__(name=name)
        seeds = iter(np.random.SeedSequence(seed).generate_state(2 * len(features) + 3).tolist())

        def small():
            return initializers.RandomUniform(-init_scale, init_scale, seed=next(seeds))

        def dense(size, activation=None):
            start = initializers.GlorotUniform(seed=next(seeds))
            return layers.Dense(size, activation, kernel_initializer=start)

        penalty = regularizers.L2(l2) if l2 else None
        self.embedding = self.add_weight(
            shape=(n_entities, embedding_size), initializer=small(), name="embedding", regularizer=penalty
        )
        self.values, self.feature_layers = [], []
        for feature in features:
            shape, name = feature.values.shape, f"{feature.name}_values"
            self.values.append(self.add_weight(shape=shape, initializer="zeros", trainable=False, name=name))
            self.values[-1].assign(feature.values)
            # A one-hot row times a matrix is a look-up in an embedding, with a gradient that needs no scatter.
            if feature.kind == CATEGORICAL:
                layer = layers.Dense(feature_size, use_bias=False, kernel_initializer=small())
            else:
                layer = dense(feature_size, "relu")
            layer.build((None, shape[1]))
            self.feature_layers.append(layer)
        self.hidden, self.final = dense(hidden_size, "relu"), dense(final_size)
        self.hidden.build((None, embedding_size + len(features) * feature_size))
        self.final.build((None, hidden_size))
        self.whole, self.features = whole, [feature.name for feature in features]
        self.constants = (l2, whole)
        self.built = True

    def call(self, codes):
        """Vectors of some entities, shape (len(codes), final_size)."""
        if self.whole:
            return ops.take(self.vectors(self.embedding, self.values), codes, axis=0)
        rows = [ops.take(values, codes, axis=0) for values in self.values]
        return self.vectors(ops.take(self.embedding, codes, axis=0), rows)

    def vectors(self, embedding, values):
        """Pass rows of the embedding and of the features through the tower."""
        parts = [embedding, *(layer(v) for layer, v in zip(self.feature_layers, values, strict=True))]
        joined = ops.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
        return ops.normalize(self.final(self.hidden(joined)), axis=1)

    def weights_by_name(self) -> dict[str, np.ndarray]:
        """Every array of the tower under a name such as ``age/kernel``."""
        found = {"embedding": self.embedding}
        for name, values, layer in zip(self.features, self.values, self.feature_layers, strict=True):
            found |= {f"{name}/values": values, f"{name}/kernel": layer.kernel}
            if layer.use_bias:
                found[f"{name}/bias"] = layer.bias
        for name in ("hidden", "final"):
            layer = getattr(self, name)
            found |= {f"{name}/kernel": layer.kernel, f"{name}/bias": layer.bias}
        return {name: np.array(ops.convert_to_numpy(weight)) for name, weight in found.items()}


class TwoTowerNetwork(KerasModel):
    """Cosine of a user's and a film's vector, shape (n,), for an integer array of user and item codes, shape (n, 2)."""

    def __init__(self, user_tower: Tower, item_tower: Tower):
        super().__init__()
        self.user_tower, self.item_tower = user_tower, item_tower
        self.constants = (user_tower.constants, item_tower.constants)
        self.built = True

    def call(self, pairs):
        """Cosine of each pair."""
        return ops.sum(self.user_tower(pairs[:, 0]) * self.item_tower(pairs[:, 1]), axis=1)

    def weights_by_name(self) -> dict[str, np.ndarray]:
        """Every array of the network under a name such as ``user/age/kernel``."""
        return {
            f"{side}/{name}": array
            for side, tower in (("user", self.user_tower), ("item", self.item_tower))
            for name, array in tower.weights_by_name().items()
        }
