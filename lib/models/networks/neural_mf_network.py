"""The NeuralMF network in Keras, on any backend; importing this loads one, so it waits for a model to be fitted."""

from collections.abc import Sequence

import numpy as np
from keras import Model as KerasModel
from keras import initializers, layers, ops, random, regularizers


class Entities(layers.Layer):
    """Embedding and bias of the users, or of the films, and their part of the network's first layer.

    The first layer is linear in the two embeddings side by side, so it is a sum of a part of the user and one of the
    film; a part depends on the entity alone. Embeddings start uniform in plus or minus `init_scale`, biases at zero;
    `l2` weighs the squared norms of both in the loss. Of `features`, shape (n_entities, n_features), if not None, an
    embedding has a linear function beside the entity's own numbers. `whole` computes the parts of all entities and
    gathers the batch's, instead of gathering embeddings first: output and gradient are the same; the work is
    `n_entities` rows a step instead of a batch's.
    """

    def __init__(
        self,
        n_entities: int,
        n_factors: int,
        *,
        init_scale: float,
        l2: float,
        whole: bool,
        seed: int,
        name: str,
        features: np.ndarray | None = None,
    ):
        super().__init__(name=name)

        def weight(shape, initializer, name):
            regularizer = regularizers.L2(l2) if l2 else None
            return self.add_weight(shape=shape, initializer=initializer, regularizer=regularizer, name=name)

        start = initializers.RandomUniform(-init_scale, init_scale, seed=seed)
        self.embedding = weight((n_entities, n_factors), start, "embedding")
        self.bias = weight((n_entities,), "zeros", "bias")
        self.features = None if features is None else ops.convert_to_tensor(features)
        if features is not None:
            self.of_features = weight((features.shape[1], n_factors), start, "features")
        self.whole, self.built = whole or features is not None, True

    def table(self):
        """Embeddings of all entities."""
        return self.embedding if self.features is None else self.embedding + ops.matmul(self.features, self.of_features)

    def call(self, codes, kernel):
        """Embeddings, parts of the first layer and biases of some entities, a row a code."""
        table = self.table()
        embeddings = ops.take(table, codes, axis=0)
        parts = ops.take(ops.matmul(table, kernel), codes, axis=0) if self.whole else ops.matmul(embeddings, kernel)
        return embeddings, parts, ops.take(self.bias, codes, axis=0)


class NeuralMFNetwork(KerasModel):
    """Biases plus what dense layers make of a user's and a film's embedding; see `lib.models.networks.neural_mf.NeuralMF`.

    The input is an integer array of shape (n, 2) of user and item codes, the output has shape (n,), in units of the
    rating scale. `mean` is where the learned mean starts; by `batch_size`, of the training, the faster of two equal ways
    of computing is chosen; `seed` is of starting weights and dropout.
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        *,
        n_factors: int,
        hidden_size: int,
        dropout: float,
        l2: float,
        init_scale: float,
        mean: float,
        batch_size: int,
        seed: int,
        features: Sequence[np.ndarray | None] = (None, None),
    ):
        super().__init__()
        seeds = iter(np.random.SeedSequence(seed).generate_state(16).tolist())

        def entities(n_entities: int, name: str, known: np.ndarray | None) -> Entities:
            shared: dict = {"init_scale": init_scale, "l2": l2, "whole": n_entities <= 1.5 * batch_size}
            return Entities(n_entities, n_factors, **shared, seed=next(seeds), name=name, features=known)

        def dense(n_inputs: int, n_outputs: int, *, relu: bool = True, bias: bool = True) -> layers.Dense:
            start = initializers.GlorotUniform(seed=next(seeds))
            activation = "relu" if relu else None
            layer = layers.Dense(n_outputs, activation, use_bias=bias, kernel_initializer=start)
            layer.build((None, n_inputs))
            return layer

        self.user, self.item = (
            entities(n, name, known)
            for n, name, known in zip((n_users, n_items), ("user", "item"), features, strict=True)
        )
        self.residual = dense(2 * n_factors, hidden_size, relu=False, bias=False)
        sizes = [(hidden_size, hidden_size), (hidden_size, n_factors), (n_factors, n_factors)]
        self.blocks = [[dense(n_in, n_out), dense(n_out, n_out)] for n_in, n_out in sizes]
        self.output_layer = dense(2 * n_factors, 1, relu=False)
        self.dropout, self.seeds = dropout, random.SeedGenerator(next(seeds))
        self.mean = self.add_weight(shape=(), initializer=initializers.Constant(mean), name="mean")
        told = tuple(None if known is None else known.tobytes() for known in features)
        self.constants = (dropout, l2, self.user.whole, self.item.whole, told)
        self.n_factors, self.built = n_factors, True

    def call(self, pairs, training=False):
        """Rating of each pair."""
        of_user, of_item = ops.split(self.residual.kernel, 2, axis=0)
        p, user_part, user_bias = self.user(pairs[:, 0], of_user)
        q, item_part, item_bias = self.item(pairs[:, 1], of_item)
        product, residual = p * q, user_part + item_part
        narrow, wide = (self._masks(x, count, training) for x, count in ((residual, 2), (product, 4)))
        x = block(self.blocks[0], residual, narrow[:2])
        x = block(self.blocks[1], x + residual, wide[:2])
        x = block(self.blocks[2], x + product, wide[2:])
        of_product, of_x = ops.split(self.output_layer.kernel, 2, axis=0)
        out = ops.matmul(product, of_product) + ops.matmul(x, of_x) + self.output_layer.bias
        return self.mean + user_bias + item_bias + out[:, 0]

    def _masks(self, x, count: int, training: bool) -> list:
        if not training or not self.dropout:
            return [None] * count
        return dropout_masks(ops.shape(x), count, self.dropout, self.seeds)

    def weights_by_name(self) -> dict[str, np.ndarray]:
        """Every array of the network under a name such as ``block1/dense0/kernel``."""
        found = {"mean": self.mean, "residual/kernel": self.residual.kernel}
        for side, table in (("user", self.user), ("item", self.item)):
            found |= {f"{side}/embedding": table.table(), f"{side}/bias": table.bias}
        named = {
            f"block{number}/dense{place}": layer
            for number, block in enumerate(self.blocks)
            for place, layer in enumerate(block)
        }
        for name, layer in (named | {"output": self.output_layer}).items():
            found |= {f"{name}/kernel": layer.kernel, f"{name}/bias": layer.bias}
        return {name: np.array(ops.convert_to_numpy(weight)) for name, weight in found.items()}


def block(dense_layers, x, masks):
    """Pass x through dense layers, each followed by its dropout mask or None."""
    for layer, mask in zip(dense_layers, masks, strict=True):
        x = layer(x) if mask is None else layer(x) * mask
    return x


def dropout_masks(shape, count: int, share: float, seeds: random.SeedGenerator) -> list:
    """Draw up to four independent masks of a shape from one array of integers: drawing is what dropout costs.

    Each of an integer's four bytes decides in one mask. A `share` of the entries, to the nearest 1/256, is zero; the
    others are such that the expectation is one.
    """
    least = min(255, round(256 * share))
    bits = random.randint(shape, -(2**31), 2**31 - 1, dtype="int32", seed=seeds)
    bytes_of = [ops.bitwise_and(ops.right_shift(bits, 8 * place), 255) for place in range(count)]
    return [ops.cast(value >= least, "float32") * (256 / (256 - least)) for value in bytes_of]
