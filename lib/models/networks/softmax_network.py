"""The network of the softmax model: a bag of films, hidden layers, and scores of all films, with its gradients."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from lib.models.networks.network_model import Weights
from lib.models.networks.sparse_network import DenseLayers

INITIAL_SCALE = 0.1  # standard deviation of the embeddings at the start


class Network:
    r"""User embeddings :math:`\psi(x)` from bags of inputs, and film embeddings that they are multiplied with.

    .. math:: h_0 = x E, \quad h_l = \operatorname{relu}(h_{l-1} W_l + c_l), \quad \psi = h_{L-1} W_L + c_L

    without hidden layers :math:`\psi = h_0`. The first `n_items` inputs are films, further ones features; all
    embeddings have length `n_factors`. With `shared` weights the films' rows of E are the film embeddings V themselves.
    Embeddings start normally, layers by He's rule.
    """

    def __init__(
        self,
        n_items: int,
        n_inputs: int,
        *,
        n_factors: int,
        hidden_sizes: Sequence[int],
        shared: bool,
        rng: np.random.Generator,
    ):
        self.n_items, self.shared = n_items, shared
        sizes = [n_factors, *hidden_sizes, n_factors] if hidden_sizes else [n_factors]
        activations = ["relu"] * len(hidden_sizes) + ["identity"]
        self.dense = DenseLayers("layer", sizes, activations[: len(sizes) - 1])
        n_own = n_inputs - n_items if shared else n_inputs
        self.weights: Weights = {
            "items": rng.normal(0.0, INITIAL_SCALE, (n_items, n_factors)),
            "inputs": rng.normal(0.0, INITIAL_SCALE, (n_own, n_factors)),
        }
        for layer, (before, after) in zip(self.dense.names, self.dense.sizes, strict=True):
            self.weights[f"{layer}/kernel"] = rng.normal(0.0, np.sqrt(2.0 / before), (before, after))
            self.weights[f"{layer}/bias"] = np.zeros(after)

    def forward(self, bags: sparse.csr_array) -> list[np.ndarray]:
        """Compute the layers of some bags, shape (batch, n_inputs); the last is the user embeddings, shape (batch, k)."""
        if self.shared:
            first = bags[:, : self.n_items] @ self.weights["items"]
            if bags.shape[1] > self.n_items:
                first += bags[:, self.n_items :] @ self.weights["inputs"]
        else:
            first = bags @ self.weights["inputs"]
        return self.dense.forward(self.weights, first)

    def backward(self, bags: sparse.csr_array, layers: list[np.ndarray], slope: np.ndarray) -> Weights:
        """Return the gradient of a loss by each weight, given that by the user embeddings, shape (batch, k).

        What the loss owes to the film embeddings as outputs is not in it; their part as `shared` inputs is, under
        ``items``.
        """
        gradients, slope = self.dense.backward(self.weights, layers, slope)
        by_input = sparse.csr_array(bags.T) @ slope
        if self.shared:
            gradients["items"], gradients["inputs"] = by_input[: self.n_items], by_input[self.n_items :]
        else:
            gradients["inputs"] = by_input
        return gradients


class Adagrad:
    """Steps that shrink, weight by weight, with the squared gradients seen so far (Duchi, Hazan and Singer 2011).

    `weights` are changed in place; the sums of squares begin at a little, which keeps first steps from being huge.
    """

    def __init__(self, weights: Weights, learning_rate: float):
        self.weights, self.learning_rate = weights, learning_rate
        self.sums = {name: np.full_like(value, 1e-8) for name, value in weights.items()}

    def step(self, gradients: Weights) -> None:
        """Take one step against the gradients."""
        for name, gradient in gradients.items():
            self.sums[name] += gradient * gradient
            self.weights[name] -= self.learning_rate * gradient / np.sqrt(self.sums[name])
